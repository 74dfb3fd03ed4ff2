/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-mount.c on made-up mountinfo files.
 */
#include "topo.h"

#include <linux/btrfs.h>
#include <sys/sysmacros.h>

#include "check.h"
#include "tree.h"

static int setup(void **state)
{
	static struct tree tree;

	tree_init(&tree);
	*state = &tree;
	return 0;
}

static int teardown(void **state)
{
	tree_done(*state);
	return 0;
}

static void load(struct tree *tree, const char *mountinfo)
{
	tree_file(tree, "proc/self/mountinfo", mountinfo);
	assert_int_equal(pme_topo_load_mounts(&tree->topo, &tree->log), 0);
}

static void test_kept(void **state)
{
	struct tree *tree = *state;
	const struct pme_mount *m;

	load(tree,
	     "22 1 0:21 / /proc rw,relatime - proc proc rw\n"
	     "27 1 259:1 / / rw,relatime shared:1 - ext4 /dev/pmem0p1 rw,errors=remount-ro\n"
	     "30 27 254:3 / /srv rw,noatime - xfs /dev/mapper/vg0-data rw,dax=always\n"
	     "31 27 254:3 /sub\\040dir /mnt/a\\040b\\011c\\134d rw - xfs /dev/mapper/vg0-data rw\n"
	     "32 27 0:40 / /net rw - nfs4 server:/export rw\n"
	     "33 27 0:41 / /fake rw - btrfs /dev/null rw\n"
	     "34 27 0:42 / /fake2 rw - btrfs /dev/absent rw\n");
	assert_int_equal(tree->log.count, 0);
	assert_int_equal(tree->topo.n_mounts, 3);
	m = tree->topo.mounts;
	assert_int_equal(m[0].devno, makedev(259, 1));
	assert_string_equal(m[0].source, "/dev/pmem0p1");
	assert_string_equal(m[0].options, "rw,errors=remount-ro");
	assert_int_equal(m[1].devno, makedev(254, 3));
	assert_string_equal(m[1].type, "xfs");
	assert_string_equal(m[1].root, "/");
	assert_string_equal(m[1].target, "/srv");
	assert_string_equal(m[2].root, "/sub dir");
	assert_string_equal(m[2].target, "/mnt/a b\tc\\d");
}

/* Every device of a btrfs belongs to each of its mounts; other filesystems have one. */
static void test_btrfs(void **state)
{
	struct tree *tree = *state;
	static const char *const names[] = {"pmem0", "pmem1", "pmem2", "pmem3"};
	struct pme_dev *devs[4];
	struct pme_mount mounts[2] = {{.type = (char *)"btrfs"}, {.type = (char *)"xfs"}};

	for (size_t i = 0; i < 4; i++) {
		devs[i] = pme_topo_add_dev(&tree->topo, names[i], PME_DEV_DISK);
		devs[i]->devno = makedev(259, (unsigned int)i);
	}
	assert_int_equal(pme_topo_load_btrfs(&tree->topo, &tree->log), 0);
	assert_null(devs[0]->member_of);
	tree_file(tree, "sys/fs/btrfs/features/raid56", "0\n");
	tree_dir(tree, "sys/fs/btrfs/1234/devices/pmem0");
	tree_dir(tree, "sys/fs/btrfs/1234/devices/pmem2");
	tree_dir(tree, "sys/fs/btrfs/1234/devices/gone");
	tree_dir(tree, "sys/fs/btrfs/5678/devices/pmem3");
	assert_int_equal(pme_topo_load_btrfs(&tree->topo, &tree->log), 0);
	assert_int_equal(tree->log.count, 0);
	assert_string_equal(devs[0]->member_of, "1234");
	assert_null(devs[1]->member_of);
	assert_string_equal(devs[2]->member_of, "1234");
	assert_string_equal(devs[3]->member_of, "5678");
	mounts[0].devno = devs[2]->devno;
	mounts[1].devno = devs[1]->devno;
	assert_true(pme_topo_mount_has(&tree->topo, &mounts[0], devs[0]));
	assert_false(pme_topo_mount_has(&tree->topo, &mounts[0], devs[1]));
	assert_true(pme_topo_mount_has(&tree->topo, &mounts[0], devs[2]));
	assert_false(pme_topo_mount_has(&tree->topo, &mounts[0], devs[3]));
	assert_true(pme_topo_mount_has(&tree->topo, &mounts[1], devs[1]));
	assert_false(pme_topo_mount_has(&tree->topo, &mounts[1], devs[0]));
}

