/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources of bad ranges; see source.h.
 *
 * The surprise: the kernel has two lists that disagree by design.  The disk's list misses what lies
 * outside of its data (metadata area, BTT, devdax) and keeps errors that were cleared through the
 * bus; the region's list misses what was added to the disk's by hand.  So both count.
 */
#include "source.h"

#include <fcntl.h>
#include <string.h>

#include "layer.h"

int pme_bads_add(struct pme_bads *bads, const struct pme_dev *dev, struct pme_range range,
		 unsigned int known_by)
{
	int r = pme_grow(&bads->items, &bads->alloc, bads->count, sizeof(*bads->items));

	if (r < 0)
		return r;
	bads->items[bads->count++] =
		(struct pme_bad){.dev = dev, .range = range, .known_by = known_by};
	return 0;
}

void pme_bads_done(struct pme_bads *bads)
{
	free(bads->lists);
	free(bads->items);
	*bads = (struct pme_bads){0};
}

const char *pme_list_state_name(enum pme_list_state state)
{
	switch (state) {
	case PME_LIST_COMPLETE:
		return "complete";
	case PME_LIST_CLIPPED:
		return "clipped";
	case PME_LIST_FULL:
		return "full";
	case PME_LIST_UNREADABLE:
		return "unreadable";
	case PME_LIST_NONE:
		return "none";
	}
	return NULL;
}

const struct pme_list *pme_bads_list(const struct pme_bads *bads, const struct pme_dev *dev)
{
	for (size_t i = 0; i < bads->n_lists; i++)
		if (bads->lists[i].dev == dev)
			return &bads->lists[i];
	return NULL;
}

static int note_list(struct pme_bads *bads, const struct pme_dev *dev, enum pme_list_state state)
{
	int r = pme_grow(&bads->lists, &bads->alloc_lists, bads->n_lists, sizeof(*bads->lists));

	if (r < 0)
		return r;
	bads->lists[bads->n_lists++] = (struct pme_list){.dev = dev, .state = state};
	return 0;
}

