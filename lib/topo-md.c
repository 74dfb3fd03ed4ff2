/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD arrays from their sysfs attributes.  mdadm's ioctls say less, and its configuration lies.
 *
 * Refused, with table_error: text that makes no sense, a component that has a slot but is not in
 * the snapshot, or reaches past its device.  A layer must not compute with half an array.
 *
 * The surprise: three units.  chunk_size is bytes, component size KiB, offset 512-byte sectors.
 */
#include "topo.h"

#include <limits.h>
#include <string.h>

#include "badblocks.h"

#define KIB 1024ULL

/* "new" or "new (old)": the first number, and whether there are two. */
static int parse_pair(const char *text, uint64_t *ret, uint64_t *ret_old, bool *ret_two)
{
	const char *end = text ? text + strlen(text) : NULL;
	const char *pos = text, *word;
	size_t len;

	if (!text || pme_next_word(&pos, end, &word, &len) == 0 ||
	    pme_parse_u64(word, len, ret) < 0)
		return -EINVAL;
	*ret_old = *ret;
	*ret_two = pme_next_word(&pos, end, &word, &len) == 1;
	if (!*ret_two)
		return 0;
	if (len < 2 || word[0] != '(' || word[len - 1] != ')' || word + len != end)
		return -EINVAL;
	return pme_parse_u64(word + 1, len - 2, ret_old);
}

/* 1 a reshape runs, 0 it does not, -EINVAL */
static int parse_reshape(const char *text)
{
	uint64_t position;

	if (!text)
		return -EINVAL;
	if (strcmp(text, "none") == 0)
		return 0;
	return pme_parse_u64(text, strlen(text), &position) < 0 ? -EINVAL : 1;
}

static int parse_geometry(const struct pme_md_text *text, struct pme_md *md)
{
	uint64_t old, disks, old_disks;
	bool two = false, two_chunks = false;
	int reshape = parse_reshape(text->reshape_position);

	if (reshape < 0 || parse_pair(text->raid_disks, &disks, &old_disks, &two) < 0 ||
	    parse_pair(text->chunk_size, &md->chunk, &old, &two_chunks) < 0)
		return -EINVAL;
	if (disks > INT_MAX || old_disks > INT_MAX)
		return -ERANGE;
	md->raid_disks = disks;
	md->reshape = reshape || two || two_chunks;
	/* raid1 and others without a layout show 0; a level may show nothing at all */
	if (parse_pair(text->layout, &md->layout, &old, &two) < 0)
		md->layout_known = false;
	else
		md->layout_known = !two;
	return 0;
}

/* How far mirrors and parity are known to agree: "none" for everywhere.  Silence vouches for
 * nothing. */
static uint64_t parse_resync(const char *text)
{
	uint64_t sectors, bytes;

	if (!text)
		return 0;
	if (strcmp(text, "none") == 0)
		return UINT64_MAX;
	if (pme_parse_u64(text, strlen(text), &sectors) < 0 ||
	    pme_mul(sectors, PME_SECTOR, &bytes) < 0)
		return 0;
	return bytes;
}

static int parse_strings(const struct pme_md_text *text, struct pme_md *md)
{
	uint64_t size;

	if (text->component_size &&
	    pme_parse_u64(text->component_size, strlen(text->component_size), &size) == 0 &&
	    pme_mul(size, KIB, &size) == 0)
		md->member_size = size;
	md->resynced = parse_resync(text->resync_start);
	md->journal_back = text->journal_mode && strstr(text->journal_mode, "[write-back]");
	md->level = strdup(text->level);
	if (text->metadata_version)
		md->metadata = strdup(text->metadata_version);
	if (md->level && (md->metadata || !text->metadata_version))
		return 0;
	free(md->level);
	free(md->metadata);
	return -ENOMEM;
}

int pme_md_parse(const struct pme_md_text *text, struct pme_md *ret)
{
	struct pme_md md = *ret;
	int r;

	if (!text->level || !*text->level)
		return -EINVAL;
	r = parse_geometry(text, &md);
	if (r < 0)
		return r;
	r = parse_strings(text, &md);
	if (r == 0)
		*ret = md;
	return r;
}

static int parse_slot(const char *text, int *ret)
{
	uint64_t slot;

	if (!text)
		return -EINVAL;
	if (strcmp(text, "none") == 0 || strcmp(text, "journal") == 0) {
		*ret = -1;
		return 0;
	}
	if (pme_parse_u64(text, strlen(text), &slot) < 0)
		return -EINVAL;
	if (slot > INT_MAX)
		return -ERANGE;
	*ret = (int)slot;
	return 0;
}

