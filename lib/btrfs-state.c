/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a device -> pieces; see btrfs-state.h.
 *
 * Places of superblocks and the reserved first MiB: fs/btrfs/volumes.h, Documentation of the
 * on-disk format.  The surprise: old filesystems have chunks in the first MiB; so chunks come
 * first.
 */
#include "btrfs-state.h"

#include <linux/btrfs_tree.h>
#include <string.h>

#include "btrfs-search.h"
#include "crew.h"

#define RESERVED (1U << 20) /* BTRFS_DEVICE_RANGE_RESERVED */

/* Where a stripe of a chunk lies on the device. */
struct slot {
	struct pme_range range;
	size_t chunk;
	uint32_t stripe;
};

struct slots {
	struct slot *items; /* sorted */
	size_t count, alloc;
};

/* One range that is asked; several threads ask at once, each for pieces of its own. */
struct taking {
	const struct pme_btrfs_view *view;
	const struct pme_btrfs_chunks *chunks;
	const struct slots *slots;
	struct pme_btrfs_state *state; /* only its pieces */
};

bool pme_btrfs_is_damage(int error)
{
	return error == -EIO || error == -ENODATA || error == -EUCLEAN || error == -EBADMSG ||
	       error == -EINVAL || error == -EPROTO;
}

static void slots_done(struct slots *slots)
{
	free(slots->items);
}

struct pme_btrfs_piece *pme_btrfs_state_add(struct pme_btrfs_state *state,
					    const struct pme_btrfs_piece *like,
					    struct pme_range range, enum pme_btrfs_what what)
{
	struct pme_btrfs_piece *piece;

	if (pme_grow(&state->pieces, &state->alloc_pieces, state->n_pieces,
		     sizeof(*state->pieces)) < 0)
		return NULL;
	piece = &state->pieces[state->n_pieces++];
	*piece = *like;
	piece->range = range;
	piece->logical = like->logical + (range.start - like->range.start);
	piece->what = what;
	return piece;
}

static int by_start(const void *a, const void *b)
{
	const struct slot *p = a, *q = b;

	return p->range.start < q->range.start ? -1 : p->range.start > q->range.start;
}

static int find_slots(const struct pme_btrfs_view *view, const struct pme_btrfs_chunks *chunks,
		      struct slots *slots)
{
	for (size_t c = 0; c < chunks->count; c++) {
		const struct pme_btrfs_chunk *chunk = &chunks->items[c];

		for (uint32_t i = 0; i < chunk->n_stripes; i++) {
			int r;

			if (chunk->stripes[i].devid != view->devid)
				continue;
			r = pme_grow(&slots->items, &slots->alloc, slots->count,
				     sizeof(*slots->items));
			if (r < 0)
				return r;
			slots->items[slots->count++] = (struct slot){
				.range = {chunk->stripes[i].start, chunk->dev_length},
				.chunk = c,
				.stripe = i,
			};
		}
	}
	if (slots->count > 0)
		qsort(slots->items, slots->count, sizeof(*slots->items), by_start);
	for (size_t i = 1; i < slots->count; i++)
		if (pme_range_end(slots->items[i - 1].range) > slots->items[i].range.start)
			return -EPROTO;
	return 0;
}

/* The first slot that ends behind @at, or NULL. */
static const struct slot *find_slot(const struct slots *slots, uint64_t at)
{
	size_t low = 0, high = slots->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pme_range_end(slots->items[mid].range) <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < slots->count ? &slots->items[low] : NULL;
}

/* A piece outside of chunks, from @range.start on, cut where something else begins. */
static struct pme_range add_outside(struct taking *taking, const struct slot *next,
				    struct pme_range range)
{
	enum pme_btrfs_what what = range.start >= taking->view->size ? PME_BTRFS_BEHIND
				   : range.start < RESERVED	     ? PME_BTRFS_RESERVED
								     : PME_BTRFS_UNALLOCATED;
	uint64_t end = pme_range_end(range);

	if (what == PME_BTRFS_RESERVED)
		end = pme_min(end, RESERVED);
	if (what != PME_BTRFS_BEHIND)
		end = pme_min(end, taking->view->size);
	if (next)
		end = pme_min(end, next->range.start);
	range.length = end - range.start;
	if (!pme_btrfs_state_add(
		    taking->state,
		    &(struct pme_btrfs_piece){.range = range, .chunk = PME_BTRFS_NO_CHUNK}, range,
		    what))
		range.length = 0;
	return range;
}

