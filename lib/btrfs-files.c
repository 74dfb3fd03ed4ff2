/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data extents -> bytes of files; see btrfs-state.h.
 *
 * The kernel tells which file extents refer to an extent; each is then read to see which part of it
 * the file shows.  Parts that no file shows stay allocated as long as another part is used.
 *
 * What surprises: of a compressed extent every file needs every byte.  The trees of a subvolume
 * that is deleted, and still being cleaned, cannot be searched.
 */
#include <linux/btrfs_tree.h>

#include "btrfs-search.h"
#include "btrfs-state.h"

#define BATCH 128 /* file extents asked for at once */

/* One file extent: @logical bytes of the extent are those of the file from file_start on. */
struct show {
	struct pme_btrfs_place place;
	struct pme_btrfs_file_extent extent;
	struct pme_range logical;
};

struct shows {
	const struct pme_btrfs_view *view;
	const struct pme_btrfs_found *found;
	struct show *items;
	size_t count, alloc;
	uint64_t deleted; /* a deleted subvolume that refers to the extent, or 0 */
	bool is_cache;
	uint64_t cache_inode;
	const char *why; /* a reference that is not understood: static, or NULL */
	const struct show *first; /* that was read already, or NULL */
};

/* May there be a file behind @root? */
static bool is_subvolume(uint64_t root)
{
	return root == BTRFS_FS_TREE_OBJECTID ||
	       (root >= BTRFS_FIRST_FREE_OBJECTID && root <= (uint64_t)BTRFS_LAST_FREE_OBJECTID);
}

/* 1 the subvolume is deleted, 0 it is not, -errno. */
static int is_deleted(const struct pme_btrfs_view *view, uint64_t root)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search =
		pme_btrfs_search_of(view->fd, BTRFS_ROOT_TREE_OBJECTID, root, BTRFS_ROOT_ITEM_KEY);
	struct pme_btrfs_item item;
	uint32_t refs;
	int r = pme_btrfs_search_next(&search, &item);

	if (r <= 0)
		return r < 0 ? r : 1;
	r = pme_btrfs_root_refs_parse(item.data, item.len, &refs);
	return r < 0 ? r : refs == 0;
}

static int add_show(struct shows *shows, const struct pme_btrfs_place *place,
		    const struct pme_btrfs_file_extent *extent)
{
	struct pme_range logical = shows->found->range;
	int r;

	if (extent->length == 0)
		return 0;
	if (!extent->encoded) {
		struct pme_range part = {logical.start + extent->offset, extent->length};

		if (!pme_range_intersect(logical, part, &logical) ||
		    logical.length != extent->length)
			return -EPROTO;
	}
	r = pme_grow(&shows->items, &shows->alloc, shows->count, sizeof(*shows->items));
	if (r < 0)
		return r;
	shows->items[shows->count++] = (struct show){*place, *extent, logical};
	return 0;
}

static bool same_place(const struct pme_btrfs_place *a, const struct pme_btrfs_place *b)
{
	return a->root == b->root && a->inode == b->inode && a->offset == b->offset;
}

/* Read the file extents of one file, at @places (sorted by offset). */
static int read_file(struct shows *shows, const struct pme_btrfs_place *places, size_t count)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = pme_btrfs_search_of(
		shows->view->fd, places->root, places->inode, BTRFS_EXTENT_DATA_KEY);
	struct pme_btrfs_item item;
	size_t i = 0;
	int r = 0;

	if (count == 1 && shows->first && same_place(&shows->first->place, places))
		return add_show(shows, places, &shows->first->extent);
	search.next.offset = places[0].offset;
	search.last.offset = places[count - 1].offset;
	/* asked for no more, the kernel does not look through the rest of the tree block */
	search.batch = search.next.offset == search.last.offset ? 1 : BATCH;
	while (i < count && (r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct pme_btrfs_file_extent extent;

		while (i < count && places[i].offset < item.key.offset)
			i++; /* gone meanwhile: the second look will tell */
		if (i == count || places[i].offset != item.key.offset) {
			if (i < count && search.left == 0)
				search.next.offset = places[i].offset;
			continue;
		}
		r = pme_btrfs_file_extent_parse(item.data, item.len, &extent);
		if (r == 0 && extent.type != PME_BTRFS_INLINE &&
		    extent.disk_start == shows->found->range.start)
			r = add_show(shows, &places[i], &extent);
		if (r < 0)
			return r;
		i++;
	}
	return r < 0 ? r : 0;
}

