/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/climb.c: random stacks against a model that knows each sector, and stacks of every odd kind
 * by hand: gaps, bytes with two users, layers that are not known, tables that lead astray.
 */
#include "pile.h"

#include <sys/sysmacros.h>

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

static void climb(struct snapshot *snap, const struct pme_dev *dev, struct pme_range range,
		  struct pme_tops *ret)
{
	*ret = (struct pme_tops){0};
	assert_int_equal(pme_climb(&snap->stack, dev, range, ret), 0);
}

/* The tops together speak of every byte, and the last hop of each is where it says. */
static void check_cover(const struct pme_tops *tops, const struct pme_dev *dev,
			struct pme_range range)
{
	_cleanup_(pme_range_list_done) struct pme_range_list list = {0};

	for (size_t i = 0; i < tops->count; i++) {
		const struct pme_top *top = &tops->items[i];

		assert_ptr_equal(top->hops[0].dev, dev);
		assert_int_equal(pme_range_list_add(&list, top->hops[0].start, top->length), 0);
		for (size_t h = 0; h < top->n_hops; h++)
			assert_non_null(top->hops[h].kind);
		if (!top->at_fs && top->owner == PME_OWNER_UNKNOWN)
			assert_non_null(top->reason);
	}
	pme_range_list_normalize(&list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].start, range.start);
	assert_int_equal(list.items[0].length, range.length);
}

static void check_against_model(struct pile *pile, const struct pme_dev *dev,
				struct pme_range range)
{
	_cleanup_(paths_done) struct paths expected = {0}, got = {0};
	_cleanup_(pme_tops_done) struct pme_tops tops;

	climb(&pile->snap, dev, range, &tops);
	check_cover(&tops, dev, range);
	for (size_t i = 0; i < tops.count; i++)
		paths_add(&got, tops.items[i].hops, tops.items[i].n_hops, tops.items[i].length,
			  tops.items[i].at_fs ? PATH_AT_FS : PATH_OPEN);
	pile_up(pile, dev, range, &expected);
	paths_check_equal(&got, &expected);
}

static void random_stacks_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct pile pile;

		pile_init(&pile, &rnd);
		check_against_model(&pile, pile.devs[0].dev,
				    (struct pme_range){0, pile.devs[0].dev->size});
		for (int i = 0; i < 4; i++) {
			const struct pme_dev *dev = pile_any(&pile);

			check_against_model(&pile, dev, pile_range(&pile, dev));
		}
		pile_done(&pile);
	}
}

static void check_hop(const struct pme_top *top, size_t i, const struct pme_dev *dev,
		      const char *kind, uint64_t start)
{
	assert_true(i < top->n_hops);
	assert_ptr_equal(top->hops[i].dev, dev);
	assert_string_equal(top->hops[i].kind, kind);
	assert_int_equal(top->hops[i].start, start);
}

static void check_end(const struct pme_top *top, enum pme_owner_kind owner, const char *words)
{
	bool unknown = owner == PME_OWNER_UNKNOWN;

	assert_false(top->at_fs);
	assert_int_equal(top->owner, owner);
	assert_int_equal(top->certainty, unknown ? PME_UNCERTAIN : PME_EXACT);
	if (words)
		assert_string_equal(unknown ? top->reason : top->detail, words);
}

static void a_whole_way_names_each_hop(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 1000);
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 100, 800);
	struct pme_dev *dm = snap_dm(snap, "dm-0");

	snap_line(dm, 8, "zero", strdup(""));
	snap_linear(dm, part, 10, 700);
	snap_mount(snap, dm, "xfs", "/srv");
	climb(snap, disk, (struct pme_range){SECTORS(200) + 7, 100}, &tops);
	assert_int_equal(tops.count, 1);
	assert_int_equal(tops.items[0].n_hops, 3);
	assert_int_equal(tops.items[0].length, 100);
	assert_true(tops.items[0].at_fs);
	check_hop(&tops.items[0], 0, disk, "disk", SECTORS(200) + 7);
	check_hop(&tops.items[0], 1, part, "partition", SECTORS(100) + 7);
	check_hop(&tops.items[0], 2, dm, "dm-linear", SECTORS(98) + 7);
}

