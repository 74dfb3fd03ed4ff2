/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GETFSMAP records -> pieces: cases by hand, and random records against a model that looks at each
 * sector on its own.
 */
#include "check.h"

#include "random.h"
#include "xfs-fsmap.h"

#define SPACE 96 /* sectors that random records live in */
#define ROUNDS 20000
#define RECORDS_MAX 12

static struct fsmap record(uint64_t start_sect, uint64_t sects, uint64_t owner,
			   uint64_t offset_sect, uint32_t flags)
{
	return (struct fsmap){
		.fmr_flags = flags,
		.fmr_physical = start_sect * PME_SECTOR,
		.fmr_owner = owner,
		.fmr_offset = offset_sect * PME_SECTOR,
		.fmr_length = sects * PME_SECTOR,
	};
}

static bool is_rest(const struct fsmap *rec, uint64_t rest)
{
	return rec->fmr_flags & FMR_OF_SPECIAL_OWNER && rec->fmr_owner == rest;
}

/* Is @sect owned as @piece says, according to @rec alone? */
static bool explains(const struct fsmap *rec, const struct pme_xfs_piece *piece, uint64_t at)
{
	uint64_t in_piece = at - piece->range.start, in_rec = at - rec->fmr_physical;
	bool moves = !(rec->fmr_flags & (FMR_OF_SPECIAL_OWNER | FMR_OF_EXTENT_MAP));

	if (at < rec->fmr_physical || in_rec >= rec->fmr_length)
		return false;
	if (rec->fmr_owner != piece->owner || (rec->fmr_flags & ~FMR_OF_SHARED) != piece->flags)
		return false;
	return !moves || rec->fmr_offset + in_rec == piece->offset + in_piece;
}

/* How many different owners do the records give to the sector at @at? */
static size_t count_owners(const struct pme_xfs_records *recs, uint64_t at, uint64_t rest)
{
	size_t n = 0;

	for (size_t i = 0; i < recs->count; i++) {
		const struct fsmap *rec = &recs->items[i];
		struct pme_xfs_piece self = {
			.range = {rec->fmr_physical, rec->fmr_length},
			.owner = rec->fmr_owner,
			.flags = rec->fmr_flags & ~FMR_OF_SHARED,
			.offset = rec->fmr_offset,
		};
		bool seen = is_rest(rec, rest) || !explains(rec, &self, at);

		for (size_t j = 0; j < i && !seen; j++)
			seen = explains(&recs->items[j], &self, at);
		n += !seen;
	}
	return n;
}

static bool covers(const struct pme_xfs_piece *piece, uint64_t at)
{
	return at >= piece->range.start && at < pme_range_end(piece->range);
}

static void check_sector(const struct pme_xfs_records *recs, const struct pme_xfs_pieces *pieces,
			 uint64_t at, uint64_t rest)
{
	size_t owners = count_owners(recs, at, rest), n = 0;

	for (size_t i = 0; i < pieces->count; i++) {
		const struct pme_xfs_piece *piece = &pieces->items[i];
		bool known = false;

		if (!covers(piece, at))
			continue;
		n++;
		assert_int_equal(piece->shared, owners > 1);
		if (owners == 0)
			assert_int_equal(piece->owner, rest);
		for (size_t j = 0; j < recs->count; j++)
			known |= explains(&recs->items[j], piece, at);
		assert_true(known || owners == 0);
	}
	assert_int_equal(n, owners ? owners : 1);
}

static bool continues(const struct pme_xfs_piece *a, const struct pme_xfs_piece *b)
{
	bool moves = !(a->flags & (FMR_OF_SPECIAL_OWNER | FMR_OF_EXTENT_MAP));

	return pme_range_end(a->range) == b->range.start && a->owner == b->owner &&
	       a->flags == b->flags && a->shared == b->shared &&
	       (!moves || a->offset + a->range.length == b->offset);
}

/* Inside @bad, in order, nothing that could be longer. */
static void check_shape(const struct pme_xfs_pieces *pieces, struct pme_range bad)
{
	for (size_t i = 0; i < pieces->count; i++) {
		const struct pme_xfs_piece *p = &pieces->items[i];

		assert_true(p->range.length > 0 && p->range.start >= bad.start &&
			    pme_range_end(p->range) <= pme_range_end(bad));
		if (i > 0)
			assert_true(pme_xfs_piece_compare(p - 1, p) < 0);
		for (size_t j = 0; j < pieces->count; j++)
			assert_false(continues(p, &pieces->items[j]));
	}
}

