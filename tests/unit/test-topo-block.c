/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-block.c on made-up trees: kinds, sizes, partitions, slaves, swap, and what is hostile.
 */
#include "topo.h"

#include <fcntl.h>
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

static struct pme_dev *load_and_find(struct tree *tree, const char *name)
{
	if (tree->topo.n_devs == 0)
		assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), 0);
	return pme_topo_find(&tree->topo, name);
}

static void add_dm(struct tree *tree, const char *name, const char *devno, const char *dm_name,
		   const char *uuid)
{
	tree_disk(tree, name, devno, "2048");
	tree_attr(tree, name, "dm/name", dm_name);
	tree_attr(tree, name, "dm/uuid", uuid);
}

static void test_disk_and_partition(void **state)
{
	struct tree *tree = *state;
	const struct pme_dev *disk, *part;

	tree_disk(tree, "pmem0", "259:0", "2097152");
	tree_attr(tree, "pmem0", "diskseq", "17");
	tree_partition(tree, "pmem0", "pmem0p1", "259:1", "2048", "4096");
	disk = load_and_find(tree, "pmem0");
	part = load_and_find(tree, "pmem0p1");
	assert_int_equal(disk->kind, PME_DEV_DISK);
	assert_int_equal(disk->size, 2097152ULL * 512);
	assert_int_equal(disk->diskseq, 17);
	assert_int_equal(disk->devno, makedev(259, 0));
	assert_int_equal(part->kind, PME_DEV_PARTITION);
	assert_int_equal(part->start, 2048 * 512);
	assert_int_equal(part->size, 4096 * 512);
	assert_ptr_equal(part->disk, disk);
	assert_int_equal(disk->n_uppers, 1);
	assert_ptr_equal(disk->uppers[0], part);
	assert_ptr_equal(part->lowers[0], disk);
	assert_int_equal(tree->log.count, 0);
}

static void test_dm_names(void **state)
{
	struct tree *tree = *state;

	add_dm(tree, "dm-0", "254:0", "my--vg-my--data", "LVM-abc");
	add_dm(tree, "dm-1", "254:1", "not-lvm", "");
	add_dm(tree, "dm-2", "254:2", "vg0-data-real", "LVM-abc-real");
	add_dm(tree, "dm-3", "254:3", "bad\001name", "");
	assert_string_equal(pme_dev_label(load_and_find(tree, "dm-0")), "my-vg/my-data");
	assert_string_equal(pme_dev_label(load_and_find(tree, "dm-1")), "not-lvm");
	assert_string_equal(pme_dev_label(load_and_find(tree, "dm-2")), "vg0-data-real");
	assert_string_equal(pme_dev_label(load_and_find(tree, "dm-3")), "dm-3");
	assert_string_equal(load_and_find(tree, "dm-0")->uuid, "LVM-abc");
	assert_int_equal(load_and_find(tree, "dm-0")->kind, PME_DEV_DM);
}

static void test_slaves(void **state)
{
	struct tree *tree = *state;
	const struct pme_dev *top;

	tree_disk(tree, "pmem0", "259:0", "4096");
	tree_partition(tree, "pmem0", "pmem0p1", "259:1", "0", "4096");
	tree_disk(tree, "pmem1", "259:2", "4096");
	add_dm(tree, "dm-0", "254:0", "top", "");
	tree_slave(tree, "pmem0p1", "dm-0");
	tree_slave(tree, "pmem1", "dm-0");
	tree_slave(tree, "pmem9", "dm-0");
	top = load_and_find(tree, "dm-0");
	assert_int_equal(top->n_lowers, 2);
	assert_string_equal(top->lowers[0]->name, "pmem0p1");
	assert_string_equal(top->lowers[1]->name, "pmem1");
	assert_string_equal(tree_message(tree, "dm-0"), "is stacked on pmem9, which is gone");
	assert_false(tree->log.incomplete);
}

static void test_empty_devices(void **state)
{
	struct tree *tree = *state;

	tree_disk(tree, "loop0", "7:0", "0");
	tree_disk(tree, "pmem0", "259:0", "8");
	tree_disk(tree, "md0", "9:0", "0");
	tree_slave(tree, "pmem0", "md0");
	assert_null(load_and_find(tree, "loop0"));
	assert_non_null(load_and_find(tree, "md0"));
	assert_int_equal(tree->log.count, 0);
}

static void test_vanished(void **state)
{
	struct tree *tree = *state;

	tree_link(tree, "sys/class/block/gone", "../../devices/virtual/block/gone");
	tree_disk(tree, "half", "259:1", "8");
	assert_int_equal(unlinkat(tree->os.root, "sys/class/block/half/size", 0), 0);
	tree_disk(tree, "pmem0", "259:0", "8");
	assert_non_null(load_and_find(tree, "pmem0"));
	assert_int_equal(tree->topo.n_devs, 1);
	assert_int_equal(tree->log.count, 0);
}

static void test_hostile_numbers(void **state)
{
	static const char *const cases[][2] = {
		{"259:1", "36028797018963968"}, /* 2^55 sectors: bytes overflow */
		{"259:1", "99999999999999999999999"},
		{"259:1", "-1"},
		{"259:1", "8 8"},
		{"259:1", ""},
		{"4096:0", "8"},
		{"1:1048576", "8"},
		{"259", "8"},
		{"259:", "8"},
		{":1", "8"},
		{"259:1:2", "8"},
	};
	struct tree *tree = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = pme_printf("bad%zu", i);

		tree_disk(tree, name, cases[i][0], cases[i][1]);
	}
	tree_disk(tree, "pmem0", "259:0", "8");
	assert_non_null(load_and_find(tree, "pmem0"));
	assert_int_equal(tree->topo.n_devs, 1);
	assert_int_equal(tree->log.count, PME_ARRAY_SIZE(cases));
	assert_true(tree->log.incomplete);
}