static void bytes_with_two_users_have_two_tops(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *a = snap_dm(snap, "dm-0"), *b = snap_dm(snap, "dm-1");

	snap_linear(a, disk, 0, 50);
	snap_linear(b, disk, 40, 60);
	snap_mount(snap, a, "xfs", "/a");
	b->swap = true;
	climb(snap, disk, (struct pme_range){0, SECTORS(100)}, &tops);
	assert_int_equal(tops.count, 2);
	check_cover(&tops, disk, (struct pme_range){0, SECTORS(100)});
	assert_true(tops.items[0].at_fs);
	assert_int_equal(tops.items[0].length, SECTORS(50));
	check_hop(&tops.items[1], 0, disk, "disk", SECTORS(40));
	check_hop(&tops.items[1], 1, b, "dm-linear", 0);
	check_end(&tops.items[1], PME_OWNER_SWAP, NULL);
}

/* A mounted device that another one stands on: both are told. */
static void an_origin_and_its_user_are_both_told(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *dm = snap_dm(snap, "dm-0");

	snap_line(dm, 100, "of-another-world", pme_printf("259:%u", minor(disk->devno)));
	snap_stack(disk, dm);
	snap_mount(snap, disk, "xfs", "/srv");
	climb(snap, disk, (struct pme_range){512, 512}, &tops);
	assert_int_equal(tops.count, 2);
	check_end(&tops.items[0], PME_OWNER_UNKNOWN,
		  "device-mapper target 'of-another-world' of dm-0 is not followed");
	assert_true(tops.items[1].at_fs);
	assert_int_equal(tops.items[1].n_hops, 1);
}

static void gaps_between_users_are_told(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *dm = snap_dm(snap, "dm-0");

	snap_linear(dm, disk, 10, 10);
	snap_linear(dm, disk, 30, 10);
	snap_probe(snap, disk, 0, "LVM2_member", "raid", NULL);
	snap_mount(snap, dm, "xfs", "/srv");
	climb(snap, disk, (struct pme_range){SECTORS(15), SECTORS(30)}, &tops);
	check_cover(&tops, disk, (struct pme_range){SECTORS(15), SECTORS(30)});
	assert_int_equal(tops.count, 4);
	assert_true(tops.items[0].at_fs && tops.items[1].at_fs);
	check_hop(&tops.items[1], 1, dm, "dm-linear", SECTORS(10));
	check_hop(&tops.items[2], 0, disk, "disk", SECTORS(20));
	assert_int_equal(tops.items[2].length, SECTORS(10));
	check_hop(&tops.items[3], 0, disk, "disk", SECTORS(40));
	assert_int_equal(tops.items[3].length, SECTORS(5));
	check_end(&tops.items[3], PME_OWNER_UNKNOWN, NULL);
}

/* A gap in the middle of the stack: all hops begin where the gap does. */
static void a_gap_higher_up_has_right_hops(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 200);
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 50, 100);
	struct pme_dev *dm = snap_dm(snap, "dm-0");

	snap_linear(dm, part, 20, 20);
	dm->swap = true;
	climb(snap, disk, (struct pme_range){SECTORS(60), SECTORS(60)}, &tops);
	check_cover(&tops, disk, (struct pme_range){SECTORS(60), SECTORS(60)});
	assert_int_equal(tops.count, 3);
	check_hop(&tops.items[0], 0, disk, "disk", SECTORS(70));
	check_hop(&tops.items[1], 0, disk, "disk", SECTORS(60));
	check_hop(&tops.items[1], 1, part, "partition", SECTORS(10));
	check_hop(&tops.items[2], 0, disk, "disk", SECTORS(90));
	check_hop(&tops.items[2], 1, part, "partition", SECTORS(40));
	assert_int_equal(tops.items[2].length, SECTORS(30));
}

