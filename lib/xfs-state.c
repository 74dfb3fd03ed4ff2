/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mounted XFS says at one moment; see xfs-state.h.
 *
 * Queries are narrow: one per bad range, rounded out to blocks.  Every record of a neighbour costs
 * the kernel a look into the reference counts, so that with a reverse map nothing more is asked
 * for.  Without one what is in use is told as what follows a record, which Linux 6.1 may leave out
 * at the end of a query: there it is one block more on each side.
 */
#include "xfs-state.h"

#include <time.h>
#include <xfs/xfs.h>

#include "crew.h"
#include "xfs-places.h"
#include "xfs-sweep.h"

#define CLOCK_SLACK ((int64_t)PME_SECOND / 4) /* adjtime() turns it more slowly */

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

void pme_xfs_view_aim(struct pme_xfs_view *view, const struct pme_fs *fs)
{
	const struct pme_xfs_geo *geo = &view->geo;

	view->role = fs->role;
	view->asked = fs->dev->devno;
	view->unit = geo->block_size;
	view->size = geo->size;
	if (fs->role == PME_FS_LOG) {
		view->size = geo->log_size;
	} else if (fs->role == PME_FS_REALTIME) {
		view->size = geo->rt_size;
		view->unit = pme_max(geo->rt_extent, geo->block_size);
	}
}

/* Does the kernel tell owners, so that what it does not tell is free? */
static bool has_reverse_map(const struct pme_xfs_view *view)
{
	return view->role == PME_FS_DATA && view->knows_owners;
}

/*
 * The blocks around @bad, which lies inside the filesystem.  Of an external log the kernel tells
 * nothing unless it is asked from its first byte on.
 */
static struct pme_range window_around(const struct pme_xfs_view *view, struct pme_range bad)
{
	uint64_t unit = view->unit, more = has_reverse_map(view) ? 0 : 1;
	uint64_t start = view->role == PME_FS_LOG ? 0 : bad.start / unit;
	uint64_t end = ((pme_range_end(bad) - 1) / unit + 1 + more) * unit;

	start -= pme_min(start, more);
	end = pme_min(end, view->size);
	return (struct pme_range){start * unit, end - start * unit};
}

static bool inside_of(const struct pme_xfs_view *view, struct pme_range bad, struct pme_range *ret)
{
	return pme_range_intersect(bad, (struct pme_range){.length = view->size}, ret);
}

static int read_records(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
			struct pme_progress *progress, struct pme_xfs_records *ret)
{
	struct pme_range inside;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ranges->count; i++) {
		r = pme_progress_at(progress, i);
		if (r == 0 && inside_of(view, ranges->items[i], &inside))
			r = pme_xfs_fsmap_read(view->fd, view->asked, window_around(view, inside),
					       ret);
	}
	return r;
}

static int add_behind(const struct pme_xfs_view *view, struct pme_range bad,
		      struct pme_xfs_pieces *ret)
{
	struct pme_range behind = {.start = view->size, .length = UINT64_MAX - view->size};
	struct pme_xfs_piece piece = {.owner = PME_XFS_OWN_BEHIND, .flags = FMR_OF_SPECIAL_OWNER};

	if (!pme_range_intersect(bad, behind, &piece.range))
		return 0;
	return pme_xfs_pieces_add(ret, &piece);
}

/* Pieces of all @ranges by @records, with @rest where there is none. */
static int make_pieces(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		       const struct pme_xfs_records *records, uint64_t rest,
		       struct pme_xfs_pieces *ret)
{
	struct pme_range inside;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ranges->count; i++) {
		if (inside_of(view, ranges->items[i], &inside))
			r = pme_xfs_fsmap_pieces(records, inside, rest, ret);
		if (r == 0)
			r = add_behind(view, ranges->items[i], ret);
	}
	return r;
}

/* Ranges that are asked by several threads at once. */
struct asking {
	const struct pme_xfs_view *view;
	const struct pme_range_list *ranges;
	struct pme_xfs_pieces *each; /* of every range */
};

static int take_range(void *arg, size_t i)
{
	_cleanup_(pme_xfs_records_done) struct pme_xfs_records records = {0};
	const struct asking *asking = arg;
	const struct pme_xfs_view *view = asking->view;
	const struct pme_range_list one = {.items = &asking->ranges->items[i], .count = 1};
	uint64_t rest = view->knows_owners ? FMR_OWN_FREE : FMR_OWN_UNKNOWN;
	int r = read_records(view, &one, NULL, &records);

	return r < 0 ? r : make_pieces(view, &one, &records, rest, &asking->each[i]);
}

