/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two states of a btrfs, and what changed between them; see btrfs-state.h.
 */
#include "btrfs-state.h"

#include <string.h>

static bool same_block(const struct pme_btrfs_found *a, const struct pme_btrfs_found *b)
{
	return a->range.start == b->range.start && a->level == b->level &&
	       a->n_trees == b->n_trees && memcmp(a->trees, b->trees, sizeof(a->trees)) == 0;
}

static bool same_piece(const struct pme_btrfs_piece *a, const struct pme_btrfs_piece *b)
{
	return a->range.start == b->range.start && a->range.length == b->range.length &&
	       a->what == b->what && a->stripe == b->stripe && a->logical == b->logical &&
	       a->super == b->super && same_block(&a->block, &b->block) && a->root == b->root &&
	       a->inode == b->inode && a->file_start == b->file_start && a->whole == b->whole &&
	       a->compression == b->compression && a->prealloc == b->prealloc &&
	       a->shared == b->shared && a->why == b->why;
}

static bool same_file(const struct pme_btrfs_file *a, const struct pme_btrfs_file *b)
{
	return a->root == b->root && a->inode == b->inode && a->damaged == b->damaged &&
	       a->item.generation == b->item.generation && a->item.nlink == b->item.nlink &&
	       a->item.size == b->item.size && a->item.mode == b->item.mode;
}

bool pme_btrfs_state_equal(const struct pme_btrfs_state *a, const struct pme_btrfs_state *b)
{
	if (a->n_pieces != b->n_pieces || a->n_files != b->n_files)
		return false;
	for (size_t i = 0; i < a->n_pieces; i++)
		if (!same_piece(&a->pieces[i], &b->pieces[i]))
			return false;
	for (size_t i = 0; i < a->n_files; i++)
		if (!same_file(&a->files[i], &b->files[i]))
			return false;
	return true;
}

/* Is the file of @piece, which is in both states, the same in both?  Links aside. */
static bool has_same_file(const struct pme_btrfs_state *a, const struct pme_btrfs_state *b,
			  const struct pme_btrfs_piece *piece)
{
	size_t i = pme_btrfs_state_file(a, piece->root, piece->inode);
	size_t j = pme_btrfs_state_file(b, piece->root, piece->inode);

	if (piece->what != PME_BTRFS_DATA)
		return true;
	return i < a->n_files && j < b->n_files && !a->files[i].damaged == !b->files[j].damaged &&
	       a->files[i].item.generation == b->files[j].item.generation;
}

/* Has @b this piece of @a? */
static bool has_piece(const struct pme_btrfs_state *a, const struct pme_btrfs_state *b,
		      const struct pme_btrfs_piece *piece)
{
	for (size_t i = 0; i < b->n_pieces; i++)
		if (same_piece(piece, &b->pieces[i]))
			return has_same_file(a, b, piece);
	return false;
}

/* Ranges of pieces of @a that @b has not. */
static int add_changes(const struct pme_btrfs_state *a, const struct pme_btrfs_state *b,
		       struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n_pieces; i++)
		if (!has_piece(a, b, &a->pieces[i]))
			r = pme_range_list_add(ret, a->pieces[i].range.start,
					       a->pieces[i].range.length);
	return r;
}

/* Drop pieces that meet @changed; what they covered is @ret. */
static int drop_pieces(struct pme_btrfs_state *state, const struct pme_range_list *changed,
		       struct pme_range_list *ret)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->n_pieces; i++) {
		struct pme_range range = state->pieces[i].range;

		if (pme_range_list_meets(changed, range))
			r = pme_range_list_add(ret, range.start, range.length);
		else
			state->pieces[kept++] = state->pieces[i];
	}
	for (size_t i = 0; r == 0 && i < changed->count; i++)
		r = pme_range_list_add(ret, changed->items[i].start, changed->items[i].length);
	state->n_pieces = kept;
	pme_range_list_normalize(ret);
	return r;
}