static void pieces_of_a_striped_range_have_right_hops(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *a = snap_disk(snap, "pmem0", 100), *b = snap_disk(snap, "pmem1", 100);
	struct pme_dev *dm = snap_dm(snap, "dm-0");

	snap_line(dm, 96, "striped",
		  pme_printf("2 8 259:%u 4 259:%u 0", minor(a->devno), minor(b->devno)));
	snap_stack(a, dm);
	snap_stack(b, dm);
	dm->swap = true;
	climb(snap, a, (struct pme_range){SECTORS(10), SECTORS(12)}, &tops);
	assert_int_equal(tops.count, 3);
	check_hop(&tops.items[0], 0, a, "disk", SECTORS(10));
	check_hop(&tops.items[0], 1, dm, "dm-striped", SECTORS(6));
	assert_int_equal(tops.items[0].length, SECTORS(2));
	check_hop(&tops.items[1], 0, a, "disk", SECTORS(12));
	check_hop(&tops.items[1], 1, dm, "dm-striped", SECTORS(16));
	assert_int_equal(tops.items[1].length, SECTORS(8));
	check_hop(&tops.items[2], 0, a, "disk", SECTORS(20));
	check_hop(&tops.items[2], 1, dm, "dm-striped", SECTORS(32));
	assert_int_equal(tops.items[2].length, SECTORS(2));
}

static void an_unknown_layer_is_unknown(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *other = snap_disk(snap, "bcache0", 90);

	snap_stack(disk, other);
	climb(snap, disk, (struct pme_range){0, 512}, &tops);
	assert_int_equal(tops.count, 1);
	assert_int_equal(tops.items[0].n_hops, 1);
	check_end(&tops.items[0], PME_OWNER_UNKNOWN,
		  "bcache0 is stacked on it in a way that is not followed");
}

static void a_layer_that_fails_is_unknown(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 0, 50);

	part->start = UINT64_MAX;
	climb(snap, disk, (struct pme_range){0, 512}, &tops);
	assert_int_equal(tops.count, 1);
	check_end(&tops.items[0], PME_OWNER_UNKNOWN,
		  "pmem0p1: cannot follow the partition mapping: Invalid argument");
}

/* The table is longer than the device: what leads behind its end is not believed. */
static void a_mapping_out_of_the_device_is_unknown(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 100);
	struct pme_dev *dm = snap_dm(snap, "dm-0");

	snap_linear(dm, disk, 0, 50);
	dm->size = SECTORS(20);
	snap_mount(snap, dm, "xfs", "/srv");
	climb(snap, disk, (struct pme_range){SECTORS(10), SECTORS(20)}, &tops);
	check_cover(&tops, disk, (struct pme_range){SECTORS(10), SECTORS(20)});
	assert_int_equal(tops.count, 1);
	check_end(&tops.items[0], PME_OWNER_UNKNOWN,
		  "the mapping of dm-0 leads outside of the device");
}

/* @n dm devices, one on the other. */
static struct pme_dev *add_tower(struct snapshot *snap, struct pme_dev *bottom, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct pme_dev *next;
		char name[16];

		snprintf(name, sizeof(name), "dm-%u", i);
		next = snap_dm(snap, name);
		snap_linear(next, bottom, 0, 8);
		bottom = next;
	}
	return bottom;
}

static void the_deepest_stack_is_climbed(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 8);

	add_tower(snap, disk, PME_CLIMB_DEPTH - 1)->swap = true;
	climb(snap, disk, (struct pme_range){512, 1024}, &tops);
	assert_int_equal(tops.count, 1);
	assert_int_equal(tops.items[0].n_hops, PME_CLIMB_DEPTH);
	check_end(&tops.items[0], PME_OWNER_SWAP, NULL);
}