static int join_pieces(struct pme_xfs_pieces *each, size_t count, struct pme_xfs_pieces *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		for (size_t k = 0; r == 0 && k < each[i].count; k++)
			r = pme_xfs_pieces_add(ret, &each[i].items[k]);
	return r;
}

static int take_ranges(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		       struct pme_progress *progress, struct pme_xfs_pieces *ret)
{
	_cleanup_free_ struct pme_xfs_pieces *each = calloc(ranges->count + 1, sizeof(*each));
	struct asking asking = {.view = view, .ranges = ranges, .each = each};
	int r;

	if (!each)
		return -ENOMEM;
	r = pme_crew_each(ranges->count, take_range, &asking, progress);
	if (r == 0)
		r = join_pieces(each, ranges->count, ret);
	for (size_t i = 0; i < ranges->count; i++)
		pme_xfs_pieces_done(&each[i]);
	return r;
}

static bool has_unknown(const struct pme_xfs_pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++)
		if (pme_xfs_piece_is_unknown(&pieces->items[i]))
			return true;
	return false;
}

/* Pieces once more, with records that were added: 1 when some are still unknown, 0, -errno. */
static int make_again(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		      const struct pme_xfs_records *records, struct pme_xfs_pieces *ret)
{
	int r;

	pme_xfs_pieces_done(ret);
	r = make_pieces(view, ranges, records, FMR_OWN_UNKNOWN, ret);
	return r < 0 ? r : has_unknown(ret);
}

/*
 * All files, once for all ranges; later those that were found, as nobody else can have got what
 * they still have.  1; 0 when the first one was refused; -errno.
 */
static int sweep(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		 const struct pme_xfs_state *earlier, struct pme_xfs_swept *swept)
{
	const struct pme_xfs_scope scope = {
		.fd = view->fd,
		.geo = &view->geo,
		.ranges = ranges,
		.is_realtime = view->role == PME_FS_REALTIME,
		.progress = view->progress,
	};
	int r;

	if (earlier && !earlier->swept)
		return 0;
	r = earlier ? pme_xfs_sweep_again(&scope, &earlier->inodes, swept)
		    : pme_xfs_sweep(&scope, swept);
	return r < 0 ? r : 1;
}

/*
 * What the kernel only knows to be in use: by its place, and then in the files.  Of a file that was
 * asked nobody knows with whom it shares, as long as not all were asked: then none counts.
 */
static int take_unmapped(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
			 const struct pme_xfs_state *earlier, struct pme_xfs_state *ret)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept = {0};
	int r = read_records(view, ranges, earlier ? NULL : view->progress, &swept.records);

	if (r == 0)
		r = make_again(view, ranges, &swept.records, &ret->pieces);
	if (r > 0 && view->role == PME_FS_DATA) {
		r = pme_xfs_places_add(view->fd, &view->geo, &ret->pieces, &swept.records);
		if (r == 0)
			r = make_again(view, ranges, &swept.records, &ret->pieces);
	}
	if (r > 0)
		r = sweep(view, ranges, earlier, &swept);
	ret->cut = r == -ETIME && ret->pieces.count > 0; /* in the sweep */
	if (ret->cut)
		return 0;
	if (r == -EPERM || r == -EACCES) /* who may not ask knows no more */
		return 0;
	if (r <= 0)
		return r;
	ret->swept = true;
	ret->unread = swept.unread;
	r = make_again(view, ranges, &swept.records, &ret->pieces);
	return r < 0 ? r : 0;
}

static bool is_special(const struct pme_xfs_piece *piece)
{
	return piece->flags & FMR_OF_SPECIAL_OWNER;
}

static bool is_chunk(const struct pme_xfs_piece *piece)
{
	return is_special(piece) && piece->owner == XFS_FMR_OWN_INODES;
}

/*
 * Was the file that has @piece there before @state was begun?  Then its number was not given to
 * another one between the answer of the reverse map, which has numbers only, and that about the
 * inode.  The kernel's time stamps are behind by a tick of its clock.
 */
