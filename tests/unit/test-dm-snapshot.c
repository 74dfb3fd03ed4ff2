/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots: stores written as the kernel fills them, and wild ones.
 */
#include "dm-snapshot-store.h"
#include "store-world.h"

#define ORIGIN_CHUNKS 100

/* A store as the kernel fills it: header, an area, data as much as the area names, an area, … */
struct writer {
	uint64_t chunk, per_area; /* sectors; pairs */
	uint64_t area, in_area, next;
};

static void store_start(struct writer *wr, uint64_t chunk)
{
	*wr = (struct writer){.chunk = chunk, .per_area = chunk * 32, .area = 1, .next = 2};
	put32(0, 0x70416e53);
	put32(4, 1);
	put32(8, 1);
	put32(12, (uint32_t)chunk);
}

static void store_copy(struct writer *wr, struct world *w, uint64_t chunk)
{
	uint64_t at = SECTORS(wr->area * wr->chunk) + wr->in_area * 16;

	put64(at, chunk);
	put64(at + 8, wr->next);
	for (uint64_t s = 0; s < wr->chunk; s++)
		w->model.at[chunk * wr->chunk + s] =
			(struct model_sector){&w->lowers[STORE], wr->next * wr->chunk + s};
	wr->next++;
	if (++wr->in_area < wr->per_area)
		return;
	wr->area = wr->next++;
	wr->in_area = 0;
}

static char *usage_of(const struct writer *wr, uint64_t areas)
{
	return pme_printf("%lu/%d %lu", wr->next * wr->chunk, IMAGE_SECTORS,
			  (areas + 1) * wr->chunk);
}

static void snapshots_are_as_written(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 60; round++) {
		uint64_t chunk = 1ULL << rnd_below(&rnd, 3), n = rnd_below(&rnd, ORIGIN_CHUNKS);
		_cleanup_free_ char *status = NULL;
		bool copied[ORIGIN_CHUNKS] = {false};
		struct writer wr;
		struct world w;

		world_start(&w, "snapshot", ORIGIN_CHUNKS * chunk,
			    pme_printf("259:0 259:1 P %lu", chunk));
		store_start(&wr, chunk);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t which = rnd_below(&rnd, ORIGIN_CHUNKS);

			if (!copied[which])
				store_copy(&wr, &w, which);
			copied[which] = true;
		}
		status_text = status = usage_of(&wr, 1 + (wr.area - 1) / (wr.per_area + 1));
		check_world(&w, PME_EXACT);
		world_end(&w);
	}
}

static void small_snapshot(struct world *w, const char *type, const char *params,
			   const char *status)
{
	struct writer wr;

	world_start(w, type, 64 * 8, strdup(params));
	store_start(&wr, 8);
	for (uint64_t i = 0; i < 5; i++)
		store_copy(&wr, w, 10 + i * 3);
	status_text = status;
}

static const struct {
	const char *type, *params, *status;
	int lower;
	uint64_t sector;
	enum pme_owner_kind owner;
	const char *words;
} ends[] = {
	{"snapshot", "259:0 259:1 P 8", "56/2048 16", STORE, 0, PME_OWNER_VOLUME_METADATA,
	 "header of the store of snapshot vg0/snap: it cannot be activated again"},
	{"snapshot", "259:0 259:1 P 8 0", "56/2048 16", STORE, 8, PME_OWNER_VOLUME_METADATA,
	 "exceptions 0 to 255 of snapshot vg0/snap: it cannot be activated again"},
	{"snapshot", "259:0 259:1 PO 8", "56/2048 16", STORE, 56, PME_OWNER_FREE,
	 "free in the store of snapshot vg0/snap"},
	{"snapshot", "259:0 259:1 P 8", "64/2048 16", STORE, 56, PME_OWNER_UNKNOWN,
	 "chunk 7 of the store of snapshot vg0/snap was handed out and has no exception yet"},
	{"snapshot", "259:0 259:1 P 8", "Invalid", STORE, 16, PME_OWNER_UNUSED,
	 "store of snapshot vg0/snap, which is invalid: nothing reads it"},
	{"snapshot", "259:0 259:1 P 8", "Overflow", STORE, 16, PME_OWNER_UNKNOWN,
	 "the state of snapshot vg0/snap is 'Overflow'"},
	{"snapshot-merge", "259:0 259:1 P 8", "Merge failed", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "the state of snapshot vg0/snap is 'Merge failed'"},
	{"snapshot", "259:0 259:1 N 8", "56/2048 0", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "snapshot vg0/snap keeps its exceptions in memory only"},
	{"snapshot", "259:0 259:1 P 16", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "the header of the store of snapshot vg0/snap does not fit its table"},
	{"snapshot", "259:0 259:1 X 8", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "table line 1 of vg0/snap: malformed 'snapshot' parameters"},
	{"snapshot", "259:0 259:0 P 8", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "table line 1 of vg0/snap: malformed 'snapshot' parameters"},
	{"snapshot", "259:0 259:1 P 0", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "table line 1 of vg0/snap: malformed 'snapshot' parameters"},
};