int pme_btrfs_state_reduce(struct pme_btrfs_state *state, const struct pme_btrfs_state *later,
			   uint64_t *ret_bytes)
{
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0}, dropped = {0};
	int r = add_changes(state, later, &changed);

	if (r == 0)
		r = add_changes(later, state, &changed);
	pme_range_list_normalize(&changed);
	if (r == 0)
		r = drop_pieces(state, &changed, &dropped);
	for (size_t i = 0; r == 0 && i < dropped.count; i++) {
		const struct pme_btrfs_piece like = {
			.range = dropped.items[i],
			.chunk = PME_BTRFS_NO_CHUNK,
			.why = "the filesystem changed these bytes while it was read: scan again",
		};

		if (!pme_btrfs_state_add(state, &like, like.range, PME_BTRFS_MYSTERY))
			r = -ENOMEM;
	}
	*ret_bytes = pme_range_list_bytes(&dropped);
	return r;
}

/* The pieces of @range in a list that has those of all ranges in their order: [*ret_first, end). */
static size_t find_pieces(const struct pme_btrfs_state *state, struct pme_range range,
			  size_t *ret_first)
{
	size_t low = 0, high = state->n_pieces;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (state->pieces[mid].range.start < range.start)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_first = low;
	while (low < state->n_pieces && state->pieces[low].range.start < pme_range_end(range))
		low++;
	return low;
}

/* The chunk of @piece, one of @state, among @chunks, when it still lies at the same place. */
static const struct pme_btrfs_chunk *find_chunk(const struct pme_btrfs_state *state,
						const struct pme_btrfs_piece *piece,
						const struct pme_btrfs_chunks *chunks)
{
	const struct pme_btrfs_chunk *now = pme_btrfs_chunks_find(chunks, piece->logical);
	const struct pme_btrfs_chunk *old = &state->chunks.items[piece->chunk];
	uint32_t i = piece->stripe;

	if (!now || now->start != old->start || now->type != old->type ||
	    now->n_stripes != old->n_stripes || now->stripes[i].devid != old->stripes[i].devid ||
	    now->stripes[i].start != old->stripes[i].start)
		return NULL;
	return now;
}

/*
 * Data of files, as it was told before: numbers of inodes and subvolumes are not used again while
 * it is mounted, so that such a file is the one that had the bytes then, whatever became of them.
 * Of what has other copies, these were looked at since, and must still belong to it.
 */
static bool is_settled(const struct pme_btrfs_state *state, const struct pme_btrfs_piece *piece,
		       const struct pme_btrfs_chunks *chunks)
{
	const struct pme_btrfs_chunk *chunk;
	size_t i;

	if (piece->what != PME_BTRFS_DATA)
		return false;
	chunk = find_chunk(state, piece, chunks);
	i = pme_btrfs_state_file(state, piece->root, piece->inode);
	return chunk && chunk->mirrors <= 1 && chunk->parities == 0 && i < state->n_files &&
	       !state->files[i].damaged;
}

int pme_btrfs_state_keep(const struct pme_btrfs_state *earlier, struct pme_range range,
			 const struct pme_btrfs_chunks *chunks, struct pme_btrfs_state *ret)
{
	size_t first, end = earlier ? find_pieces(earlier, range, &first) : 0;

	if (!earlier || first == end)
		return 0;
	for (size_t i = first; i < end; i++)
		if (!is_settled(earlier, &earlier->pieces[i], chunks))
			return 0;
	for (size_t i = first; i < end; i++) {
		const struct pme_btrfs_piece *old = &earlier->pieces[i];
		struct pme_btrfs_piece *piece =
			pme_btrfs_state_add(ret, old, old->range, PME_BTRFS_DATA);

		if (!piece)
			return -ENOMEM;
		piece->chunk =
			(size_t)(pme_btrfs_chunks_find(chunks, old->logical) - chunks->items);
	}
	return 1;
}
