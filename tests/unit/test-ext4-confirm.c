/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib/ext4-confirm.c: hits that the kernel confirms or not, in a directory of its own. */
#include "ext4-confirm.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char top[] = "/tmp/pmemctl-test-confirm-XXXXXX";

/* The directory of the test, and two files that are wanted: the second has two names. */
struct place {
	int root;
	dev_t devno;
	struct pme_file each[2], *files[2];
	struct pme_ext4_hits hits;
};

static uint64_t ino_of(int root, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

static void make_file(int root, const char *path)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct stat st;

	assert_non_null(mkdtemp(top));
	place->root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fstat(place->root, &st), 0);
	place->devno = st.st_dev;
	assert_int_equal(mkdirat(place->root, "dir", 0700), 0);
	assert_int_equal(mkdirat(place->root, "dir/sub", 0700), 0);
	assert_int_equal(symlinkat("dir", place->root, "link"), 0);
	make_file(place->root, "one");
	make_file(place->root, "dir/two");
	assert_int_equal(linkat(place->root, "dir/two", place->root, "dir/sub/too", 0), 0);
	for (int i = 0; i < 2; i++) {
		place->each[i].inode = ino_of(place->root, i ? "dir/two" : "one");
		place->each[i].nlink = (uint32_t)i + 1;
		place->each[i].mode = S_IFREG;
		place->files[i] = &place->each[i];
	}
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"one", "dir/two", "dir/sub/too", "link"};
	struct place *place = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++)
		unlinkat(place->root, names[i], 0);
	unlinkat(place->root, "dir/sub", AT_REMOVEDIR);
	unlinkat(place->root, "dir", AT_REMOVEDIR);
	close(place->root);
	rmdir(top);
	memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
	pme_ext4_hits_done(&place->hits);
	free(place);
	return 0;
}

/* @name of file @file, found in directory @dir, whose path is said to be @path. */
static void add(struct place *place, const char *dir, size_t file, const char *name)
{
	const struct pme_ext4_dirent entry = {0, name, strlen(name)};
	uint64_t ino = ino_of(place->root, dir);

	assert_int_equal(pme_ext4_hits_add(&place->hits, ino, file, &entry), 0);
}

/* All names, sorted, and how many files are left; each directory gets its path from @paths. */
static char *confirm(struct place *place, const char *const (*paths)[2], size_t n_paths,
		     size_t *ret_left)
{
	_cleanup_(pme_names_done) struct pme_names names = {0};
	struct pme_ext4_hits *hits = &place->hits;
	char *words = NULL;

	assert_int_equal(pme_ext4_hits_sort(hits), 0);
	for (size_t i = 0; i < hits->n_dirs; i++)
		for (size_t k = 0; k < n_paths; k++)
			if (ino_of(place->root, paths[k][0]) ==
			    hits->items[hits->dirs[i].first].dir)
				hits->dirs[i].path = strdup(paths[k][1]);
	assert_int_equal(pme_ext4_hits_confirm(hits, place->root, place->devno, place->files), 0);
	assert_int_equal(pme_ext4_hits_take(hits, place->files, 2, &names, ret_left), 0);
	for (size_t i = 0; i < names.count; i++)
		words_add(&words, names.items[i].path);
	return words ? words : strdup("");
}

static const char *const right[][2] = {{".", ""}, {"dir", "dir"}, {"dir/sub", "dir/sub"}};

static bool has_words(const char *words, const char *list)
{
	size_t n = 0;
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *word;

	while ((word = strsep(&rest, " ")))
		if (*word) {
			_cleanup_free_ char *whole = pme_printf(" %s ", word);
			_cleanup_free_ char *all = pme_printf(" %s", words);

			n += strlen(word) + 1;
			if (!strstr(all, whole))
				return false;
		}
	return n == strlen(words);
}

static void check(struct place *place, const char *const (*paths)[2], const char *names,
		  size_t left)
{
	size_t got;
	_cleanup_free_ char *words = confirm(place, paths, 3, &got);

	assert_true(has_words(words, names));
	assert_int_equal(got, left);
}

static void test_all(void **state)
{
	struct place *place = *state;

	add(place, ".", 0, "one");
	add(place, "dir/sub", 1, "too");
	add(place, "dir", 1, "two");
	check(place, right, "one dir/two dir/sub/too", 0);
}

/* One that was read twice does not stand for another. */
static void test_twice(void **state)
{
	struct place *place = *state;

	add(place, "dir", 1, "two");
	add(place, ".", 0, "one");
	add(place, "dir", 1, "two");
	check(place, right, "one", 1);
	assert_ptr_equal(place->files[0], &place->each[1]);
}

static void test_stale(void **state)
{
	struct place *place = *state;

	add(place, ".", 0, "was");
	add(place, "dir/sub", 1, "too");
	add(place, "dir", 1, "two");
	assert_int_equal(renameat(place->root, "dir/two", place->root, "dir/three"), 0);
	make_file(place->root, "dir/two"); /* another inode */
	check(place, right, "", 2);
	unlinkat(place->root, "dir/three", 0);
}

/* Paths that lead elsewhere, or over a symbolic link, or out. */
static void test_other_ways(void **state)
{
	static const char *const ways[] = {"dir/sub", "link", "/", "../tmp", "", "none"};
	struct place *place = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(ways); i++) {
		const char *const paths[][2] = {
			{".", ""}, {"dir", ways[i]}, {"dir/sub", "dir/sub"}};

		pme_ext4_hits_done(&place->hits);
		add(place, "dir", 1, "two");
		add(place, "dir/sub", 1, "too");
		check(place, paths, "", 2);
	}
}

/* Longer than a call takes. */
static void test_deep(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *path = strdup("dir/sub");
	char name[201] = "";
	int fd = openat(place->root, "dir/sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	const struct pme_ext4_dirent entry = {0, "third", 5};

	memset(name, 'n', 200);
	for (int i = 0; i < 45; i++) {
		_cleanup_free_ char *upper = path;
		int lower;

		path = pme_printf("%s/%s", upper, name);
		assert_int_equal(mkdirat(fd, name, 0700), 0);
		lower = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = lower;
	}
	assert_true(strlen(path) > 2 * PATH_MAX);
	assert_int_equal(linkat(place->root, "one", fd, "third", 0), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pme_ext4_hits_add(&place->hits, st.st_ino, 0, &entry), 0);
	assert_int_equal(pme_ext4_hits_sort(&place->hits), 0);
	place->hits.dirs[0].path = pme_take_ptr(path);
	assert_int_equal(
		pme_ext4_hits_confirm(&place->hits, place->root, place->devno, place->files), 0);
	assert_true(place->hits.items[0].confirmed);
	unlinkat(fd, "third", 0);
	for (int i = 0; i < 45; i++) {
		int upper = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		unlinkat(upper, name, AT_REMOVEDIR);
		close(fd);
		fd = upper;
	}
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all),	       TEST(test_twice), TEST(test_stale),
		TEST(test_other_ways), TEST(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
