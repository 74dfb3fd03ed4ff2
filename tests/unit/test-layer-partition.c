/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of layer-partition.c, and of the lists of steps in layer.c.
 */
#include "hop-check.h"

static char disk_name[] = "pmem0";
static struct pme_dev disk = {.name = disk_name, .kind = PME_DEV_DISK, .size = 1 << 20};

static const struct {
	uint64_t start, size;
	struct pme_range asked, from; /* from.length 0: no step */
	uint64_t to;
} ups[] = {
	{4096, 8192, {4096, 8192}, {4096, 8192}, 0}, {4096, 8192, {0, 1 << 20}, {4096, 8192}, 0},
	{4096, 8192, {5000, 1}, {5000, 1}, 904},     {4096, 8192, {12287, 10}, {12287, 1}, 8191},
	{4096, 8192, {0, 4096}, {0, 0}, 0},	     {4096, 8192, {12288, 4096}, {0, 0}, 0},
	{4096, 0, {0, 1 << 20}, {0, 0}, 0},	     {0, UINT64_MAX, {0, 10}, {0, 10}, 0},
};

static void up_follows_the_table(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(ups); i++) {
		struct pme_dev part = {
			.name = text("pmem0p1"),
			.kind = PME_DEV_PARTITION,
			.disk = &disk,
			.start = ups[i].start,
			.size = ups[i].size,
		};
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};

		assert_ptr_equal(pme_layer_of(&part), &pme_layer_partition);
		assert_int_equal(pme_layer_partition.up(NULL, &part, &disk, ups[i].asked, &steps),
				 0);
		assert_int_equal(steps.count, ups[i].from.length > 0);
		if (steps.count == 0)
			continue;
		assert_int_equal(steps.items[0].from.start, ups[i].from.start);
		assert_int_equal(steps.items[0].from.length, ups[i].from.length);
		assert_ptr_equal(steps.items[0].to, &part);
		assert_int_equal(steps.items[0].to_start, ups[i].to);
	}
}

static void nonsense_is_einval(void **state)
{
	struct pme_dev other = {.name = text("pmem1"), .kind = PME_DEV_DISK, .size = 1 << 20};
	struct pme_dev part = {
		.name = text("pmem0p1"),
		.kind = PME_DEV_PARTITION,
		.disk = &disk,
		.start = 512,
		.size = UINT64_MAX,
	};
	struct pme_range range = {0, 4096};
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};

	assert_int_equal(pme_layer_partition.up(NULL, &part, &disk, range, &steps), -EINVAL);
	assert_int_equal(pme_layer_partition.down(NULL, &part, range, &steps), -EINVAL);
	part.size = 4096;
	assert_int_equal(pme_layer_partition.up(NULL, &part, &other, range, &steps), -EINVAL);
	part.disk = NULL;
	assert_int_equal(pme_layer_partition.down(NULL, &part, range, &steps), -EINVAL);
	assert_int_equal(steps.count, 0);
}

static void random_partitions_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();
	const struct pme_dev *lowers[] = {&disk};

	for (int round = 0; round < 300; round++) {
		uint64_t start = rnd_below(&rnd, 1000), count = 1 + rnd_below(&rnd, 600);
		struct pme_dev part = {
			.name = text("pmem0p1"),
			.kind = PME_DEV_PARTITION,
			.disk = &disk,
			.start = start * PME_SECTOR,
			.size = count * PME_SECTOR,
			.lowers = lowers,
			.n_lowers = 1,
		};
		struct model m = {.upper = &part};

		for (uint64_t i = 0; i < count; i++)
			model_put(&m, &disk, start + i);
		check_model(&pme_layer_partition, &m, &rnd);
	}
}

static void explains_in_plain_numbers(void **state)
{
	struct pme_dev part = {
		.name = text("pmem0p1"),
		.kind = PME_DEV_PARTITION,
		.disk = &disk,
		.start = 1048576,
		.size = 8192,
	};
	_cleanup_free_ char *line = pme_layer_partition.explain(NULL, &disk, 1052672, &part, 4096);

	assert_string_equal(line, "1052672 - 1048576 (start of pmem0p1) = 4096");
}

static void steps_that_continue_are_joined(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	static const char kind[] = "x";
	const struct {
		struct pme_range from;
		uint64_t to;
		size_t count; /* steps afterwards */
	} adds[] = {
		{{0, 10}, 100, 1},  {{10, 10}, 110, 1}, {{20, 10}, 100, 2},
		{{31, 10}, 110, 3}, {{41, 1}, 120, 3},	{{41, 1}, 120, 4},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(adds); i++) {
		assert_int_equal(pme_steps_lead(&steps, adds[i].from, &disk, adds[i].to, kind), 0);
		assert_int_equal(steps.count, adds[i].count);
	}
	assert_int_equal(steps.items[0].from.length, 20);
	assert_int_equal(steps.items[2].from.length, 11);
}

static void steps_refuse_wild_ranges(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	static const char kind[] = "x";
	struct pme_range none = {5, 0}, wild = {UINT64_MAX, 2}, good = {0, 10};

	assert_int_equal(pme_steps_lead(&steps, none, &disk, 0, kind), -EINVAL);
	assert_int_equal(pme_steps_lead(&steps, wild, &disk, 0, kind), -EINVAL);
	assert_int_equal(pme_steps_lead(&steps, good, &disk, UINT64_MAX, kind), -EINVAL);
	assert_int_equal(pme_steps_unknown(&steps, none, kind, "%s", "why"), -EINVAL);
	assert_int_equal(
		pme_steps_end(&steps, none, PME_OWNER_FREE, PME_EXACT, strdup("a"), strdup("b")),
		-EINVAL);
	assert_int_equal(steps.count, 0);
}

static void steps_are_limited(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	static const char kind[] = "x";

	for (uint64_t i = 0; i < PME_STEPS_MAX; i++)
		assert_int_equal(
			pme_steps_lead(&steps, (struct pme_range){2 * i, 1}, &disk, i, kind), 0);
	assert_int_equal(pme_steps_unknown(&steps, (struct pme_range){1, 1}, kind, "why"), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_follows_the_table),
		cmocka_unit_test(nonsense_is_einval),
		cmocka_unit_test(random_partitions_are_as_modelled),
		cmocka_unit_test(explains_in_plain_numbers),
		cmocka_unit_test(steps_that_continue_are_joined),
		cmocka_unit_test(steps_refuse_wild_ranges),
		cmocka_unit_test(steps_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
