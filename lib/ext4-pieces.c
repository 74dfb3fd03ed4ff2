/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of the bad bytes; see ext4-pieces.h.
 *
 * What surprises: with bigalloc space is given away in clusters, so a block can be in use that no
 * inode maps: another block of its cluster is.
 */
#include "ext4-pieces.h"

#include "ext4-pass.h"

struct taking {
	struct pme_ext4_checker checker; /* first */
	const struct pme_ext4_live *live;
	int fd;
	const struct pme_range_list *wanted;
	struct pme_ext4_state *state;
};

struct rest {
	const struct pme_ext4_geo *geo;
	struct pme_ext4_state *state;
	size_t n_known; /* pieces that were there, sorted */
	unsigned char *bitmap;
	uint32_t group; /* whose bitmap it is */
	int bitmap_error;
};

int pme_ext4_piece_add(struct pme_ext4_state *state, const struct pme_ext4_piece *piece)
{
	int r = pme_grow(&state->pieces, &state->alloc_pieces, state->n_pieces, sizeof(*piece));

	if (r < 0)
		return r;
	state->pieces[state->n_pieces++] = *piece;
	return 0;
}

#define RETURN_UNLESS_EQUAL(a, b)                  \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

int pme_ext4_piece_compare(const struct pme_ext4_piece *a, const struct pme_ext4_piece *b)
{
	RETURN_UNLESS_EQUAL(a->range.start, b->range.start);
	RETURN_UNLESS_EQUAL(a->range.length, b->range.length);
	RETURN_UNLESS_EQUAL(a->class, b->class);
	RETURN_UNLESS_EQUAL(a->part, b->part);
	RETURN_UNLESS_EQUAL(a->group, b->group);
	RETURN_UNLESS_EQUAL(a->ino, b->ino);
	RETURN_UNLESS_EQUAL(a->offset, b->offset);
	RETURN_UNLESS_EQUAL(a->unwritten, b->unwritten);
	return 0;
}

static int by_place(const void *a, const void *b)
{
	return pme_ext4_piece_compare(a, b);
}

/* The first range of the normalized @list that ends behind @at; list->count when none does. */
static size_t find_range(const struct pme_range_list *list, uint64_t at)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pme_range_end(list->items[mid]) <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- of one inode ---- */

static int take_extent(void *arg, struct pme_range range, uint64_t device_start, bool unwritten)
{
	struct taking *taking = arg;
	struct pme_range on_device = {device_start, range.length};
	const struct pme_range_list *wanted = taking->wanted;
	int r = 0;

	for (size_t i = find_range(wanted, device_start); r == 0 && i < wanted->count; i++) {
		struct pme_ext4_piece piece = {
			.class = PME_EXT4_FILE,
			.ino = taking->live->disk.ino,
			.unwritten = unwritten,
		};

		if (!pme_range_intersect(on_device, wanted->items[i], &piece.range))
			break;
		piece.offset = range.start + (piece.range.start - device_start);
		r = pme_ext4_piece_add(taking->state, &piece);
	}
	return r;
}

/* Part @range of a run: the kernel's word on the bytes of the file counts, when it can be had. */
static int take_data(struct taking *taking, const struct pme_ext4_run *run, struct pme_range range)
{
	uint64_t size = taking->checker.geo->block_size;
	uint64_t skip = range.start - run->physical * size;
	struct pme_range in_file = {run->logical * size + skip, range.length};
	int r;

	if (taking->fd < 0)
		return take_extent(taking, in_file, range.start, run->kind == PME_EXT4_UNWRITTEN);
	r = pme_ext4_inode_extents(taking->fd, in_file, take_extent, taking);
	/* it cannot be said: then nothing is */
	return r == -ENOMEM || r == -E2BIG ? r : 0;
}

/* A block outside of the file's bytes. */
static int take_block(struct taking *taking, enum pme_ext4_class class, struct pme_range range)
{
	const struct pme_ext4_piece piece = {
		.range = range,
		.class = class,
		.ino = taking->live->disk.ino,
	};

	return pme_ext4_piece_add(taking->state, &piece);
}

static int take_run(void *arg, const struct pme_ext4_run *run)
{
	struct taking *taking = arg;
	uint64_t size = taking->checker.geo->block_size;
	struct pme_range whole = {run->physical * size, run->count * size}, part;
	int r = 0;

	for (size_t i = find_range(taking->wanted, whole.start);
	     r == 0 && i < taking->wanted->count; i++) {
		if (!pme_range_intersect(whole, taking->wanted->items[i], &part))
			break;
		r = run->kind == PME_EXT4_MAP ? take_block(taking, PME_EXT4_BLOCK_MAP, part)
					      : take_data(taking, run, part);
	}
	return r;
}

