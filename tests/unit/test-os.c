/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/os.c in a temporary tree: reading, listing, and errors as negative errno.
 *
 * Works without root and as root alike; what needs privilege is tested in tests/system.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "check.h"
#include "os.h"
#include "random.h"

struct tree {
	char path[32];
	struct pme_os os;
};

static void put(const struct tree *tree, const char *name, const void *data, size_t len)
{
	int fd = openat(tree->os.root, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void put_text(const struct tree *tree, const char *name, const char *text)
{
	put(tree, name, text, strlen(text));
}

static int tree_make(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	strncpy(tree->path, "/tmp/test-os-XXXXXX", sizeof(tree->path) - 1);
	assert_non_null(mkdtemp(tree->path));
	assert_int_equal(pme_os_open_root(tree->path, &tree->os), 0);
	assert_int_equal(mkdirat(tree->os.root, "dir", 0755), 0);
	*state = tree;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tree_remove(void **state)
{
	struct tree *tree = *state;

	pme_os_close(&tree->os);
	assert_int_equal(tree->os.root, -1);
	pme_os_close(&tree->os);
	nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(tree);
	return 0;
}

static void root_must_be_a_directory(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ char *file = pme_printf("%s/file", tree->path);
	struct pme_os os = {.root = 77};

	put_text(tree, "file", "x");
	assert_int_equal(pme_os_open_root(file, &os), -ENOTDIR);
	assert_int_equal(pme_os_open_root("/nowhere/at/all", &os), -ENOENT);
	assert_int_equal(os.root, 77);
}

static void descriptors_are_closed_on_exec(void **state)
{
	struct tree *tree = *state;
	_cleanup_close_ int dir = pme_os_open(&tree->os, "dir", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int self = pme_os_open_at(dir, ".", O_RDONLY);

	assert_true(dir >= 0 && self >= 0);
	assert_true(fcntl(dir, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(self, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(tree->os.root, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pme_os_open(&tree->os, "none", O_RDONLY), -ENOENT);
}

/* Sizes around the steps that the reader grows by. */
static void read_file_of_every_size(void **state)
{
	static const size_t steps[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 12289, 100000};
	struct tree *tree = *state;
	struct rnd rnd = rnd_start();

	for (size_t i = 0; i < PME_ARRAY_SIZE(steps); i++) {
		_cleanup_free_ unsigned char *data = malloc(steps[i] + 1);
		_cleanup_free_ char *text = NULL;
		size_t len = 77;

		for (size_t k = 0; k < steps[i]; k++)
			data[k] = (unsigned char)rnd_u64(&rnd);
		put(tree, "file", data, steps[i]);
		assert_int_equal(pme_os_read_file(&tree->os, "file", 1 << 20, &text, &len), 0);
		assert_int_equal(len, steps[i]);
		assert_memory_equal(text, data, len);
		assert_int_equal(text[len], '\0');
	}
}

static void read_file_has_a_limit(void **state)
{
	struct tree *tree = *state;
	char *text = NULL;
	size_t len = 77;

	put_text(tree, "file", "12345");
	assert_int_equal(pme_os_read_file(&tree->os, "file", 4, &text, &len), -EFBIG);
	assert_int_equal(pme_os_read_file(&tree->os, "none", 4, &text, &len), -ENOENT);
	assert_int_equal(pme_os_read_file(&tree->os, "dir", 4, &text, &len), -EISDIR);
	assert_null(text);
	assert_int_equal(len, 77);
	assert_int_equal(pme_os_read_file(&tree->os, "file", 5, &text, &len), 0);
	assert_int_equal(len, 5);
	free(text);
}

static void read_attr_takes_a_format(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ char *text = NULL;
	size_t len;

	put_text(tree, "dir/pmem7", "hello\n");
	assert_int_equal(pme_os_read_attr(&tree->os, &text, &len, "dir/%s%d", "pmem", 7), 0);
	assert_string_equal(text, "hello\n");
}

static const struct {
	const char *data;
	size_t len;
	int result;
	const char *line;
} lines[] = {
	{"", 0, 0, ""},
	{"\n", 1, 0, ""},
	{"fsdax", 5, 0, "fsdax"},
	{"fsdax\n", 6, 0, "fsdax"},
	{" a b \n", 6, 0, " a b "},
	{"a\n\n", 3, -EINVAL, NULL},
	{"a\nb", 3, -EINVAL, NULL},
	{"a\0b\n", 4, -EINVAL, NULL},
	{"a\0", 2, -EINVAL, NULL},
};

static void read_line_table(void **state)
{
	struct tree *tree = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(lines); i++) {
		_cleanup_free_ char *line = NULL;

		put(tree, "attr", lines[i].data, lines[i].len);
		assert_int_equal(pme_os_read_line(&tree->os, &line, "%s", "attr"), lines[i].result);
		if (lines[i].line)
			assert_string_equal(line, lines[i].line);
		else
			assert_null(line);
	}
}

static const struct {
	const char *text;
	int result;
	uint64_t value;
} numbers[] = {
	{"0\n", 0, 0},		{"42", 0, 42},	       {"18446744073709551615\n", 0, UINT64_MAX},
	{"", -EINVAL, 0},	{"\n", -EINVAL, 0},    {"18446744073709551616\n", -ERANGE, 0},
	{"-1\n", -EINVAL, 0},	{" 1\n", -EINVAL, 0},  {"1 \n", -EINVAL, 0},
	{"1\n2\n", -EINVAL, 0}, {"0x1\n", -EINVAL, 0}, {"none\n", -EINVAL, 0},
};

static void read_u64_table(void **state)
{
	struct tree *tree = *state;
	uint64_t value = 77;

	for (size_t i = 0; i < PME_ARRAY_SIZE(numbers); i++) {
		int r;

		value = 77;
		put_text(tree, "attr", numbers[i].text);
		r = pme_os_read_u64(&tree->os, &value, "%s", "attr");
		if (r != numbers[i].result || value != (r ? 77 : numbers[i].value))
			fail_msg("\"%s\": %d", numbers[i].text, r);
	}
	assert_int_equal(pme_os_read_u64(&tree->os, &value, "%s", "none"), -ENOENT);
}

static void read_once_reads_once(void **state)
{
	struct tree *tree = *state;
	char buf[4];

	put_text(tree, "file", "123456");
	assert_int_equal(pme_os_read_once(&tree->os, "file", buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "1234", 4);
	put_text(tree, "file", "12");
	assert_int_equal(pme_os_read_once(&tree->os, "file", buf, sizeof(buf)), 2);
	assert_int_equal(pme_os_read_once(&tree->os, "none", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(pme_os_read_once(&tree->os, "dir", buf, sizeof(buf)), -EISDIR);
}

static void pread_reads_all_or_fails(void **state)
{
	struct tree *tree = *state;
	_cleanup_close_ int fd = -1;
	char buf[4];

	put_text(tree, "file", "0123456789");
	fd = pme_os_open(&tree->os, "file", O_RDONLY);
	assert_int_equal(pme_os_pread(fd, buf, 4, 6), 0);
	assert_memory_equal(buf, "6789", 4);
	assert_int_equal(pme_os_pread(fd, buf, 4, 7), -ENODATA);
	assert_int_equal(pme_os_pread(fd, buf, 4, 1000), -ENODATA);
	assert_int_equal(pme_os_pread(fd, buf, 0, 1000), 0);
	assert_int_equal(pme_os_pread(fd, buf, 4, UINT64_MAX - 100), -EINVAL);
	assert_int_equal(pme_os_pread(-1, buf, 4, 0), -EBADF);
}

static void links_and_stat(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ char *target = NULL;
	struct stat st;

	put_text(tree, "dir/file", "x");
	assert_int_equal(symlinkat("dir/file", tree->os.root, "link"), 0);
	assert_int_equal(symlinkat("nowhere", tree->os.root, "dangling"), 0);
	assert_int_equal(pme_os_readlink(&tree->os, "link", &target), 0);
	assert_string_equal(target, "dir/file");
	assert_int_equal(pme_os_stat(&tree->os, "link", true, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(pme_os_stat(&tree->os, "link", false, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(pme_os_stat(&tree->os, "dangling", true, &st), -ENOENT);
	assert_int_equal(pme_os_exists(&tree->os, "link"), 1);
	assert_int_equal(pme_os_exists(&tree->os, "dangling"), 0);
	assert_int_equal(pme_os_exists(&tree->os, "dir/file/below"), 0);
	assert_int_equal(pme_os_exists(&(struct pme_os){.root = -1}, "x"), -EBADF);
}

static void readlink_errors(void **state)
{
	struct tree *tree = *state;
	char *target = NULL;

	assert_int_equal(pme_os_readlink(&tree->os, "dir", &target), -EINVAL);
	assert_int_equal(pme_os_readlink(&tree->os, "none", &target), -ENOENT);
	assert_null(target);
}

static void readlink_of_the_longest_link(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ char *target = NULL;
	char name[PATH_MAX];

	memset(name, 'x', sizeof(name) - 1);
	for (size_t i = 100; i < sizeof(name) - 1; i += 101)
		name[i] = '/';
	name[sizeof(name) - 1] = '\0';
	if (symlinkat(name, tree->os.root, "long") < 0) { /* XFS stops at 1024 */
		assert_int_equal(errno, ENAMETOOLONG);
		name[1000] = '\0';
		assert_int_equal(symlinkat(name, tree->os.root, "long"), 0);
	}
	assert_int_equal(pme_os_readlink(&tree->os, "long", &target), 0);
	assert_string_equal(target, name);
}

static void list_is_sorted_and_whole(void **state)
{
	struct tree *tree = *state;
	char **names = NULL;
	size_t count = 77;

	assert_int_equal(pme_os_list(&tree->os, "dir", &names, &count), 0);
	assert_int_equal(count, 0);
	pme_os_free_names(names, count);
	for (int i = 299; i >= 0; i--) {
		_cleanup_free_ char *name = pme_printf("dir/%03d", i);

		put_text(tree, name, "");
	}
	put_text(tree, "dir/...", "");
	put_text(tree, "dir/\xff\n", "");
	assert_int_equal(pme_os_list(&tree->os, "dir", &names, &count), 0);
	assert_int_equal(count, 302);
	assert_string_equal(names[0], "...");
	assert_string_equal(names[1], "000");
	assert_string_equal(names[300], "299");
	assert_string_equal(names[301], "\xff\n");
	pme_os_free_names(names, count);
}

static void list_errors(void **state)
{
	struct tree *tree = *state;
	char **names = NULL;
	size_t count = 77;

	put_text(tree, "file", "x");
	assert_int_equal(pme_os_list(&tree->os, "none", &names, &count), -ENOENT);
	assert_int_equal(pme_os_list(&tree->os, "file", &names, &count), -ENOTDIR);
	assert_null(names);
	assert_int_equal(count, 77);
	pme_os_free_names(NULL, 3);
}

static void getdents_fills_and_ends(void **state)
{
	struct tree *tree = *state;
	_cleanup_close_ int dir = pme_os_open(&tree->os, "dir", O_RDONLY | O_DIRECTORY);
	char buf[1024];

	assert_true(pme_os_getdents(dir, buf, sizeof(buf)) > 0);
	assert_int_equal(pme_os_getdents(dir, buf, sizeof(buf)), 0);
	assert_int_equal(pme_os_getdents(-1, buf, sizeof(buf)), -EBADF);
}

static void ioctl_gives_errors_as_numbers(void **state)
{
	struct tree *tree = *state;
	_cleanup_close_ int fd = -1;
	int waiting = 77;

	put_text(tree, "file", "12345");
	fd = pme_os_open(&tree->os, "file", O_RDONLY);
	assert_int_equal(pme_os_ioctl(fd, FIONREAD, &waiting), 0);
	assert_int_equal(waiting, 5);
	assert_int_equal(pme_os_ioctl(-1, FIONREAD, &waiting), -EBADF);
}

static void handles_and_mounts_refuse_what_they_must(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ struct file_handle *handle = calloc(1, sizeof(*handle) + 8);

	handle->handle_bytes = 8;
	assert_true(pme_os_open_handle(-1, handle, O_RDONLY) < 0);
	assert_true(pme_os_enter_mount(&tree->os, "/none") < 0);
	assert_true(pme_os_enter_mount(&tree->os, "/none/deeper") < 0);
}

#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, tree_make, tree_remove)

static void replace_file(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;

	assert_int_equal(mkdirat(tree->os.root, "run", 0755), 0);
	put_text(tree, "run/w.new", "left behind by one that was killed");
	put_text(tree, "run/w", "old, and longer");
	assert_int_equal(pme_os_replace_file(&tree->os, "run/w", "new", 3, 0644), 0);
	assert_int_equal(pme_os_read_file(&tree->os, "run/w", 100, &text, &len), 0);
	assert_string_equal(text, "new");
	assert_int_equal(pme_os_stat(&tree->os, "run/w", false, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(pme_os_exists(&tree->os, "run/w.new"), 0);
	assert_int_equal(pme_os_replace_file(&tree->os, "no/w", "new", 3, 0644), -ENOENT);
	assert_int_equal(mkdirat(tree->os.root, "run/d", 0755), 0);
	assert_int_equal(pme_os_replace_file(&tree->os, "run/d", "new", 3, 0644), -EISDIR);
	assert_int_equal(pme_os_exists(&tree->os, "run/d.new"), 0);
	assert_int_equal(pme_os_remove_file(&tree->os, "run/w"), 0);
	assert_int_equal(pme_os_remove_file(&tree->os, "run/w"), -ENOENT);
}

static void watches_below_the_root(void **state)
{
	const struct tree *tree = *state;
	_cleanup_close_ int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event event;
	int wd;

	put_text(tree, "watched", "1");
	assert_true(inotify >= 0);
	assert_int_equal(pme_os_inotify_add(&tree->os, inotify, "none", IN_MODIFY), -ENOENT);
	wd = pme_os_inotify_add(&tree->os, inotify, "watched", IN_MODIFY);
	assert_true(wd >= 0);
	put_text(tree, "watched", "2");
	assert_int_equal(read(inotify, &event, sizeof(event)), sizeof(event));
	assert_int_equal(event.wd, wd);
	assert_int_equal(event.mask, IN_MODIFY);
}

static void what_is_in_memory(void **state)
{
	const struct tree *tree = *state;
	_cleanup_close_ int fd = -1;
	int r;

	put_text(tree, "written", "1");
	fd = pme_os_open(&tree->os, "written", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 24), 0);
	r = pme_os_is_cached(fd, 0, 4096);
	if (r == -ENOSYS || r == -EPERM) /* before Linux 6.5, or forbidden */
		skip();
	assert_int_equal(r, 1);
	assert_int_equal(pme_os_is_cached(fd, 1 << 23, 4096), 0);
	assert_int_equal(pme_os_is_cached(-1, 0, 4096), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(root_must_be_a_directory),
		WITH_TREE(replace_file),
		WITH_TREE(watches_below_the_root),
		WITH_TREE(descriptors_are_closed_on_exec),
		WITH_TREE(read_file_of_every_size),
		WITH_TREE(read_file_has_a_limit),
		WITH_TREE(read_attr_takes_a_format),
		WITH_TREE(read_line_table),
		WITH_TREE(read_u64_table),
		WITH_TREE(read_once_reads_once),
		WITH_TREE(pread_reads_all_or_fails),
		WITH_TREE(links_and_stat),
		WITH_TREE(readlink_errors),
		WITH_TREE(readlink_of_the_longest_link),
		WITH_TREE(list_is_sorted_and_whole),
		WITH_TREE(list_errors),
		WITH_TREE(getdents_fills_and_ends),
		WITH_TREE(what_is_in_memory),
		WITH_TREE(ioctl_gives_errors_as_numbers),
		WITH_TREE(handles_and_mounts_refuse_what_they_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
