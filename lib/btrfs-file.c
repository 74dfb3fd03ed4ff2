/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a file down to devices; see btrfs-file.h.
 *
 * FIEMAP is asked for nothing here: of compressed extents it tells neither where they begin nor how
 * long they are (fs/btrfs/extent_io.c).  The items of the file are read, twice, and what lies
 * between must fit to them.  What surprises: an extent counts as shared where another place shows
 * the very same bytes of it, so all that refer to it are read, as for a scan.
 */
#include "btrfs-file.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>

#include "btrfs-search.h"
#include "btrfs-state.h"

/* One item of the file: its bytes from @start on. */
struct part {
	uint64_t start;
	struct pme_btrfs_file_extent extent;
};

struct parts {
	struct part *items; /* sorted by start */
	size_t count, alloc;
};

/* Everything of one look. */
struct looking {
	struct pme_btrfs_view *view;
	int fd;
	uint64_t root, inode;
	struct pme_range range;
	struct parts parts;
	struct pme_btrfs_state state; /* its pieces: data of this file, device bytes = logical */
};

static void parts_done(struct parts *parts)
{
	free(parts->items);
}

static void looking_done(struct looking *looking)
{
	parts_done(&looking->parts);
	pme_btrfs_state_done(&looking->state);
}

int pme_btrfs_file_open(const struct pme_topo *topo, int fd, struct pme_fs *ret_fs,
			struct pme_btrfs_view *ret_view, const char **ret_why)
{
	struct btrfs_ioctl_fs_info_args info = {0};
	int r = pme_os_ioctl(fd, BTRFS_IOC_FS_INFO, &info), found = -ENOENT;

	*ret_why = NULL;
	for (size_t i = 0; r >= 0 && found < 0 && i < topo->n_devs; i++) {
		const struct pme_dev *dev = topo->devs[i];

		if (!dev->member_of || !pme_btrfs_uuid_is(info.fsid, dev->member_of))
			continue;
		pme_btrfs_view_done(ret_view);
		pme_fs_done(ret_fs);
		r = pme_fs_of(topo, dev, ret_fs);
		if (r > 0)
			found = pme_btrfs_view_open(topo, ret_fs, ret_view, ret_why);
		/* another of its devices may be one that it knows */
		if (found < 0 && found != -ENOENT && found != -ENODEV && found != -EBUSY)
			break;
	}
	return r < 0 ? r : found;
}

/* Delayed data gets its place. */
static int flush(int fd)
{
	struct fiemap map = {.fm_length = 1, .fm_flags = FIEMAP_FLAG_SYNC};
	int r = pme_os_ioctl(fd, FS_IOC_FIEMAP, &map);

	return r < 0 ? r : 0;
}

/* The tree that has the file. */
static int find_root(struct looking *looking)
{
	struct btrfs_ioctl_ino_lookup_args args = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
	int r = pme_os_ioctl(looking->fd, BTRFS_IOC_INO_LOOKUP, &args);

	looking->root = args.treeid;
	return r < 0 ? r : 0;
}

/* Bytes of the file that an item stands for; what is inside of the inode reaches to a block's end.
 */
static uint64_t part_end(const struct looking *looking, const struct part *part)
{
	uint64_t block = looking->view->block_size, end;

	if (pme_add(part->start, part->extent.length, &end) < 0)
		return UINT64_MAX;
	if (part->extent.type == PME_BTRFS_INLINE && end <= UINT64_MAX - block)
		end = (end + block - 1) / block * block;
	return end;
}

/* The items that meet the range; one that begins before it may reach into it. */
static int read_parts(const struct looking *looking, struct parts *ret)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = pme_btrfs_search_of(
		looking->view->fd, looking->root, looking->inode, BTRFS_EXTENT_DATA_KEY);
	struct pme_btrfs_item item;
	int r;

	search.last.offset = pme_range_end(looking->range) - 1;
	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct part part = {.start = item.key.offset};

		r = pme_btrfs_file_extent_parse(item.data, item.len, &part.extent);
		if (r < 0)
			return r;
		if (part_end(looking, &part) <= looking->range.start)
			continue;
		r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));
		if (r < 0)
			return r;
		ret->items[ret->count++] = part;
	}
	return r;
}