static void test_partition_without_place(void **state)
{
	struct tree *tree = *state;

	tree_disk(tree, "pmem0", "259:0", "100");
	tree_partition(tree, "pmem0", "pmem0p1", "259:1", "50", "51");
	tree_partition(tree, "pmem9", "pmem9p1", "259:2", "0", "8");
	tree_partition(tree, "pmem0/pmem0p1", "part1", "259:3", "0", "8");
	assert_null(load_and_find(tree, "pmem0p1")->disk);
	assert_null(load_and_find(tree, "pmem9p1")->disk);
	assert_null(load_and_find(tree, "part1")->disk);
	assert_non_null(tree_message(tree, "pmem0p1"));
	assert_non_null(tree_message(tree, "pmem9p1"));
	assert_non_null(tree_message(tree, "part1"));
	assert_int_equal(load_and_find(tree, "pmem0")->n_uppers, 0);
}

static void test_cycle(void **state)
{
	struct tree *tree = *state;

	add_dm(tree, "dm-0", "254:0", "a", "");
	add_dm(tree, "dm-1", "254:1", "b", "");
	tree_slave(tree, "dm-0", "dm-1");
	tree_slave(tree, "dm-1", "dm-0");
	assert_int_equal(load_and_find(tree, "dm-0")->n_lowers, 1);
	assert_int_equal(load_and_find(tree, "dm-1")->n_lowers, 0);
	assert_non_null(tree_message(tree, "dm-1"));
	assert_true(tree->log.incomplete);
}

static void test_swaps(void **state)
{
	struct tree *tree = *state;

	tree_disk(tree, "pmem0", "259:0", "100");
	add_dm(tree, "dm-0", "254:0", "a swap", "");
	tree_disk(tree, "pmem1", "259:1", "100");
	tree_file(tree, "proc/swaps",
		  "Filename Type Size Used Priority\n"
		  "/dev/pmem0 partition\t40 0 -2\n"
		  "/dev/mapper/a\\040swap partition 40 0 -3\n"
		  "/dev/pmem1 file 40 0 -4\n"
		  "/dev/gone partition 40 0 -5");
	assert_true(load_and_find(tree, "pmem0")->swap);
	assert_true(load_and_find(tree, "dm-0")->swap);
	assert_false(load_and_find(tree, "pmem1")->swap);
	assert_non_null(tree_message(tree, "/dev/gone"));
}

/* Found by its path, and told from another file of that name by its size. */
static void test_swap_files(void **state)
{
	struct tree *tree = *state;
	char big[8193];
	struct stat st;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	tree_disk(tree, "pmem0", "259:0", "100");
	tree_file(tree, "srv/a swap", big);
	tree_file(tree, "srv/other", "x");
	tree_file(tree, "proc/swaps",
		  "Filename Type Size Used Priority\n"
		  "/srv/a\\040swap file 4 0 -2\n"
		  "/srv/other file 4 0 -3\n"
		  "/srv/old\\040(deleted) file 4 0 -4\n"
		  "/srv/junk file\n");
	load_and_find(tree, "pmem0");
	assert_int_equal(fstatat(tree->os.root, "srv/a swap", &st, 0), 0);
	assert_int_equal(tree->topo.n_swap_files, 1);
	assert_true(pme_topo_is_swap_file(&tree->topo, st.st_dev, st.st_ino));
	assert_false(pme_topo_is_swap_file(&tree->topo, st.st_dev, st.st_ino + 1));
	assert_non_null(strstr(tree_message(tree, "/srv/other"), "another mount namespace"));
	assert_non_null(strstr(tree_message(tree, "/srv/old (deleted)"), "unlinked"));
	assert_non_null(tree_message(tree, "/proc/swaps"));
}

static void test_zram(void **state)
{
	struct tree *tree = *state;
	const struct pme_dev *zram;

	tree_disk(tree, "pmem0", "259:0", "100");
	tree_disk(tree, "zram0", "252:0", "100");
	tree_disk(tree, "zram1", "252:1", "100");
	tree_disk(tree, "zram2", "252:2", "100");
	tree_attr(tree, "zram0", "backing_dev", "none");
	tree_attr(tree, "zram1", "backing_dev", "/dev/pmem0");
	tree_attr(tree, "zram2", "backing_dev", "/dev/gone");
	zram = load_and_find(tree, "zram1");
	assert_int_equal(zram->n_lowers, 1);
	assert_string_equal(zram->lowers[0]->name, "pmem0");
	assert_int_equal(pme_topo_find(&tree->topo, "zram0")->n_lowers, 0);
	assert_non_null(tree_message(tree, "zram2"));
}

static void test_no_sysfs(void **state)
{
	struct tree *tree = *state;

	assert_int_equal(unlinkat(tree->os.root, "sys/class/block", AT_REMOVEDIR), 0);
	assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_disk_and_partition, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dm_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vanished, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partition_without_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cycle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swaps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swap_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_sysfs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
