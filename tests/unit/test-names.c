/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over a temporary tree: hard links, odd names, paths longer than PATH_MAX; and what
 * mounts make of names.
 */
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names.h"

#define DEEP_LEVELS 300
#define DEEP_NAME "a-name-that-makes-paths-long-quickly"

struct tree {
	char path[64];
	int fd;
	dev_t devno;
};

static int setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	struct stat st;

	memcpy(tree->path, "/var/tmp/pme-names-XXXXXX", sizeof("/var/tmp/pme-names-XXXXXX"));
	assert_non_null(mkdtemp(tree->path));
	tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(tree->fd >= 0);
	assert_int_equal(fstat(tree->fd, &st), 0);
	tree->devno = st.st_dev;
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	struct tree *tree = *state;
	char command[128];

	close(tree->fd);
	snprintf(command, sizeof(command), "rm -rf %s", tree->path);
	assert_int_equal(system(command), 0);
	free(tree);
	return 0;
}

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static struct pme_file wanted(int dir, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return (struct pme_file){
		.devno = st.st_dev,
		.inode = st.st_ino,
		.nlink = (uint32_t)st.st_nlink,
		.mode = st.st_mode,
	};
}

static bool has_name(const struct pme_names *names, const struct pme_file *file, const char *path)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].file == file && strcmp(names->items[i].path, path) == 0)
			return true;
	return false;
}

static void test_links(void **state)
{
	const struct tree *tree = *state;
	struct pme_names names = {0};
	struct pme_file a, dir, root;
	struct pme_file *files[] = {&a, &dir, &root};

	assert_int_equal(mkdirat(tree->fd, "d", 0700), 0);
	assert_int_equal(mkdirat(tree->fd, "d/e", 0700), 0);
	make_file(tree->fd, "a");
	make_file(tree->fd, "other");
	assert_int_equal(linkat(tree->fd, "a", tree->fd, "d/e/new\nline", 0), 0);
	assert_int_equal(linkat(tree->fd, "a", tree->fd, "d/\xff\xfe", 0), 0);
	a = wanted(tree->fd, "a");
	dir = wanted(tree->fd, "d/e");
	root = wanted(tree->fd, ".");
	assert_int_equal(pme_names_walk(tree->fd, tree->devno, files, 3, &names), 0);
	assert_int_equal(names.count, 5);
	assert_true(has_name(&names, &a, "a") && has_name(&names, &a, "d/e/new\nline"));
	assert_true(has_name(&names, &a, "d/\xff\xfe"));
	assert_true(has_name(&names, &dir, "d/e") && has_name(&names, &root, ""));
	assert_null(names.incomplete);
	pme_names_done(&names);
}

/* When the time is over what was found stands, and why it is not all is said. */
static void test_deadline(void **state)
{
	const struct tree *tree = *state;
	struct pme_progress progress = {0};
	struct pme_names names = {.progress = &progress};
	struct pme_file near, far;
	struct pme_file *files[] = {&near, &far};

	make_file(tree->fd, "near");
	assert_int_equal(mkdirat(tree->fd, "d", 0700), 0);
	assert_int_equal(mkdirat(tree->fd, "d/e", 0700), 0);
	make_file(tree->fd, "d/e/far");
	near = wanted(tree->fd, "near");
	far = wanted(tree->fd, "d/e/far");
	pme_progress_start(&progress, 0);
	assert_int_equal(pme_names_walk(tree->fd, tree->devno, files, 2, &names), 0);
	assert_true(has_name(&names, &near, "near"));
	assert_int_equal(names.count, 1);
	assert_string_equal(names.incomplete, pme_progress_error(-ETIME));
	pme_names_done(&names);
}

