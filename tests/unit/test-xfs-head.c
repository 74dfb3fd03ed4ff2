/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/xfs-head.c: what records of the reverse map say of the first bytes of a file, and which files
 * are asked about.
 *
 * pme_os_ioctl() and pme_xfs_fsmap_read() are wrapped by the linker.
 */
#include "xfs-head.h"

#include <linux/fs.h>

#include "check.h"
#include "os.h"

#define BLOCK 4096ULL
#define INO 77

static struct {
	struct fsxattr attr;
	int error;
	struct fsmap records[4];
	size_t n_records;
	struct pme_range window; /* that was asked about */
} play;

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_xfs_fsmap_read(int fd, dev_t dev, struct pme_range window,
			      struct pme_xfs_records *ret);

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	assert_int_equal(fd, 5);
	assert_int_equal(request, FS_IOC_FSGETXATTR);
	memcpy(arg, &play.attr, sizeof(play.attr));
	return play.error;
}

int __wrap_pme_xfs_fsmap_read(int fd, dev_t dev, struct pme_range window,
			      struct pme_xfs_records *ret)
{
	assert_int_equal(fd, 5);
	assert_int_equal(dev, 8);
	play.window = window;
	for (size_t i = 0; i < play.n_records; i++)
		assert_int_equal(pme_xfs_records_add(ret, &play.records[i]), 0);
	return play.error;
}

static const struct pme_xfs_geo geo = {.block_size = BLOCK, .size = 1000 * BLOCK};
static const struct pme_xfs_asked asked = {.fd = 5, .dev = 8, .ino = INO, .geo = &geo};

static void test_far(void **state)
{
	(void)state;
	play.error = 0;
	play.attr = (struct fsxattr){.fsx_nextents = 200000};
	assert_true(pme_xfs_head_is_far(5));
	play.attr.fsx_xflags = FS_XFLAG_REALTIME;
	assert_false(pme_xfs_head_is_far(5));
	play.attr = (struct fsxattr){.fsx_nextents = 200};
	assert_false(pme_xfs_head_is_far(5));
	play.attr.fsx_nextents = 200000;
	play.error = -ENOTTY;
	assert_false(pme_xfs_head_is_far(5));
}

static int is_at(const struct fsmap *records, size_t count, struct pme_range place)
{
	play.n_records = count;
	for (size_t i = 0; i < count; i++)
		play.records[i] = records[i];
	return pme_xfs_head_is_at(&asked, place);
}

static void test_place(void **state)
{
	static const struct {
		struct fsmap record;
		int expected;
	} cases[] = {
		{{.fmr_physical = 9 * BLOCK, .fmr_length = BLOCK, .fmr_owner = INO}, 1},
		{{.fmr_physical = 9 * BLOCK, .fmr_length = 7 * BLOCK, .fmr_owner = INO}, 1},
		{{.fmr_flags = FMR_OF_SHARED,
		  .fmr_physical = 9 * BLOCK,
		  .fmr_length = BLOCK,
		  .fmr_owner = INO},
		 1},
		{{.fmr_physical = 9 * BLOCK, .fmr_length = BLOCK, .fmr_owner = INO + 1}, 0},
		{{.fmr_physical = 8 * BLOCK, .fmr_length = 2 * BLOCK, .fmr_owner = INO}, 0},
	};
	const uint32_t flags[] = {FMR_OF_PREALLOC, FMR_OF_ATTR_FORK, FMR_OF_EXTENT_MAP,
				  FMR_OF_SPECIAL_OWNER};
	struct pme_range place = {9 * BLOCK, BLOCK};

	(void)state;
	play.error = 0;
	assert_int_equal(is_at(NULL, 0, place), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		assert_int_equal(is_at(&cases[i].record, 1, place), cases[i].expected);
	for (size_t i = 0; i < PME_ARRAY_SIZE(flags); i++) {
		struct fsmap record = cases[0].record;

		record.fmr_flags = flags[i];
		assert_int_equal(is_at(&record, 1, place), 0);
	}
}

/* The place in the file counts; of several owners one is enough; errors are handed on. */
static void test_owners(void **state)
{
	struct fsmap records[] = {
		{.fmr_physical = 9 * BLOCK, .fmr_length = BLOCK, .fmr_owner = INO - 1},
		{.fmr_physical = 9 * BLOCK, .fmr_length = BLOCK, .fmr_owner = INO},
	};
	struct pme_range place = {9 * BLOCK, BLOCK};

	(void)state;
	play.error = 0;
	assert_int_equal(is_at(records, 2, place), 1);
	records[1].fmr_offset = BLOCK;
	assert_int_equal(is_at(records, 2, place), 0);
	records[1].fmr_offset = 0;
	assert_int_equal(is_at(records, 2, (struct pme_range){9 * BLOCK, BLOCK + 1}), 0);
	play.error = -EIO;
	assert_int_equal(is_at(records, 2, place), -EIO);
}

static void test_window(void **state)
{
	static const struct {
		struct pme_range place, window;
	} cases[] = {
		{{9 * BLOCK, 100}, {9 * BLOCK, BLOCK}},
		{{9 * BLOCK + 512, BLOCK}, {9 * BLOCK, 2 * BLOCK}},
		{{999 * BLOCK, 2 * BLOCK}, {999 * BLOCK, BLOCK}},
		{{1000 * BLOCK, BLOCK}, {0, 0}}, /* nothing is asked */
	};

	(void)state;
	play.error = 0;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		play.window = (struct pme_range){0};
		assert_int_equal(is_at(NULL, 0, cases[i].place), 0);
		assert_int_equal(play.window.start, cases[i].window.start);
		assert_int_equal(play.window.length, cases[i].window.length);
	}
}

static void test_map(void **state)
{
	struct pme_range place = {9 * BLOCK, BLOCK};

	(void)state;
	play.error = 0;
	play.n_records = 1;
	play.records[0] = (struct fsmap){
		.fmr_flags = FMR_OF_EXTENT_MAP,
		.fmr_physical = 9 * BLOCK,
		.fmr_length = BLOCK,
		.fmr_owner = INO,
	};
	assert_int_equal(pme_xfs_head_has_map(&asked, place), 1);
	play.records[0].fmr_owner++;
	assert_int_equal(pme_xfs_head_has_map(&asked, place), 0);
	play.records[0].fmr_owner--;
	play.records[0].fmr_flags = 0;
	assert_int_equal(pme_xfs_head_has_map(&asked, place), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_far),    cmocka_unit_test(test_place),
		cmocka_unit_test(test_owners), cmocka_unit_test(test_window),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
