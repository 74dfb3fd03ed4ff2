/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions that a block device stands on, in a made-up sysfs.
 */
#include "bases.h"

#include "check.h"
#include "tree.h"

#define DEVICES "sys/devices/"
#define PMEM(n) DEVICES "LNX/ndbus0/region" n "/pfn" n ".0/block/pmem" n

/* A device at @path below the tree, with its number; "sys/dev/block" and "sys/class/block" lead
 * there. */
static void add(struct tree *tree, const char *path, const char *number)
{
	_cleanup_free_ char *by_number = pme_printf("sys/dev/block/%s", number);
	_cleanup_free_ char *by_name = pme_printf("sys/class/block/%s", strrchr(path, '/') + 1);
	_cleanup_free_ char *target = pme_printf("../../../%s", path);

	tree_dir(tree, path);
	tree_link(tree, by_number, target);
	tree_link(tree, by_name, target);
}

static void put_on(struct tree *tree, const char *upper, const char *lower)
{
	_cleanup_free_ char *path = pme_printf("%s/slaves/%s", upper, lower);

	tree_dir(tree, path);
}

static int set_up(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	tree_init(tree);
	add(tree, PMEM("0"), "259:0");
	add(tree, PMEM("1"), "259:1");
	add(tree, PMEM("1") "/pmem1p1", "259:2");
	add(tree, DEVICES "pci/sda", "8:0");
	add(tree, DEVICES "virtual/block/loop0", "7:0");
	add(tree, DEVICES "virtual/block/dm-0", "253:0");
	add(tree, DEVICES "virtual/block/md0", "9:0");
	add(tree, DEVICES "virtual/block/md0/md0p1", "259:3");
	tree_file(tree, DEVICES "virtual/block/md0/md0p1/partition", "1\n");
	put_on(tree, DEVICES "virtual/block/dm-0", "pmem0");
	put_on(tree, DEVICES "virtual/block/dm-0", "pmem1p1");
	put_on(tree, DEVICES "virtual/block/md0", "dm-0");
	put_on(tree, DEVICES "virtual/block/md0", "sda");
	*state = tree;
	return 0;
}

static int tear_down(void **state)
{
	tree_done(*state);
	free(*state);
	return 0;
}

static void found(void *arg, const char *region)
{
	words_add(arg, region);
}

static void check(struct tree *tree, unsigned int major, unsigned int minor, int expected,
		  const char *regions)
{
	_cleanup_free_ char *words = pme_printf("%s", "");

	assert_int_equal(pmed_bases(&tree->os, major, minor, found, &words), expected);
	assert_string_equal(words, regions);
}

static void test_known(void **state)
{
	check(*state, 259, 0, 0, "region0 ");
	check(*state, 259, 2, 0, "region1 ");
	check(*state, 8, 0, 0, "");
	check(*state, 8, 1, 0, ""); /* gone */
	check(*state, 253, 0, 0, "region0 region1 ");
	check(*state, 9, 0, 0, "region0 region1 ");
	check(*state, 259, 3, 0, "region0 region1 "); /* a partition of an array */
}

static void test_unknown(void **state)
{
	check(*state, 0, 42, -ENODATA, ""); /* btrfs */
	check(*state, 7, 0, -ENODATA, "");
	put_on(*state, DEVICES "virtual/block/md0", "loop0");
	check(*state, 9, 0, -ENODATA, "region0 region1 ");
}

/* No kernel has such: the walk ends all the same. */
static void test_circle(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ char *words = pme_printf("%s", "");

	put_on(tree, DEVICES "virtual/block/dm-0", "md0");
	assert_int_equal(pmed_bases(&tree->os, 9, 0, found, &words), -ENODATA);
	assert_true(strlen(words) < 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_circle, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
