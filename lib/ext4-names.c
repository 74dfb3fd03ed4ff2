/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names by directory blocks; see ext4-names.h.
 *
 * A sweep over all directories, in the order of their inodes, finds entries of the wanted inodes;
 * the directories that have them get their paths (ext4-climb.h); then the kernel is asked.  What
 * surprises: files that the kernel must not be made to read, or of unknown mode, need the walk, and
 * as that goes until it has found them it may as well find the others.
 */
#include "ext4-names.h"

#include <string.h>

#include "ext4-climb.h"
#include "ext4-confirm.h"
#include "names-wanted.h"
#include "os.h"

#define RUN_BLOCKS 8	       /* of a table, at most, that are read at once: a byte of the marks */
#define PATHS_MAX (256U << 20) /* bytes of all paths of directories, before they are confirmed */

/* Blocks of directories that are read on the way up when no time is left: a moment. */
#define LATE_BLOCKS 4096

/* The sweep of all threads. */
struct sweep {
	const struct pme_ext4_search *search;
	const struct pme_ext4_geo *geo;
	struct pme_wanted wanted;
	_Atomic uint64_t blocks_left;
	_Atomic size_t next;	    /* byte of the marks */
	struct pme_ext4_hits *hits; /* of all, with the lock of the crew */
};

/* One thread. */
struct sweeper {
	struct sweep *sweep;
	struct pme_ext4_dirs dirs;
	struct pme_ext4_hits hits;
	unsigned char *table;
	uint32_t ino; /* the directory that is read */
};

static void sweeper_done(struct sweeper *sweeper)
{
	pme_ext4_dirs_done(&sweeper->dirs);
	pme_ext4_hits_done(&sweeper->hits);
	free(sweeper->table);
}

static void sweep_done(struct sweep *sweep)
{
	pme_wanted_done(&sweep->wanted);
}

/* ---- the sweep ---- */

/* No more of a file than it has names, so that nobody can make many. */
static int take_entry(void *arg, const struct pme_ext4_dirent *entry)
{
	struct sweeper *sweeper = arg;
	struct pme_wanted *wanted = &sweeper->sweep->wanted;
	size_t i;

	if (!pme_wanted_may_have(wanted, entry->ino))
		return 0;
	i = pme_wanted_find(wanted, entry->ino);
	if (i == wanted->n_files || atomic_load(&wanted->missing[i]) == 0 ||
	    !pme_ext4_dirent_is_name(entry))
		return 0;
	pme_wanted_found(wanted, i);
	return pme_ext4_hits_add(&sweeper->hits, sweeper->ino, i, entry);
}

static int look_at(struct sweeper *sweeper, const unsigned char *raw, uint32_t ino)
{
	const struct pme_ext4_geo *geo = sweeper->sweep->geo;
	size_t before = sweeper->hits.count;
	struct pme_ext4_inode inode;
	uint32_t parent = 0;
	int r;

	pme_ext4_inode_parse(raw, ino, geo->block_size, &inode);
	if (!S_ISDIR(inode.mode))
		return 0;
	sweeper->ino = ino;
	r = pme_ext4_dir_read(&sweeper->dirs, &inode, &parent);
	if (r <= 0)
		pme_ext4_hits_cut(&sweeper->hits, before);
	for (size_t i = before; i < sweeper->hits.count; i++)
		sweeper->hits.items[i].parent = parent;
	return r < 0 ? r : 0;
}

/* The directories in @count blocks of the table of group @number, from its block @first on. */
static int look_through(struct sweeper *sweeper, uint32_t number, uint64_t first, uint64_t count)
{
	const struct pme_ext4_geo *geo = sweeper->sweep->geo;
	uint64_t each = geo->inode_size, at = first * geo->block_size;
	uint64_t size = count * geo->block_size, index = (at + each - 1) / each;
	struct pme_ext4_group group;
	int r = 0;

	if (pme_ext4_geo_group(geo, number, &group) < 0 ||
	    pme_os_pread(*geo->fd, sweeper->table, size, group.table * geo->block_size + at) < 0)
		return 0;
	for (; r == 0 && index < group.used_inodes && (index + 1) * each <= at + size; index++) {
		uint64_t ino = (uint64_t)number * geo->inodes_per_group + index + 1;

		if (ino <= geo->inodes)
			r = look_at(sweeper, sweeper->table + (index * each - at), (uint32_t)ino);
	}
	return r;
}

/* Is block @i of those that byte @at of the marks is about to be read? */
static bool is_marked(const struct sweeper *sweeper, size_t at, uint64_t i)
{
	const struct pme_ext4_search *search = sweeper->sweep->search;
	const struct pme_ext4_geo *geo = sweeper->sweep->geo;
	uint64_t block = at % search->marks->each * RUN_BLOCKS + i;
	struct pme_ext4_group group;

	return i < RUN_BLOCKS && (search->marks->bits[at] >> i & 1) && block < geo->table_blocks &&
	       pme_ext4_geo_group(geo, (uint32_t)(at / search->marks->each), &group) == 0 &&
	       pme_ext4_dir_may_read(&sweeper->dirs, (group.table + block) * geo->block_size,
				     geo->block_size);
}

static int sweep_marks(struct sweeper *sweeper, size_t at)
{
	const struct pme_ext4_marks *marks = sweeper->sweep->search->marks;
	uint64_t first = at % marks->each * RUN_BLOCKS, n;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < RUN_BLOCKS; i += n + 1) {
		for (n = 0; is_marked(sweeper, at, i + n); n++)
			;
		if (n > 0)
			r = look_through(sweeper, (uint32_t)(at / marks->each), first + i, n);
	}
	return r;
}