int pme_ext4_pieces_of_inode(const struct pme_ext4_geo *geo, const struct pme_ext4_live *live,
			     int fd, const struct pme_range_list *wanted,
			     struct pme_ext4_state *state)
{
	struct taking taking = {
		.checker = {.geo = geo},
		.live = live,
		.fd = fd,
		.wanted = wanted,
		.state = state,
	};
	const struct pme_reader reader = pme_ext4_geo_reader(geo);
	const struct pme_ext4_map map = {
		.reader = &reader,
		.block_size = geo->block_size,
		.blocks = geo->blocks,
		.take = take_run,
		.check = pme_ext4_check_block,
		.arg = &taking,
	};
	uint64_t at = live->disk.xattr_block, size = geo->block_size;
	int r = pme_ext4_map_walk(&map, &live->disk);

	if (r < 0 && r != -EIO && r != -EUCLEAN) /* those were counted by the pass */
		return r;
	if (at == 0 || at >= geo->blocks)
		return 0;
	r = 0;
	for (size_t i = find_range(wanted, at * size); r == 0 && i < wanted->count; i++) {
		struct pme_range part;

		if (!pme_range_intersect((struct pme_range){at * size, size}, wanted->items[i],
					 &part))
			break;
		r = take_block(&taking, PME_EXT4_XATTR, part);
	}
	return r;
}

/* ---- what is left ---- */

/* 1 in use, 0 free, -errno. */
static int is_used(struct rest *rest, uint64_t block)
{
	const struct pme_ext4_geo *geo = rest->geo;
	uint32_t group = pme_ext4_geo_group_of(geo, block);
	uint64_t bit = (block - geo->first_block - group * geo->group_blocks) /
		       (geo->cluster_size / geo->block_size);

	if (group != rest->group) {
		rest->group = group;
		rest->bitmap_error = pme_ext4_geo_bitmap(geo, group, rest->bitmap);
	}
	return rest->bitmap_error < 0 ? rest->bitmap_error : rest->bitmap[bit / 8] >> bit % 8 & 1;
}

/* Bytes of the cluster that holds @block. */
static struct pme_range cluster_of(const struct pme_ext4_geo *geo, uint64_t block)
{
	uint64_t ratio = geo->cluster_size / geo->block_size;
	uint64_t first = geo->first_block + (block - geo->first_block) / ratio * ratio;

	return (struct pme_range){first * geo->block_size, geo->cluster_size};
}

/* A piece that was known in the cluster of @block, or NULL. */
static const struct pme_ext4_piece *find_mate(const struct rest *rest, uint64_t block)
{
	struct pme_range cluster = cluster_of(rest->geo, block), common;
	const struct pme_ext4_piece *pieces = rest->state->pieces;
	size_t low = 0, high = rest->n_known;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pieces[mid].range.start < cluster.start)
			low = mid + 1;
		else
			high = mid;
	}
	/* one that begins before and reaches into it; pieces seldom overlap */
	if (low > 0 && pme_range_intersect(pieces[low - 1].range, cluster, &common))
		return &pieces[low - 1];
	return low < rest->n_known && pme_range_intersect(pieces[low].range, cluster, &common)
		       ? &pieces[low]
		       : NULL;
}

static struct pme_ext4_piece classify(struct rest *rest, uint64_t block)
{
	struct pme_ext4_piece piece = {.class = PME_EXT4_FREE};
	const struct pme_ext4_piece *mate = NULL;
	int used = is_used(rest, block);

	if (used < 0) {
		piece.class = PME_EXT4_NO_BITMAP;
		piece.group = rest->group;
	} else if (used > 0) {
		if (rest->geo->cluster_size > rest->geo->block_size)
			mate = find_mate(rest, block);
		piece.class = mate ? PME_EXT4_REST : PME_EXT4_LOST;
		piece.ino = mate && mate->class != PME_EXT4_PLACE ? mate->ino : 0;
	}
	return piece;
}

