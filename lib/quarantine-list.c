/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in quarantine; see quarantine-list.h.
 */
#include "quarantine-list.h"

#include <fcntl.h>
#include <string.h>

#include "quarantine.h"

/* Blocks behind the end of a file are its own as well. */
#define EVERYTHING (1ULL << 62)

static const char *const state_names[] = {
	[PME_PARKED_BAD] = "bad",
	[PME_PARKED_CLEARED] = "cleared",
	[PME_PARKED_UNKNOWN] = "unknown",
};

const char *pme_parked_state_name(enum pme_parked_state state)
{
	return state_names[state];
}

static void parked_done(struct pme_parked *file)
{
	for (size_t i = 0; file->ways && i < file->extents.count; i++)
		pme_ways_done(&file->ways[i]);
	free(file->ways);
	free(file->name);
	free(file->reason);
	free(file->why);
	json_object_put(file->sources);
	pme_extents_done(&file->extents);
	pme_range_list_done(&file->bad);
}

static void quarantine_free(struct pme_quarantine *quarantine)
{
	for (size_t i = 0; i < quarantine->count; i++)
		parked_done(&quarantine->files[i]);
	free(quarantine->files);
	pme_close_fd(&quarantine->dir);
	pme_reach_close(&quarantine->reach);
	pme_fs_done(&quarantine->fs);
	free(quarantine);
}

void pme_quarantines_done(struct pme_quarantines *quarantines)
{
	for (size_t i = 0; i < quarantines->count; i++)
		quarantine_free(quarantines->items[i]);
	free(quarantines->items);
	pme_scan_done(&quarantines->scan);
	*quarantines = (struct pme_quarantines){0};
}

char *pme_parked_path(const struct pme_quarantine *quarantine, const struct pme_parked *file)
{
	const char *target = quarantine->fs.mounts[0]->target;

	for (size_t i = quarantine->fs.n_mounts; i-- > 0;)
		if (strcmp(quarantine->fs.mounts[i]->root, "/") == 0)
			target = quarantine->fs.mounts[i]->target;
	return pme_printf("%s%s%s/%s/%s", target, target[1] ? "/" : "", PME_VAULT,
			  pme_vault_part_name(PME_VAULT_QUARANTINE), file->name);
}

/* Something that no repair made: it is shown, and nothing else. */
static int note_odd(struct pme_parked *file, const char *why)
{
	file->is_odd = true;
	file->state = PME_PARKED_UNKNOWN;
	if (!file->reason)
		file->reason = strdup(why);
	return file->reason ? 0 : -ENOMEM;
}

/* The list that speaks for @dev: its own, or that of its region. */
static enum pme_list_state list_state(const struct pme_scan *scan, const struct pme_dev *dev)
{
	const struct pme_list *list = pme_bads_list(&scan->bads, dev);
	const struct pme_region *region = pme_dev_region(dev);
	const struct pme_dev *whole =
		region ? pme_topo_dev_by_name(scan->topo, region->name) : NULL;

	if ((!list || list->state == PME_LIST_NONE) && whole)
		list = pme_bads_list(&scan->bads, whole);
	return list ? list->state : PME_LIST_NONE;
}

/* Nobody lists any of its bytes: what is that worth?  Sets the state. */
static int judge_unlisted(const struct pme_scan *scan, struct pme_parked *file)
{
	file->state = PME_PARKED_CLEARED;
	if (file->bytes == 0) {
		file->reason = strdup("it has no blocks any more: somebody else gave them back");
		return file->reason ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < file->extents.count; i++) {
		for (size_t w = 0; w < file->ways[i].count; w++) {
			const struct pme_way *way = &file->ways[i].items[w];
			const struct pme_dev *bottom = way->reason ? NULL : way->hops[0].dev;

			if (bottom && list_state(scan, bottom) == PME_LIST_COMPLETE)
				continue;
			file->state = PME_PARKED_UNKNOWN;
			free(file->reason);
			file->reason = bottom ? pme_printf("the kernel's list of bad blocks of %s "
							   "is missing or not whole",
							   bottom->name)
					      : strdup(way->reason);
			return file->reason ? 0 : -ENOMEM;
		}
	}
	return 0;
}

static int look_at_extents(struct pme_stack *stack, const struct pme_fs *fs,
			   struct pme_parked *file)
{
	int r = 0;

	file->ways = calloc(file->extents.count + 1, sizeof(*file->ways));
	if (!file->ways)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < file->extents.count; i++) {
		const struct pme_extent *extent = &file->extents.items[i];
		struct pme_range range = {extent->device_start, extent->range.length};

		if (extent->state != PME_EXTENT_DATA && extent->state != PME_EXTENT_UNWRITTEN)
			continue;
		file->bytes += range.length;
		r = pme_descend(stack, fs->dev, range, &file->ways[i]);
	}
	return r;
}

