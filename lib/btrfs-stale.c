/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stale copies; see btrfs-stale.h.
 *
 * What surprises: the kernel's trees tell of blocks that are in memory only; those of a transaction
 * that is not committed are not looked for.  A block can be written anew while it is read, so that
 * a wrong one is read again.
 */
#include "btrfs-stale.h"

#include <string.h>

#include "btrfs-sums.h"
#include "media.h"

#define BATCH (256U << 10) /* bytes read at once; holds the largest node */
#define BLOCK_MIN 512U
#define TRIES 2

struct checking {
	const struct pme_topo *topo;
	struct pme_btrfs_view *view;
	const struct pme_btrfs_state *state;
	struct pme_btrfs_sums sums;
	int *fds; /* of each member: -ENOENT not open yet, other -errno */
	unsigned char *buf;
	unsigned char (*wanted)[PME_BTRFS_SUM_AREA]; /* of each block of a batch */
	bool *is_known;
};

static void checking_done(struct checking *checking)
{
	for (size_t i = 0; checking->fds && i < checking->view->n_members; i++)
		pme_close_fd(&checking->fds[i]);
	free(checking->fds);
	free(checking->buf);
	free(checking->wanted);
	free(checking->is_known);
}

static int checking_init(struct checking *checking)
{
	struct pme_btrfs_view *view = checking->view;

	checking->fds = calloc(view->n_members + 1, sizeof(*checking->fds));
	checking->buf = malloc(BATCH);
	checking->wanted = calloc(BATCH / BLOCK_MIN, sizeof(*checking->wanted));
	checking->is_known = calloc(BATCH / BLOCK_MIN, sizeof(*checking->is_known));
	for (size_t i = 0; i < view->n_members; i++) {
		pme_range_list_done(&view->members[i].stale);
		if (checking->fds)
			checking->fds[i] = -ENOENT;
	}
	return checking->fds && checking->buf && checking->wanted && checking->is_known ? 0
											: -ENOMEM;
}

static int read_copy(struct checking *checking, size_t member, uint64_t at, uint64_t len)
{
	int *fd = &checking->fds[member];

	if (*fd == -ENOENT)
		*fd = pme_media_open(checking->topo, checking->view->members[member].dev);
	return *fd < 0 ? *fd : pme_media_read(*fd, checking->buf, len, at);
}

static int add_stale(struct checking *checking, size_t member, uint64_t at, uint64_t len)
{
	return pme_range_list_add(&checking->view->members[member].stale, at, len);
}

/* ---- tree blocks ---- */

static bool is_node_good(const struct checking *checking, const struct pme_btrfs_found *block)
{
	struct pme_btrfs_head head;

	return pme_btrfs_sums_check(&checking->sums, checking->buf + PME_BTRFS_SUM_AREA,
				    block->range.length - PME_BTRFS_SUM_AREA, checking->buf) != 0 &&
	       pme_btrfs_head_parse(checking->buf, block->range.length, &head) == 0 &&
	       head.start == block->range.start && head.generation >= block->generation;
}

/* The copy of a whole tree block at byte @at of a device. */
static int check_node(struct checking *checking, const struct pme_btrfs_found *block, size_t member,
		      uint64_t at)
{
	for (int i = 0; i < TRIES; i++) {
		int r = read_copy(checking, member, at, block->range.length);

		if (r < 0 && r != -EIO)
			return r == -ENOMEM ? r : 0;
		if (r == 0 && is_node_good(checking, block))
			return 0;
	}
	return add_stale(checking, member, at, block->range.length);
}

/* ---- data ---- */

/* The checksums of the blocks of logical @range, a batch. */
static int read_sums(struct checking *checking, struct pme_range range)
{
	uint64_t block = checking->view->block_size;
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search =
		pme_btrfs_sums_search(checking->view, &checking->sums, range);
	struct pme_btrfs_item item;
	int r;

	memset(checking->is_known, 0, BATCH / BLOCK_MIN * sizeof(*checking->is_known));
	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct pme_range has, common;

		if (!pme_btrfs_sums_of(checking->view, &checking->sums, &item, range, &has) ||
		    !pme_range_intersect(has, range, &common))
			continue;
		for (uint64_t x = common.start; x < pme_range_end(common); x += block) {
			size_t i = (x - range.start) / block;

			memcpy(checking->wanted[i],
			       item.data + (x - has.start) / block * checking->sums.size,
			       checking->sums.size);
			checking->is_known[i] = true;
		}
	}
	return r;
}

/* One block of a batch whose copy is at byte @at: only what cannot be read, or is wrong twice. */
static int check_block(struct checking *checking, size_t member, uint64_t at, size_t i)
{
	uint64_t block = checking->view->block_size;
	int r = read_copy(checking, member, at, block);

	if (r < 0 && r != -EIO)
		return r == -ENOMEM ? r : 0;
	if (r == 0 &&
	    pme_btrfs_sums_check(&checking->sums, checking->buf, block, checking->wanted[i]) != 0)
		return 0;
	return add_stale(checking, member, at, block);
}

/* The copy of a batch of @len bytes at byte @at of a device. */
static int check_batch(struct checking *checking, size_t member, uint64_t at, uint64_t len)
{
	uint64_t block = checking->view->block_size;
	bool is_wrong[BATCH / BLOCK_MIN] = {false};
	int r = read_copy(checking, member, at, len);

	if (r < 0 && r != -EIO)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < len / block; i++)
		is_wrong[i] =
			checking->is_known[i] &&
			(r < 0 || pme_btrfs_sums_check(&checking->sums, checking->buf + i * block,
						       block, checking->wanted[i]) == 0);
	r = 0;
	for (size_t i = 0; r == 0 && i < len / block; i++)
		if (is_wrong[i])
			r = check_block(checking, member, at + i * block, i);
	return r;
}