static int compare_bads(const void *a, const void *b)
{
	const struct pme_bad *x = a, *y = b;
	int order = strcmp(x->dev->name, y->dev->name);

	if (order != 0)
		return order;
	return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

/* Append, or lengthen the last one when it continues it with the same sources. */
static int add_merged(struct pme_bads *out, const struct pme_dev *dev, uint64_t start, uint64_t end,
		      unsigned int known_by)
{
	struct pme_bad *last = out->count ? &out->items[out->count - 1] : NULL;
	struct pme_range range = {.start = start, .length = end - start};

	if (last && last->dev == dev && last->known_by == known_by &&
	    pme_range_end(last->range) == start) {
		last->range.length += range.length;
		return 0;
	}
	return pme_bads_add(out, dev, range, known_by);
}

/* Where the set of sources next changes behind @pos, among the sorted items of a run up to @end. */
static uint64_t next_border(const struct pme_bad *items, size_t count, uint64_t pos, uint64_t end)
{
	uint64_t border = end;

	for (size_t i = 0; i < count && items[i].range.start < border; i++) {
		if (items[i].range.start > pos)
			border = pme_min(border, items[i].range.start);
		if (pme_range_end(items[i].range) > pos)
			border = pme_min(border, pme_range_end(items[i].range));
	}
	return border;
}

static unsigned int sources_at(const struct pme_bad *items, size_t count, uint64_t pos)
{
	unsigned int known_by = 0;

	for (size_t i = 0; i < count && items[i].range.start <= pos; i++)
		if (pme_range_end(items[i].range) > pos)
			known_by |= items[i].known_by;
	return known_by;
}

/* Items of one device whose ranges overlap or touch: a run, ended by a gap; its end in *@ret_end.
 */
static size_t run_length(const struct pme_bad *items, size_t count, uint64_t *ret_end)
{
	uint64_t end = pme_range_end(items[0].range);
	size_t n = 1;

	while (n < count && items[n].dev == items[0].dev && items[n].range.start <= end) {
		end = pme_max(end, pme_range_end(items[n].range));
		n++;
	}
	*ret_end = end;
	return n;
}

static int merge_run(const struct pme_bad *items, size_t count, uint64_t end, struct pme_bads *out)
{
	uint64_t pos = items[0].range.start;

	while (pos < end) {
		uint64_t border = next_border(items, count, pos, end);
		unsigned int known_by = sources_at(items, count, pos);
		int r = add_merged(out, items[0].dev, pos, border, known_by);

		if (r < 0)
			return r;
		pos = border;
	}
	return 0;
}

int pme_bads_merge(struct pme_bads *bads)
{
	struct pme_bads out = {0};

	if (bads->count < 2)
		return 0;
	qsort(bads->items, bads->count, sizeof(*bads->items), compare_bads);
	for (size_t i = 0; i < bads->count;) {
		uint64_t end;
		size_t n = run_length(bads->items + i, bads->count - i, &end);
		int r = merge_run(bads->items + i, n, end, &out);

		if (r < 0) {
			pme_bads_done(&out);
			return r;
		}
		i += n;
	}
	free(bads->items);
	bads->items = out.items;
	bads->count = out.count;
	bads->alloc = out.alloc;
	return 0;
}

/* Say what a list that stops too early means. */
static void log_truncated(struct pme_log *log, const char *name, const struct pme_badblocks *bb)
{
	switch (bb->state) {
	case PME_BB_COMPLETE:
		return;
	case PME_BB_CLIPPED:
		pme_log_incomplete(
			log, name,
			"the kernel's list of bad blocks is cut off at %d bytes: at least "
			"%zu entries, more are not shown; clear or replace what is "
			"listed, then scan again",
			PME_BADBLOCKS_CLIP, bb->entries);
		return;
	case PME_BB_FULL:
		pme_log_incomplete(
			log, name,
			"the kernel's table of bad blocks is full (%zu entries): later "
			"errors were dropped; clear or replace what is listed, then scrub",
			bb->entries);
		return;
	}
}

static enum pme_list_state state_of(const struct pme_badblocks *bb)
{
	switch (bb->state) {
	case PME_BB_COMPLETE:
		return PME_LIST_COMPLETE;
	case PME_BB_CLIPPED:
		return PME_LIST_CLIPPED;
	case PME_BB_FULL:
		return PME_LIST_FULL;
	}
	return PME_LIST_UNREADABLE;
}

/* Read one list: 1 and *@ret, 0 when there is none to read, -ENOMEM; *@ret_state but then. */
static int read_list(const struct pme_topo *topo, const struct pme_dev *dev, const char *path,
		     struct pme_log *log, struct pme_badblocks *ret, enum pme_list_state *ret_state)
{
	size_t line;
	int r = pme_badblocks_read(topo->os, path, ret, &line);

	*ret_state = PME_LIST_UNREADABLE;
	if (r == -ENOMEM)
		return r;
	if (r == -EINVAL || r == -ERANGE) {
		pme_log_incomplete(log, dev->name,
				   "the kernel's list of bad blocks is malformed "
				   "in line %zu",
				   line);
		return 0;
	}
	if (r == -ENOENT && !dev->ns && dev->kind == PME_DEV_DISK) {
		pme_log_add(log, PME_INFO, dev->name,
			    "the kernel keeps no list of bad blocks for this device");
		*ret_state = PME_LIST_NONE;
		return 0;
	}
	if (r < 0) {
		pme_log_incomplete(log, dev->name, "cannot read badblocks: %s", strerror(-r));
		return 0;
	}
	log_truncated(log, dev->name, ret);
	*ret_state = state_of(ret);
	if (pme_range_list_clip(&ret->ranges, dev->size))
		pme_log_incomplete(log, dev->name,
				   "the kernel lists bad blocks behind the end of the device");
	return 1;
}

static int add_disk(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_log *log,
		    struct pme_bads *ret)
{
	_cleanup_(pme_badblocks_done) struct pme_badblocks bb = {0};
	_cleanup_free_ char *path = pme_printf("sys/class/block/%s/badblocks", dev->name);
	enum pme_list_state state;
	int r;

	if (!path)
		return -ENOMEM;
	if (dev->ns && dev->ns->mode == PME_MODE_SECTOR)
		return note_list(ret, dev, PME_LIST_NONE); /* that of its region speaks for it */
	r = read_list(topo, dev, path, log, &bb, &state);
	for (size_t i = 0; r > 0 && i < bb.ranges.count; i++)
		if (pme_bads_add(ret, dev, bb.ranges.items[i], PME_BY_BADBLOCKS) < 0)
			return -ENOMEM;
	return r < 0 ? r : note_list(ret, dev, state);
}

/* Bytes of a region: on the disks of its namespaces where they have them, else on the region. */
static int add_region_range(const struct pme_dev *region, struct pme_range range,
			    const struct pme_selection *selection, struct pme_bads *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < region->n_uppers; i++)
		if (region->uppers[i]->kind == PME_DEV_DISK)
			r = pme_layer_namespace.up(NULL, region->uppers[i], region, range, &steps);
	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; i < steps.count; i++) {
		const struct pme_step *step = &steps.items[i];
		struct pme_range on_disk = {.start = step->to_start, .length = step->from.length};

		if (!step->to)
			continue;
		if (pme_range_list_add(&covered, step->from.start, step->from.length) < 0)
			return -ENOMEM;
		if (pme_dev_list_has(&selection->bases, step->to) &&
		    pme_bads_add(ret, step->to, on_disk, PME_BY_REGION) < 0)
			return -ENOMEM;
	}
	pme_range_list_normalize(&covered);
	r = pme_range_list_subtract(range, &covered, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = pme_bads_add(ret, region, rest.items[i], PME_BY_REGION);
	return r;
}