static int parse_scaled(const char *text, uint64_t unit, uint64_t *ret)
{
	uint64_t value;

	if (!text || pme_parse_u64(text, strlen(text), &value) < 0)
		return -EINVAL;
	return pme_mul(value, unit, ret) < 0 ? -ERANGE : 0;
}

/* Is @word in the list @state? */
static bool has_state(const char *state, const char *word)
{
	size_t len = strlen(word);

	for (const char *pos = state; pos; pos = strchr(pos, ',')) {
		pos += *pos == ',';
		if (strncmp(pos, word, len) == 0 && (pos[len] == ',' || pos[len] == 0))
			return true;
	}
	return false;
}

/*
 * Which bytes of a member hold what they should.  "faulty" beside "in_sync" is one that has bad
 * blocks which are not acknowledged yet, and no more.
 */
static void parse_sync(const struct pme_md_component_text *text, struct pme_md_component *c)
{
	if (has_state(c->state, "in_sync")) {
		c->synced = UINT64_MAX;
	} else if (has_state(c->state, "faulty")) {
		c->synced = 0;
	} else {
		c->synced = parse_resync(text->recovery_start);
		c->vague = !text->recovery_start;
	}
}

int pme_md_component_parse(const struct pme_md_component_text *text, struct pme_md_component *ret)
{
	struct pme_md_component c = {.dev = ret->dev};
	uint64_t end;
	int r = parse_slot(text->slot, &c.slot);

	if (r == 0)
		r = parse_scaled(text->offset, PME_SECTOR, &c.data_offset);
	if (r == 0)
		r = parse_scaled(text->size, KIB, &c.size);
	if (r < 0)
		return r;
	if (pme_add(c.data_offset, c.size, &end) < 0)
		return -ERANGE;
	c.state = strdup(text->state ? text->state : "");
	if (!c.state)
		return -ENOMEM;
	parse_sync(text, &c);
	*ret = c;
	return 0;
}

void pme_md_done(struct pme_md *md)
{
	free(md->level);
	free(md->metadata);
	for (size_t i = 0; i < md->n_components; i++) {
		free(md->components[i].state);
		pme_range_list_done(&md->components[i].bad);
	}
	free(md->components);
	*md = (struct pme_md){0};
}

/* Attribute @attr of the array, or of its component @part ("/dev-pmem0"); *@ret stays NULL if not.
 */
static int read_text(const struct pme_topo *topo, const struct pme_dev *dev, const char *part,
		     const char *attr, char **ret)
{
	int r = pme_os_read_line(topo->os, ret, "sys/class/block/%s/md%s/%s", dev->name, part,
				 attr);

	return r == -ENOMEM ? r : 0;
}

enum { N_ATTRS = 9 };

/* In the order of struct pme_md_text. */
static const char *const attrs[N_ATTRS] = {
	"level",	  "raid_disks",	  "layout",	      "chunk_size",   "reshape_position",
	"component_size", "resync_start", "metadata_version", "journal_mode",
};

static int load_array(const struct pme_topo *topo, struct pme_dev *dev)
{
	char *text[N_ATTRS] = {NULL};
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_ATTRS; i++)
		r = read_text(topo, dev, "", attrs[i], &text[i]);
	if (r == 0)
		r = pme_md_parse(&(struct pme_md_text){text[0], text[1], text[2], text[3], text[4],
						       text[5], text[6], text[7], text[8]},
				 dev->md);
	for (size_t i = 0; i < N_ATTRS; i++)
		free(text[i]);
	return r;
}

/* A list that cannot be read, or not to its end, vouches for nothing; older kernels have none. */
static int read_bad_blocks(const struct pme_topo *topo, const struct pme_dev *dev,
			   const char *folder, struct pme_md_component *c)
{
	_cleanup_free_ char *path =
		pme_printf("sys/class/block/%s/md/%s/bad_blocks", dev->name, folder);
	struct pme_badblocks bb = {};
	size_t line;
	int r = path ? pme_badblocks_read(topo->os, path, &bb, &line) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		return 0;
	c->vague = c->vague || r < 0 || bb.state == PME_BB_CLIPPED;
	c->bad = bb.ranges;
	return 0;
}