/* What the extent tree knows of @like, bytes of a chunk that lie together. */
static int add_extents(struct taking *taking, const struct pme_btrfs_piece *like)
{
	struct pme_btrfs_founds founds = {0};
	struct pme_range wanted = {like->logical, like->range.length}, common;
	uint64_t at = like->logical;
	int r = pme_btrfs_extents_find(taking->view, &taking->chunks->items[like->chunk], wanted,
				       &founds);

	for (size_t i = 0; r == 0 && i <= founds.count; i++) {
		const struct pme_btrfs_found *found = &founds.items[i];
		uint64_t start = pme_range_end(wanted);
		struct pme_range range = {like->range.start + (at - like->logical), 0};
		struct pme_btrfs_piece *piece;

		if (i < founds.count && pme_range_intersect(found->range, wanted, &common))
			start = common.start;
		range.length = start - at;
		if (start < at)
			r = -EPROTO;
		else if (start > at &&
			 !pme_btrfs_state_add(taking->state, like, range, PME_BTRFS_FREE))
			r = -ENOMEM;
		if (r < 0 || i == founds.count)
			break;
		at = pme_range_end(common);
		if (!found->is_tree) {
			r = pme_btrfs_files_add(taking->view, found, like, taking->state);
			continue;
		}
		range = (struct pme_range){like->range.start + (start - like->logical),
					   common.length};
		piece = pme_btrfs_state_add(taking->state, like, range, PME_BTRFS_TREE);
		if (piece)
			piece->block = *found;
		r = piece ? 0 : -ENOMEM;
	}
	free(founds.items);
	return r;
}

/* The same, when the trees that tell of these bytes can be read. */
static int add_known(struct taking *taking, const struct pme_btrfs_piece *like)
{
	bool is_data = taking->chunks->items[like->chunk].type & PME_BTRFS_GROUP_DATA;
	size_t first = taking->state->n_pieces;
	struct pme_btrfs_piece *piece;
	int r = is_data ? pme_btrfs_files_add_directly(taking->view, like, taking->state) : 0;

	if (r != 0)
		return r < 0 ? r : 0;
	taking->state->n_pieces = first;
	r = add_extents(taking, like);
	if (!pme_btrfs_is_damage(r))
		return r;
	taking->state->n_pieces = first;
	piece = pme_btrfs_state_add(taking->state, like, like->range, PME_BTRFS_MYSTERY);
	if (piece)
		piece->why = "the trees that tell who uses these bytes are damaged: see the kernel "
			     "log, and btrfs check";
	return piece ? 0 : -ENOMEM;
}

/* Bytes of one slot: each part of the chunk by itself. */
static int add_slot(struct taking *taking, const struct slot *slot, struct pme_range range)
{
	const struct pme_btrfs_chunk *chunk = &taking->chunks->items[slot->chunk];
	int r = 0;

	while (r == 0 && range.length > 0) {
		struct pme_btrfs_part part = pme_btrfs_chunk_up(
			chunk, slot->stripe, range.start - slot->range.start, range.length);
		struct pme_btrfs_piece like = {
			.range = {range.start, part.length},
			.chunk = slot->chunk,
			.stripe = slot->stripe,
			.logical = part.logical,
		};

		if (part.parity)
			r = pme_btrfs_state_add(taking->state, &like, like.range, PME_BTRFS_PARITY)
				    ? 0
				    : -ENOMEM;
		else
			r = add_known(taking, &like);
		range.start += part.length;
		range.length -= part.length;
	}
	return r;
}

/* Bytes without a superblock. */
static int add_plain(struct taking *taking, struct pme_range range)
{
	int r = 0;

	while (r == 0 && range.length > 0) {
		const struct slot *slot = find_slot(taking->slots, range.start);
		struct pme_range part;

		if (slot && slot->range.start <= range.start) {
			pme_range_intersect(slot->range, range, &part);
			r = add_slot(taking, slot, part);
		} else {
			part = add_outside(taking, slot, range);
			r = part.length > 0 ? 0 : -ENOMEM;
		}
		range.start += part.length;
		range.length -= part.length;
	}
	return r;
}

static int add_super(struct taking *taking, struct pme_range range, unsigned int i)
{
	struct pme_btrfs_piece *piece = pme_btrfs_state_add(
		taking->state,
		&(struct pme_btrfs_piece){.range = range, .chunk = PME_BTRFS_NO_CHUNK}, range,
		PME_BTRFS_SUPER);

	if (!piece)
		return -ENOMEM;
	piece->super = i;
	return 0;
}

static int add_range(struct taking *taking, struct pme_range range)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < PME_BTRFS_SUPERS; i++) {
		struct pme_range super = {pme_btrfs_super_at(i), PME_BTRFS_SUPER_SIZE}, common;
		struct pme_range before = range;

		if (pme_range_end(super) > taking->view->size ||
		    !pme_range_intersect(super, range, &common))
			continue;
		before.length = common.start - range.start;
		r = add_plain(taking, before);
		if (r == 0)
			r = add_super(taking, common, i);
		range.length = pme_range_end(range) - pme_range_end(common);
		range.start = pme_range_end(common);
	}
	return r < 0 ? r : add_plain(taking, range);
}

static int compare_files(const void *a, const void *b)
{
	const struct pme_btrfs_file *p = a, *q = b;

	if (p->root != q->root)
		return p->root < q->root ? -1 : 1;
	return p->inode < q->inode ? -1 : p->inode > q->inode;
}

struct reading {
	const struct pme_btrfs_view *view;
	struct pme_btrfs_file *files;
};

