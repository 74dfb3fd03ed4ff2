/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/source.c: bad ranges of the kernel's lists, which are files of a made-up tree.
 */
#include "source-machine.h"

/* The lists of the kernel, for these selectors. */
static void read_kernel(struct machine *m, const char *selector)
{
	_cleanup_(pme_selection_done) struct pme_selection selection = {0};
	char *selectors[] = {(char *)selector};

	assert_int_equal(
		pme_select(m->snap.topo, selectors, selector ? 1 : 0, &m->snap.log, &selection), 0);
	assert_int_equal(pme_source_kernel(m->snap.topo, &selection, &m->snap.log, &m->bads), 0);
	assert_int_equal(pme_bads_merge(&m->bads), 0);
}

/* What became of the lists: "pmem0 complete region0 none ". */
static void check_states(const struct machine *m, const char *expected)
{
	_cleanup_free_ char *got = NULL;

	for (size_t i = 0; i < m->bads.n_lists; i++) {
		const struct pme_list *list = &m->bads.lists[i];

		assert_ptr_equal(pme_bads_list(&m->bads, list->dev), list);
		words_add(&got, list->dev->name);
		words_add(&got, pme_list_state_name(list->state));
	}
	assert_string_equal(got ? got : "", expected);
}

static void put_lists(struct machine *m, const char *disk, const char *region)
{
	if (disk)
		tree_file(&m->tree, "sys/class/block/pmem0/badblocks", disk);
	if (region)
		tree_file(&m->tree, "sys/bus/nd/devices/region0/badblocks", region);
}

/* 2 MiB of the region is byte 0 of the disk. */
static void a_region_speaks_of_its_disk(void **state)
{
	struct machine *m = *state;

	put_lists(m, "0 8\n", "4096 16\n");
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 2);
	check_bad(&m->bads, 0, m->disk, 0, 4096, PME_BY_BADBLOCKS | PME_BY_REGION);
	check_bad(&m->bads, 1, m->disk, 4096, 4096, PME_BY_REGION);
	check_states(m, "dax0.1 none pmem0 complete region0 complete ");
	assert_null(pme_bads_list(&m->bads, NULL));
	assert_int_equal(m->snap.log.count, 0);
}

/* From the unused front over the metadata into the data, and the devdax namespace. */
static void what_no_disk_has_stays_with_the_region(void **state)
{
	struct machine *m = *state;

	put_lists(m, "", "2040 16\n4088 16\n32768 8\n49144 16\n");
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 5);
	check_bad(&m->bads, 0, m->disk, 0, 4096, PME_BY_REGION);
	check_bad(&m->bads, 1, m->region, SECTORS(2040), SECTORS(16), PME_BY_REGION);
	check_bad(&m->bads, 2, m->region, SECTORS(4088), SECTORS(8), PME_BY_REGION);
	check_bad(&m->bads, 3, m->region, SECTORS(32768), SECTORS(8), PME_BY_REGION);
	check_bad(&m->bads, 4, m->region, SECTORS(49144), SECTORS(16), PME_BY_REGION);
}

/* Only namespaces whose device is selected are looked at. */
static void disks_that_are_not_selected_are_left_out(void **state)
{
	struct machine *m = *state;
	struct pme_dev *other = snap_namespace(&m->snap, m->region, "namespace0.2", PME_MODE_RAW,
					       24 * MIB, 4 * MIB, 0, "pmem2");

	put_lists(m, "0 8\n", "49152 8\n4096 8\n");
	tree_file(&m->tree, "sys/class/block/pmem2/badblocks", "");
	read_kernel(m, "pmem2");
	assert_int_equal(m->bads.count, 1);
	check_bad(&m->bads, 0, other, 0, 4096, PME_BY_REGION);
}

static void without_addresses_all_stays_with_the_region(void **state)
{
	struct machine *m = *state;

	((struct pme_region *)m->region->region)->resource = PME_UNKNOWN;
	put_lists(m, "8 8\n", "4096 16\n");
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 2);
	check_bad(&m->bads, 0, m->disk, 4096, 4096, PME_BY_BADBLOCKS);
	check_bad(&m->bads, 1, m->region, 2 * MIB, 8192, PME_BY_REGION);
}

/* @states: "DISK REGION" */
static void check_two_states(const struct machine *m, const char *states)
{
	const char *blank = strchr(states, ' ');
	_cleanup_free_ char *expected = pme_printf("dax0.1 none pmem0 %.*s region0 %s ",
						   (int)(blank - states), states, blank + 1);

	assert_non_null(expected);
	check_states(m, expected);
}

