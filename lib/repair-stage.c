/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a step in the vault: good bytes before the switch, bad blocks after it; see
 * repair-work.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "quarantine.h"
#include "remap.h"
#include "repair-work.h"

#define BAD_STAGES 8	 /* staging files that were given bad blocks, before it gives up */
#define BAD_STAGE_N 1000 /* number of the first of them in the quarantine */
#define PARK_N_MAX 2000	 /* no number is as high */

static char *dir_name(const struct pme_work *work)
{
	return pme_printf("%" PRId64, work->id);
}

static int open_dir(struct pme_work *work)
{
	_cleanup_free_ char *name = dir_name(work);

	if (!name)
		return -ENOMEM;
	work->dir = pme_os_open_at(work->staging, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	return work->dir < 0 ? work->dir : 0;
}

int pme_work_stage_dir(struct pme_work *work)
{
	_cleanup_free_ char *name = dir_name(work);
	_cleanup_close_ int fd = pme_work_open_target(work, 0, O_RDONLY);
	int r = fd < 0 ? fd : pme_os_is_dax(fd), dax = r;

	if (!name)
		return -ENOMEM;
	if (r >= 0 || r == -EOPNOTSUPP)
		r = pme_os_make_dir(work->staging, name, 0700);
	if (r == 0)
		r = open_dir(work);
	if (r == 0 && strcmp(work->fs->type, "xfs") == 0)
		r = pme_remap_want_dax(work->dir, dax > 0);
	return r < 0 ? pme_work_fail(work, r, "cannot make the staging folder: %s", strerror(-r))
		     : 0;
}

/* A file of ours that has bad blocks, under the first number that is free, from @n on. */
static int park(struct pme_work *work, const char *name, unsigned int n)
{
	struct pme_park park = {
		.root = work->reach.root, .from = work->dir, .name = name, .id = work->id, .n = n};
	struct stat st;
	int r = pme_os_stat_at(work->dir, name, false, &st);

	if (r < 0)
		return r;
	park.inode = st.st_ino;
	do
		r = pme_quarantine_park(&park);
	while (r == -EEXIST && ++park.n < PARK_N_MAX);
	return r;
}

/* Good bytes on blocks that are good: a descriptor.  Bad free blocks stay with us. */
static int stage(struct pme_work *work, const char *name, size_t length)
{
	int r = -ENOTBLK;

	for (unsigned int i = 0; r == -ENOTBLK && i < BAD_STAGES; i++) {
		r = pme_remap_stage(work->dir, name, work->good, length, work->avoid);
		if (r == -ENOTBLK || r == -EIO || r == -EFAULT || r == -EBADMSG) {
			int parked = park(work, name, BAD_STAGE_N + i);

			r = parked < 0 ? parked : -ENOTBLK;
		}
	}
	if (r == -ENOTBLK)
		return pme_work_fail(work, -EIO, "new blocks are bad, too, %d times", BAD_STAGES);
	if (r < 0)
		pme_work_fail(work, r, "cannot write good bytes to new blocks: %s",
			      r == -EBADMSG ? "they read back different" : strerror(-r));
	return r;
}

int pme_work_stage_good(struct pme_work *work)
{
	_cleanup_close_ int target = pme_work_open_target(work, 0, O_RDONLY);
	_cleanup_close_ int fd = -1;

	if (target < 0)
		return pme_work_fail(work, target, "%s: cannot be opened: %s",
				     work->targets[0].path, strerror(-target));
	if (work->n_parts > 1 && work->targets[0].length != work->length)
		return pme_work_fail(work, -ESTALE, "%s: it is shorter now", work->targets[0].path);
	work->good_length = (size_t)work->targets[0].length;
	fd = stage(work, "good", work->good_length);
	return fd < 0 ? fd : 0;
}

int pme_work_load_good(struct pme_work *work)
{
	char digest[PME_WORK_DIGEST];
	_cleanup_close_ int fd = pme_os_open_at(work->dir, "good", O_RDONLY | O_NOFOLLOW);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r < 0)
		return r;
	if (st.st_size <= 0 || (uint64_t)st.st_size > work->length)
		return -EUCLEAN;
	free(work->good);
	work->good = pme_work_buffer(work);
	if (!work->good)
		return -ENOMEM;
	work->good_length = (size_t)st.st_size;
	r = pme_remap_read(fd, work->good, work->good_length, 0);
	if (r < 0)
		return r;
	pme_work_digest(work, work->good, digest);
	return strcmp(digest, work->digest) == 0 ? 0 : -EUCLEAN;
}

/* Blocks of all parts of target @i, one behind the other. */
static int clone_parts(struct pme_work *work, size_t i, int from, int to)
{
	const struct pme_work_target *t = &work->targets[i];
	int r = 0;

	for (size_t p = 0; r == 0 && p < work->n_parts; p++) {
		const struct pme_work_part *part = &work->parts[p];
		const struct pme_remap remap = {
			.from = from,
			.to = to,
			.from_offset = t->starts[p],
			.to_offset = part->at,
			.length = pme_work_inside(work, i, p),
		};

		r = pme_remap_clone(&remap);
	}
	return r;
}

