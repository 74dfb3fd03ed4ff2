/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFS reverse mapping; see xfs-fsmap.h.
 *
 * The shared flag of the kernel is not used: it is set when any part of a record is shared.  How
 * many owners each byte has is counted here, which makes it exact.  What surprises: the length in
 * the high key must be 0 (XFS shifts it, all ones is -EINVAL), and both keys must name the device,
 * or their physical bounds are ignored.
 */
#include "xfs-fsmap.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "os.h"

#define READ_RECORDS 128	    /* per ioctl; more does not make it faster */
#define BLOCK_RECORDS 16	    /* of one block; the kernel clears the memory for them */
#define BLOCK 4096ULL
#define READ_RECORDS_MAX (1U << 20) /* of one block */
#define PIECE_FLAGS (FMR_OF_PREALLOC | FMR_OF_ATTR_FORK | FMR_OF_EXTENT_MAP | FMR_OF_SPECIAL_OWNER)

/* A point where one owner begins (+1) or ends (-1). */
struct edge {
	uint64_t at;
	int step;
};

struct edges {
	struct edge *items;
	size_t count, alloc;
};

static void edges_done(struct edges *edges)
{
	free(edges->items);
}

int pme_xfs_records_add(struct pme_xfs_records *records, const struct fsmap *record)
{
	int r = pme_grow(&records->items, &records->alloc, records->count, sizeof(*records->items));

	if (r == 0)
		records->items[records->count++] = *record;
	return r;
}

void pme_xfs_records_done(struct pme_xfs_records *records)
{
	free(records->items);
	*records = (struct pme_xfs_records){0};
}

void pme_xfs_pieces_done(struct pme_xfs_pieces *pieces)
{
	free(pieces->items);
	*pieces = (struct pme_xfs_pieces){0};
}

int pme_xfs_pieces_add(struct pme_xfs_pieces *pieces, const struct pme_xfs_piece *piece)
{
	int r = pme_grow(&pieces->items, &pieces->alloc, pieces->count, sizeof(*piece));

	if (r < 0)
		return r;
	pieces->items[pieces->count++] = *piece;
	return 0;
}

/* The encoding of the kernel's new_encode_dev(). */
static uint32_t encode_dev(dev_t dev)
{
	return (minor(dev) & 0xff) | (major(dev) << 8) | ((minor(dev) & ~0xffU) << 12);
}

/* Both keys name the device; the high one has all ones but in its length. */
static void set_keys(struct fsmap_head *head, dev_t dev, struct pme_range window)
{
	head->fmh_keys[0] = (struct fsmap){
		.fmr_device = encode_dev(dev),
		.fmr_physical = window.start,
	};
	head->fmh_keys[1] = (struct fsmap){
		.fmr_device = encode_dev(dev),
		.fmr_flags = UINT32_MAX,
		.fmr_physical = pme_range_end(window) - 1,
		.fmr_owner = UINT64_MAX,
		.fmr_offset = UINT64_MAX,
	};
}

/* Take over what one ioctl gave: 1 when there is more, 0 at the end. */
static int take_records(const struct fsmap_head *head, struct pme_xfs_records *ret)
{
	if (head->fmh_entries > head->fmh_count)
		return -EPROTO;
	for (size_t i = 0; i < head->fmh_entries; i++) {
		int r = pme_xfs_records_add(ret, &head->fmh_recs[i]);

		if (r < 0)
			return r;
		if (head->fmh_recs[i].fmr_flags & FMR_OF_LAST)
			return 0;
	}
	return head->fmh_entries > 0;
}

/* What reaches behind byte @end, of the records from @first on, goes. */
static void drop_behind(struct pme_xfs_records *records, size_t first, uint64_t end)
{
	size_t n = first;

	for (size_t i = first; i < records->count; i++) {
		const struct fsmap *rec = &records->items[i];

		if (rec->fmr_physical + rec->fmr_length <= end)
			records->items[n++] = *rec;
	}
	records->count = n;
}

/* Room for @count records, asked for from the beginning of @window: 0, -ENOMEM, -E2BIG. */
static int ask_from(struct fsmap_head **head, size_t count, dev_t dev, struct pme_range window)
{
	if (count > READ_RECORDS_MAX)
		return -E2BIG;
	if (!*head || (*head)->fmh_count != count) {
		free(*head);
		*head = malloc(fsmap_sizeof(count));
		if (!*head)
			return -ENOMEM;
	}
	**head = (struct fsmap_head){.fmh_count = (uint32_t)count}; /* records are the kernel's */
	set_keys(*head, dev, window);
	return 0;
}

/*
 * The surprise: who goes on behind a record of a shared block, as ioctl_getfsmap(2) has it, is not
 * told of all the other places where the same file has this block (seen with Linux 6.18).  So
 * what the last block has is asked for anew, and all at once, with as much room as it takes.
 */