static void deeper_stacks_are_unknown(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 8);

	add_tower(snap, disk, PME_CLIMB_DEPTH)->swap = true;
	climb(snap, disk, (struct pme_range){512, 1024}, &tops);
	assert_int_equal(tops.count, 1);
	assert_int_equal(tops.items[0].n_hops, PME_CLIMB_DEPTH);
	check_hop(&tops.items[0], 0, disk, "disk", 512);
	check_end(&tops.items[0], PME_OWNER_UNKNOWN, "more than 64 devices are stacked here");
}

static void bytes_of_a_region_reach_the_disk_and_its_metadata(void **state)
{
	_cleanup_(pme_tops_done) struct pme_tops tops;
	struct snapshot *snap = *state;
	struct pme_dev *region = snap_region(snap, "region0", 1 << 30, 1 << 20, "nmem0");
	struct pme_dev *disk = snap_namespace(snap, region, "namespace0.0", PME_MODE_FSDAX, 65536,
					      524288, 65536, "pmem0");

	disk->swap = true;
	climb(snap, region, (struct pme_range){0, 1 << 20}, &tops);
	check_cover(&tops, region, (struct pme_range){0, 1 << 20});
	assert_int_equal(tops.count, 4);
	check_end(&tops.items[0], PME_OWNER_NAMESPACE_METADATA,
		  "info block and page map of namespace0.0");
	check_hop(&tops.items[1], 0, region, "region", 131072);
	check_hop(&tops.items[1], 1, disk, "namespace", 0);
	check_end(&tops.items[2], PME_OWNER_UNUSED, "not in any namespace");
	assert_int_equal(tops.items[2].hops[0].start, 0);
	check_end(&tops.items[3], PME_OWNER_UNUSED, "not in any namespace");
	assert_int_equal(tops.items[3].hops[0].start, 65536 + 524288);
}

static void kinds_of_first_hops(void **state)
{
	static const char *const kinds[] = {
		[PME_DEV_DISK] = "disk",     [PME_DEV_PARTITION] = "partition",
		[PME_DEV_DM] = "dm",	     [PME_DEV_MD] = "md",
		[PME_DEV_REGION] = "region", [PME_DEV_CHARDEV] = "chardev",
	};

	for (unsigned int kind = 0; kind < PME_ARRAY_SIZE(kinds); kind++) {
		struct pme_dev dev = {.kind = kind};

		assert_string_equal(pme_hop_kind(&dev), kinds[kind]);
	}
}

/* A device is read once, and a failure is remembered like an answer. */
static void a_device_is_probed_once(void **state)
{
	struct snapshot *snap = *state;
	struct pme_dev *a = snap_disk(snap, "pmem0", 8), *b = snap_disk(snap, "pmem1", 8);
	const struct pme_probe *probe;
	int error = 0;

	snap_probe(snap, b, 0, "xfs", "filesystem", NULL);
	assert_non_null(pme_stack_probe(&snap->stack, a, &error));
	assert_int_equal(error, -EBADF);
	assert_int_equal(snap->stack.probes.count, 2);
	assert_non_null(pme_stack_probe(&snap->stack, a, &error));
	assert_int_equal(snap->stack.probes.count, 2);
	probe = pme_stack_probe(&snap->stack, b, &error);
	assert_int_equal(error, 0);
	assert_string_equal(probe->type, "xfs");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_stacks_are_as_modelled),
		TEST(a_whole_way_names_each_hop),
		TEST(bytes_with_two_users_have_two_tops),
		TEST(an_origin_and_its_user_are_both_told),
		TEST(gaps_between_users_are_told),
		TEST(a_gap_higher_up_has_right_hops),
		TEST(pieces_of_a_striped_range_have_right_hops),
		TEST(an_unknown_layer_is_unknown),
		TEST(a_layer_that_fails_is_unknown),
		TEST(a_mapping_out_of_the_device_is_unknown),
		TEST(the_deepest_stack_is_climbed),
		TEST(deeper_stacks_are_unknown),
		TEST(bytes_of_a_region_reach_the_disk_and_its_metadata),
		cmocka_unit_test(kinds_of_first_hops),
		TEST(a_device_is_probed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