static bool is_settled(const struct pme_xfs_state *state, const struct pme_xfs_piece *piece)
{
	const struct pme_xfs_inode *inode;
	size_t i;

	if (is_special(piece) || !state->clock_kept)
		return false;
	i = pme_xfs_inodes_find(&state->inodes, piece->owner);
	inode = &state->inodes.items[i];
	return i < state->inodes.count && inode->ino == piece->owner && !inode->internal &&
	       inode->error == 0 && inode->born > 0 && inode->born < state->began - 1;
}

/* Ranges whose pieces are settled get them from @earlier; the others are to be asked. */
static int keep_settled(const struct pme_range_list *ranges, const struct pme_xfs_state *earlier,
			struct pme_range_list *ret_ask, struct pme_xfs_pieces *ret)
{
	const struct pme_xfs_pieces *pieces = &earlier->pieces;
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ranges->count; i++) {
		const struct pme_range *range = &ranges->items[i];
		size_t first = k;
		bool settled = true;

		for (; k < pieces->count && pieces->items[k].range.start < pme_range_end(*range);
		     k++)
			settled &= is_settled(earlier, &pieces->items[k]);
		if (!settled || k == first)
			r = pme_range_list_add(ret_ask, range->start, range->length);
		for (size_t p = first; r == 0 && settled && p < k; p++)
			r = pme_xfs_pieces_add(ret, &pieces->items[p]);
	}
	return r;
}

static int take_again(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		      const struct pme_xfs_state *earlier, struct pme_xfs_pieces *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list ask = {0};
	int r = keep_settled(ranges, earlier, &ask, ret);

	if (r == 0)
		r = take_ranges(view, &ask, NULL, ret);
	pme_xfs_pieces_sort(ret);
	return r;
}

static int take_pieces(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		       const struct pme_xfs_state *earlier, struct pme_xfs_state *ret)
{
	if (!earlier)
		pme_progress_phase(view->progress, PME_PHASE_OWNERS, PME_UNIT_RANGES,
				   ranges->count);
	if (view->role == PME_FS_REALTIME || (view->role == PME_FS_DATA && !view->knows_owners))
		return take_unmapped(view, ranges, earlier, ret);
	if (earlier)
		return take_again(view, ranges, earlier, &ret->pieces);
	return take_ranges(view, ranges, view->progress, &ret->pieces);
}

struct statting {
	int fd;
	int64_t since; /* what was not changed since then may be asked for with less */
	const struct pme_xfs_inodes *earlier; /* or NULL */
	struct pme_xfs_inodes *inodes;
};

static bool is_same_now(int fd, const struct pme_xfs_inode *inode)
{
	return inode->seen_later || pme_xfs_inode_is_same(fd, inode);
}

static int stat_inode(void *arg, size_t i)
{
	const struct statting *statting = arg;
	const struct pme_xfs_inodes *earlier = statting->earlier;
	struct pme_xfs_inode *inode = &statting->inodes->items[i];
	size_t j = earlier ? pme_xfs_inodes_find(earlier, inode->ino) : 0;

	if (!earlier || j == earlier->count || earlier->items[j].ino != inode->ino ||
	    !is_same_now(statting->fd, &earlier->items[j]))
		return pme_xfs_inode_stat_old(statting->fd, statting->since, inode);
	*inode = earlier->items[j];
	return 0;
}

static int take_inodes(const struct pme_xfs_view *view, const struct pme_xfs_state *earlier,
		       struct pme_xfs_state *state)
{
	struct statting statting = {
		.fd = view->fd,
		.since = view->all_links ? INT64_MIN : state->began - 1,
		.earlier = earlier ? &earlier->inodes : NULL,
		.inodes = &state->inodes,
	};
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
	return r < 0 ? r : pme_crew_each(state->inodes.count, stat_inode, &statting, NULL);
}

/* How far CLOCK_REALTIME is ahead of a clock that nobody sets, in ns. */
static int64_t clock_lead(int64_t *ret_now)
{
	struct timespec real, steady;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &steady);
	*ret_now = real.tv_sec;
	return (real.tv_sec - steady.tv_sec) * (int64_t)PME_SECOND + real.tv_nsec - steady.tv_nsec;
}

int pme_xfs_state_take(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		       const struct pme_xfs_state *earlier, struct pme_xfs_state *ret)
{
	int64_t now, lead = clock_lead(&ret->began), set;
	int r = take_pieces(view, ranges, earlier, ret);

	if (r == 0)
		r = take_inodes(view, earlier, ret);
	set = clock_lead(&now) - lead;
	ret->clock_kept = set < CLOCK_SLACK && set > -CLOCK_SLACK;
	return r;
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
