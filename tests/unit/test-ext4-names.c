/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/ext4-names.c, ext4-climb.c, ext4-dir.c: filesystems that libext2fs makes in a file, with
 * directories that lead astray.
 *
 * The kernel, which is asked in the end, is not there: the linker puts one in its place that
 * confirms whatever has a path.
 */
#include "ext4-names.h"

#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "ext4-confirm.h"
#include "os.h"

#define BLOCKS 16384U
#define SIZE 1024U

static char path[] = "/tmp/pmemctl-test-ext4-names-XXXXXX";

int __wrap_pme_ext4_hits_confirm(struct pme_ext4_hits *hits, int root, dev_t devno,
				 struct pme_file *const *files);

int __wrap_pme_ext4_hits_confirm(struct pme_ext4_hits *hits, int root, dev_t devno,
				 struct pme_file *const *files)
{
	for (size_t i = 0; i < hits->n_dirs; i++)
		for (size_t k = 0; k < hits->dirs[i].count; k++)
			hits->items[hits->dirs[i].first + k].confirmed = hits->dirs[i].path;
	return 0;
}

/* ---- the filesystem ---- */

static ext2_filsys make(void)
{
	struct ext2_super_block param = {0};
	ext2_filsys fs;

	param.s_rev_level = 1;
	param.s_inode_size = 256;
	param.s_inodes_count = 4096;
	ext2fs_blocks_count_set(&param, BLOCKS);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, (off_t)BLOCKS * SIZE), 0);
	assert_int_equal(ext2fs_initialize(path, EXT2_FLAG_64BITS, &param, unix_io_manager, &fs),
			 0);
	assert_int_equal(ext2fs_allocate_tables(fs), 0);
	assert_int_equal(ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL), 0);
	return fs;
}

static void put_link(ext2_filsys fs, ext2_ino_t dir, const char *name, ext2_ino_t ino, int type)
{
	errcode_t error = ext2fs_link(fs, dir, name, ino, type);

	if (error == EXT2_ET_DIR_NO_SPACE) {
		assert_int_equal(ext2fs_expand_dir(fs, dir), 0);
		error = ext2fs_link(fs, dir, name, ino, type);
	}
	assert_int_equal(error, 0);
}

static ext2_ino_t put_dir(ext2_filsys fs, ext2_ino_t parent, const char *name)
{
	ext2_ino_t ino;

	assert_int_equal(ext2fs_new_inode(fs, parent, LINUX_S_IFDIR, NULL, &ino), 0);
	assert_int_equal(ext2fs_mkdir(fs, parent, ino, NULL), 0);
	put_link(fs, parent, name, ino, EXT2_FT_DIR);
	return ino;
}

static ext2_ino_t put_file(ext2_filsys fs, ext2_ino_t dir, const char *name)
{
	struct ext2_inode inode = {.i_mode = LINUX_S_IFREG | 0644, .i_links_count = 1};
	ext2_ino_t ino;

	assert_int_equal(ext2fs_new_inode(fs, dir, LINUX_S_IFREG, NULL, &ino), 0);
	ext2fs_inode_alloc_stats2(fs, ino, 1, 0);
	assert_int_equal(ext2fs_write_new_inode(fs, ino, &inode), 0);
	put_link(fs, dir, name, ino, EXT2_FT_REG_FILE);
	return ino;
}

static void set_flag(ext2_filsys fs, ext2_ino_t ino, uint32_t flag)
{
	struct ext2_inode inode;

	assert_int_equal(ext2fs_read_inode(fs, ino, &inode), 0);
	inode.i_flags |= flag;
	assert_int_equal(ext2fs_write_inode(fs, ino, &inode), 0);
}

/* Byte of the first block of a directory. */
static uint64_t place_of(ext2_filsys fs, ext2_ino_t ino)
{
	blk64_t block;

	assert_int_equal(ext2fs_bmap2(fs, ino, NULL, NULL, 0, 0, NULL, &block), 0);
	return block * SIZE;
}

static void poke(ext2_filsys fs, uint64_t at, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ext2fs_flush(fs);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)at), size);
	close(fd);
}

/* ---- what is found ---- */

