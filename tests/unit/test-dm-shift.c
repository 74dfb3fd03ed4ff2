/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-shift.c and dm-legs.c: lines against a model that fills them sector by sector, blocks
 * that are lost as a whole, and hostile parameters.
 */
#include "dm-table.h"

static const struct {
	const char *type;
	const char *params; /* of 259:%u; %lu is the start, or missing */
	bool absolute;	    /* the start of the line is not subtracted */
} shapes[] = {
	{"crypt", "aes-xts-plain64 5ec7e7 7 259:%u %lu", false},
	{"crypt",
	 "capi:xts(aes)-plain64 :64:logon:a:b 0 259:%u %lu 2 allow_discards integrity:28:aead",
	 false},
	{"crypt", "null-ecb - 0 259:%u %lu 1 sector_size:512", false},
	{"flakey", "259:%u %lu 5 1 0 ", false},
	{"flakey", "259:%u %lu 5 1 5 corrupt_bio_byte 32 r 1 0", false},
	{"dust", "259:%u %lu 512 fail_read_on_bad_block verbose", false},
	{"delay", "259:%u %lu 50", false},
	{"ebs", "259:%u %lu 1 1", false},
	{"switch", "1 64 0 259:%u %lu", false},
	{"era", "8:1 259:%u 64", true},
	{"log-writes", "259:%u 8:1", true},
	{"multipath", "1 queue_if_no_path 2 emc 1 1 1 service-time 0 1 2 259:%u 1 1", true},
};

static char *fill_in(const char *shape, unsigned int dev, uint64_t start)
{
	char *params = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	assert_true(asprintf(&params, shape, dev, start) > 0);
#pragma GCC diagnostic pop
	return params;
}

static void lines_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct table t;
		struct model m = {.upper = &t.dm};

		table_start(&t);
		for (int lines = 0; lines < 8; lines++) {
			size_t shape = rnd_below(&rnd, PME_ARRAY_SIZE(shapes));
			uint64_t sectors = 1 + rnd_below(&rnd, 40), start = rnd_below(&rnd, 360);
			unsigned int dev = (unsigned int)rnd_below(&rnd, 3);

			if (shapes[shape].absolute)
				start = m.count;
			table_add(&t, sectors, shapes[shape].type,
				  fill_in(shapes[shape].params, dev, start));
			for (uint64_t i = 0; i < sectors; i++)
				model_put(&m, &t.lowers[dev], start + i);
		}
		check_model(&pme_layer_dm, &m, &rnd);
		table_free(&t);
	}
}

/* Sector @u of the line is lost exactly when one of its block of @block is bad. */
static void check_blocks(struct table *t, uint64_t start, uint64_t sectors, uint64_t block,
			 uint64_t phase)
{
	for (uint64_t bad = 0; bad < sectors; bad++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct pme_range range = {SECTORS(start + bad), PME_SECTOR};

		assert_int_equal(pme_layer_dm.up(NULL, &t->dm, &t->lowers[1], range, &steps), 0);
		for (uint64_t u = 0; u < sectors; u++) {
			bool lost = (u + phase) / block == (bad + phase) / block;

			assert_int_equal(bytes_between(&steps, &t->dm, start + bad, u),
					 lost ? PME_SECTOR : 0);
		}
	}
}

static void a_bad_sector_takes_its_block_with_it(void **state)
{
	struct table t;

	table_start(&t);
	table_add(&t, 64, "crypt", strdup("aes 5ec7e7 0 259:1 24 2 x sector_size:4096"));
	check_blocks(&t, 24, 64, 8, 0);
	table_free(&t);
	table_start(&t);
	table_add(&t, 61, "ebs", strdup("259:1 21 1 8"));
	check_blocks(&t, 21, 61, 8, 21 % 8);
	table_free(&t);
}

/* Bytes of any alignment: everything in a block that they touch is told, nothing else. */
static void any_bytes_take_their_blocks_with_them(void **state)
{
	struct rnd rnd = rnd_start();
	struct table t;

	table_start(&t);
	table_add(&t, 61, "ebs", strdup("259:1 21 1 8"));
	for (int round = 0; round < 300; round++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		_cleanup_(pme_range_list_done) struct pme_range_list told = {0};
		struct pme_range range = random_range(&rnd, SECTORS(61));
		uint64_t first = (range.start + SECTORS(5)) / 4096 * 4096;
		uint64_t last = (pme_range_end(range) + SECTORS(5) + 4095) / 4096 * 4096;

		first = first > SECTORS(5) ? first - SECTORS(5) : 0;
		last = pme_min(last - SECTORS(5), SECTORS(61));
		range.start += SECTORS(21);
		assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[1], range, &steps), 0);
		check_inside(&steps, range);
		for (size_t i = 0; i < steps.count; i++)
			pme_range_list_add(&told, steps.items[i].to_start,
					   steps.items[i].from.length);
		pme_range_list_normalize(&told);
		assert_int_equal(told.count, 1);
		assert_int_equal(told.items[0].start, first);
		assert_int_equal(told.items[0].length, last - first);
	}
	table_free(&t);
}

