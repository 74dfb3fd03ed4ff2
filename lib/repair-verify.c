/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must be true after a switch; see repair-work.h.
 */
#include <fcntl.h>
#include <string.h>

#include "remap.h"
#include "repair-work.h"
#include "vault.h"
#include "xfs-fsmap.h"
#include "xfs-inode.h"

#define TOLD_MAX 64 /* pieces of files of which it is told that they have bad blocks still */

/* Inodes of our own files. */
struct inodes {
	uint64_t *items;
	size_t count, alloc;
};

static void inodes_done(struct inodes *inodes)
{
	free(inodes->items);
}

static int add_inodes(int dir, struct inodes *ret)
{
	struct pme_os os = {.root = dir};
	char **names = NULL;
	size_t count = 0;
	int r = dir < 0 ? 0 : pme_os_list(&os, ".", &names, &count);

	for (size_t n = 0; r == 0 && n < count; n++) {
		struct stat st;

		if (pme_os_stat_at(dir, names[n], false, &st) < 0)
			continue;
		r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));
		if (r == 0)
			ret->items[ret->count++] = st.st_ino;
	}
	pme_os_free_names(names, count);
	return r == -ENOMEM ? r : 0;
}

/* Of this repair, and of those that are not finished. */
static int add_staging(const struct pme_work *work, struct inodes *ret)
{
	struct pme_os os = {.root = work->staging};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&os, ".", &names, &count);

	for (size_t n = 0; r == 0 && n < count; n++) {
		_cleanup_close_ int dir = pme_os_open_at(work->staging, names[n],
							 O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		r = add_inodes(dir, ret);
	}
	pme_os_free_names(names, count);
	return r;
}

/* Is @ino one of our own files: in the quarantine, or (about to go) in a staging folder? */
static int is_ours(struct pme_work *work, uint64_t ino, struct inodes *ours)
{
	_cleanup_close_ int parked = -1;
	int r = 0;

	if (ours->count == 0) {
		parked = pme_vault_open(work->reach.root, PME_VAULT_QUARANTINE, false);
		r = add_inodes(parked, ours);
		if (r == 0)
			r = add_staging(work, ours);
	}
	for (size_t i = 0; r == 0 && i < ours->count; i++)
		r = ours->items[i] == ino;
	return r;
}

static int check_piece(struct pme_work *work, const struct pme_xfs_piece *piece,
		       struct inodes *ours, struct pme_xfs_pieces *late)
{
	int r;

	if (piece->owner == FMR_OWN_FREE && piece->flags & FMR_OF_SPECIAL_OWNER)
		return pme_work_fail(work, -EUCLEAN, "bad blocks are free now");
	if (piece->flags & FMR_OF_SPECIAL_OWNER)
		return pme_work_fail(work, -EUCLEAN, "bad blocks belong to metadata now");
	r = is_ours(work, piece->owner, ours);
	if (r == 0)
		r = pme_xfs_pieces_add(late, piece);
	return r < 0 ? r : 0;
}

static int check_part(struct pme_work *work, struct pme_range device, struct inodes *ours,
		      struct pme_xfs_pieces *late)
{
	struct pme_xfs_records records = {0};
	struct pme_xfs_pieces pieces = {0};
	int r = pme_xfs_fsmap_read(work->reach.root, work->fs->dev->devno, device, &records);

	if (r == 0)
		r = pme_xfs_fsmap_pieces(&records, device, FMR_OWN_FREE, &pieces);
	if (r < 0)
		pme_work_fail(work, r, "the reverse map cannot be read: %s", strerror(-r));
	for (size_t i = 0; r == 0 && i < pieces.count; i++)
		r = check_piece(work, &pieces.items[i], ours, late);
	pme_xfs_records_done(&records);
	pme_xfs_pieces_done(&pieces);
	return r;
}