/* A wanted file: what it should have, and what comes out. */
struct wanted {
	ext2_ino_t ino;
	uint32_t nlink, mode;
	const char *names; /* sorted, a blank behind each; NULL: it is left */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *names_of(const struct pme_names *names, uint64_t ino)
{
	_cleanup_free_ char **paths = calloc(names->count + 1, sizeof(*paths));
	char *words = NULL;
	size_t n = 0;

	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].file->inode == ino)
			paths[n++] = names->items[i].path;
	qsort(paths, n, sizeof(*paths), by_text);
	for (size_t i = 0; i < n; i++)
		words_add(&words, paths[i]);
	return words;
}

static void check_file(const struct wanted *wanted, struct pme_file *const *files, size_t left,
		       const struct pme_names *names)
{
	_cleanup_free_ char *words = names_of(names, wanted->ino);
	bool is_left = false;

	for (size_t i = 0; i < left; i++)
		is_left |= files[i]->inode == wanted->ino;
	assert_int_equal(is_left, !wanted->names);
	if (wanted->names && *wanted->names)
		assert_string_equal(words ? words : "", wanted->names);
	else
		assert_null(words);
}

static struct pme_progress *progress;

/* Search @fs, with the bytes @bad not to be read. */
static void check(ext2_filsys fs, struct pme_range bad, const struct wanted *wanted, size_t count)
{
	const struct pme_range_list avoid = {.items = &bad, .count = bad.length > 0};
	struct pme_range last = {(BLOCKS - 1) * SIZE, SIZE};
	const struct pme_range_list any = {.items = &last, .count = 1};
	_cleanup_(pme_ext4_candidates_done) struct pme_ext4_candidates found = {0};
	_cleanup_(pme_ext4_geo_done) struct pme_ext4_geo geo = {0};
	_cleanup_(pme_names_done) struct pme_names names = {0};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct pme_ext4_door door = {.geo = &geo, .fd = -1, .progress = progress};
	const struct pme_ext4_search search = {&door, &found.marks, &avoid, -1};
	struct pme_file each[16] = {0}, *files[16];
	size_t left;

	assert_int_equal(pme_ext4_geo_read(&fd, BLOCKS * SIZE, &geo), 0);
	assert_int_equal(pme_ext4_pass(&geo, &any, NULL, &found), 0);
	for (size_t i = 0; i < count; i++) {
		each[i].inode = wanted[i].ino;
		each[i].nlink = wanted[i].nlink;
		each[i].mode = wanted[i].mode;
		files[i] = &each[i];
	}
	assert_int_equal(pme_ext4_names_find(&search, files, count, &names, &left), 0);
	for (size_t i = 0; i < count; i++)
		check_file(&wanted[i], files, left, &names);
}

static const struct pme_range nothing;

static void test_found(void **state)
{
	ext2_filsys fs = make();
	ext2_ino_t deep = EXT2_ROOT_INO, wide = put_dir(fs, EXT2_ROOT_INO, "wide"), dir, file, far;
	_cleanup_free_ char *way = NULL, *longest = NULL;
	struct wanted wanted[4];
	char name[16];

	for (int i = 0; i < 100; i++) {
		_cleanup_free_ char *upper = way;

		deep = put_dir(fs, deep, "d");
		way = pme_printf("%s%s", upper ? upper : "", "d/");
	}
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "%d", i);
		far = put_file(fs, wide, name);
	}
	file = put_file(fs, EXT2_ROOT_INO, "first");
	put_link(fs, wide, "second", file, EXT2_FT_REG_FILE);
	put_link(fs, deep, "third", file, EXT2_FT_REG_FILE);
	dir = put_dir(fs, wide, "directory");
	ext2fs_flush(fs);
	longest = pme_printf("%sthird first wide/second ", way);
	wanted[0] = (struct wanted){file, 3, S_IFREG, longest};
	wanted[1] = (struct wanted){far, 1, S_IFREG, "wide/599 "};
	wanted[2] = (struct wanted){dir, 2, S_IFDIR, "wide/directory "};
	wanted[3] = (struct wanted){deep - 1, 0, S_IFREG, ""}; /* unlinked: none is wanted */
	check(fs, nothing, wanted, 4);
	wanted[0].nlink = 4; /* one that is not found */
	wanted[0].names = NULL;
	check(fs, nothing, wanted, 4);
	wanted[1].mode = 0; /* who knows how many it has */
	for (int i = 0; i < 4; i++)
		wanted[i].names = NULL;
	check(fs, nothing, wanted, 4);
	ext2fs_free(fs);
}

