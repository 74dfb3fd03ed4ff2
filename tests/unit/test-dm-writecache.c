/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writecaches: tables written as the kernel fills them, and wild ones.
 */
#include "dm-writecache-table.h"
#include "store-world.h"

#define BLOCKS 60

static void table_start(uint64_t start, uint32_t block, uint64_t sequence)
{
	put32(start, 0x23489321);
	put32(start + 4, 1);
	put32(start + 8, block);
	put64(start + 16, BLOCKS);
	put64(start + 24, sequence);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		put64(start + 64 + i * 16, UINT64_MAX);
		put64(start + 72 + i * 16, UINT64_MAX);
	}
}

struct cache {
	uint64_t start, block, data, next, live;
};

/* The kernel writes block @which of the origin, in its next free block. */
static void cache_write(struct cache *c, struct world *w, uint64_t which, uint64_t sequence)
{
	uint64_t sectors = c->block / 512;

	put64(c->start + 64 + c->next * 16, which * sectors);
	put64(c->start + 72 + c->next * 16, sequence);
	for (uint64_t s = 0; s < sectors; s++)
		w->model.at[which * sectors + s] = (struct model_sector){
			&w->lowers[STORE], (c->data + c->next * c->block) / 512 + s};
	c->next++;
	c->live++;
}

static void cache_start(struct cache *c, struct world *w, bool ssd, uint64_t block, uint64_t start)
{
	uint64_t data = start + 64 + BLOCKS * 16ULL;

	world_start(w, "writecache", 512,
		    pme_printf("%c 259:0 259:1 %lu 4 start_sector %lu high_watermark 60",
			       ssd ? 's' : 'p', block, start / 512));
	while ((data - start) % block != 0)
		data++;
	*c = (struct cache){.start = start, .block = block, .data = data};
	table_start(start, (uint32_t)block, 7);
}

static void writecaches_are_as_written(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 60; round++) {
		uint64_t block = 512ULL << rnd_below(&rnd, 4), n = rnd_below(&rnd, BLOCKS + 1);
		bool ssd = rnd_below(&rnd, 2) == 1;
		_cleanup_free_ char *status = NULL;
		struct cache c;
		struct world w;

		cache_start(&c, &w, ssd, block, SECTORS(rnd_below(&rnd, 9)));
		for (uint64_t i = 0; i < n; i++) {
			uint64_t which = rnd_below(&rnd, 512 * 512 / block);

			/* each block once, or a committed one and one that is not */
			if (w.model.at[which * block / 512].lower == &w.lowers[ORIGIN])
				cache_write(&c, &w, which, 1 + rnd_below(&rnd, 5));
			else if (!ssd)
				cache_write(&c, &w, which, 7 + i);
		}
		status_text = status = pme_printf("0 %d %lu 0 1 2 3", BLOCKS, BLOCKS - c.live);
		check_world(&w, PME_EXACT);
		world_end(&w);
	}
}

static void writecaches_end_with_these_words(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps sb = {0}, entries = {0}, data = {0}, old = {0};
	struct cache c;
	struct world w;

	cache_start(&c, &w, false, 4096, 0);
	cache_write(&c, &w, 5, 3);
	status_text = "0 60 59 0";
	check_end((step_at(&w, STORE, 0, &sb), &sb), PME_OWNER_VOLUME_METADATA,
		  (struct pme_range){0, 512},
		  "superblock of writecache vg0/snap: without it all that was not written back is "
		  "lost");
	check_end(
		(step_at(&w, STORE, 1, &entries), &entries), PME_OWNER_VOLUME_METADATA,
		(struct pme_range){512, 512},
		"entries of blocks 28 to 59 of writecache vg0/snap: bytes 118784 to 249855 of the "
		"cache");
	check_end((step_at(&w, STORE, 16, &data), &data), PME_OWNER_FREE,
		  (struct pme_range){SECTORS(16), 512}, "free in the cache of vg0/snap");
	check_end((step_at(&w, ORIGIN, 41, &old), &old), PME_OWNER_UNUSED,
		  (struct pme_range){SECTORS(41), 512},
		  "stale: newer data of vg0/snap is in block 0 of its cache");
	world_end(&w);
}

/* A table on a disk that has not as many entries as the kernel's: nothing of it is certain. */
static void lagging_tables_leave_doubt(void **state)
{
	static const char *const lagging[] = {"0 60 58 0", "0 60 60 0", "0 60 59 1", "0 61 60 0"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(lagging); i++) {
		_cleanup_(pme_steps_done) struct pme_steps data = {0}, free_block = {0}, old = {0},
							   origin = {0};
		struct cache c;
		struct world w;

		cache_start(&c, &w, true, 4096, 0);
		cache_write(&c, &w, 5, 3);
		status_text = lagging[i];
		assert_int_equal(step_at(&w, STORE, 8, &data)->certainty, PME_UNCERTAIN);
		assert_ptr_equal(data.items[0].to, &w.dm);
		assert_int_equal(step_at(&w, STORE, 16, &free_block)->owner, PME_OWNER_UNKNOWN);
		assert_int_equal(step_at(&w, ORIGIN, 40, &old)->owner, PME_OWNER_UNKNOWN);
		assert_int_equal(step_at(&w, ORIGIN, 0, &origin)->certainty, PME_UNCERTAIN);
		world_end(&w);
	}
}

static void failed_writecaches_are_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct cache c;
	struct world w;

	cache_start(&c, &w, false, 4096, 0);
	status_text = "-5 60 59 0";
	step_at(&w, STORE, 8, &steps);
	check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(8), 512},
		  "writecache vg0/snap has failed");
	world_end(&w);
}

static void explains_in_plain_numbers(void **state)
{
	_cleanup_free_ char *cached = NULL, *origin = NULL;
	struct cache c;
	struct world w;

	cache_start(&c, &w, false, 4096, 0);
	cache_write(&c, &w, 5, 3);
	status_text = "0 60 59 0";
	cached = pme_layer_dm.explain(&w.stack, &w.lowers[STORE], 4096 + 7, &w.dm, 5 * 4096 + 7);
	assert_string_equal(cached, "4103 - 4096 (block 0 on pmem1) = block 0 of 4096 + 7; its "
				    "entry: block 5 of the origin; 0 (segment in vg0/snap) + 5 * "
				    "4096 + 7 = 20487");
	origin = pme_layer_dm.explain(&w.stack, &w.lowers[ORIGIN], 1, &w.dm, 1);
	assert_string_equal(origin, "1 (no entry for block 0 of 4096 in the cache) + 0 (segment in "
				    "vg0/snap) = 1");
	world_end(&w);
}

/* Whatever is in the table: what lies behind its blocks belongs to nobody, all else is told. */
static void wild_tables_are_never_silent(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct cache c;
		struct world w;

		cache_start(&c, &w, false, 4096, 0);
		for (uint64_t i = 0; i < 8; i++)
			cache_write(&c, &w, i * 5, 3);
		status_text = "0 60 52 0";
		check_wild(&w, &rnd, (struct pme_range){0, 64});
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writecaches_are_as_written),
		cmocka_unit_test(writecaches_end_with_these_words),
		cmocka_unit_test(lagging_tables_leave_doubt),
		cmocka_unit_test(failed_writecaches_are_unknown),
		cmocka_unit_test(explains_in_plain_numbers),
		cmocka_unit_test(wild_tables_are_never_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
