/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of layer-dm.c and its targets: cases, hostile tables, and random tables against a model
 * that fills each line sector by sector.
 */
#include "dm-table.h"

static void add_linear(struct rnd *rnd, struct table *t, struct model *m)
{
	uint64_t sectors = 1 + rnd_below(rnd, 40), start = rnd_below(rnd, 360);
	unsigned int dev = (unsigned int)rnd_below(rnd, 3);

	table_add(t, sectors, "linear", pme_printf("259:%u %lu", dev, start));
	for (uint64_t i = 0; i < sectors; i++)
		model_put(m, &t->lowers[dev], start + i);
}

/* Deal chunks to the stripes in turn; each takes them one behind the other. */
static void deal_chunks(struct model *m, const struct pme_dev **devs, uint64_t *next, uint64_t n,
			uint64_t chunk, uint64_t rows)
{
	for (uint64_t row = 0; row < rows; row++)
		for (uint64_t i = 0; i < n; i++)
			for (uint64_t s = 0; s < chunk; s++)
				model_put(m, devs[i], next[i]++);
}

static void add_striped(struct rnd *rnd, struct table *t, struct model *m)
{
	uint64_t n = 1 + rnd_below(rnd, 4), chunk = 1 + rnd_below(rnd, 5);
	uint64_t rows = 1 + rnd_below(rnd, 4), next[4];
	const struct pme_dev *devs[4];
	char *params = pme_printf("%lu %lu", n, chunk);

	for (uint64_t i = 0; i < n; i++) {
		unsigned int dev = (unsigned int)rnd_below(rnd, 3);
		_cleanup_free_ char *before = params;

		devs[i] = &t->lowers[dev];
		next[i] = rnd_below(rnd, 380);
		params = pme_printf("%s 259:%u %lu", before, dev, next[i]);
	}
	table_add(t, n * chunk * rows, "striped", params);
	deal_chunks(m, devs, next, n, chunk, rows);
}

static void random_tables_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 400; round++) {
		uint64_t lines = 1 + rnd_below(&rnd, 8);
		struct table t;
		struct model m = {.upper = &t.dm};

		table_start(&t);
		while (lines-- > 0) {
			if (rnd_below(&rnd, 2) == 0)
				add_linear(&rnd, &t, &m);
			else
				add_striped(&rnd, &t, &m);
		}
		check_model(&pme_layer_dm, &m, &rnd);
		table_free(&t);
	}
}

/* Every byte up and down again; the arithmetic of explain ends with the right number. */
static void explain_ends_with_the_answer(void **state)
{
	struct rnd rnd = rnd_start();
	struct table t;
	struct model m = {.upper = &t.dm};

	table_start(&t);
	for (int i = 0; i < 8; i++) {
		add_linear(&rnd, &t, &m);
		add_striped(&rnd, &t, &m);
	}
	for (size_t u = 0; u < m.count; u++) {
		uint64_t upper = SECTORS(u) + 7, lower = SECTORS(m.at[u].sector) + 7;
		_cleanup_free_ char *line =
			pme_layer_dm.explain(NULL, m.at[u].lower, lower, &t.dm, upper);
		_cleanup_free_ char *end = pme_printf(" = %lu", upper);
		_cleanup_free_ char *start = pme_printf("%lu - ", lower);

		assert_int_equal(strncmp(line, start, strlen(start)), 0);
		assert_true(strlen(line) > strlen(end));
		assert_string_equal(line + strlen(line) - strlen(end), end);
	}
	table_free(&t);
}

static void explains_in_plain_numbers(void **state)
{
	_cleanup_free_ char *linear = NULL, *striped = NULL, *nothing = NULL;
	struct table t;

	table_start(&t);
	table_add(&t, 100, "linear", strdup("259:0 16"));
	table_add(&t, 64, "striped", strdup("2 8 259:0 200 259:1 8"));
	linear = pme_layer_dm.explain(NULL, &t.lowers[0], 12288, &t.dm, 4096);
	assert_string_equal(linear,
			    "12288 - 8192 (start of the segment on pmem0) + 0 (its start in "
			    "vg0/data) = 4096");
	striped = pme_layer_dm.explain(NULL, &t.lowers[1], 4096 + 8192 + 5, &t.dm,
				       51200 + 5 * 4096 + 5);
	assert_string_equal(
		striped, "12293 - 4096 (start of stripe 1 on pmem1) = 8197 = row 2 of chunks of "
			 "4096 + 5; 51200 (segment in vg0/data) + (2 * 2 + 1) * 4096 + 5 = 71685");
	nothing = pme_layer_dm.explain(NULL, &t.lowers[2], 4096, &t.dm, 4096);
	assert_string_equal(nothing, "no line of the table of vg0/data explains this");
	table_free(&t);
}

