/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sources make of what they hear: uevents, the table of mounts, paths of regions.
 */
#include "check.h"
#include "lists.h"
#include "tables.h"
#include "uevent.h"

#define INVENTORY PMED_UEVENT_INVENTORY
#define STACK PMED_UEVENT_STACK
#define DISK PMED_UEVENT_DISK

static void test_uevents(void **state)
{
	static const struct {
		struct pmed_uevent event;
		unsigned int means;
	} cases[] = {
		{{"add", "nd", "namespace0.0"}, INVENTORY},
		{{"unbind", "nd", "pfn0.1"}, INVENTORY},
		{{"remove", "nd", "nmem3"}, INVENTORY},
		{{"bind", "dax", "dax0.0"}, INVENTORY | STACK},
		{{"remove", "cxl", "mem0"}, INVENTORY},
		{{"add", "block", "pmem0"}, INVENTORY | STACK | DISK},
		{{"remove", "block", "pmem0s"}, INVENTORY | STACK},
		{{"change", "block", "pmem0"}, STACK},
		{{"change", "block", "dm-3"}, STACK},
		{{"add", "block", "md127"}, INVENTORY | STACK},
		{{"change", "block", "md127"}, STACK},
		{{"remove", "block", "md127"}, STACK},
		{{"change", "block", "loop0"}, STACK},
		{{"add", "block", "loop0"}, 0},
		{{"add", "block", "sda"}, 0},
		{{"add", "net", "pmem0"}, 0},
		{{"dance", "nd", "region0"}, 0},
		{{NULL, "nd", "region0"}, 0},
		{{"add", NULL, "region0"}, 0},
		{{"add", "nd", NULL}, 0},
		{{"add", "", ""}, 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		if (pmed_uevent_means(&cases[i].event) != cases[i].means)
			fail_msg("case %zu: %u", i, pmed_uevent_means(&cases[i].event));
}

static uint64_t sum(const char *text)
{
	return pmed_mounts_sum(text, strlen(text));
}

#define PROC "22 1 0:20 / /proc rw shared:5 - proc proc rw\n"
#define ROOT "1 0 259:1 / / rw shared:1 - xfs /dev/pmem0 rw\n"
#define DATA "3 0 259:2 / /a rw - ext4 /dev/mapper/a rw\n"

static void test_mounts(void **state)
{
	assert_true(sum(ROOT PROC) == sum(ROOT));
	assert_true(sum(ROOT DATA) == sum(DATA PROC ROOT));
	assert_true(sum(ROOT) != sum(ROOT DATA));
	assert_true(sum(ROOT) != sum(DATA));
	assert_true(sum("") == 0);
	assert_true(sum("\n\n - \n - x\n - x \n-") == 0);
	assert_true(sum("1 2 - ext4 /dev/sda") != 0); /* cut in the middle */
	assert_true(pmed_mounts_sum("1 2 - ext4 /dev/sda", 11) == 0);
}

static void test_numbers(void **state)
{
	static const char text[] = ROOT PROC DATA ROOT "4 0 0:33 / /b rw - btrfs /dev/vda rw";
	struct pmed_numbers numbers = {0};

	assert_int_equal(pmed_mounts_parse(text, strlen(text), &numbers), 0);
	assert_int_equal(numbers.count, 3);
	assert_true(pmed_numbers_has(&numbers, &(struct pmed_number){259, 1}));
	assert_true(pmed_numbers_has(&numbers, &(struct pmed_number){259, 2}));
	assert_true(pmed_numbers_has(&numbers, &(struct pmed_number){0, 33}));
	assert_false(pmed_numbers_has(&numbers, &(struct pmed_number){0, 20}));
	pmed_numbers_done(&numbers);
	assert_int_equal(pmed_mounts_parse("", 0, &numbers), 0);
	assert_false(pmed_numbers_has(&numbers, &(struct pmed_number){0, 0}));
	assert_int_equal(pmed_mounts_parse("1 2 - ext4 /dev/sda", 19, &numbers), -EINVAL);
	assert_int_equal(pmed_mounts_parse("1 2 8:x - ext4 /dev/sda", 23, &numbers), -EINVAL);
	assert_int_equal(pmed_mounts_parse("1 2 8:4294967296 - ext4 /d", 26, &numbers), -EINVAL);
}

#define ARRAY(state, more)                                            \
	"Personalities : [raid1]\n"                                   \
	"md0 : active raid1 pmem1[1]" state " pmem0[0]\n      65472 " \
	"blocks super 1.2 [2/2] [UU]\n" more "\nunused devices: <none>\n"
#define RESYNC(done) "      [==>..]  resync = " done "% (8/64) finish=0.1min speed=8K/sec\n"

static uint64_t arrays(const char *text)
{
	return pmed_arrays_sum(text, strlen(text));
}

static void test_arrays(void **state)
{
	assert_true(arrays(ARRAY("", "")) != arrays(ARRAY("(F)", "")));
	assert_true(arrays(ARRAY("", "")) != arrays(""));
	assert_true(arrays(ARRAY("", RESYNC("1.0"))) == arrays(ARRAY("", RESYNC("2.0"))));
	assert_true(arrays(ARRAY("", RESYNC("1.0"))) == arrays(ARRAY("", "")));
	assert_true(arrays(ARRAY("", "      bitmap: 0/1 pages\n")) == arrays(ARRAY("", "")));
}

static void test_regions(void **state)
{
	static const char *const cases[][2] = {
		{"../devices/platform/e820_pmem/ndbus0/region0/namespace0.0/block/pmem0",
		 "region0"},
		{"../devices/root0/decoder0.0/region7/pmem_region7/ndbus1/region12/pfn12.0/block/p",
		 "region12"},
		{"region3", "region3"},
		{"../devices/virtual/block/loop0", NULL},
		{"a/region/b", NULL},
		{"a/region1x/b", NULL},
		{"a/region99999999999999999999999999999/b", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *region = pmed_region_of_path(cases[i][0]);

		if (cases[i][1])
			assert_string_equal(region, cases[i][1]);
		else
			assert_null(region);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uevents), cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