static int sweep_all(struct pme_crew *crew, void *arg)
{
	struct sweep *sweep = arg;
	const struct pme_ext4_marks *marks = sweep->search->marks;
	_cleanup_(sweeper_done) struct sweeper sweeper = {
		.sweep = sweep,
		.dirs = {.geo = sweep->geo,
			 .avoid = sweep->search->avoid,
			 .crew = crew,
			 .blocks_left = &sweep->blocks_left,
			 .take = take_entry,
			 .arg = &sweeper},
		.table = malloc((size_t)sweep->geo->block_size * RUN_BLOCKS),
	};
	int r = sweeper.table ? pme_ext4_dirs_init(&sweeper.dirs) : -ENOMEM, e;
	size_t at;

	if (r == 0)
		r = pme_crew_step(crew, 0);
	while (r == 0 && !pme_wanted_all_found(&sweep->wanted) &&
	       (at = atomic_fetch_add(&sweep->next, 1)) < marks->size)
		if (marks->bits[at]) {
			r = sweep_marks(&sweeper, at);
			if (r == 0)
				r = pme_crew_step(crew, 0);
		}
	pthread_mutex_lock(&crew->lock);
	e = pme_ext4_hits_move(sweep->hits, &sweeper.hits);
	pthread_mutex_unlock(&crew->lock);
	return e < 0 ? e : r;
}

/* Hits in all directories that can be read so: 0 or -errno (-ETIME). */
static int find_hits(const struct pme_ext4_search *search, struct pme_file **files, size_t n_files,
		     struct pme_ext4_hits *ret)
{
	_cleanup_(sweep_done) struct sweep sweep = {
		.search = search,
		.geo = search->door->geo,
		.hits = ret,
	};
	struct pme_crew crew = {
		.work = sweep_all,
		.arg = &sweep,
		.progress = search->door->progress,
	};
	int r;

	atomic_init(&sweep.blocks_left, sweep.geo->blocks);
	pme_progress_phase(crew.progress, PME_PHASE_NAMES, PME_UNIT_ENTRIES,
			   pme_os_inodes_used(search->root));
	pme_progress_estimate(crew.progress);
	r = pme_wanted_init(&sweep.wanted, files, n_files);
	return r < 0 ? r : pme_crew_run(&crew);
}

/* ---- the ways up ---- */

/*
 * The paths of the directories of all hits, which are sorted: 0 or -errno.  When the time @is_over
 * already only as many as can be had soon.
 */
static int find_paths(const struct pme_ext4_search *search, bool is_over,
		      struct pme_ext4_hits *hits)
{
	const struct pme_ext4_geo *geo = search->door->geo;
	_cleanup_(pme_ext4_climb_done) struct pme_ext4_climb climb = {
		.geo = geo,
		.avoid = search->avoid,
		.progress = is_over ? NULL : search->door->progress,
		.blocks_left = is_over ? pme_min(LATE_BLOCKS, geo->blocks) : geo->blocks,
	};
	_cleanup_free_ struct pme_ext4_step **steps = calloc(hits->n_dirs + 1, sizeof(*steps));
	size_t bytes = 0, n_dirs = is_over ? pme_min(LATE_BLOCKS, hits->n_dirs) : hits->n_dirs;
	int r = steps ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n_dirs; i++) {
		const struct pme_ext4_hit *hit = &hits->items[hits->dirs[i].first];

		r = pme_ext4_climb_add(&climb, (uint32_t)hit->dir, hit->parent, &steps[i]);
	}
	if (r == 0)
		r = pme_ext4_climb_run(&climb);
	if (r == -ETIME)
		r = 0;
	for (size_t i = 0; r >= 0 && i < n_dirs && bytes < PATHS_MAX; i++) {
		if (steps[i])
			r = pme_ext4_climb_path(steps[i], &hits->dirs[i].path);
		bytes += hits->dirs[i].path ? strlen(hits->dirs[i].path) : 0;
	}
	return r < 0 ? r : 0;
}

/* ---- all ---- */

/* May all be asked for, and is it known how many names they have? */
static bool are_askable(struct pme_file *const *files, size_t n_files)
{
	for (size_t i = 0; i < n_files; i++)
		if (files[i]->out_of_reach || files[i]->mode == 0 ||
		    files[i]->inode == PME_EXT4_ROOT_INO)
			return false;
	return true;
}

int pme_ext4_names_find(const struct pme_ext4_search *search, struct pme_file **files,
			size_t n_files, struct pme_names *ret, size_t *ret_left)
{
	_cleanup_(pme_ext4_hits_done) struct pme_ext4_hits hits = {0};
	bool is_over;
	int r;

	*ret_left = n_files;
	if (!search->marks->bits || n_files == 0 || !are_askable(files, n_files))
		return 0;
	r = find_hits(search, files, n_files, &hits);
	is_over = r == -ETIME;
	if (r == 0 || is_over)
		r = pme_ext4_hits_sort(&hits);
	if (r == 0)
		r = find_paths(search, is_over, &hits);
	hits.progress = is_over ? NULL : search->door->progress;
	if (r == 0)
		r = pme_ext4_hits_confirm(&hits, search->root, search->door->devno, files);
	if (r == 0)
		r = pme_ext4_hits_take(&hits, files, n_files, ret, ret_left);
	return r;
}