static int read_inode(void *arg, size_t i)
{
	const struct reading *reading = arg;
	struct pme_btrfs_file *file = &reading->files[i];
	int r = pme_btrfs_view_inode(reading->view, file->root, file->inode, &file->item);

	if (r == -ENOENT) /* its subvolume is deleted meanwhile: the next look will tell */
		r = 0;
	file->damaged = r == 0;
	return r < 0 ? r : 0;
}

/* Each file once, with its inode. */
static int collect_files(const struct pme_btrfs_view *view, struct pme_btrfs_state *state)
{
	size_t count;
	int r = 0;

	for (size_t i = 0; i < state->n_pieces; i++) {
		if (state->pieces[i].what != PME_BTRFS_DATA)
			continue;
		r = pme_grow(&state->files, &state->alloc_files, state->n_files,
			     sizeof(*state->files));
		if (r < 0)
			return r;
		state->files[state->n_files++] = (struct pme_btrfs_file){
			.root = state->pieces[i].root,
			.inode = state->pieces[i].inode,
		};
	}
	if (state->n_files > 1)
		qsort(state->files, state->n_files, sizeof(*state->files), compare_files);
	count = state->n_files;
	state->n_files = 0;
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_files(&state->files[i - 1], &state->files[i]) != 0)
			state->files[state->n_files++] = state->files[i];
	return pme_crew_each(state->n_files, read_inode,
			     &(struct reading){.view = view, .files = state->files}, NULL);
}

struct asking {
	struct taking all;
	const struct pme_range_list *ranges;
	const struct pme_btrfs_state *earlier; /* or NULL */
	struct pme_btrfs_state *each;	       /* pieces of every range */
};

static int ask_range(void *arg, size_t i)
{
	const struct asking *asking = arg;
	struct taking one = asking->all;
	int r = pme_btrfs_state_keep(asking->earlier, asking->ranges->items[i], asking->all.chunks,
				     &asking->each[i]);

	if (r != 0)
		return r < 0 ? r : 0;
	one.state = &asking->each[i];
	return add_range(&one, asking->ranges->items[i]);
}

/* The pieces of all ranges, in their order. */
static int join_pieces(const struct asking *asking, struct pme_btrfs_state *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < asking->ranges->count; i++)
		count += asking->each[i].n_pieces;
	ret->pieces = calloc(count + 1, sizeof(*ret->pieces));
	if (!ret->pieces)
		return -ENOMEM;
	ret->alloc_pieces = count + 1;
	for (size_t i = 0; i < asking->ranges->count; i++) {
		const struct pme_btrfs_state *one = &asking->each[i];

		if (one->n_pieces > 0)
			memcpy(&ret->pieces[ret->n_pieces], one->pieces,
			       one->n_pieces * sizeof(*one->pieces));
		ret->n_pieces += one->n_pieces;
	}
	return 0;
}

static int ask_ranges(const struct taking *all, const struct pme_range_list *ranges,
		      const struct pme_btrfs_state *earlier, struct pme_progress *progress,
		      struct pme_btrfs_state *ret)
{
	_cleanup_free_ struct pme_btrfs_state *each = calloc(ranges->count + 1, sizeof(*each));
	struct asking asking = {
		.all = *all,
		.ranges = ranges,
		.earlier = earlier,
		.each = each,
	};
	int r;

	if (!each)
		return -ENOMEM;
	pme_progress_phase(progress, PME_PHASE_OWNERS, PME_UNIT_RANGES, ranges->count);
	r = pme_crew_each(ranges->count, ask_range, &asking, progress);
	if (r == 0)
		r = join_pieces(&asking, ret);
	for (size_t i = 0; i < ranges->count; i++)
		pme_btrfs_state_done(&each[i]);
	return r;
}

int pme_btrfs_state_take(struct pme_btrfs_view *view, const struct pme_range_list *ranges,
			 const struct pme_btrfs_state *earlier, struct pme_progress *progress,
			 struct pme_btrfs_state *ret)
{
	_cleanup_(slots_done) struct slots slots = {0};
	const struct taking all = {.view = view, .chunks = &ret->chunks, .slots = &slots};
	int r = pme_btrfs_view_sync(view);

	if (r == 0)
		r = pme_btrfs_view_chunks(view, &ret->chunks);
	if (r == 0)
		r = find_slots(view, &ret->chunks, &slots);
	if (r == 0)
		r = ask_ranges(&all, ranges, earlier, progress, ret);
	return r < 0 ? r : collect_files(view, ret);
}

void pme_btrfs_state_done(struct pme_btrfs_state *state)
{
	pme_btrfs_chunks_done(&state->chunks);
	free(state->pieces);
	free(state->files);
	*state = (struct pme_btrfs_state){0};
}

size_t pme_btrfs_state_file(const struct pme_btrfs_state *state, uint64_t root, uint64_t inode)
{
	const struct pme_btrfs_file key = {.root = root, .inode = inode};
	const struct pme_btrfs_file *found =
		state->n_files
			? bsearch(&key, state->files, state->n_files, sizeof(key), compare_files)
			: NULL;

	return found ? (size_t)(found - state->files) : state->n_files;
}