static int read_component(const struct pme_topo *topo, const struct pme_dev *dev,
			  const char *folder, struct pme_md_component *ret)
{
	_cleanup_free_ char *part = pme_printf("/%s", folder);
	_cleanup_free_ char *slot = NULL, *offset = NULL, *size = NULL, *state = NULL,
			    *recovery = NULL;
	int r = part ? read_text(topo, dev, part, "slot", &slot) : -ENOMEM;

	if (r == 0)
		r = read_text(topo, dev, part, "offset", &offset);
	if (r == 0)
		r = read_text(topo, dev, part, "size", &size);
	if (r == 0)
		r = read_text(topo, dev, part, "state", &state);
	if (r == 0)
		r = read_text(topo, dev, part, "recovery_start", &recovery);
	if (r == 0)
		r = pme_md_component_parse(
			&(struct pme_md_component_text){.slot = slot,
							.offset = offset,
							.size = size,
							.state = state,
							.recovery_start = recovery},
			ret);
	if (r < 0)
		return r;
	r = read_bad_blocks(topo, dev, folder, ret);
	if (r < 0)
		free(ret->state);
	return r;
}

static bool fits(const struct pme_md_component *c)
{
	return c->data_offset + c->size <= c->dev->size;
}

static int add_component(struct pme_topo *topo, struct pme_dev *dev, const char *folder,
			 size_t *alloc)
{
	struct pme_md_component c = {.dev = pme_topo_find(topo, folder + strlen("dev-"))};
	struct pme_md *md = dev->md;
	int r = pme_grow(&md->components, alloc, md->n_components, sizeof(c));

	if (r == 0)
		r = read_component(topo, dev, folder, &c);
	if (r < 0)
		return r;
	if (c.dev && (fits(&c) || c.slot < 0)) {
		md->components[md->n_components++] = c;
		return 0;
	}
	/* a failed one that is gone is as good as none */
	r = c.slot < 0 || (c.synced == 0 && has_state(c.state, "faulty")) ? 0 : -ENODEV;
	free(c.state);
	pme_range_list_done(&c.bad);
	return c.dev ? -ERANGE : r;
}

/* By slot; those without one last; a replacement behind the device that it replaces. */
static int compare_slots(const void *a, const void *b)
{
	const struct pme_md_component *x = a, *y = b;
	unsigned int slot_x = (unsigned int)x->slot, slot_y = (unsigned int)y->slot;

	if (slot_x != slot_y)
		return slot_x < slot_y ? -1 : 1;
	return strcmp(x->dev->name, y->dev->name);
}

static int load_components(struct pme_topo *topo, struct pme_dev *dev)
{
	_cleanup_free_ char *path = pme_printf("sys/class/block/%s/md", dev->name);
	char **names = NULL;
	size_t count = 0, alloc = 0;
	int r = path ? pme_os_list(topo->os, path, &names, &count) : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++)
		if (strncmp(names[i], "dev-", strlen("dev-")) == 0)
			r = add_component(topo, dev, names[i], &alloc);
	pme_os_free_names(names, count);
	if (r == 0 && dev->md->n_components > 0)
		qsort(dev->md->components, dev->md->n_components, sizeof(*dev->md->components),
		      compare_slots);
	return r;
}

static int link_components(struct pme_dev *dev, struct pme_log *log)
{
	for (size_t i = 0; i < dev->md->n_components; i++) {
		/* the snapshot is still being built: its devices may be changed */
		int r = pme_topo_link((struct pme_dev *)dev->md->components[i].dev, dev, log);

		if (r < 0)
			return r;
	}
	return 0;
}

/* An array that is not running has no geometry yet and carries nothing. */
static bool is_running(const struct pme_topo *topo, const struct pme_dev *dev)
{
	_cleanup_free_ char *state = NULL;

	if (read_text(topo, dev, "", "array_state", &state) < 0 || !state)
		return true;
	return strcmp(state, "inactive") != 0 && strcmp(state, "clear") != 0;
}

int pme_topo_load_md(struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log)
{
	int r;

	if (!is_running(topo, dev)) {
		dev->table_error = -ENODATA;
		pme_log_add(log, PME_WARNING, dev->name, "the MD array is not running");
		return 0;
	}
	dev->md = calloc(1, sizeof(*dev->md));
	if (!dev->md)
		return -ENOMEM;
	r = load_array(topo, dev);
	if (r == 0)
		r = load_components(topo, dev);
	if (r == 0)
		return link_components(dev, log);
	pme_md_done(dev->md);
	free(pme_take_ptr(dev->md));
	if (r == -ENOMEM)
		return r;
	dev->table_error = r;
	pme_log_incomplete(log, dev->name, "cannot make sense of its MD attributes: %s",
			   strerror(-r));
	return 0;
}
