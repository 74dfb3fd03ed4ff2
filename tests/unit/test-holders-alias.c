/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/holders-alias.c: what descriptors and mappings of overlay files are of.
 */
#include "holders-alias.h"

#include "check.h"

#define OVERLAY 39
#define LOWER 133
#define UPPER 4711

struct fixture {
	struct pme_file lower, upper, other;
	struct pme_alias alias_lower, alias_upper, alias_other[2];
	struct pme_aliases aliases;
};

/* A lower file with a copy that has its number, and a file that may be shown. */
static int setup(void **state)
{
	static struct fixture f;
	struct pme_file *files[] = {&f.lower, &f.upper, &f.other};

	f = (struct fixture){
		.lower = {.inode = LOWER, .nlink = 1, .mode = S_IFREG, .n_aliases = 1},
		.upper = {.inode = UPPER, .nlink = 1, .mode = S_IFREG, .n_aliases = 1},
		.other = {.inode = 1, .nlink = 1, .mode = S_IFREG, .n_aliases = 2},
		.alias_lower = {PME_ALIAS_STAMP, OVERLAY, OVERLAY, LOWER, {1000, 5}},
		.alias_upper = {PME_ALIAS_SURE, OVERLAY, OVERLAY, UPPER, {2000, 5}},
		.alias_other = {{PME_ALIAS_DOUBT, OVERLAY, OVERLAY, 1, {7, 7}},
				{PME_ALIAS_STAMP, 41, 40, 1, {7, 7}}},
	};
	f.lower.aliases = &f.alias_lower;
	f.upper.aliases = &f.alias_upper;
	f.other.aliases = f.alias_other;
	*state = &f;
	return pme_aliases_make(files, 3, &f.aliases);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pme_aliases_done(&f->aliases);
	return 0;
}

static int find(const struct fixture *f, dev_t devno, uint64_t inode, time_t ctime, uint64_t mapped,
		struct pme_file **ret)
{
	const struct stat st = {
		.st_dev = devno,
		.st_ino = inode,
		.st_nlink = 1,
		.st_ctim = {ctime, 5},
	};

	*ret = NULL;
	return pme_aliases_find(&f->aliases, &st, mapped, ret);
}

static void test_lower(void **state)
{
	struct fixture *f = *state;
	struct pme_file *file;

	assert_int_equal(find(f, OVERLAY, LOWER, 1000, 0, &file), 1);
	assert_ptr_equal(file, &f->lower);
	assert_int_equal(find(f, OVERLAY, LOWER, 1000, LOWER, &file), 1);
	assert_ptr_equal(file, &f->lower);
	/* it was copied: a descriptor has gone on to the copy, a mapping may be of either */
	assert_int_equal(find(f, OVERLAY, LOWER, 3000, 0, &file), 0);
	assert_int_equal(find(f, OVERLAY, LOWER, 3000, LOWER, &file), -EAGAIN);
}

static void test_upper(void **state)
{
	struct fixture *f = *state;
	struct pme_file *file;

	assert_int_equal(find(f, OVERLAY, UPPER, 9999, 0, &file), 1);
	assert_ptr_equal(file, &f->upper);
	assert_int_equal(find(f, OVERLAY, UPPER, 9999, UPPER, &file), 1);
	/* maps shows the number that the file had before the copy */
	assert_int_equal(find(f, OVERLAY, UPPER, 9999, LOWER, &file), -EAGAIN);
	/* a copy that goes by the number of the lower one */
	f->alias_upper.inode = LOWER;
	assert_int_equal(find(f, OVERLAY, LOWER, 2000, 0, &file), 1);
	assert_ptr_equal(file, &f->upper);
	assert_int_equal(find(f, OVERLAY, LOWER, 2000, LOWER, &file), -EAGAIN);
}

static void test_unlinked(void **state)
{
	struct fixture *f = *state;
	struct stat st = {.st_dev = OVERLAY, .st_ino = UPPER};
	struct pme_file *file = NULL;

	f->upper.nlink = 0;
	assert_int_equal(find(f, OVERLAY, UPPER, 0, 0, &file), -EAGAIN);
	assert_int_equal(pme_aliases_find(&f->aliases, &st, 0, &file), 1);
	assert_ptr_equal(file, &f->upper);
}

static void test_others(void **state)
{
	struct fixture *f = *state;
	struct pme_file *file;

	assert_int_equal(find(f, OVERLAY, 1, 7, 0, &file), -EAGAIN);
	assert_int_equal(find(f, OVERLAY, 2, 7, 0, &file), 0);
	assert_int_equal(find(f, 38, LOWER, 1000, 0, &file), 0);
	assert_true(pme_aliases_shows(&f->aliases, OVERLAY));
	assert_true(pme_aliases_shows(&f->aliases, 40));
	assert_false(pme_aliases_shows(&f->aliases, 41)); /* only stat(2) has it */
}

static void test_none(void **state)
{
	struct pme_aliases aliases;
	struct pme_file file = {0}, *found;
	struct pme_file *files[] = {&file};
	const struct stat st = {.st_dev = OVERLAY};

	assert_int_equal(pme_aliases_make(files, 1, &aliases), 0);
	assert_int_equal(aliases.count, 0);
	assert_false(pme_aliases_shows(&aliases, OVERLAY));
	assert_int_equal(pme_aliases_find(&aliases, &st, 0, &found), 0);
	pme_aliases_done(&aliases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lower, setup, teardown),
		cmocka_unit_test_setup_teardown(test_upper, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unlinked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
