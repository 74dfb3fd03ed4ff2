/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/checkpoint.c: extents are compared as an obvious model would, byte by byte; and which kernels
 * may reflink a DAX file.
 */
#include "checkpoint.h"

#include <string.h>

#include "check.h"
#include "random.h"

#define BLOCKS 40 /* of the model; a "byte" of it is one unit of 512 */
#define UNIT 512ULL

/* What is at each unit of a file: 0 a hole, 1 unwritten, else a place on the device. */
typedef uint64_t model[BLOCKS];

static void fill(uint64_t *m, size_t size, struct rnd *rng)
{
	for (size_t at = 0; at < size;) {
		uint64_t run = 1 + rnd_below(rng, 9), kind = rnd_below(rng, 4);
		uint64_t place = 100 + rnd_below(rng, 60);

		for (; run > 0 && at < size; run--, at++, place++)
			m[at] = kind < 2 ? kind : place;
	}
}

/* Change a few units, or none. */
static void change(uint64_t *m, size_t size, struct rnd *rng)
{
	for (uint64_t n = rnd_below(rng, 4); n > 0; n--)
		m[rnd_below(rng, size)] = rnd_below(rng, 120);
}

static void add(struct pme_extents *extents, uint64_t at, uint64_t what)
{
	assert_int_equal(
		pme_grow(&extents->items, &extents->alloc, extents->count, sizeof(*extents->items)),
		0);
	extents->items[extents->count++] = (struct pme_extent){
		.range = {.start = at * UNIT, .length = UNIT},
		.state = what == 0   ? PME_EXTENT_HOLE
			 : what == 1 ? PME_EXTENT_UNWRITTEN
				     : PME_EXTENT_DATA,
		.device_start = what > 1 ? what * UNIT : 0,
	};
}

/* Extents as the kernel would say, joined where they go on, but now and then not. */
static void make_extents(const model m, size_t size, struct rnd *rng, struct pme_extents *ret)
{
	for (size_t at = 0; at < size; at++) {
		struct pme_extent *last = ret->count ? &ret->items[ret->count - 1] : NULL;
		bool same = last && ((m[at] < 2 && m[at] == m[at - 1]) ||
				     (m[at] > 1 && m[at - 1] > 1 && m[at] == m[at - 1] + 1));

		if (same && rnd_below(rng, 8) > 0)
			last->range.length += UNIT;
		else
			add(ret, at, m[at]);
	}
}

static bool same(uint64_t a, uint64_t b)
{
	return (a < 2 && b < 2) || a == b;
}

static void differs_like_the_model(void **state)
{
	struct rnd rng = rnd_start();

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t old_size = 1 + rnd_below(&rng, BLOCKS - 1);
		size_t size = rnd_below(&rng, 3) ? old_size : 1 + rnd_below(&rng, BLOCKS - 1);
		struct pme_extents a = {0}, b = {0};
		struct pme_range_list got = {0};
		model x = {0}, y;

		fill(x, old_size, &rng);
		memcpy(y, x, sizeof(y));
		if (size > old_size)
			fill(y + old_size, size - old_size, &rng);
		change(y, size, &rng);
		make_extents(x, old_size, &rng, &a);
		make_extents(y, size, &rng, &b);
		assert_int_equal(pme_extents_differ(&a, &b, size * UNIT, &got), 0);
		for (size_t at = 0; at < size; at++) {
			struct pme_range unit = {.start = at * UNIT, .length = UNIT};
			bool differ = at >= old_size || !same(x[at], y[at]);

			if (pme_range_list_meets(&got, unit) != differ)
				fail_msg("round %d: unit %zu of %zu", round, at, size);
		}
		pme_extents_done(&a);
		pme_extents_done(&b);
		pme_range_list_done(&got);
	}
}

/* Data without a place of its own is never the same. */
static void data_without_a_place_differs(void **state)
{
	struct pme_extent inside = {
		.range = {.start = 0, .length = 100},
		.state = PME_EXTENT_INLINE,
	};
	struct pme_extents a = {.items = &inside, .count = 1};
	struct pme_range_list got = {0};

	(void)state;
	assert_int_equal(pme_extents_differ(&a, &a, 100, &got), 0);
	assert_int_equal(pme_range_list_bytes(&got), 100);
	pme_range_list_done(&got);
	inside.state = PME_EXTENT_DELALLOC;
	assert_int_equal(pme_extents_differ(&a, &a, 100, &got), 0);
	assert_int_equal(pme_range_list_bytes(&got), 100);
	pme_range_list_done(&got);
}

static void knows_kernels(void **state)
{
	(void)state;
	assert_false(pme_kernel_shares_dax("6.1.0-49-amd64"));
	assert_false(pme_kernel_shares_dax("5.14.0-427.el9.x86_64"));
	assert_false(pme_kernel_shares_dax("4.18.0"));
	assert_true(pme_kernel_shares_dax("6.2.0"));
	assert_true(pme_kernel_shares_dax("6.12.100+deb13-amd64"));
	assert_true(pme_kernel_shares_dax("7.0-rc1"));
	assert_false(pme_kernel_shares_dax("6"));
	assert_false(pme_kernel_shares_dax("6."));
	assert_false(pme_kernel_shares_dax(""));
	assert_false(pme_kernel_shares_dax("next-20260101"));
	assert_false(pme_kernel_shares_dax("99999999999999999999.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differs_like_the_model),
		cmocka_unit_test(data_without_a_place_differs),
		cmocka_unit_test(knows_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