/* One file of those that refer to the extent. */
static int take_file(struct shows *shows, const struct pme_btrfs_place *places, size_t count)
{
	uint64_t root = places->root;
	int r;

	if (root == BTRFS_ROOT_TREE_OBJECTID) {
		shows->is_cache = true;
		shows->cache_inode = places->inode;
		return 0;
	}
	if (!is_subvolume(root)) {
		shows->why = root == (uint64_t)BTRFS_DATA_RELOC_TREE_OBJECTID
				     ? "a balance is moving this extent: scan again when it is done"
				     : "an extent of a tree whose files are not known";
		return 0;
	}
	r = read_file(shows, places, count);
	if (r != -ENOENT)
		return r;
	r = is_deleted(shows->view, root);
	if (r == 0)
		shows->why = "the tree of a subvolume that uses it cannot be searched";
	if (r > 0)
		shows->deleted = root;
	return r < 0 ? r : 0;
}

static int take_files(struct shows *shows, const struct pme_btrfs_places *places)
{
	size_t i = 0;
	int r = 0;

	while (r == 0 && i < places->count) {
		size_t first = i;

		while (i < places->count && places->items[i].root == places->items[first].root &&
		       places->items[i].inode == places->items[first].inode)
			i++;
		r = take_file(shows, &places->items[first], i - first);
	}
	return r;
}

static int add_cut(struct pme_range whole, uint64_t at, struct pme_range_list *cuts)
{
	if (at < whole.start || at >= pme_range_end(whole))
		return 0;
	return pme_range_list_add(cuts, at, 1);
}

static int compare_cuts(const void *a, const void *b)
{
	const struct pme_range *p = a, *q = b;

	return p->start < q->start ? -1 : p->start > q->start;
}

/* Where what is shown changes within @whole, as ranges up to the next place; sorted. */
static int find_segments(const struct shows *shows, struct pme_range whole,
			 struct pme_range_list *ret)
{
	size_t count = 0;
	int r = add_cut(whole, whole.start, ret);

	for (size_t i = 0; r == 0 && i < shows->count; i++) {
		r = add_cut(whole, shows->items[i].logical.start, ret);
		if (r == 0)
			r = add_cut(whole, pme_range_end(shows->items[i].logical), ret);
	}
	if (r < 0)
		return r;
	qsort(ret->items, ret->count, sizeof(*ret->items), compare_cuts);
	for (size_t i = 0; i < ret->count; i++) {
		if (count > 0 && ret->items[count - 1].start == ret->items[i].start)
			continue;
		ret->items[count++] = ret->items[i];
	}
	ret->count = count;
	for (size_t i = 0; i < count; i++)
		ret->items[i].length =
			(i + 1 < count ? ret->items[i + 1].start : pme_range_end(whole)) -
			ret->items[i].start;
	return 0;
}

/* The part of @like that these logical bytes are. */
static struct pme_range on_device(const struct pme_btrfs_piece *like, struct pme_range logical)
{
	return (struct pme_range){like->range.start + (logical.start - like->logical),
				  logical.length};
}

static int add_data(const struct show *show, struct pme_range logical, bool shared,
		    const struct pme_btrfs_piece *like, struct pme_btrfs_state *state)
{
	struct pme_btrfs_piece *piece =
		pme_btrfs_state_add(state, like, on_device(like, logical), PME_BTRFS_DATA);

	if (!piece)
		return -ENOMEM;
	piece->root = show->place.root;
	piece->inode = show->place.inode;
	piece->file_start = show->place.offset;
	piece->encoded = show->extent.encoded;
	piece->compression = show->extent.compression;
	piece->prealloc = show->extent.type == PME_BTRFS_PREALLOC;
	piece->shared = shared;
	if (show->extent.encoded)
		piece->whole = show->extent.length;
	else
		piece->file_start += logical.start - show->logical.start;
	return 0;
}

/* Bytes that no file shows: why are they kept? */
static int add_unshown(const struct shows *shows, struct pme_range logical,
		       const struct pme_btrfs_piece *like, struct pme_btrfs_state *state)
{
	struct pme_btrfs_piece *piece =
		pme_btrfs_state_add(state, like, on_device(like, logical), PME_BTRFS_UNSHOWN);

	if (!piece)
		return -ENOMEM;
	if (shows->why) {
		piece->what = PME_BTRFS_MYSTERY;
		piece->why = shows->why;
	} else if (shows->is_cache) {
		piece->what = PME_BTRFS_CACHE;
		piece->inode = shows->cache_inode;
	} else if (shows->deleted) {
		piece->what = PME_BTRFS_DELETED;
		piece->root = shows->deleted;
	} else if (shows->count == 0) {
		piece->what = PME_BTRFS_MYSTERY;
		piece->why = "an extent to which no file refers: it is being freed, or written";
	}
	return 0;
}