/* All blocks, with what is behind the end of the file. */
int pme_work_keep_bad(struct pme_work *work)
{
	_cleanup_(pme_range_list_done) struct pme_range_list owned = {0};
	_cleanup_close_ int from = pme_work_open_target(work, 0, O_RDONLY);
	_cleanup_close_ int to = from < 0 ? from : pme_remap_new(work->dir, "bad", 0);
	int r = to < 0 ? to : clone_parts(work, 0, from, to);

	if (r == 0)
		r = pme_os_sync(to);
	if (r == 0)
		r = pme_os_sync(work->dir);
	if (r == 0)
		r = pme_work_owned(work, to, (struct pme_range){0, work->length}, &owned);
	if (r < 0)
		return pme_work_fail(work, r, "cannot keep the bad blocks: %s", strerror(-r));
	if (pme_range_list_bytes(&owned) != work->length)
		return pme_work_fail(work, -ESTALE, "the file has other blocks now");
	work->kept = true;
	return 0;
}

/* "swap.2.0", or the next that is not there. */
static char *new_name(const struct pme_work *work, const char *kind, size_t i)
{
	for (unsigned int k = 0; k < 1000; k++) {
		char *name = pme_printf("%s.%zu.%u", kind, i, k);
		struct stat st;

		if (!name || pme_os_stat_at(work->dir, name, false, &st) == -ENOENT)
			return name;
		free(name);
	}
	return NULL;
}

/* Blocks of "good", shared; where the files end alike. */
static int clone_good(struct pme_work *work, const char *name)
{
	_cleanup_close_ int good = pme_os_open_at(work->dir, "good", O_RDONLY | O_NOFOLLOW);
	_cleanup_close_ int fd = good < 0 ? good : pme_remap_new(work->dir, name, 0);
	struct pme_remap remap = {.from = good, .to = fd, .length = work->good_length};
	int r = fd < 0 ? fd : pme_remap_clone(&remap);

	if (r == 0)
		r = pme_os_sync(fd);
	if (r == 0)
		r = pme_os_sync(work->dir);
	if (r < 0)
		return pme_work_fail(work, r, "cannot share the good blocks: %s", strerror(-r));
	return pme_take_fd(&fd);
}

int pme_work_source(struct pme_work *work, size_t i, uint64_t end, bool own)
{
	_cleanup_free_ char *name = NULL;
	bool have = work->good_length == end;

	if (!own && have)
		return pme_os_open_at(work->dir, "good", O_RDONLY | O_NOFOLLOW);
	name = new_name(work, own ? "swap" : "good", i);
	if (!name)
		return -ENOMEM;
	return have ? clone_good(work, name) : stage(work, name, end);
}

/* Blocks of "good", shared, with holes in between. */
static int spread_good(struct pme_work *work, size_t i, struct pme_range span, int to)
{
	_cleanup_close_ int good = pme_os_open_at(work->dir, "good", O_RDONLY | O_NOFOLLOW);
	int r = good < 0 ? good : 0;

	for (size_t p = 0; r == 0 && p < work->n_parts; p++) {
		const struct pme_remap remap = {
			.from = good,
			.to = to,
			.from_offset = work->parts[p].at,
			.to_offset = work->targets[i].starts[p] - span.start,
			.length = work->parts[p].device.length,
		};

		r = pme_remap_clone(&remap);
	}
	if (r == 0)
		r = pme_os_sync(to);
	return r < 0 ? r : pme_os_sync(work->dir);
}

int pme_work_spread(struct pme_work *work, size_t i, struct pme_range span)
{
	_cleanup_free_ char *name = new_name(work, "swap", i);
	_cleanup_close_ int fd = name ? pme_remap_new(work->dir, name, span.length) : -ENOMEM;
	int r = fd < 0 ? fd : spread_good(work, i, span, fd);

	return r < 0 ? pme_work_fail(work, r, "cannot share the good blocks: %s", strerror(-r))
		     : pme_take_fd(&fd);
}

/* ---- who has the bad blocks ---- */

/*
 * Call @each for the staging files of the step (@quarantine false), or its files in the quarantine.
 */
static int each_file(struct pme_work *work, bool quarantine,
		     int (*each)(struct pme_work *work, int dir, const char *name, void *arg),
		     void *arg)
{
	_cleanup_close_ int parked =
		quarantine ? pme_vault_open(work->reach.root, PME_VAULT_QUARANTINE, false) : -1;
	struct pme_os os = {.root = quarantine ? parked : work->dir};
	char **names = NULL;
	size_t count = 0;
	int r;

	if (quarantine && parked < 0 && parked != -ENOENT)
		return parked;
	if (os.root < 0)
		return 0;
	r = pme_os_list(&os, ".", &names, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		unsigned int n;
		int64_t id;

		if (quarantine &&
		    (pme_quarantine_name_parse(names[i], strlen(names[i]), &id, &n) < 0 ||
		     id != work->id))
			continue;
		r = each(work, os.root, names[i], arg);
	}
	pme_os_free_names(names, count);
	return r;
}