static void snapshots_end_with_these_words(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(ends); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct world w;

		small_snapshot(&w, ends[i].type, ends[i].params, ends[i].status);
		step_at(&w, ends[i].lower, ends[i].sector, &steps);
		check_end(&steps, ends[i].owner,
			  (struct pme_range){SECTORS(ends[i].sector), PME_SECTOR}, ends[i].words);
		world_end(&w);
	}
}

/* What has no exception does not change in a merge; what has one may be gone by now. */
static void a_merge_leaves_doubt(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps data = {0}, same = {0}, old = {0}, down = {0};
	struct pme_range chunk = {SECTORS(80), SECTORS(8)};
	struct world w;

	small_snapshot(&w, "snapshot-merge", "259:0 259:1 P 8", "56/2048 16");
	assert_int_equal(pme_layer_dm.down(&w.stack, &w.dm, chunk, &down), 0);
	assert_int_equal(down.count, 2);
	assert_int_equal(bytes_to(&down, &w.lowers[STORE]), chunk.length);
	assert_int_equal(bytes_to(&down, &w.lowers[ORIGIN]), chunk.length);
	assert_int_equal(down.items[0].certainty, PME_UNCERTAIN);
	assert_int_equal(down.items[1].certainty, PME_UNCERTAIN);
	assert_int_equal(step_at(&w, STORE, 16, &data)->certainty, PME_UNCERTAIN);
	assert_int_equal(data.items[0].to_start, 10 * 8 * 512);
	assert_string_equal(data.items[0].reason, "a merge into vg0/snap runs: chunk 10 is read "
						  "from the store until it was copied");
	assert_int_equal(step_at(&w, ORIGIN, 0, &same)->certainty, PME_EXACT);
	assert_int_equal(step_at(&w, ORIGIN, 80, &old)->certainty, PME_UNCERTAIN);
	world_end(&w);
}

/* Bad sectors in the table itself: it is named, and what it may have held is in doubt. */
static void bad_exceptions_leave_doubt(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps area = {0}, data = {0}, origin = {0};
	struct world w;

	small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
	bad_sector = 8;
	assert_int_equal(step_at(&w, STORE, 8, &area)->owner, PME_OWNER_VOLUME_METADATA);
	assert_int_equal(step_at(&w, STORE, 16, &data)->owner, PME_OWNER_UNKNOWN);
	assert_string_equal(data.items[0].reason, "256 exceptions of snapshot vg0/snap cannot be "
						  "read: one may lead to chunk 2 of its store");
	assert_int_equal(step_at(&w, ORIGIN, 80, &origin)->certainty, PME_UNCERTAIN);
	world_end(&w);
}

static void other_headers_are_no_store(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct world w;

	small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
	image[0] = 0;
	step_at(&w, STORE, 16, &steps);
	check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(16), 512},
		  "cannot read the exceptions of snapshot vg0/snap at byte 0 of pmem1: Invalid "
		  "argument");
	world_end(&w);
}

/* Two chunks in one place, one chunk twice, data in an area, places behind the end. */
static void contradictions_are_no_store(void **state)
{
	static const uint64_t pairs[][4] = {
		{1, 2, 5, 2},	{1, 2, 1, 3},	{1, 1, 0, 0},
		{1, 258, 0, 0}, {1, 256, 0, 0}, {UINT64_MAX, 2, 0, 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(pairs); i++) {
		struct pme_reader_buffer buf = {image, sizeof(image)};
		struct pme_reader reader = pme_reader_of_buffer(&buf);
		struct pme_snapshot_store store;
		struct writer wr;
		uint64_t at;

		memset(image, 0, sizeof(image));
		store_start(&wr, 8);
		for (int n = 0; n < 4; n++)
			put64(4096 + 8 * (uint64_t)n, pairs[i][n]);
		assert_int_equal(pme_snapshot_store_read(
					 &reader, (struct pme_snapshot_hint){4096, 1}, &store, &at),
				 -EINVAL);
	}
}

static void explains_in_plain_numbers(void **state)
{
	_cleanup_free_ char *exception = NULL, *shared = NULL;
	struct world w;

	small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
	exception = pme_layer_dm.explain(&w.stack, &w.lowers[STORE], 2 * 4096 + 5, &w.dm,
					 10 * 4096 + 5);
	assert_string_equal(exception, "8197 = chunk 2 of 4096 of the store pmem1 + 5; its "
				       "exception: chunk 10 of vg0/snap; 10 * 4096 + 5 = 40965");
	shared = pme_layer_dm.explain(&w.stack, &w.lowers[ORIGIN], 4097, &w.dm, 4097);
	assert_string_equal(shared, "4097 (same byte of pmem0: chunk 1 of 4096 has no exception in "
				    "vg0/snap) = 4097");
	world_end(&w);
}

/* Whatever is in the store, each of its bytes has an owner or a reason. */
static void wild_stores_are_never_silent(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct world w;

		small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
		check_wild(&w, &rnd, (struct pme_range){0, sizeof(image)});
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_are_as_written),
		cmocka_unit_test(snapshots_end_with_these_words),
		cmocka_unit_test(a_merge_leaves_doubt),
		cmocka_unit_test(bad_exceptions_leave_doubt),
		cmocka_unit_test(other_headers_are_no_store),
		cmocka_unit_test(contradictions_are_no_store),
		cmocka_unit_test(explains_in_plain_numbers),
		cmocka_unit_test(wild_stores_are_never_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