int pme_xfs_fsmap_read(int fd, dev_t dev, struct pme_range window, struct pme_xfs_records *ret)
{
	_cleanup_free_ struct fsmap_head *head = NULL;
	uint64_t from = window.start, end = pme_range_end(window);
	size_t first = ret->count, room = BLOCK_RECORDS + window.length / BLOCK;
	int r = ask_from(&head, pme_min(room, READ_RECORDS), dev, window);

	while (r == 0) {
		const struct fsmap *last;

		room = head->fmh_count;
		r = pme_os_ioctl(fd, FS_IOC_GETFSMAP, head);
		if (r == 0)
			r = take_records(head, ret);
		if (r <= 0)
			return r;
		r = 0;
		last = &head->fmh_recs[head->fmh_entries - 1];
		if (!(last->fmr_flags & FMR_OF_SHARED)) {
			fsmap_advance(head);
			continue;
		}
		if (last->fmr_physical > from)
			from = last->fmr_physical;
		else
			room *= 2;
		drop_behind(ret, first, from);
		r = ask_from(&head, room, dev, (struct pme_range){from, end - from});
	}
	return r;
}

/* Does @offset grow with the physical address?  Not for special owners and block-map blocks. */
static bool has_offset(const struct pme_xfs_piece *p)
{
	return !(p->flags & (FMR_OF_SPECIAL_OWNER | FMR_OF_EXTENT_MAP));
}

/* Same for all pieces of one owner that continue each other; wraps around by design. */
static uint64_t piece_delta(const struct pme_xfs_piece *p)
{
	return has_offset(p) ? p->offset - p->range.start : 0;
}

#define RETURN_UNLESS_EQUAL(a, b)                  \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

/* Who it is, wherever it lies. */
static int compare_identity(const struct pme_xfs_piece *a, const struct pme_xfs_piece *b)
{
	RETURN_UNLESS_EQUAL(a->owner, b->owner);
	RETURN_UNLESS_EQUAL(a->flags, b->flags);
	RETURN_UNLESS_EQUAL(piece_delta(a), piece_delta(b));
	return 0;
}

int pme_xfs_piece_compare(const struct pme_xfs_piece *a, const struct pme_xfs_piece *b)
{
	RETURN_UNLESS_EQUAL(a->range.start, b->range.start);
	RETURN_UNLESS_EQUAL(a->range.length, b->range.length);
	RETURN_UNLESS_EQUAL(a->owner, b->owner);
	RETURN_UNLESS_EQUAL(a->flags, b->flags);
	RETURN_UNLESS_EQUAL(a->offset, b->offset);
	RETURN_UNLESS_EQUAL(a->shared, b->shared);
	return 0;
}

bool pme_xfs_piece_is_unknown(const struct pme_xfs_piece *piece)
{
	return (piece->flags & FMR_OF_SPECIAL_OWNER) && piece->owner == FMR_OWN_UNKNOWN;
}

static int by_identity(const void *a, const void *b)
{
	const struct pme_xfs_piece *p = a, *q = b;
	int r = compare_identity(p, q);

	return r ? r : pme_xfs_piece_compare(p, q);
}

static int by_place(const void *a, const void *b)
{
	return pme_xfs_piece_compare(a, b);
}

void pme_xfs_pieces_sort(struct pme_xfs_pieces *pieces)
{
	if (pieces->count > 0)
		qsort(pieces->items, pieces->count, sizeof(*pieces->items), by_place);
}

static int by_edge(const void *a, const void *b)
{
	const struct edge *p = a, *q = b;

	RETURN_UNLESS_EQUAL(p->at, q->at);
	return 0;
}

static bool is_rest(const struct fsmap *record, uint64_t rest)
{
	return (record->fmr_flags & FMR_OF_SPECIAL_OWNER) && record->fmr_owner == rest;
}

/* The part of @record inside @bad: 1, 0 none, -EPROTO. */
static int clip_record(const struct fsmap *record, struct pme_range bad, struct pme_xfs_piece *ret)
{
	struct pme_range whole = {.start = record->fmr_physical, .length = record->fmr_length};
	uint64_t end;

	if (pme_add(whole.start, whole.length, &end) < 0 ||
	    pme_add(record->fmr_offset, whole.length, &end) < 0)
		return -EPROTO;
	*ret = (struct pme_xfs_piece){
		.owner = record->fmr_owner,
		.flags = record->fmr_flags & PIECE_FLAGS,
	};
	if (!pme_range_intersect(whole, bad, &ret->range))
		return 0;
	if (has_offset(ret))
		ret->offset = record->fmr_offset + (ret->range.start - whole.start);
	return 1;
}

/* Unite pieces of the same owner that touch or overlap: afterwards each byte has it once. */
static void unite_pieces(struct pme_xfs_pieces *pieces)
{
	size_t n = 0;

	qsort(pieces->items, pieces->count, sizeof(*pieces->items), by_identity);
	for (size_t i = 0; i < pieces->count; i++) {
		struct pme_xfs_piece *last = n > 0 ? &pieces->items[n - 1] : NULL;
		const struct pme_xfs_piece *p = &pieces->items[i];

		if (last && compare_identity(last, p) == 0 &&
		    p->range.start <= pme_range_end(last->range))
			last->range.length =
				pme_max(pme_range_end(last->range), pme_range_end(p->range)) -
				last->range.start;
		else
			pieces->items[n++] = *p;
	}
	pieces->count = n;
}

