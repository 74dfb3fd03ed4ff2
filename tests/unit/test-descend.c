/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/descend.c: random stacks against a model, the climb as its inverse, and stacks by hand whose
 * bottom cannot be reached.
 */
#include "descend.h"

#include <sys/sysmacros.h>

#include "pile.h"

static int setup(void **state)
{
	static struct snapshot snap;

	snap_init(&snap, NULL);
	*state = &snap;
	return 0;
}

static int teardown(void **state)
{
	snap_done(*state);
	return 0;
}

static void descend(const struct pme_dev *dev, struct pme_range range, struct pme_ways *ret)
{
	*ret = (struct pme_ways){0};
	assert_int_equal(pme_descend(NULL, dev, range, ret), 0);
}

static void check_against_model(struct pile *pile, const struct pme_dev *dev,
				struct pme_range range)
{
	_cleanup_(paths_done) struct paths expected = {0}, got = {0};
	_cleanup_(pme_ways_done) struct pme_ways ways;

	descend(dev, range, &ways);
	for (size_t i = 0; i < ways.count; i++) {
		const struct pme_way *way = &ways.items[i];

		assert_ptr_equal(way->hops[way->n_hops - 1].dev, dev);
		paths_add(&got, way->hops, way->n_hops, way->length,
			  way->reason ? PATH_WITH_REASON : PATH_OPEN);
	}
	pile_down(pile, dev, range, &expected);
	paths_check_equal(&got, &expected);
}

static void random_stacks_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct pile pile;

		pile_init(&pile, &rnd);
		for (size_t d = 0; d < pile.count; d++) {
			const struct pme_dev *dev = pile.devs[d].dev;

			check_against_model(&pile, dev, (struct pme_range){0, dev->size});
			check_against_model(&pile, dev, pile_range(&pile, dev));
		}
		pile_done(&pile);
	}
}

/* Are the first hops of @top, @skip bytes on, the hops of @way? */
static bool goes_along(const struct pme_top *top, uint64_t skip, const struct pme_way *way)
{
	if (top->n_hops < way->n_hops)
		return false;
	for (size_t h = 0; h < way->n_hops; h++)
		if (top->hops[h].dev != way->hops[h].dev ||
		    top->hops[h].start + skip != way->hops[h].start ||
		    strcmp(top->hops[h].kind, way->hops[h].kind) != 0)
			return false;
	return true;
}

/* What a way down ends at leads up to where it came from. */
static void check_way_up(struct pile *pile, const struct pme_way *way)
{
	struct pme_range range = {way->hops[0].start, way->length};
	_cleanup_(pme_range_list_done) struct pme_range_list list = {0};
	_cleanup_(pme_tops_done) struct pme_tops tops = {0};

	assert_int_equal(pme_climb(&pile->snap.stack, way->hops[0].dev, range, &tops), 0);
	for (size_t i = 0; i < tops.count; i++) {
		const struct pme_top *top = &tops.items[i];
		uint64_t at = top->hops[0].start - range.start;
		struct pme_hop hops[PME_CLIMB_DEPTH];
		struct pme_way there = {.hops = hops, .n_hops = way->n_hops};

		memcpy(hops, way->hops, way->n_hops * sizeof(*hops));
		for (size_t h = 0; h < way->n_hops; h++)
			hops[h].start += at;
		if (goes_along(top, 0, &there))
			assert_int_equal(pme_range_list_add(&list, top->hops[0].start, top->length),
					 0);
	}
	pme_range_list_normalize(&list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].start, range.start);
	assert_int_equal(list.items[0].length, range.length);
}

/* Every device that a way up passes leads down the same way. */
static void check_top_down(const struct pme_top *top)
{
	for (size_t n = 1; n <= top->n_hops; n++) {
		struct pme_range range = {top->hops[n - 1].start, top->length};
		_cleanup_(pme_ways_done) struct pme_ways ways;
		uint64_t bytes = 0;

		descend(top->hops[n - 1].dev, range, &ways);
		for (size_t i = 0; i < ways.count; i++) {
			const struct pme_way *way = &ways.items[i];

			assert_null(way->reason);
			assert_int_equal(way->n_hops, n);
			assert_true(goes_along(top, way->hops[n - 1].start - range.start, way));
			bytes += way->length;
		}
		assert_int_equal(bytes, top->length);
	}
}

static void up_and_down_are_inverse(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 200; round++) {
		_cleanup_(pme_tops_done) struct pme_tops tops = {0};
		_cleanup_(pme_ways_done) struct pme_ways ways;
		const struct pme_dev *dev, *disk;
		struct pile pile;

		pile_init(&pile, &rnd);
		dev = pile_any(&pile);
		descend(dev, pile_range(&pile, dev), &ways);
		for (size_t i = 0; i < ways.count; i++)
			if (!ways.items[i].reason)
				check_way_up(&pile, &ways.items[i]);
		disk = pile.devs[rnd_below(&rnd, 2)].dev;
		assert_int_equal(pme_climb(&pile.snap.stack, disk, pile_range(&pile, disk), &tops),
				 0);
		for (size_t i = 0; i < tops.count; i++)
			check_top_down(&tops.items[i]);
		pile_done(&pile);
	}
}

static void check_reason(const struct pme_way *way, uint64_t start, uint64_t length,
			 const char *words)
{
	assert_int_equal(way->hops[way->n_hops - 1].start, start);
	assert_int_equal(way->length, length);
	if (words) {
		assert_non_null(way->reason);
		assert_string_equal(way->reason, words);
	} else {
		assert_null(way->reason);
	}
}