static const struct {
	uint64_t sectors;
	const char *type, *params;
} malformed[] = {
	{64, "linear", ""},
	{64, "linear", "259:0"},
	{64, "linear", "259:0 0 junk"},
	{64, "linear", "259:0 0 0"},
	{64, "linear", "/dev/pmem0 0"},
	{64, "linear", "259 0"},
	{64, "linear", "259: 0"},
	{64, "linear", ":0 0"},
	{64, "linear", "259:0:0 0"},
	{64, "linear", "4096:0 0"},
	{64, "linear", "259:1048576 0"},
	{64, "linear", "0:0 0"},
	{64, "linear", "259:0 -1"},
	{64, "linear", "259:0 +1"},
	{64, "linear", "259:0 0x10"},
	{64, "linear", "259:0 36028797018963968"}, /* 2^55 sectors: 2^64 bytes */
	{64, "linear", "259:0 36028797018963967"}, /* its end overflows */
	{64, "linear", "259:0 99999999999999999999999"},
	{64, "linear", "259:0\n0"},
	{0, "linear", "259:0 0"},
	{64, "striped", ""},
	{64, "striped", "2"},
	{64, "striped", "2 8"},
	{64, "striped", "2 8 259:0 0"},
	{64, "striped", "2 8 259:0 0 259:1"},
	{64, "striped", "2 8 259:0 0 259:1 0 1"},
	{64, "striped", "0 8"},
	{64, "striped", "0 8 259:0 0"},
	{64, "striped", "2 0 259:0 0 259:1 0"},
	{64, "striped", "3 8 259:0 0 259:1 0 259:2 0"}, /* 64 is no multiple of 24 */
	{66, "striped", "2 8 259:0 0 259:1 0"},
	{64, "striped", "18446744073709551615 1 259:0 0"},
	{64, "striped", "18446744073709551615 18446744073709551615 259:0 0"},
	{64, "striped", "2 36028797018963968 259:0 0 259:1 0"},
	{64, "striped", "2 8 259:0 36028797018963967 259:1 0"},
	{64, "striped", "2 8 259:0 0 pmem1 0"},
	{64, "striped", "-2 8 259:0 0 259:1 0"},
};

static void malformed_lines_are_unknown(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(malformed); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
		_cleanup_free_ char *words = pme_printf(
			"table line 1 of vg0/data: malformed '%s' parameters", malformed[i].type);
		struct pme_range all = {0, SECTORS(malformed[i].sectors)}, range = {4096, 512};
		struct table t;

		table_start(&t);
		table_add(&t, malformed[i].sectors, malformed[i].type, strdup(malformed[i].params));
		assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[2], range, &up), 0);
		check_end(&up, PME_OWNER_UNKNOWN, range, words);
		if (all.length > 0) {
			assert_int_equal(pme_layer_dm.down(NULL, &t.dm, all, &down), 0);
			check_end(&down, PME_OWNER_UNKNOWN, all, words);
		}
		table_free(&t);
	}
}

static void wild_line_range_is_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range = {512, 512};
	struct table t;

	table_start(&t);
	table_add(&t, 8, "linear", strdup("259:0 0"));
	t.lines[0].range = (struct pme_range){UINT64_MAX - 511, 1024};
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[0], range, &steps), 0);
	check_end(&steps, PME_OWNER_UNKNOWN, range,
		  "table line 1 of vg0/data: malformed 'linear' parameters");
	table_free(&t);
}

static const struct {
	const char *type, *params;
	const char *kind;
	bool uses[3]; /* is an unknown said for lower device i? */
	const char *why;
} unfollowed[] = {
	{"vdo",
	 "V4 /dev/pmem0 262144 4096 32768 16380",
	 "dm-vdo",
	 {1, 1, 1},
	 ": its map from physical to logical blocks can only be dumped (vdodumpblockmap) while it "
	 "is stopped"},
	{"of-tomorrow", "259:1", "dm", {0, 1, 0}, ""},
	{"of-tomorrow", "", "dm", {1, 1, 1}, ""},
	{"linear2", "259:10 0 1259:0 259:00001", "dm", {0, 1, 0}, ""},
};

static void unfollowed_targets_are_unknown(void **state)
{
	struct pme_range range = {8192, 4096};

	for (size_t i = 0; i < PME_ARRAY_SIZE(unfollowed); i++) {
		_cleanup_free_ char *words =
			pme_printf("device-mapper target '%s' of vg0/data is not followed%s",
				   unfollowed[i].type, unfollowed[i].why);
		struct table t;

		table_start(&t);
		table_add(&t, 64, unfollowed[i].type, strdup(unfollowed[i].params));
		table_add(&t, 8, "linear", strdup("259:0 300"));
		table_add(&t, 8, "linear", strdup("259:1 300"));
		table_add(&t, 8, "linear", strdup("259:2 300"));
		table_add(&t, 64, unfollowed[i].type, strdup(unfollowed[i].params));
		for (size_t l = 0; l < 3; l++) {
			_cleanup_(pme_steps_done) struct pme_steps steps = {0};

			assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[l], range, &steps),
					 0);
			assert_int_equal(steps.count, unfollowed[i].uses[l]);
			if (steps.count == 0)
				continue;
			check_end(&steps, PME_OWNER_UNKNOWN, range, words);
			assert_string_equal(steps.items[0].kind, unfollowed[i].kind);
		}
		table_free(&t);
	}
}