static void neighbours_are_explained(void **state)
{
	_cleanup_free_ char *own = NULL, *beside = NULL;
	struct table t;

	table_start(&t);
	table_add(&t, 64, "crypt", strdup("aes 5ec7e7 0 259:1 8 1 sector_size:4096"));
	own = pme_layer_dm.explain(NULL, &t.lowers[1], 4096 + 512, &t.dm, 512);
	assert_string_equal(own, "4608 - 4096 (start on pmem1) + 0 (start of the segment in "
				 "vg0/data) = 512");
	beside = pme_layer_dm.explain(NULL, &t.lowers[1], 4096 + 512, &t.dm, 1024);
	assert_string_equal(beside,
			    "4608 - 4096 (start on pmem1) + 0 (start of the segment in vg0/data) = "
			    "512; its crypto sector of 4096 bytes is lost as a whole, with byte = "
			    "1024");
	table_free(&t);
}

static const struct {
	const char *type, *params;
	unsigned int lower;
	const char *reason; /* of a step in doubt; NULL: none */
	const char *detail; /* of an end; NULL: it leads */
} cases[] = {
	{"delay", "259:0 0 1 259:1 8 1", 0, NULL, NULL},
	{"delay", "259:0 0 1 259:1 0 1", 1, "writes go here, but reads come from another place",
	 NULL},
	{"ebs", "259:0 0 1", 0, "the size of the underlying blocks is not in the table", NULL},
	{"switch", "2 64 0 259:0 0 259:1 0", 1,
	 "the region table of the switch selects the path, and the kernel does not show it", NULL},
	{"era", "259:2 259:0 64", 2, NULL, "era metadata of vg0/data"},
	{"log-writes", "259:0 259:2", 2, NULL, "write log of vg0/data"},
	{"multipath", "0 0 2 1 round-robin 0 1 1 259:0 1 round-robin 0 1 1 259:1 1", 1, NULL, NULL},
};

static void doubts_and_sides_are_told(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct pme_range range = {SECTORS(8), 512};
		struct table t;

		table_start(&t);
		table_add(&t, 64, cases[i].type, strdup(cases[i].params));
		assert_int_equal(
			pme_layer_dm.up(NULL, &t.dm, &t.lowers[cases[i].lower], range, &steps), 0);
		if (cases[i].detail) {
			check_end(&steps, PME_OWNER_VOLUME_METADATA, range, cases[i].detail);
		} else {
			assert_int_equal(steps.count, 1);
			assert_ptr_equal(steps.items[0].to, &t.dm);
			assert_int_equal(steps.items[0].certainty,
					 cases[i].reason ? PME_UNCERTAIN : PME_EXACT);
			if (cases[i].reason)
				assert_string_equal(steps.items[0].reason, cases[i].reason);
		}
		table_free(&t);
	}
}

static const char *const malformed[][2] = {
	{"crypt", ""},
	{"crypt", "aes 5ec7e7 0 259:1"},
	{"crypt", "aes 5ec7e7 259:1 0"},
	{"crypt", "aes 5ec7e7 0 259:1 36028797018963967"},
	{"crypt", "aes 5ec7e7 0 259:1 0 1 sector_size:0"},
	{"crypt", "aes 5ec7e7 0 259:1 0 1 sector_size:700"},
	{"crypt", "aes 5ec7e7 0 259:1 0 1 sector_size:18446744073709551616"},
	{"crypt", "aes 5ec7e7 0 259:1 0 1 sector_size:-1"},
	{"delay", "259:0 0"},
	{"delay", "259:0 0 1 259:1"},
	{"delay", "259:0 0 1 259:1 0"},
	{"ebs", "259:0 0"},
	{"ebs", "259:0 0 1 3"},
	{"ebs", "259:0 0 1 0"},
	{"ebs", "259:0 0 1 4294967296"},
	{"era", "259:0"},
	{"era", "259:0 pmem1 64"},
	{"flakey", "259:0"},
	{"dust", "x:0 0 512"},
	{"log-writes", "259:0"},
	{"multipath", "0"},
	{"multipath", "0 0 18446744073709551615 1"},
	{"multipath", "18446744073709551615 0 1 1 round-robin 0 1 1 259:0 1"},
	{"multipath", "0 0 1 1 round-robin 0 18446744073709551615 1 259:0 1"},
	{"multipath", "0 0 1 1 round-robin 0 1 1 259:0 1 more"},
	{"switch", "0 64 0"},
	{"switch", "2 64 0 259:0 0"},
	{"switch", "1 64 0 259:0 0 259:1"},
	{"switch", "18446744073709551615 64 0 259:0 0"},
};

static void malformed_lines_are_unknown_without_keys(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(malformed); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
		_cleanup_free_ char *words = pme_printf(
			"table line 1 of vg0/data: malformed '%s' parameters", malformed[i][0]);
		struct pme_range range = {4096, 512};
		struct table t;

		table_start(&t);
		table_add(&t, 64, malformed[i][0], strdup(malformed[i][1]));
		assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[2], range, &up), 0);
		check_end(&up, PME_OWNER_UNKNOWN, range, words);
		assert_int_equal(pme_layer_dm.down(NULL, &t.dm, range, &down), 0);
		check_end(&down, PME_OWNER_UNKNOWN, range, words);
		table_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_as_modelled),
		cmocka_unit_test(a_bad_sector_takes_its_block_with_it),
		cmocka_unit_test(any_bytes_take_their_blocks_with_them),
		cmocka_unit_test(neighbours_are_explained),
		cmocka_unit_test(doubts_and_sides_are_told),
		cmocka_unit_test(malformed_lines_are_unknown_without_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