/* A namespace's disk is a bottom, although a region is below it. */
static void the_way_ends_at_the_disk_of_a_namespace(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways ways;
	struct snapshot *snap = *state;
	struct pme_dev *region = snap_region(snap, "region0", 1 << 30, 1 << 20, "nmem0");
	struct pme_dev *disk = snap_namespace(snap, region, "namespace0.0", PME_MODE_FSDAX, 0,
					      1 << 20, 65536, "pmem0");
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 8, 100);

	descend(part, (struct pme_range){100, 200}, &ways);
	assert_int_equal(ways.count, 1);
	assert_int_equal(ways.items[0].n_hops, 2);
	assert_ptr_equal(ways.items[0].hops[0].dev, disk);
	assert_string_equal(ways.items[0].hops[0].kind, "disk");
	assert_int_equal(ways.items[0].hops[0].start, SECTORS(8) + 100);
	assert_string_equal(ways.items[0].hops[1].kind, "partition");
	check_reason(&ways.items[0], 100, 200, NULL);
}

static void what_no_layer_knows_has_a_reason(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways ways;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100),
		       *other = snap_disk(snap, "bcache0", 90);

	snap_stack(disk, other);
	descend(other, (struct pme_range){512, 512}, &ways);
	assert_int_equal(ways.count, 1);
	check_reason(&ways.items[0], 512, 512,
		     "bcache0 is made of other devices in a way that is not followed");
}

static void a_layer_that_fails_has_a_reason(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways ways;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 0, 50);

	part->start = UINT64_MAX;
	descend(part, (struct pme_range){0, 512}, &ways);
	assert_int_equal(ways.count, 1);
	check_reason(&ways.items[0], 0, 512,
		     "pmem0p1: cannot follow the partition mapping: Invalid argument");
}

static void bytes_behind_the_end_are_nowhere(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways ways;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 0, 50);

	descend(part, (struct pme_range){SECTORS(49), 1024}, &ways);
	assert_int_equal(ways.count, 2);
	check_reason(&ways.items[0], SECTORS(49), 512, NULL);
	check_reason(&ways.items[1], SECTORS(50), 512, "no lower device holds these bytes");
}

static void lines_that_store_nothing_have_a_reason(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways ways;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100), *dm = snap_dm(snap, "dm-0");

	snap_linear(dm, disk, 0, 8);
	snap_line(dm, 8, "zero", strdup(""));
	descend(dm, (struct pme_range){SECTORS(4), SECTORS(8)}, &ways);
	assert_int_equal(ways.count, 2);
	check_reason(&ways.items[0], SECTORS(4), SECTORS(4), NULL);
	check_reason(&ways.items[1], SECTORS(8), SECTORS(4),
		     "device-mapper target 'zero' stores nothing");
	assert_true(ways.items[1].known);
}

/* The device below was made smaller, or the table is hostile. */
static void a_mapping_out_of_the_device_has_a_reason(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways ways;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100), *dm = snap_dm(snap, "dm-0");

	snap_linear(dm, disk, 90, 50);
	descend(dm, (struct pme_range){SECTORS(8), SECTORS(8)}, &ways);
	assert_int_equal(ways.count, 1);
	assert_int_equal(ways.items[0].n_hops, 1);
	check_reason(&ways.items[0], SECTORS(8), SECTORS(8),
		     "the mapping of dm-0 leads outside of the device");
}

/* Such a device is no bottom: its table says that its bytes are elsewhere. */
static void a_stacked_device_without_lower_ones_has_a_reason(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways dm_ways, part_ways;
	struct snapshot *snap = *state;
	struct pme_dev *dm = snap_dm(snap, "dm-0");
	struct pme_dev part = {.name = (char *)"x1", .kind = PME_DEV_PARTITION, .size = 512};

	snap_line(dm, 8, "linear", strdup("8:1 0"));
	descend(dm, (struct pme_range){0, 512}, &dm_ways);
	assert_int_equal(dm_ways.count, 1);
	check_reason(&dm_ways.items[0], 0, 512, "a device below dm-0 is missing");
	descend(&part, (struct pme_range){0, 512}, &part_ways);
	assert_int_equal(part_ways.count, 1);
	check_reason(&part_ways.items[0], 0, 512,
		     "x1: cannot follow the partition mapping: Invalid argument");
}

static void stacks_that_are_too_deep_have_a_reason(void **state)
{
	_cleanup_(pme_ways_done) struct pme_ways full, over;
	struct snapshot *snap = *state;
	struct pme_dev *lower = snap_disk(snap, "pmem0", 8), *below = NULL;

	for (int i = 0; i < PME_CLIMB_DEPTH; i++) {
		struct pme_dev *next;
		char name[16];

		snprintf(name, sizeof(name), "dm-%d", i);
		next = snap_dm(snap, name);
		snap_linear(next, lower, 0, 8);
		below = lower;
		lower = next;
	}
	descend(below, (struct pme_range){0, 512}, &full);
	assert_int_equal(full.count, 1);
	assert_int_equal(full.items[0].n_hops, PME_CLIMB_DEPTH);
	check_reason(&full.items[0], 0, 512, NULL);
	descend(lower, (struct pme_range){0, 512}, &over);
	assert_int_equal(over.count, 1);
	check_reason(&over.items[0], 0, 512, "too many devices are stacked");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_stacks_are_as_modelled),
		cmocka_unit_test(up_and_down_are_inverse),
		TEST(the_way_ends_at_the_disk_of_a_namespace),
		TEST(what_no_layer_knows_has_a_reason),
		TEST(a_layer_that_fails_has_a_reason),
		TEST(bytes_behind_the_end_are_nowhere),
		TEST(lines_that_store_nothing_have_a_reason),
		TEST(a_mapping_out_of_the_device_has_a_reason),
		TEST(a_stacked_device_without_lower_ones_has_a_reason),
		TEST(stacks_that_are_too_deep_have_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