static void down_of_an_unfollowed_target_is_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct table t;

	table_start(&t);
	table_add(&t, 8, "of-another-world", strdup("259:0"));
	assert_int_equal(pme_layer_dm.down(NULL, &t.dm, (struct pme_range){512, 9999}, &steps), 0);
	assert_int_equal(steps.count, 2);
	assert_string_equal(steps.items[0].reason,
			    "device-mapper target 'of-another-world' of vg0/data is not followed");
	assert_int_equal(steps.items[0].from.length, 4096 - 512);
	assert_string_equal(steps.items[1].reason,
			    "the table of vg0/data has no line for these bytes");
	assert_int_equal(steps.items[1].from.start, 4096);
	table_free(&t);
}

static void targets_without_storage_store_nothing(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
	struct pme_range range = {0, 4096};
	struct table t;

	table_start(&t);
	table_add(&t, 8, "zero", strdup(""));
	table_add(&t, 8, "linear", strdup("259:0 0"));
	assert_int_equal(
		pme_layer_dm.up(NULL, &t.dm, &t.lowers[0], (struct pme_range){4096, 512}, &up), 0);
	assert_int_equal(up.count, 0);
	assert_int_equal(pme_layer_dm.down(NULL, &t.dm, range, &down), 0);
	check_end(&down, PME_OWNER_UNUSED, range, "device-mapper target 'zero' stores nothing");
	table_free(&t);
}

static void tables_that_say_nothing_are_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps none = {0}, other = {0}, unread = {0},
						   down = {0};
	struct pme_range range = {0, 4096};
	struct table t;

	table_start(&t);
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[0], range, &none), 0);
	check_end(&none, PME_OWNER_UNKNOWN, range,
		  "the table of vg0/data does not say how it uses pmem0");
	table_add(&t, 8, "linear", strdup("259:1 0"));
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[0], range, &other), 0);
	check_end(&other, PME_OWNER_UNKNOWN, range,
		  "the table of vg0/data does not say how it uses pmem0");
	t.dm.table_error = -EACCES;
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[1], range, &unread), 0);
	check_end(&unread, PME_OWNER_UNKNOWN, range,
		  "cannot read the device-mapper table of vg0/data: Permission denied");
	assert_int_equal(pme_layer_dm.down(NULL, &t.dm, range, &down), 0);
	check_end(&down, PME_OWNER_UNKNOWN, range, unread.items[0].reason);
	table_free(&t);
}

static void missing_lower_device_is_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct table t;

	table_start(&t);
	table_add(&t, 8, "linear", strdup("8:1 0"));
	table_add(&t, 16, "striped", strdup("2 8 259:0 0 8:1 0"));
	assert_int_equal(pme_layer_dm.down(NULL, &t.dm, (struct pme_range){0, SECTORS(24)}, &steps),
			 0);
	assert_int_equal(steps.count, 3);
	assert_null(steps.items[0].to);
	assert_string_equal(steps.items[0].reason, "a device below vg0/data is missing");
	assert_ptr_equal(steps.items[1].to, &t.lowers[0]);
	assert_string_equal(steps.items[2].reason, "a device below vg0/data is missing");
	table_free(&t);
}

/* Two segments over the same bytes: both are told. */
static void bytes_used_twice_lead_twice(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct table t;

	table_start(&t);
	table_add(&t, 8, "linear", strdup("259:0 8"));
	table_add(&t, 8, "linear", strdup("259:0 12"));
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[0],
					 (struct pme_range){SECTORS(12), 10}, &steps),
			 0);
	assert_int_equal(steps.count, 2);
	assert_int_equal(steps.items[0].to_start, SECTORS(4));
	assert_int_equal(steps.items[1].to_start, SECTORS(8));
	table_free(&t);
}

/* 2^18 pieces are the limit, however large the device. */
static void a_table_made_to_explode_is_refused(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct table t;

	table_start(&t);
	t.lowers[0].size = SECTORS(1ULL << 40);
	table_add(&t, 1ULL << 40, "striped", strdup("2 1 259:0 0 259:1 0"));
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[0],
					 (struct pme_range){0, SECTORS(1ULL << 39)}, &steps),
			 -E2BIG);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_tables_are_as_modelled),
		cmocka_unit_test(explain_ends_with_the_answer),
		cmocka_unit_test(explains_in_plain_numbers),
		cmocka_unit_test(malformed_lines_are_unknown),
		cmocka_unit_test(wild_line_range_is_unknown),
		cmocka_unit_test(unfollowed_targets_are_unknown),
		cmocka_unit_test(down_of_an_unfollowed_target_is_unknown),
		cmocka_unit_test(targets_without_storage_store_nothing),
		cmocka_unit_test(tables_that_say_nothing_are_unknown),
		cmocka_unit_test(missing_lower_device_is_unknown),
		cmocka_unit_test(bytes_used_twice_lead_twice),
		cmocka_unit_test(a_table_made_to_explode_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