static void check_all(const struct pme_xfs_records *recs, struct pme_range bad, uint64_t rest)
{
	struct pme_xfs_pieces pieces = {0};

	assert_int_equal(pme_xfs_fsmap_pieces(recs, bad, rest, &pieces), 0);
	for (uint64_t at = bad.start; at < pme_range_end(bad); at += PME_SECTOR)
		check_sector(recs, &pieces, at, rest);
	check_shape(&pieces, bad);
	pme_xfs_pieces_done(&pieces);
}

static struct fsmap random_record(struct rnd *rnd)
{
	static const uint32_t flags[] = {0,
					 0,
					 0,
					 FMR_OF_SHARED,
					 FMR_OF_PREALLOC,
					 FMR_OF_ATTR_FORK,
					 FMR_OF_EXTENT_MAP,
					 FMR_OF_ATTR_FORK | FMR_OF_EXTENT_MAP,
					 FMR_OF_SPECIAL_OWNER,
					 FMR_OF_SPECIAL_OWNER};
	uint32_t flag = flags[rnd_below(rnd, PME_ARRAY_SIZE(flags))];
	uint64_t owner = flag & FMR_OF_SPECIAL_OWNER ? FMR_OWN_FREE + rnd_below(rnd, 3)
						     : 128 + rnd_below(rnd, 3);
	uint64_t offset = flag & (FMR_OF_SPECIAL_OWNER | FMR_OF_EXTENT_MAP) ? 0 : rnd_below(rnd, 8);

	return record(rnd_below(rnd, SPACE), 1 + rnd_below(rnd, 24), owner, offset, flag);
}

static void test_random(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < ROUNDS; round++) {
		struct fsmap items[RECORDS_MAX];
		struct pme_xfs_records recs = {.items = items};
		uint64_t start = rnd_below(&rnd, SPACE);
		struct pme_range bad = {start * PME_SECTOR, (1 + rnd_below(&rnd, 40)) * PME_SECTOR};

		recs.count = rnd_below(&rnd, RECORDS_MAX + 1);
		for (size_t i = 0; i < recs.count; i++)
			items[i] = random_record(&rnd);
		check_all(&recs, bad, rnd_below(&rnd, 2) ? FMR_OWN_FREE : FMR_OWN_UNKNOWN);
	}
}

static void test_sharers(void **state)
{
	struct fsmap items[] = {
		record(0, 64, 131, 100, FMR_OF_SHARED),
		record(16, 8, 132, 0, FMR_OF_SHARED),
	};
	struct pme_xfs_records recs = {.items = items, .count = 2};
	struct pme_range bad = {8 * PME_SECTOR, 24 * PME_SECTOR};
	struct pme_xfs_pieces pieces = {0};

	assert_int_equal(pme_xfs_fsmap_pieces(&recs, bad, FMR_OWN_FREE, &pieces), 0);
	assert_int_equal(pieces.count, 4);
	assert_false(pieces.items[0].shared);
	assert_int_equal(pieces.items[0].offset, 108 * PME_SECTOR);
	assert_true(pieces.items[1].shared && pieces.items[2].shared);
	assert_int_equal(pieces.items[2].owner, 132);
	assert_int_equal(pieces.items[2].offset, 0);
	assert_int_equal(pieces.items[3].range.start, 24 * PME_SECTOR);
	assert_int_equal(pieces.items[3].offset, 124 * PME_SECTOR);
	pme_xfs_pieces_done(&pieces);
}

static void test_nothing(void **state)
{
	struct pme_xfs_records recs = {0};

	check_all(&recs, (struct pme_range){512, 4096}, FMR_OWN_FREE);
	check_all(&recs, (struct pme_range){512, 4096}, FMR_OWN_UNKNOWN);
}

static void test_impossible(void **state)
{
	struct fsmap items[] = {
		{.fmr_physical = UINT64_MAX - 511, .fmr_length = 1024},
		{.fmr_offset = UINT64_MAX - 511, .fmr_length = 1024},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(items); i++) {
		struct pme_xfs_records recs = {.items = &items[i], .count = 1};
		struct pme_xfs_pieces pieces = {0};

		assert_int_equal(pme_xfs_fsmap_pieces(&recs, (struct pme_range){0, 512},
						      FMR_OWN_FREE, &pieces),
				 -EPROTO);
		pme_xfs_pieces_done(&pieces);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharers),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
