/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-reach.c: into which filesystems it goes, by which way, and which inodes are taken for
 * the file that is meant.  Handles are played; no descriptor may be left behind.
 */
#include "donor-reach.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include "check.h"
#include "ext4-inode.h"
#include "tree.h"
#include "xfs-inode.h"

#define DEVNO 0x10300
#define ROOT 128
#define NOBODY UINT64_MAX

static struct {
	struct tree tree;
	unsigned long magic; /* that was asked for; 0: nobody came in */
	int enter_error, root_error, open_error, generation_error;
	bool is_root;
	uint64_t opened; /* inode of the last handle, or NOBODY */
	uint32_t opened_generation;
	int flags;
	struct stat st;	     /* of the file behind it */
	uint32_t generation; /* what it says itself */
} play;

int __wrap_pme_fs_enter(const struct pme_os *os, const struct pme_fs *fs, unsigned long magic,
			struct pme_fs_entry *ret);
int __wrap_pme_xfs_inode_root(int fd, struct pme_xfs_inode *ret);
int __wrap_pme_xfs_inode_open(int fd, uint64_t ino, uint32_t gen, int flags);
int __wrap_pme_ext4_inode_open(int dir, uint32_t ino, uint32_t gen, int flags);
int __real_pme_os_fstat(int fd, struct stat *ret);
int __wrap_pme_os_fstat(int fd, struct stat *ret);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);

int __wrap_pme_fs_enter(const struct pme_os *os, const struct pme_fs *fs, unsigned long magic,
			struct pme_fs_entry *ret)
{
	(void)fs;
	play.magic = magic;
	if (play.enter_error)
		return play.enter_error;
	*ret = (struct pme_fs_entry){pme_os_open(os, "mnt", O_RDONLY | O_DIRECTORY), play.is_root};
	return 0;
}

int __wrap_pme_xfs_inode_root(int fd, struct pme_xfs_inode *ret)
{
	assert_true(fd >= 0);
	*ret = (struct pme_xfs_inode){.ino = ROOT, .gen = 7};
	return play.root_error;
}

static int open_played(int dir, uint64_t inode, uint32_t generation, int flags)
{
	assert_true(dir >= 0);
	play.opened = inode;
	play.opened_generation = generation;
	play.flags = flags;
	return play.open_error ? play.open_error
			       : pme_os_open(&play.tree.os, "mnt", O_RDONLY | O_DIRECTORY);
}

int __wrap_pme_xfs_inode_open(int fd, uint64_t ino, uint32_t gen, int flags)
{
	return open_played(fd, ino, gen, flags);
}

int __wrap_pme_ext4_inode_open(int dir, uint32_t ino, uint32_t gen, int flags)
{
	return open_played(dir, ino, gen, flags);
}

int __wrap_pme_os_fstat(int fd, struct stat *ret)
{
	if (play.opened == NOBODY)
		return __real_pme_os_fstat(fd, ret);
	*ret = play.st;
	return 0;
}

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	assert_int_equal(request, FS_IOC_GETVERSION);
	*(int *)arg = (int)play.generation;
	return play.generation_error;
}

static unsigned int count_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int setup(void **state)
{
	(void)state;
	memset(&play, 0, sizeof(play));
	play.is_root = true;
	play.opened = NOBODY;
	tree_init(&play.tree);
	tree_dir(&play.tree, "mnt");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_done(&play.tree);
	return 0;
}

/* In and out again: what came of it. */
static int enter(const char *type)
{
	const struct pme_fs fs = {.type = type};
	unsigned int before = count_open();
	struct pme_reach reach;
	int r = pme_reach_open(&play.tree.os, &fs, &reach);

	assert_int_equal(reach.root >= 0, r == 0);
	pme_reach_close(&reach);
	assert_int_equal(count_open(), before);
	return r;
}

static void some_types_are_known(void **state)
{
	static const struct {
		const char *type;
		unsigned long magic;
	} cases[] = {
		{"xfs", XFS_SUPER_MAGIC},
		{"ext2", EXT4_SUPER_MAGIC},
		{"ext3", EXT4_SUPER_MAGIC},
		{"ext4", EXT4_SUPER_MAGIC},
		{"btrfs", 0},
		{"ext", 0},
		{"ext4 ", 0},
		{"", 0},
		{"fuse.xfs", 0},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		play.magic = 0;
		assert_int_equal(enter(cases[i].type), cases[i].magic ? 0 : -EOPNOTSUPP);
		assert_int_equal(play.magic, cases[i].magic);
	}
}