static bool same_parts(const struct parts *a, const struct parts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct pme_btrfs_file_extent *p = &a->items[i].extent,
						   *q = &b->items[i].extent;

		if (a->items[i].start != b->items[i].start || p->type != q->type ||
		    p->compression != q->compression || p->encoded != q->encoded ||
		    p->disk_start != q->disk_start || p->disk_length != q->disk_length ||
		    p->offset != q->offset || p->length != q->length)
			return false;
	}
	return true;
}

static bool has_extent(const struct part *part)
{
	return part->extent.type != PME_BTRFS_INLINE && part->extent.disk_start != 0;
}

static int by_disk(const void *a, const void *b)
{
	uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;

	return p < q ? -1 : p > q;
}

/* Who shows what of the extent at @start: only pieces of this file are kept. */
static int add_extent(struct looking *looking, uint64_t start, uint64_t length)
{
	struct pme_btrfs_state *state = &looking->state;
	const struct pme_btrfs_found found = {.range = {start, length}};
	const struct pme_btrfs_piece like = {
		.range = {start, length}, .chunk = PME_BTRFS_NO_CHUNK, .logical = start};
	size_t kept = state->n_pieces;
	int r = pme_btrfs_files_add(looking->view, &found, &like, state);

	for (size_t i = kept; r == 0 && i < state->n_pieces; i++)
		if (state->pieces[i].what == PME_BTRFS_DATA &&
		    state->pieces[i].root == looking->root &&
		    state->pieces[i].inode == looking->inode)
			state->pieces[kept++] = state->pieces[i];
	state->n_pieces = r == 0 ? kept : state->n_pieces;
	return r;
}

static int by_file_start(const void *a, const void *b)
{
	const struct pme_btrfs_piece *p = a, *q = b;

	return p->file_start < q->file_start ? -1 : p->file_start > q->file_start;
}

/* Each extent once, however many items show parts of it. */
static int read_extents(struct looking *looking)
{
	const struct parts *parts = &looking->parts;
	_cleanup_free_ uint64_t(*extents)[2] = calloc(parts->count + 1, sizeof(*extents));
	size_t count = 0;
	int r = extents ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < parts->count; i++) {
		if (!has_extent(&parts->items[i]))
			continue;
		extents[count][0] = parts->items[i].extent.disk_start;
		extents[count++][1] = parts->items[i].extent.disk_length;
	}
	if (r == 0 && count > 0)
		qsort(extents, count, sizeof(*extents), by_disk);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (i == 0 || extents[i - 1][0] != extents[i][0])
			r = add_extent(looking, extents[i][0], extents[i][1]);
	if (looking->state.n_pieces > 0)
		qsort(looking->state.pieces, looking->state.n_pieces,
		      sizeof(*looking->state.pieces), by_file_start);
	return r;
}

/* Append @span as far as it is wanted. */
static int add_span(const struct looking *looking, struct pme_btrfs_span span,
		    struct pme_btrfs_spans *ret)
{
	struct pme_range whole = span.range;
	int r;

	if (!pme_range_intersect(whole, looking->range, &span.range))
		return 0;
	if (!span.coding && span.logical.length > 0) {
		span.logical.start += span.range.start - whole.start;
		span.logical.length = span.range.length;
	}
	r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));
	if (r == 0)
		ret->items[ret->count++] = span;
	return r;
}

static struct pme_btrfs_span span_of(const struct part *part)
{
	const struct pme_btrfs_file_extent *extent = &part->extent;
	struct pme_btrfs_span span = {
		.range = {part->start, extent->length},
		.state =
			extent->type == PME_BTRFS_PREALLOC ? PME_EXTENT_UNWRITTEN : PME_EXTENT_DATA,
		.logical = {extent->disk_start + extent->offset, extent->length},
	};

	if (extent->encoded) {
		span.coding = pme_btrfs_coding_name(extent->compression);
		span.logical = (struct pme_range){extent->disk_start, extent->disk_length};
	}
	return span;
}

/* An item whose extent has so many owners that the kernel does not list them is shared. */
static int add_crowded(const struct looking *looking, const struct part *part,
		       struct pme_btrfs_spans *ret)
{
	struct pme_btrfs_span span = span_of(part);
	struct pme_btrfs_places places = {0};
	int r = pme_btrfs_extents_places(looking->view, part->extent.disk_start, &places);

