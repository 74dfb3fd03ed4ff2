/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mounted XFS says at one moment; see xfs-state.h.
 *
 * Queries are narrow: one per bad range, rounded out to blocks and by one block more on each side,
 * because Linux 6.1 may leave out what follows the last record in a query smaller than a block.
 */
#include "xfs-state.h"

#include <xfs/xfs.h>

int pme_xfs_view_probe(const struct pme_xfs_view *view)
{
	_cleanup_(pme_xfs_records_done) struct pme_xfs_records records = {0};
	struct pme_range first = {.length = view->geo.block_size};
	int r = pme_xfs_fsmap_read(view->fd, view->devno, first, &records);

	if (r < 0)
		return r;
	for (size_t i = 0; i < records.count; i++)
		if ((records.items[i].fmr_flags & FMR_OF_SPECIAL_OWNER) &&
		    records.items[i].fmr_owner == XFS_FMR_OWN_FS)
			return 1;
	return 0;
}

/* The blocks around @bad, which lies inside the filesystem. */
static struct pme_range window_around(const struct pme_xfs_geo *geo, struct pme_range bad)
{
	uint64_t block = geo->block_size;
	uint64_t start = bad.start / block, end = (pme_range_end(bad) + block - 1) / block + 1;

	start = start > 0 ? start - 1 : 0;
	end = pme_min(end, geo->size / block);
	return (struct pme_range){start * block, (end - start) * block};
}

static int take_inside(const struct pme_xfs_view *view, struct pme_range bad,
		       struct pme_xfs_pieces *ret)
{
	_cleanup_(pme_xfs_records_done) struct pme_xfs_records records = {0};
	uint64_t rest = view->knows_owners ? FMR_OWN_FREE : FMR_OWN_UNKNOWN;
	int r = pme_xfs_fsmap_read(view->fd, view->devno, window_around(&view->geo, bad), &records);

	return r < 0 ? r : pme_xfs_fsmap_pieces(&records, bad, rest, ret);
}

static int take_range(const struct pme_xfs_view *view, struct pme_range bad,
		      struct pme_xfs_pieces *ret)
{
	struct pme_range inside = {.length = view->geo.size};
	struct pme_range behind = {.start = view->geo.size, .length = UINT64_MAX - view->geo.size};
	struct pme_xfs_piece piece = {.owner = PME_XFS_OWN_BEHIND, .flags = FMR_OF_SPECIAL_OWNER};
	int r = 0;

	if (pme_range_intersect(bad, inside, &inside))
		r = take_inside(view, inside, ret);
	if (r == 0 && pme_range_intersect(bad, behind, &piece.range))
		r = pme_xfs_pieces_add(ret, &piece);
	return r;
}

static bool is_special(const struct pme_xfs_piece *piece)
{
	return piece->flags & FMR_OF_SPECIAL_OWNER;
}

static bool is_chunk(const struct pme_xfs_piece *piece)
{
	return is_special(piece) && piece->owner == XFS_FMR_OWN_INODES;
}

static int take_inodes(const struct pme_xfs_view *view, struct pme_xfs_state *state)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->pieces.count; i++) {
		const struct pme_xfs_piece *piece = &state->pieces.items[i];
		uint64_t first = piece->owner, last = piece->owner;

		if (!is_special(piece)) {
			r = pme_xfs_inodes_add(&state->inodes, piece->owner);
		} else if (is_chunk(piece)) {
			pme_xfs_geo_inodes(&view->geo, piece->range, &first, &last);
			r = pme_xfs_inodes_allocated(view->fd, first, last, &state->inodes);
		}
	}
	pme_xfs_inodes_sort(&state->inodes);
	for (size_t i = 0; r == 0 && i < state->inodes.count; i++)
		r = pme_xfs_inode_stat(view->fd, &state->inodes.items[i]);
	return r;
}

int pme_xfs_state_take(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		       struct pme_xfs_state *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ranges->count; i++)
		r = take_range(view, ranges->items[i], &ret->pieces);
	return r < 0 ? r : take_inodes(view, ret);
}

void pme_xfs_state_done(struct pme_xfs_state *state)
{
	pme_xfs_pieces_done(&state->pieces);
	pme_xfs_inodes_done(&state->inodes);
}

static bool is_same_inode(const struct pme_xfs_inode *a, const struct pme_xfs_inode *b)
{
	return a->ino == b->ino && a->gen == b->gen && a->mode == b->mode &&
	       a->internal == b->internal && a->error == b->error;
}

bool pme_xfs_state_equal(const struct pme_xfs_state *a, const struct pme_xfs_state *b)
{
	if (a->pieces.count != b->pieces.count || a->inodes.count != b->inodes.count)
		return false;
	for (size_t i = 0; i < a->pieces.count; i++)
		if (pme_xfs_piece_compare(&a->pieces.items[i], &b->pieces.items[i]) != 0)
			return false;
	for (size_t i = 0; i < a->inodes.count; i++)
		if (!is_same_inode(&a->inodes.items[i], &b->inodes.items[i]) ||
		    a->inodes.items[i].nlink != b->inodes.items[i].nlink)
			return false;
	return true;
}

/* Are the inodes of @piece the same in both? */
static bool has_same_inodes(const struct pme_xfs_geo *geo, const struct pme_xfs_piece *piece,
			    const struct pme_xfs_inodes *a, const struct pme_xfs_inodes *b)
{
	uint64_t first = piece->owner, last = piece->owner;
	size_t i, j;

	if (is_special(piece) && !is_chunk(piece))
		return true;
	if (is_chunk(piece))
		pme_xfs_geo_inodes(geo, piece->range, &first, &last);
	i = pme_xfs_inodes_find(a, first);
	j = pme_xfs_inodes_find(b, first);
	for (; i < a->count && a->items[i].ino <= last; i++, j++)
		if (j >= b->count || !is_same_inode(&a->items[i], &b->items[j]))
			return false;
	return j >= b->count || b->items[j].ino > last;
}

static int note_change(const struct pme_xfs_piece *piece, struct pme_range_list *changed)
{
	return pme_range_list_add(changed, piece->range.start, piece->range.length);
}

int pme_xfs_state_reduce(const struct pme_xfs_geo *geo, struct pme_xfs_state *state,
			 const struct pme_xfs_state *later, struct pme_range_list *ret_changed)
{
	struct pme_xfs_piece *old = state->pieces.items;
	const struct pme_xfs_piece *new = later->pieces.items;
	size_t i = 0, j = 0, kept = 0;
	int r = 0;

	while (r == 0 && (i < state->pieces.count || j < later->pieces.count)) {
		int order = i == state->pieces.count   ? 1
			    : j == later->pieces.count ? -1
						       : pme_xfs_piece_compare(&old[i], &new[j]);

		if (order > 0)
			r = note_change(&new[j++], ret_changed);
		else if (order < 0 ||
			 !has_same_inodes(geo, &old[i], &state->inodes, &later->inodes))
			r = note_change(&old[i++], ret_changed);
		else
			old[kept++] = old[i++];
		j += order == 0;
	}
	state->pieces.count = kept;
	pme_range_list_normalize(ret_changed);
	return r;
}