static bool ways_pass(const struct pme_selection *selection, const struct pme_ways *ways)
{
	for (size_t w = 0; w < ways->count; w++)
		for (size_t h = 0; h < ways->items[w].n_hops; h++)
			if (pme_dev_list_has(&selection->passing, ways->items[w].hops[h].dev))
				return true;
	return false;
}

/* Of a file whose blocks are not known, or that has none, the whole filesystem counts. */
static int choose(struct pme_stack *stack, const struct pme_selection *selection,
		  const struct pme_fs *fs, struct pme_parked *file)
{
	_cleanup_(pme_ways_done) struct pme_ways all = {0};
	int r = 0;

	file->chosen = selection->passing.count == 0;
	for (size_t i = 0; !file->chosen && file->ways && i < file->extents.count; i++)
		file->chosen = ways_pass(selection, &file->ways[i]);
	if (file->chosen || file->bytes > 0)
		return 0;
	r = pme_descend(stack, fs->dev, (struct pme_range){0, fs->dev->size}, &all);
	file->chosen = r == 0 && ways_pass(selection, &all);
	return r;
}

static int look_at_file(struct pme_quarantines *all, struct pme_quarantine *quarantine,
			struct pme_parked *file)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = pme_os_stat_at(quarantine->dir, file->name, false, &st);

	if (r < 0)
		return note_odd(file, strerror(-r));
	file->inode = st.st_ino;
	file->since = (int64_t)st.st_ctim.tv_sec * 1000000 + st.st_ctim.tv_nsec / 1000;
	r = pme_quarantine_name_parse(file->name, strlen(file->name), &file->id, &file->n);
	if (r == -ENOMEM)
		return r;
	file->is_named = r == 0;
	if (!S_ISREG(st.st_mode))
		return note_odd(file, "no regular file: no repair has made it");
	file->size = (uint64_t)st.st_size;
	if (!file->is_named || st.st_uid != 0 || st.st_nlink != 1)
		r = note_odd(file, "not as a repair leaves a file: name, owner or number of links "
				   "differ");
	if (r == -ENOMEM)
		return r;
	fd = pme_os_open_at(quarantine->dir, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return note_odd(file, strerror(-fd));
	if (pme_fd_is_realtime(fd))
		return note_odd(file, "its data is on the realtime device");
	r = pme_extents_read(fd, (struct pme_range){0, EVERYTHING}, &file->extents);
	if (r < 0)
		return r == -ENOMEM ? r : note_odd(file, strerror(-r));
	return look_at_extents(&all->scan.stack, &quarantine->fs, file);
}

static int read_files(struct pme_quarantines *all, struct pme_quarantine *quarantine,
		      struct pme_log *log)
{
	struct pme_os dir = {.root = quarantine->dir};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&dir, ".", &names, &count);

	if (count > PME_QUARANTINE_FILES_MAX)
		pme_log_incomplete(log, pme_fs_subject(&quarantine->fs),
				   "%zu files in quarantine: only %d are looked at", count,
				   PME_QUARANTINE_FILES_MAX);
	for (size_t i = 0; r == 0 && i < count && i < PME_QUARANTINE_FILES_MAX; i++) {
		r = pme_grow(&quarantine->files, &quarantine->alloc, quarantine->count,
			     sizeof(*quarantine->files));
		if (r < 0)
			break;
		quarantine->files[quarantine->count] =
			(struct pme_parked){.name = pme_take_ptr(names[i])};
		r = look_at_file(all, quarantine, &quarantine->files[quarantine->count++]);
	}
	pme_os_free_names(names, count);
	return r;
}

/* The quarantine of @fs (taken over), if it has one: 0, -ENOMEM. */
static int add_fs(struct pme_quarantines *all, struct pme_fs *fs, struct pme_log *log)
{
	struct pme_quarantine *quarantine;
	int r = pme_grow(&all->items, &all->alloc, all->count, sizeof(*all->items));

	quarantine = r == 0 ? calloc(1, sizeof(*quarantine)) : NULL;
	if (!quarantine) {
		pme_fs_done(fs);
		return -ENOMEM;
	}
	quarantine->fs = *fs;
	quarantine->dir = -1;
	r = pme_reach_open(all->scan.topo->os, &quarantine->fs, &quarantine->reach);
	if (r == 0)
		quarantine->dir =
			pme_vault_open(quarantine->reach.root, PME_VAULT_QUARANTINE, false);
	if (r == 0 && quarantine->dir >= 0) {
		all->items[all->count++] = quarantine;
		return read_files(all, quarantine, log);
	}
	if (r == 0 && quarantine->dir != -ENOENT)
		pme_log_incomplete(log, pme_fs_subject(&quarantine->fs),
				   "cannot open its quarantine: %s",
				   pme_vault_error(quarantine->dir));
	else if (r < 0 && r != -EOPNOTSUPP)
		pme_log_incomplete(log, pme_fs_subject(&quarantine->fs),
				   "cannot look for a quarantine in this filesystem: %s",
				   strerror(-r));
	quarantine_free(quarantine);
	return r == -ENOMEM ? r : 0;
}