static int add_owned(struct pme_work *work, int dir, const char *name, void *arg)
{
	_cleanup_close_ int fd = pme_os_open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r < 0)
		return fd == -ENOENT ? 0 : r; /* it was released meanwhile */
	return pme_work_owned(
		work, fd, (struct pme_range){0, pme_max((uint64_t)st.st_size, work->length)}, arg);
}

int pme_work_list_kept(struct pme_work *work, struct pme_range_list *ret)
{
	int r = work->dir < 0 ? open_dir(work) : 0;

	if (r == 0)
		r = each_file(work, false, add_owned, ret);
	if (r == 0 || r == -ENOENT)
		r = each_file(work, true, add_owned, ret);
	return r;
}

static int look_kept(struct pme_work *work)
{
	_cleanup_(pme_range_list_done) struct pme_range_list owned = {0};
	int r = pme_work_list_kept(work, &owned);

	if (r < 0)
		return r;
	work->kept = owned.count > 0;
	return 0;
}

/*
 * A clone of the bad blocks alone: nothing was switched before an act said so, whatever others have
 * done to the files; and then not as long as those that had them have them all, still.
 */
int pme_work_look(struct pme_work *work)
{
	int r = look_kept(work);

	work->switched = work->kept && work->how == PME_HOW_COMMIT;
	if (!work->kept || !work->may_have_switched)
		return r;
	for (size_t i = 0; r == 0 && i < work->n_targets; i++) {
		_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
		_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY);

		if (fd >= 0)
			r = pme_work_runs(work, i, fd, &runs);
		else
			r = fd == -ESTALE ? 0 : fd;
		if (fd < 0 || !pme_work_is_whole(work, i, &runs))
			work->switched = true;
	}
	return r;
}

struct parking {
	uint64_t want; /* bytes: a file with less is left */
	struct pme_range_list parked;
	unsigned int n;
};

static int park_one(struct pme_work *work, int dir, const char *name, void *arg)
{
	_cleanup_(pme_range_list_done) struct pme_range_list owned = {0}, rest = {0};
	struct parking *p = arg;
	int r = add_owned(work, dir, name, &owned);

	for (size_t i = 0; r == 0 && i < owned.count; i++)
		r = pme_range_list_subtract(owned.items[i], &p->parked, &rest);
	if (r < 0 || rest.count == 0 || pme_range_list_bytes(&owned) < p->want)
		return r;
	r = park(work, name, p->n++);
	for (size_t i = 0; r == 0 && i < owned.count; i++)
		r = pme_range_list_add(&p->parked, owned.items[i].start, owned.items[i].length);
	pme_range_list_normalize(&p->parked);
	return r;
}

/* One file that has them all is enough; else each that has more than those before. */
int pme_work_park(struct pme_work *work)
{
	struct parking p = {.want = work->length};
	int r = each_file(work, true, add_owned, &p.parked);

	if (r == 0 && work->dir >= 0)
		r = each_file(work, false, park_one, &p);
	p.want = 0;
	if (r == 0 && work->dir >= 0)
		r = each_file(work, false, park_one, &p);
	pme_range_list_done(&p.parked);
	return r < 0 ? pme_work_fail(work, r, "cannot park the bad blocks: %s", strerror(-r)) : 0;
}

/* No bad block loses its last owner: somebody may have written in its place meanwhile. */
static int park_lonely(struct pme_work *work, int dir, const char *name, void *arg)
{
	struct parking p = {.parked = *(struct pme_range_list *)arg};
	int r = park_one(work, dir, name, &p);

	*(struct pme_range_list *)arg = p.parked;
	return r;
}

static int remove_one(struct pme_work *work, int dir, const char *name, void *arg)
{
	(void)work;
	(void)arg;
	return pme_os_unlink(dir, name);
}

/* Of a repair that is taken back the files themselves have them still. */
static int add_owned_by_targets(struct pme_work *work, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->n_targets; i++) {
		_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY);

		if (fd >= 0)
			r = pme_work_owned_by_target(work, i, fd, ret);
	}
	return r;
}

int pme_work_clean(struct pme_work *work)
{
	_cleanup_(pme_range_list_done) struct pme_range_list others = {0};
	_cleanup_free_ char *name = dir_name(work);
	int r = work->dir < 0 ? open_dir(work) : 0;

	if (r == -ENOENT)
		return 0;
	if (!name)
		return -ENOMEM;
	if (r == 0)
		r = each_file(work, true, add_owned, &others);
	if (r == 0)
		r = add_owned_by_targets(work, &others);
	if (r == 0)
		r = each_file(work, false, park_lonely, &others);
	if (r == 0)
		r = each_file(work, false, remove_one, NULL);
	if (r == 0) {
		pme_close_fd(&work->dir);
		work->dir = -1;
		r = pme_os_remove_dir(work->staging, name);
	}
	return r < 0 ? pme_work_fail(work, r, "cannot clean up the staging folder: %s",
				     strerror(-r))
		     : 0;
}