static int add_region(const struct pme_topo *topo, const struct pme_dev *region,
		      const struct pme_selection *selection, struct pme_log *log,
		      struct pme_bads *ret)
{
	_cleanup_(pme_badblocks_done) struct pme_badblocks bb = {0};
	_cleanup_free_ char *path = pme_printf("sys/bus/nd/devices/%s/badblocks", region->name);
	enum pme_list_state state;
	int r;

	if (!path)
		return -ENOMEM;
	r = read_list(topo, region, path, log, &bb, &state);
	for (size_t i = 0; r > 0 && i < bb.ranges.count; i++) {
		int error = add_region_range(region, bb.ranges.items[i], selection, ret);

		if (error < 0)
			return error;
	}
	return r < 0 ? r : note_list(ret, region, state);
}

static int add_base(const struct pme_topo *topo, const struct pme_dev *dev,
		    const struct pme_selection *selection, struct pme_log *log,
		    struct pme_bads *ret)
{
	switch (dev->kind) {
	case PME_DEV_REGION:
		return add_region(topo, dev, selection, log, ret);
	case PME_DEV_DISK:
		return add_disk(topo, dev, log, ret);
	case PME_DEV_CHARDEV: /* its region has the list */
		return note_list(ret, dev, PME_LIST_NONE);
	case PME_DEV_PARTITION:
	case PME_DEV_DM:
	case PME_DEV_MD:
		pme_log_incomplete(log, pme_dev_label(dev),
				   "the devices below it are not known: their bad blocks are not "
				   "read");
		return note_list(ret, dev, PME_LIST_UNREADABLE);
	}
	return -EINVAL;
}

int pme_source_kernel(const struct pme_topo *topo, const struct pme_selection *selection,
		      struct pme_log *log, struct pme_bads *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < selection->bases.count; i++)
		r = add_base(topo, selection->bases.items[i], selection, log, ret);
	return r;
}

static int add_user_range(const struct pme_dev *dev, struct pme_range range, const char *spec,
			  struct pme_log *log, struct pme_bads *ret)
{
	if (pme_range_end(range) > dev->size) {
		pme_log_add(log, PME_ERROR, spec,
			    "bytes %llu to %llu lie behind the end of %s (%llu bytes)",
			    (unsigned long long)range.start,
			    (unsigned long long)(pme_range_end(range) - 1), dev->name,
			    (unsigned long long)dev->size);
		return -ERANGE;
	}
	return pme_bads_add(ret, dev, range, PME_BY_USER);
}