	free(places.items);
	if (r != -EOVERFLOW)
		return r < 0 && r != -ENOENT ? r : -EAGAIN;
	span.shared = true;
	return add_span(looking, span, ret);
}

/* An item with an extent: its pieces, from *@next on, which must cover just it. */
static int add_part(const struct looking *looking, const struct part *part, size_t *next,
		    struct pme_btrfs_spans *ret)
{
	const struct pme_btrfs_state *state = &looking->state;
	uint64_t at = part->start, end = part_end(looking, part);
	int r = 0;

	while (*next < state->n_pieces && state->pieces[*next].file_start < at)
		++*next; /* of an item before the range */
	while (r == 0 && at < end) {
		const struct pme_btrfs_piece *piece = &state->pieces[*next];
		struct pme_btrfs_span span = span_of(part);

		if (*next == state->n_pieces || piece->file_start >= end)
			return at == part->start ? add_crowded(looking, part, ret) : -EAGAIN;
		span.range =
			(struct pme_range){at, piece->encoded ? piece->whole : piece->range.length};
		if (piece->file_start != at || span.range.length > end - at)
			return -EAGAIN;
		if (!piece->encoded) {
			span.logical.start += at - part->start;
			span.logical.length = span.range.length;
			if (piece->logical != span.logical.start)
				return -EAGAIN;
		}
		span.shared = piece->shared;
		r = add_span(looking, span, ret);
		at = pme_range_end(span.range);
		++*next;
	}
	return r;
}

static int add_parts(const struct looking *looking, struct pme_btrfs_spans *ret)
{
	uint64_t at = looking->range.start;
	size_t next = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i <= looking->parts.count; i++) {
		bool ended = i == looking->parts.count;
		const struct part *part = &looking->parts.items[i];
		struct pme_btrfs_span other = {.state = PME_EXTENT_HOLE};
		uint64_t start = ended ? pme_range_end(looking->range) : part->start;

		other.range = (struct pme_range){at, start > at ? start - at : 0};
		if (start > at)
			r = add_span(looking, other, ret);
		if (r < 0 || ended)
			break;
		at = part_end(looking, part);
		other.range = (struct pme_range){part->start, at - part->start};
		if (part->extent.type == PME_BTRFS_INLINE)
			other.state = PME_EXTENT_INLINE;
		r = has_extent(part) ? add_part(looking, part, &next, ret)
				     : add_span(looking, other, ret);
	}
	return r;
}

int pme_btrfs_file_spans(struct pme_btrfs_view *view, int fd, uint64_t inode,
			 struct pme_range range, struct pme_btrfs_spans *ret)
{
	_cleanup_(looking_done) struct looking looking = {
		.view = view, .fd = fd, .inode = inode, .range = range};
	_cleanup_(parts_done) struct parts again = {0};
	int r = flush(fd);

	if (r == 0)
		r = pme_btrfs_view_sync(view);
	if (r == 0)
		r = find_root(&looking);
	if (r == 0)
		r = read_parts(&looking, &looking.parts);
	if (r == 0)
		r = read_extents(&looking);
	if (r == 0)
		r = read_parts(&looking, &again);
	if (r == 0 && !same_parts(&looking.parts, &again))
		r = -EAGAIN;
	return r < 0 ? r : add_parts(&looking, ret);
}

int pme_btrfs_file_spots(const struct pme_btrfs_view *view, const struct pme_btrfs_chunks *chunks,
			 struct pme_range logical, struct pme_btrfs_spots *ret)
{
	for (uint64_t skip = 0, length; skip < logical.length; skip += length) {
		uint64_t at, here = logical.start + skip;
		const struct pme_btrfs_chunk *chunk = pme_btrfs_chunks_find(chunks, here);
		uint32_t first;

		if (!chunk)
			return -EAGAIN;
		pme_btrfs_chunk_down(chunk, here, &first, &at, &length);
		length = pme_min(length, logical.length - skip);
		for (uint32_t i = first; i < first + chunk->mirrors; i++) {
			const struct pme_btrfs_stripe *stripe = &chunk->stripes[i];
			int r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));

			if (r < 0)
				return r;
			ret->items[ret->count++] = (struct pme_btrfs_spot){
				.skip = skip,
				.devid = stripe->devid,
				.dev = pme_btrfs_view_dev(view, stripe->devid),
				.range = {stripe->start + at, length},
			};
		}
	}
	return 0;
}
