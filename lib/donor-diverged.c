/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A donor: another file of this XFS that was a reflinked copy of this one, and still shares what
 * stands around the lost bytes, but not them.  It has an older or newer version of them: offered,
 * with its age, and used only when the user names it.
 *
 * Found by the reverse map: who else owns the extents before and behind, at which byte?
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "donor.h"
#include "extent.h"
#include "xfs-fsmap.h"
#include "xfs-inode.h"

#define AROUND (1U << 20) /* bytes of the file that are looked at before and behind */
#define NEIGHBOURS 4	  /* shared extents asked about on either side */
#define CANDIDATES 64	  /* files that are opened */

struct candidate {
	uint64_t inode, start; /* byte of it that stands where want->range.start is */
};

struct search {
	const struct pme_want *want;
	struct candidate items[CANDIDATES];
	size_t count;
};

struct opened {
	int fd;
	uint64_t start; /* of want->range in it */
	uint64_t want_start;
};

static void add_candidate(struct search *s, uint64_t inode, uint64_t start)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].inode == inode && s->items[i].start == start)
			return;
	if (s->count < CANDIDATES)
		s->items[s->count++] = (struct candidate){inode, start};
}

/* One owner of the block at @place, which is byte @at of the file. */
static void take_piece(struct search *s, const struct pme_xfs_piece *piece, uint64_t at)
{
	uint64_t wanted = s->want->range.start, start;

	if (piece->flags != 0 || piece->owner == s->want->file->inode)
		return;
	if (wanted >= at)
		start = piece->offset + (wanted - at);
	else if (piece->offset >= at - wanted)
		start = piece->offset - (at - wanted);
	else
		return;
	add_candidate(s, piece->owner, start);
}

/* Who else has the first bytes of this extent? */
static int ask_owners(struct search *s, const struct pme_extent *extent)
{
	_cleanup_(pme_xfs_records_done) struct pme_xfs_records records = {0};
	_cleanup_(pme_xfs_pieces_done) struct pme_xfs_pieces pieces = {0};
	struct pme_range window = {extent->device_start, extent->range.length};
	int r = pme_xfs_fsmap_read(s->want->root, s->want->fs->main->devno, window, &records);

	if (r == 0)
		r = pme_xfs_fsmap_pieces(&records, window, FMR_OWN_FREE, &pieces);
	for (size_t i = 0; r == 0 && i < pieces.count; i++)
		take_piece(s, &pieces.items[i],
			   extent->range.start + (pieces.items[i].range.start - window.start));
	return r;
}

/* Shared extents of @range of the file, the nearest first: from its end on, or from its start. */
static int ask_side(struct search *s, struct pme_range range, bool backwards)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int asked = 0, r;

	if (range.length == 0)
		return 0;
	r = pme_extents_read(s->want->fd, range, &extents);
	for (size_t i = 0; r == 0 && i < extents.count && asked < NEIGHBOURS; i++) {
		const struct pme_extent *extent =
			&extents.items[backwards ? extents.count - 1 - i : i];

		if (extent->state != PME_EXTENT_DATA || !extent->shared)
			continue;
		asked++;
		r = ask_owners(s, extent);
	}
	return r;
}

static int find_candidates(struct search *s)
{
	const struct pme_range *range = &s->want->range;
	uint64_t before = pme_min(range->start, AROUND);
	int r = ask_side(s, (struct pme_range){range->start - before, before}, true);

	return r < 0 ? r : ask_side(s, (struct pme_range){pme_range_end(*range), AROUND}, false);
}

static int open_candidate(const struct pme_want *want, const struct candidate *candidate,
			  struct pme_xfs_inode *ret)
{
	int r;

	*ret = (struct pme_xfs_inode){.ino = candidate->inode};
	r = pme_xfs_inode_stat(want->root, ret);
	if (r < 0)
		return r;
	if (ret->internal || ret->error || !S_ISREG(ret->mode) || ret->is_realtime)
		return -ENOENT;
	return pme_xfs_inode_open(want->root, ret->ino, ret->gen,
				  O_RDONLY | O_NOATIME | O_NONBLOCK);
}