/* Nobody has the bad blocks but us, and @late: asked of the reverse map, where there is one. */
static int check_owners(struct pme_work *work, struct pme_xfs_pieces *late)
{
	_cleanup_(inodes_done) struct inodes ours = {0};
	struct pme_xfs_geo geo;
	int r = pme_xfs_geo_read(work->reach.root, &geo);

	if (r < 0 || !geo.has_rmap)
		return 0; /* the files themselves were asked */
	for (size_t p = 0; r == 0 && p < work->n_parts; p++)
		r = check_part(work, work->parts[p].device, &ours, late);
	return r;
}

/* Who came to share them meanwhile is repaired, too, or told of. */
static int check_sharers(struct pme_work *work)
{
	_cleanup_(pme_xfs_pieces_done) struct pme_xfs_pieces late = {0}, left = {0};
	_cleanup_free_ char *why = NULL;
	int r = check_owners(work, &late);

	if (r < 0 || late.count == 0)
		return r;
	r = pme_work_join(work, &late, &why);
	if (r == 0)
		r = check_owners(work, &left);
	for (size_t i = 0; r == 0 && i < pme_min(left.count, (size_t)TOLD_MAX); i++)
		pme_log_add(work->log, PME_WARNING, work->targets[0].path,
			    "inode %llu has come to share the bad blocks since they were looked "
			    "for: it has them still, and has to be repaired, too (%s)",
			    (unsigned long long)left.items[i].owner,
			    why ? why : "it goes on coming");
	return r;
}

static int read_parts(struct pme_work *work, size_t i, int fd, unsigned char *buf)
{
	const struct pme_work_target *t = &work->targets[i];
	int r = 0;

	for (size_t p = 0; r == 0 && p < work->n_parts; p++) {
		size_t inside = (size_t)pme_work_inside(work, i, p);

		if (inside > 0)
			r = pme_remap_read(fd, buf + work->parts[p].at, inside, t->starts[p]);
	}
	return r;
}

/* What we gave it; others may have written the rest before that. */
static bool given_is_right(const struct pme_work *work, const struct pme_work_target *t,
			   const unsigned char *buf)
{
	for (size_t i = 0; i < t->given.count; i++) {
		const struct pme_range *run = &t->given.items[i];

		if (memcmp(buf + run->start, work->good + run->start, run->length) != 0)
			return false;
	}
	return true;
}

/* The bytes, from the media: what was staged, unless somebody has written since. */
static int check_bytes(struct pme_work *work, size_t i, int fd)
{
	const struct pme_work_target *t = &work->targets[i];
	_cleanup_free_ unsigned char *buf = calloc(1, work->length);
	char digest[PME_WORK_DIGEST];
	struct stat st;
	int r = buf ? read_parts(work, i, fd, buf) : -ENOMEM;

	if (r < 0)
		return pme_work_fail(work, r, "%s: cannot be read after the repair: %s", t->path,
				     strerror(-r));
	pme_work_digest(work, buf, digest);
	if (strcmp(digest, work->digest) == 0 ||
	    (t->given.count > 0 && work->good && given_is_right(work, t, buf)))
		return 0;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (pme_work_ctime(&st) != t->ctime)
		return 0;
	return pme_work_fail(work, -EBADMSG, "%s: reads back different bytes", t->path);
}

static int verify_target(struct pme_work *work, size_t i)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY | O_DIRECT);
	int r = fd;

	if (r == -ESTALE)
		return 0;
	if (r >= 0)
		r = pme_work_runs(work, i, fd, &runs);
	if (r < 0)
		return pme_work_fail(work, r, "%s: cannot be looked at after the repair: %s",
				     work->targets[i].path, strerror(-r));
	if (runs.count > 0)
		return pme_work_fail(work, -EBUSY, "%s: has bad blocks still",
				     work->targets[i].path);
	return check_bytes(work, i, fd);
}

int pme_work_verify(struct pme_work *work)
{
	int r = check_sharers(work);

	for (size_t i = 0; r == 0 && i < work->n_targets; i++)
		r = verify_target(work, i);
	return r;
}
