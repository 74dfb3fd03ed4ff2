/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/select.c: every kind of selector, on a machine with two regions, four namespaces and a volume
 * over two of them.
 */
#include "select.h"

#include "snapshot.h"

#define MIB (1ULL << 20)

static int setup(void **state)
{
	static struct snapshot snap;
	struct pme_dev *region0, *region1, *disk0, *disk1, *dm;

	snap_init(&snap, NULL);
	region0 = snap_region(&snap, "region0", 1 << 30, 64 * MIB, "nmem0");
	region1 = snap_region(&snap, "region1", 2ULL << 30, 64 * MIB, "nmem1");
	disk0 = snap_namespace(&snap, region0, "namespace0.0", PME_MODE_FSDAX, 0, 16 * MIB, MIB,
			       "pmem0");
	disk1 = snap_namespace(&snap, region1, "namespace1.0", PME_MODE_FSDAX, 0, 16 * MIB, MIB,
			       "pmem1");
	snap_namespace(&snap, region1, "namespace1.1", PME_MODE_DEVDAX, 16 * MIB, 16 * MIB, MIB,
		       "dax1.1");
	snap_namespace(&snap, region1, "namespace1.2", PME_MODE_FSDAX, 32 * MIB, 16 * MIB, MIB,
		       NULL);
	snap_partition(&snap, disk0, "pmem0p1", 2048, 1000);
	dm = snap_dm(&snap, "dm-0");
	dm->alias = strdup("vg0/data");
	snap_linear(dm, disk0, 8192, 1000);
	snap_linear(dm, disk1, 0, 1000);
	snap_mount(&snap, disk1, "ext4", "/srv");
	snap_mount(&snap, dm, "xfs", "/srv");
	snap_disk(&snap, "sda", 1000);
	*state = &snap;
	return 0;
}

static int teardown(void **state)
{
	snap_done(*state);
	return 0;
}

/* Names of the devices, with a blank behind each. */
static void check_list(const struct pme_dev_list *list, const char *names)
{
	_cleanup_free_ char *got = NULL;

	for (size_t i = 0; i < list->count; i++)
		words_add(&got, list->items[i]->name);
	assert_string_equal(got ? got : "", names);
}

static int choose(struct snapshot *snap, const char *const *selectors, struct pme_selection *ret)
{
	size_t count = 0;

	while (selectors[count])
		count++;
	*ret = (struct pme_selection){0};
	return pme_select(snap->topo, (char *const *)selectors, count, &snap->log, ret);
}

#define EVERYTHING "dax1.1 pmem0 pmem1 region0 region1 "
#define REGION1 "dax1.1 pmem1 region1 "

static void every_kind_of_selector(void **state)
{
	static const struct {
		const char *selectors[4];
		const char *bases, *passing;
	} cases[] = {
		{{NULL}, EVERYTHING, ""},
		{{"pmem0"}, "pmem0 region0 ", "pmem0 "},
		{{"/dev/pmem0"}, "pmem0 region0 ", "pmem0 "},
		{{"namespace0.0"}, "pmem0 region0 ", "pmem0 "},
		{{"namespace1.1"}, "dax1.1 region1 ", "dax1.1 "},
		{{"dax1.1"}, "dax1.1 region1 ", "dax1.1 "},
		{{"pmem0p1"}, "pmem0 region0 ", "pmem0p1 "},
		{{"region1"}, REGION1, "region1 pmem1 dax1.1 "},
		{{"nmem1"}, REGION1, "region1 pmem1 dax1.1 "},
		{{"vg0/data"}, "pmem0 pmem1 region0 region1 ", "dm-0 "},
		{{"vg0-data"}, "pmem0 pmem1 region0 region1 ", "dm-0 "},
		{{"dm-0"}, "pmem0 pmem1 region0 region1 ", "dm-0 "},
		{{"/dev/mapper/vg0-data"}, "pmem0 pmem1 region0 region1 ", "dm-0 "},
		{{"/srv"}, "pmem0 pmem1 region0 region1 ", "dm-0 "}, /* the upper of two mounts */
		{{"/srv/"}, "pmem0 pmem1 region0 region1 ", "dm-0 "},
		{{"/srv///"}, "pmem0 pmem1 region0 region1 ", "dm-0 "},
		{{"sda"}, "sda ", "sda "},
		{{"pmem0", "pmem0", "namespace0.0"}, "pmem0 region0 ", "pmem0 "},
		{{"region1", "pmem1"}, REGION1, "region1 pmem1 dax1.1 "},
	};
	struct snapshot *snap = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_selection_done) struct pme_selection selection;

		assert_int_equal(choose(snap, cases[i].selectors, &selection), 0);
		check_list(&selection.bases, cases[i].bases);
		check_list(&selection.passing, cases[i].passing);
	}
	assert_int_equal(snap->log.count, 0);
}