/* ---- pieces ---- */

/* The member with the mirror @i of @piece, and that it is one that can be read; n_members: no. */
static size_t member_of(const struct checking *checking, const struct pme_btrfs_piece *piece,
			uint32_t i)
{
	const struct pme_btrfs_chunk *chunk = &checking->state->chunks.items[piece->chunk];
	const struct pme_btrfs_view *view = checking->view;

	for (size_t k = 0; i != piece->stripe && k < view->n_members; k++)
		if (view->members[k].devid == chunk->stripes[i].devid && view->members[k].dev)
			return k;
	return view->n_members;
}

/* All mirrors of bytes of the stripe of @piece, from its byte @at on, in a batch. */
static int check_mirrors(struct checking *checking, const struct pme_btrfs_piece *piece,
			 uint64_t at, uint64_t len)
{
	const struct pme_btrfs_chunk *chunk = &checking->state->chunks.items[piece->chunk];
	uint32_t first, count;
	int r = 0;

	pme_btrfs_chunk_others(chunk, piece->stripe, &first, &count);
	for (uint32_t i = first; r == 0 && i < first + count; i++) {
		size_t member = member_of(checking, piece, i);

		if (member == checking->view->n_members)
			continue;
		if (piece->what == PME_BTRFS_TREE)
			r = check_node(checking, &piece->block, member,
				       chunk->stripes[i].start + at);
		else
			r = check_batch(checking, member, chunk->stripes[i].start + at, len);
	}
	return r;
}

static int check_tree(struct checking *checking, const struct pme_btrfs_piece *piece, uint64_t at)
{
	const struct pme_btrfs_found *block = &piece->block;
	const struct pme_btrfs_chunk *chunk = &checking->state->chunks.items[piece->chunk];
	uint64_t skip = piece->logical - block->range.start, length = block->range.length;

	/* in memory only, or in two stripes at once, as ancient filesystems have them */
	if (block->generation > checking->view->committed || length > BATCH ||
	    length <= PME_BTRFS_SUM_AREA || at < skip ||
	    (chunk->striped && (at - skip) % chunk->unit + length > chunk->unit))
		return 0;
	return check_mirrors(checking, piece, at - skip, length);
}

/* Whole blocks of data: batch after batch. */
static int check_data(struct checking *checking, const struct pme_btrfs_piece *piece, uint64_t at,
		      const struct pme_progress *progress)
{
	uint64_t block = checking->view->block_size, skip = at % block;
	uint64_t end = (at + piece->range.length + block - 1) / block * block;
	int r = 0;

	if (piece->logical % block != skip || block < BLOCK_MIN)
		return 0;
	for (uint64_t x = at - skip, len; r == 0 && x < end; x += len) {
		struct pme_range logical = {piece->logical - skip + (x - (at - skip)), 0};

		len = logical.length = pme_min(end - x, BATCH / block * block);
		if (progress && pme_progress_over(progress))
			return -ETIME;
		r = read_sums(checking, logical);
		if (pme_btrfs_is_damage(r))
			r = 0; /* what is not there cannot be asked */
		else if (r == 0)
			r = check_mirrors(checking, piece, x, len);
	}
	return r;
}

static int check_piece(struct checking *checking, const struct pme_btrfs_piece *piece,
		       const struct pme_progress *progress)
{
	const struct pme_btrfs_chunk *chunk;
	uint32_t first, count;
	uint64_t at;

	if (piece->what != PME_BTRFS_TREE && (piece->what != PME_BTRFS_DATA || piece->prealloc))
		return 0;
	chunk = &checking->state->chunks.items[piece->chunk];
	at = piece->range.start - chunk->stripes[piece->stripe].start;
	if (pme_btrfs_chunk_others(chunk, piece->stripe, &first, &count) != 1)
		return 0;
	return piece->what == PME_BTRFS_TREE ? check_tree(checking, piece, at)
					     : check_data(checking, piece, at, progress);
}

int pme_btrfs_stale_find(const struct pme_topo *topo, struct pme_btrfs_view *view,
			 const struct pme_btrfs_state *state, struct pme_progress *progress)
{
	_cleanup_(checking_done) struct checking checking = {
		.topo = topo,
		.view = view,
		.state = state,
	};
	int r = checking_init(&checking);

	if (r < 0 || view->stopped || pme_btrfs_sums_ask(view->fd, &checking.sums) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < state->n_pieces; i++) {
		if (progress && pme_progress_over(progress))
			return -ETIME;
		r = check_piece(&checking, &state->pieces[i], progress);
	}
	for (size_t i = 0; i < view->n_members; i++)
		pme_range_list_normalize(&view->members[i].stale);
	return r;
}

bool pme_btrfs_stale_is(const struct pme_btrfs_member *member, uint64_t at, uint64_t *length)
{
	const struct pme_range_list *list = &member->stale;
	size_t i = pme_range_list_first(list, at);
	bool is_stale = i < list->count && list->items[i].start <= at;

	if (i < list->count)
		*length = pme_min(*length, is_stale ? pme_range_end(list->items[i]) - at
						    : list->items[i].start - at);
	return is_stale;
}