/* Has it good bytes of its own there?  1, 0, -errno. */
static int is_usable(const struct pme_want *want, int fd, uint64_t start, uint64_t inside)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	_cleanup_free_ char *reason = NULL;
	_cleanup_free_ void *buf = malloc(want->range.length);
	struct pme_range range = {start, inside}, bad = {want->device_start, want->range.length};
	struct stat st;
	int r = buf ? pme_os_fstat(fd, &st) : -ENOMEM;

	if (r < 0 || (uint64_t)st.st_size < start + inside)
		return r;
	r = pme_extents_read(fd, range, &extents);
	for (size_t i = 0; r == 0 && i < extents.count; i++) {
		const struct pme_extent *extent = &extents.items[i];
		struct pme_range place = {extent->device_start, extent->range.length}, common;

		if (extent->state == PME_EXTENT_DATA && pme_range_intersect(place, bad, &common))
			return 0; /* it shares the bad blocks themselves */
	}
	if (r == 0)
		r = pme_donor_on_bad(want, fd, range, &reason);
	if (r != 0)
		return r > 0 ? 0 : r;
	return pme_os_pread(fd, buf, inside, start) == 0;
}

static int offer(const struct pme_want *want, const struct pme_xfs_inode *inode, int *fd,
		 uint64_t start, struct pme_donor *ret)
{
	struct opened *opened = malloc(sizeof(*opened));
	struct stat st;
	int r = pme_os_fstat(*fd, &st);

	if (!opened)
		return -ENOMEM;
	*opened = (struct opened){pme_take_fd(fd), start, want->range.start};
	ret->state = opened;
	if (r < 0)
		return r;
	ret->file = calloc(1, sizeof(*ret->file));
	ret->detail = pme_printf("a reflinked copy, inode %llu, that has other blocks there%s",
				 (unsigned long long)inode->ino,
				 start == want->range.start ? "" : ", at another byte");
	if (!ret->file || !ret->detail)
		return -ENOMEM;
	*ret->file = (struct pme_file){
		.devno = want->fs->main->devno,
		.inode = inode->ino,
		.generation = inode->gen,
		.nlink = inode->nlink,
		.mode = inode->mode,
		.size = inode->size,
	};
	ret->proof = PME_PROOF_NONE;
	ret->taken = st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	return 1;
}

static int find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		char **ret_reason)
{
	_cleanup_free_ struct search *s = calloc(1, sizeof(*s));
	uint64_t inside;
	int r;

	(void)log;
	(void)ret_reason;
	if (!s)
		return -ENOMEM;
	s->want = want;
	if (strcmp(want->fs->type, "xfs") != 0 || want->fs->role != PME_FS_DATA)
		return 0;
	r = pme_want_inside(want, &inside);
	if (r == 0)
		r = find_candidates(s);
	if (r < 0 || inside == 0)
		return r;
	for (size_t i = 0; i < s->count; i++) {
		struct pme_xfs_inode inode;
		_cleanup_close_ int fd = open_candidate(want, &s->items[i], &inode);

		r = fd < 0 ? 0 : is_usable(want, fd, s->items[i].start, inside);
		if (r > 0)
			return offer(want, &inode, &fd, s->items[i].start, ret);
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

static int read_bytes(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		      size_t size, void *buf)
{
	const struct opened *opened = donor->state;

	(void)want;
	if (offset < opened->want_start)
		return -ERANGE;
	return pme_os_pread(opened->fd, buf, size, opened->start + (offset - opened->want_start));
}

static void done(struct pme_donor *donor)
{
	struct opened *opened = donor->state;

	if (opened)
		pme_close_fd(&opened->fd);
	free(opened);
}

const struct pme_donor_kind pme_donor_diverged = {
	.name = "diverged-copy",
	.find = find,
	.read = read_bytes,
	.done = done,
	.never_proven = true,
};