/* Only XFS can be asked for its root from a directory that is mounted alone. */
static void a_subdirectory_may_be_enough(void **state)
{
	(void)state;
	assert_int_equal(enter("xfs"), 0);
	assert_true(play.opened == NOBODY);
	play.is_root = false;
	assert_int_equal(enter("ext4"), -EXDEV);
	assert_true(play.opened == NOBODY);
	assert_int_equal(enter("xfs"), 0);
	assert_int_equal(play.opened, ROOT);
	assert_int_equal(play.opened_generation, 7);
	play.open_error = -EPERM;
	assert_int_equal(enter("xfs"), -EPERM);
	play.root_error = -EIO;
	assert_int_equal(enter("xfs"), -EIO);
	play.enter_error = -EXDEV;
	assert_int_equal(enter("xfs"), -EXDEV);
}

/* The file 131, generation 4000000000, as it is now. */
static int reach_file(const char *type, struct pme_file file)
{
	const struct pme_fs fs = {.type = type};
	const struct pme_reach reach = {.entry = {.fd = -1}, .root = play.tree.os.root};
	unsigned int before = count_open();
	int fd;

	play.opened = NOBODY;
	fd = pme_reach_file(&reach, &fs, &file, O_RDONLY | O_NOATIME);
	if (play.opened != NOBODY) {
		assert_int_equal(play.opened, file.inode);
		assert_int_equal(play.opened_generation, file.generation);
		assert_int_equal(play.flags, O_RDONLY | O_NOATIME | O_NONBLOCK | O_NOFOLLOW);
	}
	if (fd < 0)
		assert_int_equal(count_open(), before);
	else
		close(fd);
	return fd < 0 ? fd : 0;
}

static struct pme_file good(void)
{
	play.st = (struct stat){.st_dev = DEVNO, .st_ino = 131, .st_mode = S_IFREG | 0600};
	play.generation = 4000000000U;
	return (struct pme_file){.devno = DEVNO, .inode = 131, .generation = 4000000000U};
}

static void only_the_file_that_is_meant(void **state)
{
	static const mode_t others[] = {S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK, 0};
	static const char *const types[] = {"xfs", "ext4"};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(types); i++) {
		struct pme_file file = good();

		assert_int_equal(reach_file(types[i], file), 0);
		play.st.st_ino++;
		assert_int_equal(reach_file(types[i], file), -ESTALE);
		file = good();
		play.st.st_dev++;
		assert_int_equal(reach_file(types[i], file), -ESTALE);
		for (size_t m = 0; m < PME_ARRAY_SIZE(others); m++) {
			file = good();
			play.st.st_mode = others[m] | 0600;
			assert_int_equal(reach_file(types[i], file), -ESTALE);
		}
		file = good();
		play.open_error = -EACCES;
		assert_int_equal(reach_file(types[i], file), -EACCES);
		play.open_error = 0;
	}
}

/* The kernel itself might be led astray: it is not asked at all. */
static void what_must_not_be_touched_is_not(void **state)
{
	struct pme_file file = good();

	(void)state;
	file.out_of_reach = true;
	assert_int_equal(reach_file("xfs", file), -EUCLEAN);
	assert_true(play.opened == NOBODY);
	assert_int_equal(reach_file("ext4", file), -EUCLEAN);
	assert_true(play.opened == NOBODY);
}

/* Handles of ext4 have 32 bits for the inode, and 0 for any generation. */
static void handles_of_ext4_say_less(void **state)
{
	struct pme_file file = good();

	(void)state;
	file.inode = 131 + (1ULL << 32);
	assert_int_equal(reach_file("ext4", file), -ESTALE);
	assert_true(play.opened == NOBODY);
	file = good();
	file.generation = 0;
	assert_int_equal(reach_file("ext4", file), -ESTALE);
	play.generation = 0;
	assert_int_equal(reach_file("ext4", file), 0);
	file = good();
	play.generation++;
	assert_int_equal(reach_file("ext3", file), -ESTALE);
	file = good();
	play.generation_error = -EIO;
	assert_int_equal(reach_file("ext2", file), -EIO);
	/* those of XFS have all of both: the kernel compares them */
	file.inode = play.st.st_ino = 131 + (1ULL << 32);
	assert_int_equal(reach_file("xfs", file), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(some_types_are_known),	   CASE(a_subdirectory_may_be_enough),
		CASE(only_the_file_that_is_meant), CASE(what_must_not_be_touched_is_not),
		CASE(handles_of_ext4_say_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
