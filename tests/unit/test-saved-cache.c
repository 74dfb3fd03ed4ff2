/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/saved-cache.c: versions are opened once, and not those of all files at the same time; that no
 * more can be opened is no answer.
 */
#include "saved-cache.h"

#include <sys/resource.h>

#include "saved-world.h"

static size_t count_open(void)
{
	struct pme_os os = {.root = AT_FDCWD};
	char **names = NULL;
	size_t count = 0;

	assert_int_equal(pme_os_list(&os, "/proc/self/fd", &names, &count), 0);
	pme_os_free_names(names, count);
	return count;
}

/* How many versions of the file with the inode @inode are found; -errno. */
static int ask(struct saved_world *w, struct pme_saved_cache *cache, uint64_t inode)
{
	const struct pme_saved_list *list;
	int r;

	w->file.inode = inode;
	r = pme_saved_cache_find(cache, &w->tree.os, w->root, KEPT_UUID, &w->file, &w->tree.log,
				 &list);
	return r < 0 ? r : (int)list->count;
}

static void keep(struct saved_world *w, uint64_t inode, uint64_t number)
{
	struct kept kept;

	w->file.inode = inode;
	kept = version(w, number, (int64_t)number);
	kept_make(&w->tree, &kept);
}

static void each_file_is_opened_once(void **state)
{
	struct saved_world *w = *state;
	struct pme_saved_cache cache = {0};
	size_t before = count_open();

	keep(w, 131, 1);
	assert_int_equal(ask(w, &cache, 131), 1);
	assert_int_equal(count_open(), before + 2); /* the copy, its digests: no checkpoint */
	keep(w, 131, 2);
	assert_int_equal(ask(w, &cache, 131), 1);
	assert_int_equal(ask(w, &cache, 132), 0);
	w->file.generation++; /* another file */
	assert_int_equal(ask(w, &cache, 131), 0);
	w->file.generation--;
	assert_int_equal(ask(w, &cache, 131), 1);
	pme_saved_cache_done(&cache);
	assert_int_equal(count_open(), before);
	assert_int_equal(ask(w, &cache, 131), 2);
	pme_saved_cache_done(&cache);
}

static void not_all_files_are_open(void **state)
{
	struct saved_world *w = *state;
	struct pme_saved_cache cache = {0};
	size_t before = count_open();

	for (uint64_t inode = 200; inode < 300; inode++) {
		keep(w, inode, 1);
		assert_int_equal(ask(w, &cache, inode), 1);
	}
	assert_in_range(count_open(), before + 2, before + 2 * 64);
	keep(w, 200, 2);
	keep(w, 299, 2);
	assert_int_equal(ask(w, &cache, 299), 1); /* still open */
	assert_int_equal(ask(w, &cache, 200), 2);
	for (uint64_t inode = 1000; inode < 1200; inode++) /* of which nothing was kept */
		assert_int_equal(ask(w, &cache, inode), 0);
	assert_int_equal(ask(w, &cache, 299), 2);
	pme_saved_cache_done(&cache);
	assert_int_equal(count_open(), before);
}

static void too_few_descriptors_are_an_error(void **state)
{
	struct saved_world *w = *state;
	struct pme_saved_cache cache = {0};
	struct rlimit before, few;
	int r;

	for (uint64_t number = 1; number <= 10; number++)
		keep(w, 131, number);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = count_open() + 12;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = ask(w, &cache, 131);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_int_equal(ask(w, &cache, 131), 10);
	pme_saved_cache_done(&cache);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_file_is_opened_once, saved_world_set_up,
						saved_world_tear_down),
		cmocka_unit_test_setup_teardown(not_all_files_are_open, saved_world_set_up,
						saved_world_tear_down),
		cmocka_unit_test_setup_teardown(too_few_descriptors_are_an_error,
						saved_world_set_up, saved_world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