static int clip_records(const struct pme_xfs_records *records, struct pme_range bad, uint64_t rest,
			struct pme_xfs_pieces *ret)
{
	for (size_t i = 0; i < records->count; i++) {
		struct pme_xfs_piece piece;
		int r;

		if (is_rest(&records->items[i], rest))
			continue;
		r = clip_record(&records->items[i], bad, &piece);
		if (r > 0)
			r = pme_xfs_pieces_add(ret, &piece);
		if (r < 0)
			return r;
	}
	if (ret->count > 0)
		unite_pieces(ret);
	return 0;
}

static int add_edge(struct edges *edges, uint64_t at, int step)
{
	int r = pme_grow(&edges->items, &edges->alloc, edges->count, sizeof(*edges->items));

	if (r < 0)
		return r;
	edges->items[edges->count++] = (struct edge){.at = at, .step = step};
	return 0;
}

static int collect_edges(const struct pme_xfs_pieces *pieces, struct edges *ret)
{
	for (size_t i = 0; i < pieces->count; i++) {
		int r = add_edge(ret, pieces->items[i].range.start, 1);

		if (r == 0)
			r = add_edge(ret, pme_range_end(pieces->items[i].range), -1);
		if (r < 0)
			return r;
	}
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_edge);
	return 0;
}

/* Which bytes have at least one owner (@ret_covered), and which more than one (@ret_shared)? */
static int count_owners(const struct pme_xfs_pieces *pieces, struct pme_range_list *ret_covered,
			struct pme_range_list *ret_shared)
{
	_cleanup_(edges_done) struct edges edges = {0};
	int depth = 0;
	int r = collect_edges(pieces, &edges);

	for (size_t i = 0; r == 0 && i + 1 < edges.count; i++) {
		uint64_t at = edges.items[i].at, length = edges.items[i + 1].at - at;

		depth += edges.items[i].step;
		if (length > 0 && depth > 0)
			r = pme_range_list_add(ret_covered, at, length);
		if (r == 0 && length > 0 && depth > 1)
			r = pme_range_list_add(ret_shared, at, length);
	}
	pme_range_list_normalize(ret_covered);
	pme_range_list_normalize(ret_shared);
	return r;
}

static int add_part(struct pme_xfs_pieces *pieces, const struct pme_xfs_piece *whole,
		    struct pme_range part, bool shared)
{
	struct pme_xfs_piece piece = *whole;

	piece.range = part;
	piece.shared = shared;
	if (has_offset(whole))
		piece.offset += part.start - whole->range.start;
	return pme_xfs_pieces_add(pieces, &piece);
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

/* Cut @piece where sharing begins and ends. */
static int split_piece(const struct pme_xfs_piece *piece, const struct pme_range_list *shared,
		       struct pme_xfs_pieces *ret)
{
	uint64_t at = piece->range.start, end = pme_range_end(piece->range);
	size_t i = find_range(shared, at);
	int r = 0;

	while (r == 0 && at < end) {
		uint64_t next = i < shared->count ? shared->items[i].start : end;
		bool inside = next <= at;

		next = inside ? pme_range_end(shared->items[i++]) : next;
		next = pme_min(next, end);
		r = add_part(ret, piece, (struct pme_range){at, next - at}, inside);
		at = next;
	}
	return r;
}

static int add_rest(struct pme_range bad, const struct pme_range_list *covered, uint64_t rest,
		    struct pme_xfs_pieces *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list gaps = {0};
	int r = pme_range_list_subtract(bad, covered, &gaps);

	for (size_t i = 0; r == 0 && i < gaps.count; i++) {
		struct pme_xfs_piece piece = {
			.range = gaps.items[i],
			.owner = rest,
			.flags = FMR_OF_SPECIAL_OWNER,
		};

		r = pme_xfs_pieces_add(ret, &piece);
	}
	return r;
}

int pme_xfs_fsmap_pieces(const struct pme_xfs_records *records, struct pme_range bad, uint64_t rest,
			 struct pme_xfs_pieces *ret)
{
	_cleanup_(pme_xfs_pieces_done) struct pme_xfs_pieces clipped = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list shared = {0};
	size_t first = ret->count;
	int r = clip_records(records, bad, rest, &clipped);

	if (r == 0)
		r = count_owners(&clipped, &covered, &shared);
	for (size_t i = 0; r == 0 && i < clipped.count; i++)
		r = split_piece(&clipped.items[i], &shared, ret);
	if (r == 0)
		r = add_rest(bad, &covered, rest, ret);
	if (r < 0)
		return r;
	qsort(ret->items + first, ret->count - first, sizeof(*ret->items), by_place);
	return 0;
}
