/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mounted ext2, ext3 or ext4 says at one moment; see ext4-state.h.
 *
 * Order matters: bitmaps are read after the inodes.  A block that no inode has and that is free
 * afterwards belonged to nobody at that time; one that is in use afterwards may have got its owner
 * meanwhile, behind the back of the pass.
 */
#include "ext4-state.h"

#include "crew.h"
#include "ext4-pieces.h"
#include "os.h"

size_t pme_ext4_state_find(const struct pme_ext4_state *state, uint32_t ino)
{
	size_t low = 0, high = state->n_inodes;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (state->inodes[mid].disk.ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int add_inode(struct pme_ext4_state *state, const struct pme_ext4_live *live)
{
	int r = pme_grow(&state->inodes, &state->alloc_inodes, state->n_inodes, sizeof(*live));

	if (r < 0)
		return r;
	state->inodes[state->n_inodes++] = *live;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct pme_ext4_live *p = a, *q = b;

	return p->disk.ino < q->disk.ino ? -1 : p->disk.ino > q->disk.ino;
}

/* Each once; those that were looked at for their blocks know more. */
static void sort_inodes(struct pme_ext4_state *state)
{
	struct pme_ext4_live *inodes = state->inodes;
	size_t n = 0;

	if (state->n_inodes == 0)
		return;
	qsort(inodes, state->n_inodes, sizeof(*inodes), by_number);
	for (size_t i = 0; i < state->n_inodes; i++) {
		if (n == 0 || inodes[n - 1].disk.ino != inodes[i].disk.ino) {
			inodes[n++] = inodes[i];
			continue;
		}
		inodes[n - 1].no_key |= inodes[i].no_key;
		inodes[n - 1].unreadable |= inodes[i].unreadable;
	}
	state->n_inodes = n;
}

/* Ranges grown to whole clusters, and cut at the end of the filesystem. */
static int grow_ranges(const struct pme_ext4_geo *geo, const struct pme_range_list *ranges,
		       struct pme_range_list *ret)
{
	uint64_t unit = geo->cluster_size, base = geo->first_block * geo->block_size;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ranges->count; i++) {
		uint64_t start = ranges->items[i].start, end = pme_range_end(ranges->items[i]);

		if (start >= geo->size)
			break;
		end = pme_min(end, geo->size);
		start = start < base ? 0 : base + (start - base) / unit * unit;
		if (end > base)
			end = base + (end - base + unit - 1) / unit * unit;
		r = pme_range_list_add(ret, start, pme_min(end, geo->size) - start);
	}
	pme_range_list_normalize(ret);
	return r;
}

/* Inodes that lie in bad parts of their tables. */
static int take_table(const struct pme_ext4_door *door, const struct pme_ext4_place *place,
		      struct pme_ext4_state *state)
{
	uint32_t first, last;
	int r = 0;

	pme_ext4_place_inodes(door->geo, place, &first, &last);
	for (uint64_t ino = first; r >= 0 && ino <= last; ino++) {
		struct pme_ext4_live live;

		r = pme_ext4_inode_look(door, (uint32_t)ino, &live, NULL);
		if (r > 0)
			r = add_inode(state, &live);
	}
	return r < 0 ? r : 0;
}

/* Fixed places, for whole clusters; inodes only for what was asked about. */
static int take_places(const struct pme_ext4_door *door, const struct pme_range_list *ranges,
		       const struct pme_range_list *grown, struct pme_ext4_state *state)
{
	_cleanup_(pme_ext4_places_done) struct pme_ext4_places asked = {0}, whole = {0};
	int r = pme_ext4_layout(door->geo, ranges, &asked);

	if (r == 0)
		r = pme_ext4_layout(door->geo, grown, &whole);
	for (size_t i = 0; r == 0 && i < asked.count; i++)
		if (asked.items[i].part == PME_EXT4_TABLE)
			r = take_table(door, &asked.items[i], state);
	for (size_t i = 0; r == 0 && i < asked.count + whole.count; i++) {
		const struct pme_ext4_place *place =
			i < asked.count ? &asked.items[i] : &whole.items[i - asked.count];
		const struct pme_ext4_piece piece = {
			.range = place->range,
			.class = PME_EXT4_PLACE,
			.part = place->part,
			.group = place->group,
		};

		if (i >= asked.count || place->part == PME_EXT4_BEHIND)
			r = pme_ext4_piece_add(state, &piece);
	}
	state->bad_groups = whole.bad_groups;
	return r;
}

/* What no fixed place covers. */
static int list_wanted(const struct pme_ext4_state *state, const struct pme_range_list *grown,
		       struct pme_range_list *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {0};
	size_t next = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->n_pieces; i++)
		r = pme_range_list_add(&covered, state->pieces[i].range.start,
				       state->pieces[i].range.length);
	pme_range_list_normalize(&covered);
	for (size_t i = 0; r == 0 && i < grown->count; i++) {
		struct pme_range_list near = {.items = covered.items + next};

		while (next + near.count < covered.count &&
		       near.items[near.count].start < pme_range_end(grown->items[i]))
			near.count++;
		r = pme_range_list_subtract(grown->items[i], &near, ret);
		next += near.count > 0 ? near.count - 1 : 0;
	}
	return r;
}