/* One range that no piece covers, inside of the filesystem. */
static int classify_range(struct rest *rest, struct pme_range range)
{
	uint64_t size = rest->geo->block_size, end = pme_range_end(range), at = range.start;
	struct pme_ext4_piece open = {.range = {0}};
	int r = 0;

	while (r == 0 && at < end) {
		uint64_t next = pme_min(end, (at / size + 1) * size);
		struct pme_ext4_piece piece = classify(rest, at / size);

		if (open.range.length > 0 && open.class == piece.class && open.ino == piece.ino &&
		    open.group == piece.group) {
			open.range.length += next - at;
		} else {
			if (open.range.length > 0)
				r = pme_ext4_piece_add(rest->state, &open);
			open = piece;
			open.range = (struct pme_range){at, next - at};
		}
		at = next;
	}
	return r < 0 || open.range.length == 0 ? r : pme_ext4_piece_add(rest->state, &open);
}

static int list_known(const struct pme_ext4_state *state, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->n_pieces; i++)
		r = pme_range_list_add(ret, state->pieces[i].range.start,
				       state->pieces[i].range.length);
	pme_range_list_normalize(ret);
	return r;
}

/* Do not go through all of @known for each wanted range: only what is near. */
static struct pme_range_list part_of(const struct pme_range_list *known, struct pme_range range)
{
	size_t first = find_range(known, range.start);
	size_t end = find_range(known, pme_range_end(range));

	return (struct pme_range_list){
		.items = known->items + first,
		.count = pme_min(end + 1, known->count) - first,
	};
}

int pme_ext4_pieces_rest(const struct pme_ext4_geo *geo, const struct pme_range_list *wanted,
			 struct pme_ext4_state *state)
{
	_cleanup_(pme_range_list_done) struct pme_range_list known = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list gaps = {0};
	_cleanup_free_ unsigned char *bitmap = malloc(geo->block_size);
	struct rest rest = {.geo = geo, .state = state, .bitmap = bitmap, .group = UINT32_MAX};
	int r = bitmap ? list_known(state, &known) : -ENOMEM;

	if (state->n_pieces > 0)
		qsort(state->pieces, state->n_pieces, sizeof(*state->pieces), by_place);
	rest.n_known = state->n_pieces;
	for (size_t i = 0; r == 0 && i < wanted->count; i++) {
		struct pme_range_list near = part_of(&known, wanted->items[i]);

		r = pme_range_list_subtract(wanted->items[i], &near, &gaps);
	}
	for (size_t i = 0; r == 0 && i < gaps.count; i++)
		r = classify_range(&rest, gaps.items[i]);
	return r;
}

/* Does @b go on where @a ends? */
static bool continues(const struct pme_ext4_piece *a, const struct pme_ext4_piece *b)
{
	return pme_range_end(a->range) == b->range.start && a->class == b->class &&
	       a->part == b->part && a->group == b->group && a->ino == b->ino &&
	       a->unwritten == b->unwritten &&
	       (a->class != PME_EXT4_FILE || a->offset + a->range.length == b->offset);
}

/* Each piece once, and as long as it can be, however the file's extents are cut. */
static void unite(struct pme_ext4_state *state)
{
	struct pme_ext4_piece *pieces = state->pieces;
	size_t n = 0;

	qsort(pieces, state->n_pieces, sizeof(*pieces), by_place);
	for (size_t i = 0; i < state->n_pieces; i++) {
		if (n > 0 && by_place(&pieces[n - 1], &pieces[i]) == 0)
			continue;
		if (n > 0 && continues(&pieces[n - 1], &pieces[i]))
			pieces[n - 1].range.length += pieces[i].range.length;
		else
			pieces[n++] = pieces[i];
	}
	state->n_pieces = n;
}

int pme_ext4_pieces_clip(struct pme_ext4_state *state, const struct pme_range_list *ranges)
{
	_cleanup_free_ struct pme_ext4_piece *whole = pme_take_ptr(state->pieces);
	size_t count = state->n_pieces;
	int r = 0;

	state->n_pieces = state->alloc_pieces = 0;
	for (size_t i = 0; i < count; i++) {
		size_t j = find_range(ranges, whole[i].range.start);

		for (; r == 0 && j < ranges->count; j++) {
			struct pme_ext4_piece piece = whole[i];

			if (!pme_range_intersect(whole[i].range, ranges->items[j], &piece.range))
				break;
			if (piece.class == PME_EXT4_FILE)
				piece.offset += piece.range.start - whole[i].range.start;
			r = pme_ext4_piece_add(state, &piece);
		}
	}
	if (r == 0 && state->n_pieces > 0)
		unite(state);
	return r;
}