/* A tree that is deeper than descriptors and PATH_MAX allow, with files behind the way back. */
static int make_deep(const struct tree *tree)
{
	int fd = dup(tree->fd);

	for (int i = 0; i < DEEP_LEVELS; i++) {
		int next;

		assert_int_equal(mkdirat(fd, DEEP_NAME, 0700), 0);
		for (int k = 0; k < 3; k++) {
			char name[] = {'0', (char)('0' + k), '\0'};

			assert_int_equal(mkdirat(fd, name, 0700), 0);
		}
		next = openat(fd, DEEP_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	return fd;
}

static void test_deep(void **state)
{
	const struct tree *tree = *state;
	const struct rlimit limit = {.rlim_cur = 90, .rlim_max = 4096};
	struct pme_names names = {0};
	struct pme_os os;
	char slash[] = "/";
	struct pme_mount mount = {.root = slash, .target = slash, .devno = tree->devno};
	const struct pme_mount *mounts[] = {&mount};
	struct pme_fs fs = {.mounts = mounts, .n_mounts = 1};
	struct pme_topo topo = {.os = &os};
	struct pme_file bottom, middle = {.mode = 0, .devno = tree->devno, .inode = 1};
	struct pme_file *files[] = {&bottom, &middle};
	int fd = make_deep(tree);

	make_file(fd, "bottom");
	bottom = wanted(fd, "bottom");
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(pme_names_walk(tree->fd, tree->devno, files, 2, &names), 0);
	assert_null(names.incomplete);
	assert_int_equal(names.count, 1);
	assert_true(strlen(names.items[0].path) > PATH_MAX);
	assert_int_equal(pme_os_open_root(tree->path, &os), 0);
	files[0] = &bottom;
	assert_int_equal(pme_names_publish(&topo, &fs, &names, files, 1), 0);
	assert_int_equal(bottom.n_paths, 1);
	assert_true(bottom.paths_complete);
	free(bottom.paths[0]);
	free(bottom.paths);
	pme_os_close(&os);
	pme_names_done(&names);
}

#define WIDE_DIRS 40
#define WIDE_SUBS 40
#define WIDE_FILES 3

/* d/e/f, all below one directory, in @path of PATH_MAX bytes. */
static void wide_path(size_t i, char *path)
{
	snprintf(path, PATH_MAX, "d%zu/e%zu/f%zu", i / WIDE_FILES / WIDE_SUBS,
		 i / WIDE_FILES % WIDE_SUBS, i % WIDE_FILES);
}

static void make_wide(const struct tree *tree, struct pme_file *files)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < (size_t)WIDE_DIRS * WIDE_SUBS * WIDE_FILES; i++) {
		wide_path(i, path);
		for (char *slash = path; (slash = strchr(slash, '/')); *slash++ = '/') {
			*slash = '\0';
			mkdirat(tree->fd, path, 0700);
		}
		make_file(tree->fd, path);
		files[i] = wanted(tree->fd, path);
	}
}

/* A tree that several threads walk through finds each name once, whoever gets what. */
static void test_wide(void **state)
{
	const struct tree *tree = *state;
	const size_t count = (size_t)WIDE_DIRS * WIDE_SUBS * WIDE_FILES;
	struct pme_file *files = calloc(count + 1, sizeof(*files));
	struct pme_file **sorted = calloc(count + 1, sizeof(*sorted));

	make_wide(tree, files);
	files[count].mode = 0; /* so that the walk does not end before it has been everywhere */
	for (int turn = 0; turn < 20; turn++) {
		struct pme_names names = {0};
		char path[PATH_MAX];

		for (size_t i = 0; i <= count; i++)
			sorted[i] = &files[i];
		assert_int_equal(pme_names_walk(tree->fd, tree->devno, sorted, count + 1, &names),
				 0);
		assert_null(names.incomplete);
		assert_int_equal(names.count, count);
		for (size_t i = 0; i < count; i++) {
			wide_path((size_t)(names.items[i].file - files), path);
			assert_string_equal(names.items[i].path, path);
			names.items[i].file->n_paths++;
		}
		for (size_t i = 0; i < count; i++)
			assert_int_equal(files[i].n_paths, turn + 1);
		pme_names_done(&names);
	}
	free(sorted);
	free(files);
}