/* Lists that stop too early, make no sense or are not there: said, and never "complete". */
static void lists_that_are_not_whole(void **state)
{
	static const struct {
		const char *disk, *region, *subject, *words;
		size_t bads;
		const char *states;
	} cases[] = {
		{"0 8\n16 1", "", "pmem0",
		 "the kernel's list of bad blocks is cut off at 4095 bytes: at least 1 entries, "
		 "more are not shown; clear or replace what is listed, then scan again",
		 1, "clipped complete"},
		{"0 8\nx 1\n", "", "pmem0",
		 "the kernel's list of bad blocks is malformed in line 2", 0,
		 "unreadable complete"},
		{"", "0 8\n65536 1\n", "region0",
		 "the kernel lists bad blocks behind the end of the device", 1,
		 "complete complete"},
		{"14335 2\n", "", "pmem0",
		 "the kernel lists bad blocks behind the end of the device", 1,
		 "complete complete"},
		{NULL, "", "pmem0", "cannot read badblocks: No such file or directory", 0,
		 "unreadable complete"},
		{"", NULL, "region0", "cannot read badblocks: No such file or directory", 0,
		 "complete unreadable"},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		put_lists(m, cases[i].disk, cases[i].region);
		read_kernel(m, NULL);
		assert_int_equal(m->bads.count, cases[i].bads);
		assert_int_equal(m->snap.log.count, 1);
		assert_string_equal(snap_message(&m->snap, cases[i].subject), cases[i].words);
		assert_true(m->snap.log.incomplete);
		assert_false(m->snap.log.failed);
		check_two_states(m, cases[i].states);
		pme_bads_done(&m->bads);
		pme_log_done(&m->snap.log);
		unlinkat(m->tree.os.root, "sys/class/block/pmem0/badblocks", 0);
		unlinkat(m->tree.os.root, "sys/bus/nd/devices/region0/badblocks", 0);
	}
}

/* 512 entries are all that the kernel's table holds; 4095 bytes all that it shows. */
static void full_and_clipped_tables(void **state)
{
	struct machine *m = *state;
	char full[8192] = "", clipped[4096];
	size_t used = 0;

	for (int i = 0; i < 512; i++)
		used += (size_t)snprintf(full + used, sizeof(full) - used, "%d 1\n", 2 * i);
	memset(clipped, '\n', 4095);
	clipped[4095] = '\0';
	memcpy(clipped, "8 8", 3);
	used = strlen(full);
	assert_true(used < 4095);
	put_lists(m, full, clipped);
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 513);
	assert_string_equal(snap_message(&m->snap, "pmem0"),
			    "the kernel's table of bad blocks is full (512 entries): later errors "
			    "were dropped; clear or replace what is listed, then scrub");
	assert_string_equal(snap_message(&m->snap, "region0"),
			    "the kernel's list of bad blocks is cut off at 4095 bytes: at least 1 "
			    "entries, more are not shown; clear or replace what is listed, then "
			    "scan again");
	check_states(m, "dax0.1 none pmem0 full region0 clipped ");
	assert_true(m->snap.log.incomplete);
}

/* A disk of another kind: whether its kernel driver keeps a list is no fault. */
static void disks_without_a_list(void **state)
{
	struct machine *m = *state;

	snap_disk(&m->snap, "sda", 100);
	read_kernel(m, "sda");
	assert_int_equal(m->bads.count, 0);
	assert_string_equal(snap_message(&m->snap, "sda"),
			    "the kernel keeps no list of bad blocks for this device");
	assert_false(m->snap.log.incomplete);
}

/* Its bad blocks are in lists of devices that are not known: not the same as no bad blocks. */
static void volumes_on_nothing_are_incomplete(void **state)
{
	struct machine *m = *state;
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	snap_line(dm, 8, "linear", strdup("8:1 0"));
	read_kernel(m, "dm-0");
	assert_string_equal(snap_message(&m->snap, "dm-0"),
			    "the devices below it are not known: their bad blocks are not read");
	assert_true(m->snap.log.incomplete);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_region_speaks_of_its_disk),
		TEST(what_no_disk_has_stays_with_the_region),
		TEST(disks_that_are_not_selected_are_left_out),
		TEST(without_addresses_all_stays_with_the_region),
		TEST(lists_that_are_not_whole),
		TEST(full_and_clipped_tables),
		TEST(disks_without_a_list),
		TEST(volumes_on_nothing_are_incomplete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