/*
 * Can all blocks of a directory among the pieces from @first on be read?  The kernel takes one that
 * cannot for damage when it looks up a name.
 */
static bool is_unreadable(const struct pme_ext4_geo *geo, const struct pme_ext4_state *state,
			  size_t first)
{
	_cleanup_free_ unsigned char *buf = malloc(geo->block_size);

	for (size_t i = first; buf && i < state->n_pieces; i++) {
		struct pme_range range = state->pieces[i].range;

		for (uint64_t at = 0; at < range.length; at += geo->block_size)
			if (pme_os_pread(*geo->fd, buf, geo->block_size, range.start + at) == -EIO)
				return true;
	}
	return !buf;
}

/* One inode that may have something there. */
static int take_inode(const struct pme_ext4_door *door, uint32_t ino,
		      const struct pme_range_list *wanted, struct pme_ext4_state *state)
{
	_cleanup_close_ int fd = -1;
	struct pme_ext4_live live;
	size_t before = state->n_pieces;
	int r = pme_ext4_inode_look(door, ino, &live, &fd);

	if (r <= 0)
		return r;
	if (live.error) {
		state->damaged_maps++;
		state->first_damaged = ino;
		return 0;
	}
	r = pme_ext4_pieces_of_inode(door->geo, &live, fd, wanted, state);
	if (S_ISDIR(live.mode) && !live.internal)
		live.unreadable = is_unreadable(door->geo, state, before);
	return r < 0 || state->n_pieces == before ? r : add_inode(state, &live);
}

/* Whoever had something at the first time. */
static int list_earlier(const struct pme_ext4_state *earlier, struct pme_ext4_candidates *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < earlier->n_inodes; i++) {
		r = pme_grow(&ret->inodes, &ret->alloc, ret->count, sizeof(*ret->inodes));
		if (r == 0)
			ret->inodes[ret->count++] = earlier->inodes[i].disk.ino;
	}
	ret->unread_blocks = earlier->unread_blocks;
	ret->damaged_maps = earlier->damaged_maps;
	ret->first_damaged = earlier->first_damaged;
	return r;
}

/* A block of attributes may have more inodes than were found: of all the pieces, only those. */
static void drop_shared(struct pme_ext4_state *state, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < state->n_pieces; i++)
		if (state->pieces[i].class != PME_EXT4_XATTR)
			state->pieces[kept++] = state->pieces[i];
	state->n_pieces = kept;
}

/* Inodes that are asked by several threads at once. */
struct asking {
	const struct pme_ext4_door *door;
	const uint32_t *inodes;
	const struct pme_range_list *wanted;
	struct pme_ext4_state *each; /* what every one of them adds */
};

static int ask_inode(void *arg, size_t i)
{
	const struct asking *asking = arg;

	return take_inode(asking->door, asking->inodes[i], asking->wanted, &asking->each[i]);
}

static int join(struct pme_ext4_state *state, const struct pme_ext4_state *one)
{
	int r = 0;

	if (one->damaged_maps > 0)
		state->first_damaged = one->first_damaged;
	state->damaged_maps += one->damaged_maps;
	for (size_t i = 0; r == 0 && i < one->n_pieces; i++)
		r = pme_ext4_piece_add(state, &one->pieces[i]);
	for (size_t i = 0; r == 0 && i < one->n_inodes; i++)
		r = add_inode(state, &one->inodes[i]);
	return r;
}

static int ask_inodes(const struct pme_ext4_door *door, const struct pme_ext4_candidates *found,
		      const struct pme_range_list *wanted, struct pme_ext4_state *state)
{
	_cleanup_free_ struct pme_ext4_state *each = calloc(found->count + 1, sizeof(*each));
	struct asking asking = {door, found->inodes, wanted, each};
	int r;

	if (!each)
		return -ENOMEM;
	r = pme_crew_each(found->count, ask_inode, &asking, NULL);
	for (size_t i = 0; r == 0 && i < found->count; i++)
		r = join(state, &each[i]);
	for (size_t i = 0; i < found->count; i++)
		pme_ext4_state_done(&each[i]);
	return r;
}