/* With too few descriptors the answer is incomplete, and says so. */
static void test_descriptors(void **state)
{
	const struct tree *tree = *state;
	struct rlimit limit = {.rlim_max = 4096};
	struct pme_names names = {0};
	struct pme_file bottom;
	struct pme_file *files[] = {&bottom};
	int fd = make_deep(tree);

	make_file(fd, "bottom");
	bottom = wanted(fd, "bottom");
	close(fd);
	limit.rlim_cur = (rlim_t)fd + 1; /* the lowest that is free: one only */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(pme_names_walk(tree->fd, tree->devno, files, 1, &names), 0);
	limit.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_non_null(names.incomplete);
	assert_non_null(strstr(names.incomplete, "Too many open files"));
	assert_int_equal(names.count, 0);
	pme_names_done(&names);
}

static void test_paths(void **state)
{
	static const struct {
		const char *root, *target, *name, *path; /* path NULL: not shown */
	} cases[] = {
		{"/", "/srv", "a/b", "/srv/a/b"},
		{"/", "/srv", "", "/srv"},
		{"/", "/", "a", "/a"},
		{"/", "/", "", "/"},
		{"/sub", "/m", "sub/x", "/m/x"},
		{"/sub", "/m", "sub", "/m"},
		{"/sub", "/m", "subway/x", NULL},
		{"/sub", "/m", "su", NULL},
		{"/sub", "/m", "", NULL},
		{"/a/b", "/m", "a/b/c/d", "/m/c/d"},
		{"/a/b", "/m", "a", NULL},
		{"/s//deleted", "/m", "s/x", NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		char *path = NULL;
		int r = pme_names_path(cases[i].root, cases[i].target, cases[i].name, &path);

		assert_int_equal(r, cases[i].path != NULL);
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
		free(path);
	}
}

static void test_quote(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{"plain", "plain"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"a\nb\\", "a\\012b\\134"},
		{"\xff", "\\377"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		char *text = pme_names_quote(cases[i].name);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

/* What no mount shows, what changed, what has no links. */
static void test_publish(void **state)
{
	const struct tree *tree = *state;
	char inside[] = "/in", target[] = "/m";
	struct pme_mount mount = {.root = inside, .target = target, .devno = tree->devno};
	const struct pme_mount *mounts[] = {&mount};
	struct pme_fs fs = {.mounts = mounts, .n_mounts = 1};
	struct pme_names names = {0};
	struct pme_os os;
	struct pme_topo topo = {.os = &os};
	struct pme_file shown, unlinked = {.mode = S_IFREG, .inode = 5};
	struct pme_file *files[] = {&shown, &unlinked};

	assert_int_equal(mkdirat(tree->fd, "m", 0700), 0);
	make_file(tree->fd, "m/x");
	shown = wanted(tree->fd, "m/x");
	shown.nlink = 2;
	assert_int_equal(pme_os_open_root(tree->path, &os), 0);
	assert_int_equal(pme_names_add(&names, &shown, strdup("in/x")), 0);
	assert_int_equal(pme_names_add(&names, &shown, strdup("out/y")), 0);
	assert_int_equal(pme_names_publish(&topo, &fs, &names, files, 2), 0);
	assert_int_equal(shown.n_paths, 1);
	assert_string_equal(shown.paths[0], "/m/x");
	assert_false(shown.paths_complete);
	assert_non_null(strstr(shown.paths_reason, "/out/y"));
	assert_true(unlinked.paths_complete);
	assert_string_equal(unlinked.paths_reason, "unlinked");
	free(shown.paths[0]);
	free(shown.paths);
	free(shown.paths_reason);
	free(unlinked.paths_reason);
	pme_os_close(&os);
	pme_names_done(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wide, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_quote),
		cmocka_unit_test_setup_teardown(test_publish, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