/* What a mount says when it is asked. */
static uint64_t mount_id;

int __wrap_pme_os_mount_id(int fd, uint64_t *ret);
int __wrap_pme_os_mount_id(int fd, uint64_t *ret)
{
	*ret = mount_id;
	return 0;
}

int __real_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	struct btrfs_ioctl_fs_info_args *info = arg;

	if (request != BTRFS_IOC_FS_INFO)
		return __real_pme_os_ioctl(fd, request, arg);
	memset(info->fsid, 0x56, sizeof(info->fsid));
	return 0;
}

static void add_member(struct tree *tree)
{
	struct pme_dev *dev = pme_topo_add_dev(&tree->topo, "pmem0", PME_DEV_DISK);

	dev->devno = makedev(259, 7);
	dev->member_of = strdup("56565656-5656-5656-5656-565656565656");
	assert_non_null(dev->member_of);
	tree_dir(tree, "mnt");
}

#define ANYWHERE                                     \
	"22 1 0:40 / /mnt rw - btrfs /srv/node rw\n" \
	"23 1 0:40 /sub /else rw - btrfs /srv/node rw\n"

static void test_btrfs_anywhere(void **state)
{
	struct tree *tree = *state;

	add_member(tree);
	mount_id = 22;
	load(tree, ANYWHERE);
	assert_int_equal(tree->log.count, 0);
	assert_int_equal(tree->topo.n_mounts, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(tree->topo.mounts[i].devno, makedev(259, 7));
}

/* Another one is mounted over it: then it is said that the mount is missed. */
static void test_btrfs_hidden(void **state)
{
	struct tree *tree = *state;

	add_member(tree);
	mount_id = 24;
	load(tree, ANYWHERE);
	assert_int_equal(tree->topo.n_mounts, 0);
	assert_true(tree->log.incomplete);
	assert_non_null(strstr(tree_message(tree, "/proc/self/mountinfo"), "2 mounts of btrfs"));
}

static void test_none(void **state)
{
	struct tree *tree = *state;

	load(tree, "");
	assert_int_equal(tree->topo.n_mounts, 0);
	assert_int_equal(tree->log.count, 0);
}

static void test_hostile(void **state)
{
	static const char *const cases[] = {
		"garbage\n",	    "27 1 x:y / / rw - ext4 /dev/pmem0 rw\n",
		"27 1 259:1 / /\n", "27 1 259:1 / / rw ext4 /dev/pmem0 rw\n",
		"\n\n\n",	    "27 1 259:1 / / rw - ext4",
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct tree tree;

		tree_init(&tree);
		load(&tree, cases[i]);
		assert_true(tree.topo.n_mounts == 0 || tree.topo.mounts[0].type[0] != '\0');
		tree_done(&tree);
	}
}

/* A line that is not understood makes the answer incomplete: a mount may be missing. */
static void test_incomplete(void **state)
{
	struct tree *tree = *state;

	load(tree, "27 1 259:1 / / rw - ext4 /dev/pmem0 rw\nnonsense here\n");
	assert_true(tree->log.incomplete);
	assert_non_null(tree_message(tree, "/proc/self/mountinfo"));
}

static void test_missing(void **state)
{
	struct tree *tree = *state;

	assert_int_equal(pme_topo_load_mounts(&tree->topo, &tree->log), 0);
	assert_true(tree->log.incomplete);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_btrfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_btrfs_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_btrfs_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test_setup_teardown(test_incomplete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