/* Files in the directories @a, in that @b, in that @c, and beside them. */
struct nested {
	ext2_ino_t dirs[3], files[4];
};

static ext2_filsys make_nested(struct nested *ret)
{
	static const char *const names[] = {"a", "b", "c"};
	ext2_filsys fs = make();
	ext2_ino_t dir = EXT2_ROOT_INO;

	ret->files[3] = put_file(fs, dir, "beside");
	for (int i = 0; i < 3; i++) {
		dir = ret->dirs[i] = put_dir(fs, dir, names[i]);
		ret->files[i] = put_file(fs, dir, "file");
		for (int k = 0; k < 8; k++)
			assert_int_equal(ext2fs_expand_dir(fs, dir), 0);
	}
	ext2fs_flush(fs);
	return fs;
}

/* Those of a/file, a/b/file, a/b/c/file whose bit is in @found; "beside" always. */
static void check_nested(ext2_filsys fs, const struct nested *nested, struct pme_range bad,
			 int found)
{
	static const char *const names[] = {"a/file ", "a/b/file ", "a/b/c/file "};
	struct wanted wanted[4] = {{nested->files[3], 1, S_IFREG, "beside "}};

	for (int i = 0; i < 3; i++)
		wanted[i + 1] = (struct wanted){nested->files[i], 1, S_IFREG,
						found >> i & 1 ? names[i] : NULL};
	check(fs, bad, wanted, 4);
}

static void test_left(void **state)
{
	struct nested nested;
	ext2_filsys fs = make_nested(&nested);
	uint64_t at = place_of(fs, nested.dirs[1]);
	struct pme_range page = {(at + 4095) / 4096 * 4096, 512}; /* whole, of its blocks */

	check_nested(fs, &nested, nothing, 7);
	check_nested(fs, &nested, page, 1);
	poke(fs, at + 24 + 4, "\1\0", 2); /* length of the third entry */
	check_nested(fs, &nested, nothing, 1);
	ext2fs_free(fs);
	fs = make_nested(&nested);
	set_flag(fs, nested.dirs[2], PME_EXT4_ENCRYPTED);
	ext2fs_flush(fs);
	check_nested(fs, &nested, nothing, 3);
	set_flag(fs, nested.dirs[1], PME_EXT4_INLINE);
	ext2fs_flush(fs);
	check_nested(fs, &nested, nothing, 1);
	ext2fs_free(fs);
}

/* A directory that says it is in itself, in what is below it, in a file, nowhere. */
static void test_circles(void **state)
{
	struct nested nested;
	ext2_filsys fs = make_nested(&nested);
	uint64_t at = place_of(fs, nested.dirs[0]) + 12;
	const ext2_ino_t parents[] = {nested.dirs[0], nested.dirs[2], nested.files[3], 0,
				      4000,	      UINT32_MAX};

	/* so that they would have names there, too */
	put_link(fs, nested.dirs[0], "self", nested.dirs[0], EXT2_FT_DIR);
	put_link(fs, nested.dirs[2], "up", nested.dirs[0], EXT2_FT_DIR);
	for (size_t i = 0; i < PME_ARRAY_SIZE(parents); i++) {
		poke(fs, at, &parents[i], 4);
		check_nested(fs, &nested, nothing, 0);
	}
	ext2fs_free(fs);
}

static void test_names_that_lead_elsewhere(void **state)
{
	struct nested nested;
	ext2_filsys fs = make_nested(&nested);
	uint64_t at = place_of(fs, nested.dirs[1]) + 24 + 8; /* "file" */

	poke(fs, at, "x/..", 4);
	check_nested(fs, &nested, nothing, 5);
	ext2fs_free(fs);
}

/* What was not found in time is left. */
static void test_time(void **state)
{
	struct pme_progress over = {0};
	struct nested nested;
	ext2_filsys fs = make_nested(&nested);
	const struct wanted wanted = {nested.files[0], 1, S_IFREG, NULL};

	pme_progress_start(&over, 0);
	progress = &over;
	check(fs, nothing, &wanted, 1);
	progress = NULL;
	ext2fs_free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),	cmocka_unit_test(test_left),
		cmocka_unit_test(test_circles), cmocka_unit_test(test_names_that_lead_elsewhere),
		cmocka_unit_test(test_time),
	};
	int fd = mkstemp(path), r;

	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