int pme_source_range(const struct pme_topo *topo, const char *spec, uint64_t default_length,
		     struct pme_log *log, struct pme_bads *ret)
{
	const char *colon = strrchr(spec, ':');
	_cleanup_free_ char *name = colon ? strndup(spec, (size_t)(colon - spec)) : NULL;
	const struct pme_dev *dev;
	struct pme_range range;

	if (!colon || colon == spec ||
	    pme_range_parse(colon + 1, strlen(colon + 1), default_length, &range) < 0) {
		pme_log_add(log, PME_ERROR, spec,
			    "not a range: expected DEV:START+LENGTH, each "
			    "number in bytes or with suffix s, k, m, g or t");
		return -EINVAL;
	}
	if (!name)
		return -ENOMEM;
	dev = pme_topo_dev_by_spec(topo, name);
	if (!dev) {
		pme_log_add(log, PME_ERROR, name, "no such block device, namespace or region");
		return -ENODEV;
	}
	return add_user_range(dev, range, spec, log, ret);
}

/* Split FILE:DEV where FILE exists; the first such colon wins. */
static const char *split_file_spec(const char *spec, char **ret_file)
{
	struct pme_os here = {.root = AT_FDCWD};

	for (const char *p = strchr(spec, ':'); p; p = strchr(p + 1, ':')) {
		_cleanup_free_ char *file = strndup(spec, (size_t)(p - spec));

		if (file && p > spec && p[1] != '\0' && pme_os_exists(&here, file) == 1) {
			*ret_file = pme_take_ptr(file);
			return p + 1;
		}
	}
	return NULL;
}

/* The text of a list, from the working directory. */
static int read_user_file(const char *file, char **ret, size_t *ret_len)
{
	struct pme_os here = {.root = AT_FDCWD};

	return pme_os_read_file(&here, file, PME_FILE_MAX, ret, ret_len);
}

/* Read and parse a list of the user: says what is wrong with it. */
static int parse_user_file(const char *file, uint64_t block_size, struct pme_log *log,
			   struct pme_badblocks *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len, line;
	int r = read_user_file(file, &text, &len);

	if (r < 0) {
		pme_log_add(log, PME_ERROR, file, "cannot read the list: %s", strerror(-r));
		return r == -ENOMEM ? r : -EIO;
	}
	r = pme_badblocks_parse_file(text, len, block_size, ret, &line);
	if (r == -EINVAL || r == -ERANGE) {
		pme_log_add(log, PME_ERROR, file,
			    "line %zu: expected \"SECTOR COUNT\", or one block number per line",
			    line);
		return -EINVAL;
	}
	return r;
}

int pme_source_file(const struct pme_topo *topo, const char *spec, uint64_t block_size,
		    struct pme_log *log, struct pme_bads *ret)
{
	_cleanup_(pme_badblocks_done) struct pme_badblocks bb = {0};
	_cleanup_free_ char *file = NULL;
	const char *name = split_file_spec(spec, &file);
	const struct pme_dev *dev;
	int r;

	if (!name) {
		bool colon = strchr(spec, ':') != NULL;

		pme_log_add(log, PME_ERROR, spec, "%s",
			    colon ? "no such file: expected FILE:DEV"
				  : "not a list of bad blocks: expected FILE:DEV");
		return colon ? -ENOENT : -EINVAL;
	}
	dev = pme_topo_dev_by_spec(topo, name);
	if (!dev) {
		pme_log_add(log, PME_ERROR, name, "no such block device, namespace or region");
		return -ENODEV;
	}
	r = parse_user_file(file, block_size, log, &bb);
	for (size_t i = 0; r == 0 && i < bb.ranges.count; i++)
		r = add_user_range(dev, bb.ranges.items[i], file, log, ret);
	return r;
}