/* Neighbouring segments that are shared alike are one piece of a file. */
static int add_pieces(const struct shows *shows, const struct pme_range_list *segments,
		      const struct pme_btrfs_piece *like, struct pme_btrfs_state *state)
{
	_cleanup_free_ size_t *counts = calloc(segments->count + 1, sizeof(*counts));
	struct pme_range common;
	int r = counts ? 0 : -ENOMEM;

	for (size_t s = 0; r == 0 && s < segments->count; s++) {
		for (size_t i = 0; i < shows->count; i++)
			counts[s] += pme_range_intersect(shows->items[i].logical,
							 segments->items[s], &common);
		if (counts[s] == 0 || shows->why)
			r = add_unshown(shows, segments->items[s], like, state);
	}
	for (size_t i = 0; r == 0 && i < shows->count; i++) {
		const struct show *show = &shows->items[i];
		size_t s = 0;

		while (r == 0 && s < segments->count) {
			struct pme_range run = segments->items[s];
			bool shared = counts[s] > 1;

			if (!pme_range_intersect(show->logical, run, &common)) {
				s++;
				continue;
			}
			for (s++; s < segments->count && (counts[s] > 1) == shared &&
				  pme_range_intersect(show->logical, segments->items[s], &common);
			     s++)
				run.length += segments->items[s].length;
			r = add_data(show, run, shared, like, state);
		}
	}
	return r;
}

/* Pieces of the files at @places, which @shows->found has. */
static int add_places(struct shows *shows, const struct pme_btrfs_places *places,
		      const struct pme_btrfs_piece *like, struct pme_btrfs_state *state)
{
	_cleanup_(pme_range_list_done) struct pme_range_list segments = {0};
	struct pme_range wanted = {like->logical, like->range.length}, common;
	int r = take_files(shows, places);

	if (r == 0 && pme_range_intersect(shows->found->range, wanted, &common))
		r = find_segments(shows, common, &segments);
	if (r == 0)
		r = add_pieces(shows, &segments, like, state);
	free(shows->items);
	return r;
}

int pme_btrfs_files_add(const struct pme_btrfs_view *view, const struct pme_btrfs_found *found,
			const struct pme_btrfs_piece *like, struct pme_btrfs_state *state)
{
	struct shows shows = {.view = view, .found = found};
	struct pme_btrfs_places places = {0};
	int r = pme_btrfs_extents_places(view, found->range.start, &places);

	if (r == -EOVERFLOW) {
		shows.why = "more files share this extent than the kernel can name at once";
		r = 0;
	} else if (r == -ENOENT) {
		shows.why = "the filesystem changed this extent while it was read: scan again";
		r = 0;
	}
	if (r == 0)
		r = add_places(&shows, &places, like, state);
	free(places.items);
	return r;
}

/* The file extent at show->place: 1, 0 there is none, or it lies nowhere, -errno. */
static int read_show(const struct pme_btrfs_view *view, struct show *show)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = pme_btrfs_search_of(
		view->fd, show->place.root, show->place.inode, BTRFS_EXTENT_DATA_KEY);
	struct pme_btrfs_item item;
	int r;

	search.next.offset = search.last.offset = show->place.offset;
	search.batch = 1;
	r = pme_btrfs_search_next(&search, &item);
	if (r > 0)
		r = pme_btrfs_file_extent_parse(item.data, item.len, &show->extent) < 0 ? 0 : 1;
	return r <= 0 ? r : show->extent.type != PME_BTRFS_INLINE && show->extent.disk_start > 0;
}

int pme_btrfs_files_add_directly(const struct pme_btrfs_view *view,
				 const struct pme_btrfs_piece *like, struct pme_btrfs_state *state)
{
	struct pme_range wanted = {like->logical, like->range.length};
	struct pme_btrfs_places places = {0};
	struct pme_btrfs_found found = {0};
	struct show first = {0};
	struct shows shows = {.view = view, .found = &found, .first = &first};
	int r = pme_btrfs_extents_places(view, like->logical, &places);

	if (r == 0 && places.count > 0 && is_subvolume(places.items[0].root)) {
		first.place = places.items[0];
		r = read_show(view, &first);
	}
	if (r > 0) {
		found.range = (struct pme_range){first.extent.disk_start, first.extent.disk_length};
		r = wanted.start >= found.range.start &&
		    pme_range_end(wanted) <= pme_range_end(found.range);
	}
	if (r > 0) {
		r = add_places(&shows, &places, like, state);
		r = r < 0 ? r : 1;
	}
	free(places.items);
	return r == -ENOMEM || r > 0 ? r : 0;
}