static bool is_first_mount(const struct pme_topo *topo, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (topo->mounts[i].devno == topo->mounts[at].devno)
			return false;
	return topo->mounts[at].devno != 0;
}

static bool may_have_vault(const char *type)
{
	return strcmp(type, "xfs") == 0 || (strncmp(type, "ext", 3) == 0 && pme_fs_kind_of(type));
}

static int find_quarantines(struct pme_quarantines *all, struct pme_log *log)
{
	const struct pme_topo *topo = all->scan.topo;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < topo->n_mounts; i++) {
		const struct pme_dev *dev = pme_topo_dev_by_devno(topo, topo->mounts[i].devno);
		struct pme_fs fs;

		if (!dev || !is_first_mount(topo, i) || !may_have_vault(topo->mounts[i].type))
			continue;
		if (pme_dev_suspended(topo, dev)) {
			pme_log_incomplete(log, topo->mounts[i].source,
					   "cannot look for a quarantine in this filesystem while "
					   "its device is suspended");
			continue;
		}
		r = pme_fs_of(topo, dev, &fs);
		if (r > 0)
			r = add_fs(all, &fs, log);
	}
	return r < 0 ? r : 0;
}

/* The file that @claim of @scan is about, whatever snapshot it was made of; or NULL. */
static struct pme_parked *find_parked(const struct pme_quarantines *all,
				      const struct pme_claim *claim)
{
	for (size_t i = 0; i < all->count; i++) {
		struct pme_quarantine *quarantine = all->items[i];

		if (quarantine->fs.main->devno != claim->fs->main->devno)
			continue;
		for (size_t f = 0; f < quarantine->count; f++)
			if (quarantine->files[f].inode == claim->file->inode)
				return &quarantine->files[f];
	}
	return NULL;
}

static int note_bad(const struct pme_quarantines *all, const struct pme_findings *findings)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < findings->count; i++) {
		for (size_t c = 0; r == 0 && c < findings->items[i].n_claims; c++) {
			const struct pme_claim *claim = &findings->items[i].claims[c];
			struct pme_parked *file =
				claim->fs && claim->file ? find_parked(all, claim) : NULL;

			if (file && claim->has_file_start)
				r = pme_range_list_add(&file->bad, claim->file_start,
						       claim->length);
		}
	}
	return r;
}

/* What the user says is bad, too. */
static int note_ranges(const struct pme_os *os, const struct pme_scan_args *args,
		       struct pme_log *log, const struct pme_quarantines *all)
{
	struct pme_scan_args own = *args;
	struct pme_scan scan = {0};
	int r;

	if (args->n_ranges == 0 && args->n_lists == 0)
		return 0;
	own.selectors = NULL;
	own.n_selectors = 0;
	r = pme_scan_run(os, &own, log, &scan);
	if (r == 0)
		r = note_bad(all, &scan.findings);
	pme_scan_done(&scan);
	return r;
}

static int judge_files(struct pme_quarantines *all, const struct pme_selection *selection)
{
	int r = 0;

	for (size_t i = 0; i < all->count; i++) {
		for (size_t f = 0; r == 0 && f < all->items[i]->count; f++) {
			struct pme_parked *file = &all->items[i]->files[f];

			pme_range_list_normalize(&file->bad);
			r = choose(&all->scan.stack, selection, &all->items[i]->fs, file);
			if (file->bad.count > 0)
				file->state = PME_PARKED_BAD;
			else if (r == 0 && !file->is_odd)
				r = judge_unlisted(&all->scan, file);
		}
	}
	return r;
}

int pme_quarantines_load(const struct pme_os *os, const struct pme_scan_args *args,
			 struct pme_log *log, struct pme_quarantines *ret)
{
	_cleanup_(pme_selection_done) struct pme_selection selection = {0};
	const struct pme_scan_args everything = {
		.block_size = args->block_size,
		.default_length = args->default_length,
	};
	int r = pme_scan_run(os, &everything, log, &ret->scan);

	if (r == 0 && args->n_selectors > 0)
		r = pme_select(ret->scan.topo, args->selectors, args->n_selectors, log, &selection);
	if (r == 0)
		r = find_quarantines(ret, log);
	if (r == 0)
		r = note_bad(ret, &ret->scan.findings);
	if (r == 0)
		r = note_ranges(os, args, log, ret);
	return r == 0 ? judge_files(ret, &selection) : r;
}