/* What one selector asks for is not taken away by another. */
static void selectors_add_up(void **state)
{
	_cleanup_(pme_selection_done) struct pme_selection selection;
	struct snapshot *snap = *state;

	assert_int_equal(choose(snap, (const char *[]){"pmem0p1", "region1", NULL}, &selection), 0);
	check_list(&selection.bases, "dax1.1 pmem0 pmem1 region0 region1 ");
	check_list(&selection.passing, "pmem0p1 region1 pmem1 dax1.1 ");
}

static void a_disabled_namespace_is_its_region(void **state)
{
	_cleanup_(pme_selection_done) struct pme_selection selection;
	struct snapshot *snap = *state;

	assert_int_equal(choose(snap, (const char *[]){"namespace1.2", NULL}, &selection), 0);
	check_list(&selection.bases, REGION1);
	assert_string_equal(snap_message(snap, "namespace1.2"),
			    "the namespace is disabled: only its region is read");
	assert_true(snap->log.incomplete);
	assert_false(snap->log.failed);
}

static void what_is_not_there_is_said(void **state)
{
	static const char *const unknown[] = {
		"pmem9", "/dev/pmem9", "/dev/pmem0/", "region9", "nmem9", "nmem", "namespace9.9",
		"/sr",	 "/srv/a",     "srv",	      "",	 "/",	  "//",	  "vg0/other",
	};
	struct snapshot *snap = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(unknown); i++) {
		_cleanup_(pme_selection_done) struct pme_selection selection;

		assert_int_equal(choose(snap, (const char *[]){unknown[i], NULL}, &selection),
				 -ENODEV);
		assert_string_equal(snap_message(snap, unknown[i]),
				    "no such device, namespace, region, DIMM or mount point");
		assert_int_equal(selection.bases.count, 0);
	}
	assert_true(snap->log.failed);
}

/* All of them are looked at, so that every wrong one is said at once. */
static void every_unknown_selector_is_said(void **state)
{
	_cleanup_(pme_selection_done) struct pme_selection selection;
	struct snapshot *snap = *state;

	assert_int_equal(choose(snap, (const char *[]){"a", "pmem0", "b", NULL}, &selection),
			 -ENODEV);
	assert_non_null(snap_message(snap, "a"));
	assert_non_null(snap_message(snap, "b"));
	assert_null(snap_message(snap, "pmem0"));
}

static void the_root_directory_is_a_mount_point(void **state)
{
	_cleanup_(pme_selection_done) struct pme_selection selection;
	struct snapshot *snap = *state;

	snap_mount(snap, pme_topo_find(snap->topo, "sda"), "ext4", "/");
	assert_int_equal(choose(snap, (const char *[]){"//", NULL}, &selection), 0);
	check_list(&selection.bases, "sda ");
}

/* A mount of something that is no block device hides the one below it. */
static void a_hidden_mount_is_not_taken(void **state)
{
	_cleanup_(pme_selection_done) struct pme_selection selection;
	struct pme_dev tmpfs = {.name = (char *)"tmpfs", .devno = 0x7777};
	struct snapshot *snap = *state;

	snap_mount(snap, &tmpfs, "tmpfs", "/srv");
	assert_int_equal(choose(snap, (const char *[]){"/srv", NULL}, &selection), -ENODEV);
}

static void devices_are_listed_once(void **state)
{
	struct pme_dev a = {.name = (char *)"a"}, b = {.name = (char *)"b"};
	struct pme_dev_list list = {0};

	assert_int_equal(pme_dev_list_add(&list, &a), 0);
	assert_int_equal(pme_dev_list_add(&list, &a), 0);
	assert_int_equal(list.count, 1);
	assert_true(pme_dev_list_has(&list, &a));
	assert_false(pme_dev_list_has(&list, &b));
	free(list.items);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_kind_of_selector),
		TEST(selectors_add_up),
		TEST(a_disabled_namespace_is_its_region),
		TEST(what_is_not_there_is_said),
		TEST(every_unknown_selector_is_said),
		TEST(the_root_directory_is_a_mount_point),
		TEST(a_hidden_mount_is_not_taken),
		cmocka_unit_test(devices_are_listed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