static int take_inodes(const struct pme_ext4_door *door, const struct pme_range_list *wanted,
		       const struct pme_ext4_state *earlier, struct pme_ext4_state *state)
{
	_cleanup_(pme_ext4_candidates_done) struct pme_ext4_candidates found = {0};
	size_t before = state->n_pieces;
	int r = earlier ? list_earlier(earlier, &found)
			: pme_ext4_pass(door->geo, wanted, door->progress, &found);

	state->unread_blocks = found.unread_blocks;
	state->damaged_maps = found.damaged_maps;
	state->first_damaged = found.first_damaged;
	state->marks = found.marks;
	found.marks.bits = NULL;
	if (r == 0)
		r = ask_inodes(door, &found, wanted, state);
	state->cut = earlier ? earlier->cut : found.cut;
	if (state->cut)
		drop_shared(state, before);
	return r;
}

int pme_ext4_state_take(const struct pme_ext4_door *door, const struct pme_range_list *ranges,
			const struct pme_ext4_state *earlier, struct pme_ext4_state *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list grown = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list wanted = {0};
	int r = grow_ranges(door->geo, ranges, &grown);

	if (r == 0)
		r = take_places(door, ranges, &grown, ret);
	if (r == 0)
		r = list_wanted(ret, &grown, &wanted);
	if (r == 0)
		r = take_inodes(door, &wanted, earlier, ret);
	if (r == 0)
		r = pme_ext4_pieces_rest(door->geo, &wanted, ret);
	if (r == 0)
		r = pme_ext4_pieces_clip(ret, ranges);
	sort_inodes(ret);
	return r;
}

void pme_ext4_state_done(struct pme_ext4_state *state)
{
	free(state->pieces);
	free(state->inodes);
	free(state->marks.bits);
	*state = (struct pme_ext4_state){0};
}

bool pme_ext4_state_has_lost(const struct pme_ext4_state *state)
{
	for (size_t i = 0; i < state->n_pieces; i++)
		if (state->pieces[i].class == PME_EXT4_LOST)
			return true;
	return false;
}

static bool is_same_inode(const struct pme_ext4_live *a, const struct pme_ext4_live *b)
{
	return a->disk.ino == b->disk.ino && a->disk.gen == b->disk.gen && a->mode == b->mode &&
	       a->internal == b->internal && a->error == b->error;
}

bool pme_ext4_state_equal(const struct pme_ext4_state *a, const struct pme_ext4_state *b)
{
	if (a->n_pieces != b->n_pieces || a->n_inodes != b->n_inodes)
		return false;
	for (size_t i = 0; i < a->n_pieces; i++)
		if (pme_ext4_piece_compare(&a->pieces[i], &b->pieces[i]) != 0)
			return false;
	for (size_t i = 0; i < a->n_inodes; i++)
		if (!is_same_inode(&a->inodes[i], &b->inodes[i]) ||
		    a->inodes[i].nlink != b->inodes[i].nlink)
			return false;
	return true;
}

/* Are the inodes of @piece the same in both? */
static bool has_same_inodes(const struct pme_ext4_geo *geo, const struct pme_ext4_piece *piece,
			    const struct pme_ext4_state *a, const struct pme_ext4_state *b)
{
	const struct pme_ext4_place place = {.range = piece->range, .group = piece->group};
	uint32_t first = piece->ino, last = piece->ino;
	size_t i, j;

	if (piece->class == PME_EXT4_PLACE && piece->part == PME_EXT4_TABLE)
		pme_ext4_place_inodes(geo, &place, &first, &last);
	else if (piece->ino == 0)
		return true;
	i = pme_ext4_state_find(a, first);
	j = pme_ext4_state_find(b, first);
	for (; i < a->n_inodes && a->inodes[i].disk.ino <= last; i++, j++)
		if (j >= b->n_inodes || !is_same_inode(&a->inodes[i], &b->inodes[j]))
			return false;
	return j >= b->n_inodes || b->inodes[j].disk.ino > last;
}

static int note_change(const struct pme_ext4_piece *piece, struct pme_range_list *changed)
{
	return pme_range_list_add(changed, piece->range.start, piece->range.length);
}

int pme_ext4_state_reduce(const struct pme_ext4_geo *geo, struct pme_ext4_state *state,
			  const struct pme_ext4_state *later, struct pme_range_list *ret_changed)
{
	struct pme_ext4_piece *old = state->pieces;
	const struct pme_ext4_piece *new = later->pieces;
	size_t i = 0, j = 0, kept = 0;
	int r = 0;

	while (r == 0 && (i < state->n_pieces || j < later->n_pieces)) {
		int order = i == state->n_pieces   ? 1
			    : j == later->n_pieces ? -1
						   : pme_ext4_piece_compare(&old[i], &new[j]);

		if (order > 0)
			r = note_change(&new[j++], ret_changed);
		else if (order < 0 || !has_same_inodes(geo, &old[i], state, later))
			r = note_change(&old[i++], ret_changed);
		else
			old[kept++] = old[i++];
		j += order == 0;
	}
	state->n_pieces = kept;
	pme_range_list_normalize(ret_changed);
	return r;
}
