/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bcache: superblocks, the kernel's list of extents, and devices in sysfs.
 */
#include "bcache-extents.h"
#include "bcache-supers.h"
#include "snapshot.h"
#include "tree.h"

static void test_super_backing(void **state)
{
	struct pme_bcache_super super;

	make_backing_super(supers[0], 2048);
	assert_int_equal(pme_bcache_super_parse(supers[0], &super), 0);
	assert_true(super.backing);
	assert_int_equal(super.data_offset, SECTORS(2048));
	make_super(supers[0], 1);
	put(supers[0] + 184, 8, 99); /* means something else in this version */
	seal(supers[0]);
	assert_int_equal(pme_bcache_super_parse(supers[0], &super), 0);
	assert_int_equal(super.data_offset, SECTORS(16));
	make_backing_super(supers[0], 15);
	assert_int_equal(pme_bcache_super_parse(supers[0], &super), -EINVAL);
	make_backing_super(supers[0], 1ULL << 60);
	assert_int_equal(pme_bcache_super_parse(supers[0], &super), -EINVAL);
}

static void test_super_cache(void **state)
{
	unsigned char *buf = supers[1];
	struct pme_bcache_super super;

	make_cache_super(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), 0);
	assert_false(super.backing);
	assert_int_equal(super.bucket, SECTORS(16));
	assert_int_equal(super.n_journal, 2);
	put(buf + 216, 8, 3); /* journal buckets with a gap */
	seal(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), -EINVAL);
	make_cache_super(buf);
	put(buf + 184, 8, 2); /* fewer buckets than the journal has */
	seal(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), -EINVAL);
	make_cache_super(buf);
	put(buf + 194, 2, 24); /* no power of two */
	seal(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), -EINVAL);
}

static void test_super_large_buckets(void **state)
{
	unsigned char *buf = supers[1];
	struct pme_bcache_super super;

	make_cache_super(buf);
	put(buf + 16, 8, 5);
	put(buf + 128, 8, 2);
	put(buf + 194, 2, 17); /* a power, now */
	seal(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), 0);
	assert_int_equal(super.bucket, SECTORS(1ULL << 17));
	put(buf + 194, 2, 64);
	seal(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), -EINVAL);
	put(buf + 128, 8, 4); /* a feature of tomorrow */
	seal(buf);
	assert_int_equal(pme_bcache_super_parse(buf, &super), -EINVAL);
}

static void test_super_damaged(void **state)
{
	struct pme_bcache_super super;

	make_cache_super(supers[1]);
	for (size_t at = 0; at < 224; at++) {
		supers[1][at] ^= 0x10;
		assert_true(pme_bcache_super_parse(supers[1], &super) < 0);
		supers[1][at] ^= 0x10;
	}
	make_super(supers[1], 7);
	seal(supers[1]);
	assert_int_equal(pme_bcache_super_parse(supers[1], &super), -EINVAL);
}

static void test_extents(void **state)
{
	static const char text[] = "0:8 len 8 -> [0:1000 gen 3] dirty\n"
				   "0:16 len 8 -> [0:1016 gen 3]\n"
				   "1:0 len 8 -> [0:1008 gen 255] dirty cs1 1234\n";
	struct pme_bcache_extents extents;
	const struct pme_bcache_extent *extent;
	struct pme_range piece;

	assert_int_equal(pme_bcache_extents_parse(text, strlen(text), &extents), 0);
	assert_int_equal(extents.count, 3);
	piece = pme_bcache_piece(&extents, 0, 0, SECTORS(100), &extent);
	assert_null(extent);
	assert_int_equal(piece.length, SECTORS(8));
	piece = pme_bcache_piece(&extents, 0, SECTORS(10), SECTORS(100), &extent);
	assert_true(extent->dirty);
	assert_int_equal(piece.length, SECTORS(6));
	piece = pme_bcache_piece(&extents, 0, SECTORS(16), SECTORS(17), &extent);
	assert_false(extent->dirty);
	assert_int_equal(piece.length, SECTORS(1));
	piece = pme_bcache_piece(&extents, 0, SECTORS(24), SECTORS(100), &extent);
	assert_null(extent);
	assert_int_equal(piece.length, SECTORS(76));
	piece = pme_bcache_place_piece(&extents, SECTORS(1009), SECTORS(2000), &extent);
	assert_int_equal(extent->inode, 1);
	assert_int_equal(piece.length, SECTORS(7));
	pme_bcache_extents_done(&extents);
}

static void test_extents_nonsense(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", 0},
		{"0:8 len 8 -> [0:1000 gen 3]", -EINVAL}, /* cut short */
		{"0:8 len 8 -> [0:1000 gen 3] dir\n", -EINVAL},
		{"0:8 len 0 -> [0:1000 gen 3]\n", -EINVAL},
		{"0:8 len 8 -> [1:1000 gen 3]\n", -EINVAL}, /* a second cache device */
		{"0:8 len 8 -> [0:1000 gen 3, 0:2000 gen 1]\n", -EINVAL},
		{"0:8 len 8 -> [check dev]\n", -EINVAL},
		{"0:8 len 8 -> []\n", -EINVAL},
		{"1048576:8 len 8 -> [0:1000 gen 3]\n", -EINVAL},
		{"0:36028797018963968 len 8 -> [0:1000 gen 3]\n", -EINVAL},
		{"0:8 len 8 -> [0:36028797018963960 gen 3]\n", -EINVAL},
		{"0:8 len 8 -> [0:1000 gen 3]\n0:12 len 8 -> [0:2000 gen 3]\n", -EAGAIN},
		{"0:8 len 8 -> [0:1000 gen 3]\n0:16 len 8 -> [0:1007 gen 3]\n", -EAGAIN},
		{"0:8 len 8 -> [0:1000 gen 3] cs1 12345678901234567890123456789012345678901234567"
		 "890\n",
		 -EINVAL}, /* as long as the kernel's buffer: perhaps cut */
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_bcache_extents extents;

		assert_int_equal(
			pme_bcache_extents_parse(cases[i].text, strlen(cases[i].text), &extents),
			cases[i].error);
		pme_bcache_extents_done(&extents);
	}
}

static void test_topo(void **state)
{
	struct tree tree;
	struct pme_dev *dev;

	tree_init(&tree);
	tree_disk(&tree, "pmem0", "259:0", "2048");
	tree_disk(&tree, "pmem1", "259:1", "2048");
	tree_disk(&tree, "bcache0", "252:0", "2032");
	tree_slave(&tree, "pmem0", "bcache0");
	tree_slave(&tree, "pmem1", "bcache0");
	tree_file(&tree, "sys/class/block/pmem0/bcache/state", "dirty\n");
	tree_file(&tree, "sys/class/block/pmem1/bcache/nbuckets", "64\n");
	tree_link(&tree, "sys/class/block/pmem0/bcache/cache", "../../../../fs/bcache/" SET);
	tree_link(&tree, "sys/fs/bcache/" SET "/bdev4", "../../../devices/nd/block/pmem2/bcache");
	tree_link(&tree, "sys/fs/bcache/" SET "/bdev7", "../../../devices/nd/block/pmem0/bcache");
	tree_link(&tree, "sys/fs/bcache/" SET "/cache0", "../../../devices/nd/block/pmem1/bcache");
	assert_int_equal(pme_topo_load_block(&tree.topo, &tree.log), 0);
	assert_int_equal(pme_topo_load_bcaches(&tree.topo, &tree.log), 0);
	assert_null(tree_message(&tree, "bcache0"));
	dev = pme_topo_find(&tree.topo, "bcache0");
	assert_non_null(dev->bcache);
	assert_ptr_equal(dev->bcache->backing, pme_topo_find(&tree.topo, "pmem0"));
	assert_string_equal(dev->bcache->state, "dirty");
	assert_string_equal(dev->bcache->set, SET);
	assert_int_equal(dev->bcache->id, 7);
	assert_null(pme_topo_find(&tree.topo, "pmem0")->bcache);
	tree_done(&tree);
}

static void test_topo_without_cache(void **state)
{
	struct tree tree;
	struct pme_dev *dev;

	tree_init(&tree);
	tree_disk(&tree, "pmem0", "259:0", "2048");
	tree_disk(&tree, "bcache0", "252:0", "2032");
	tree_slave(&tree, "pmem0", "bcache0");
	tree_file(&tree, "sys/class/block/pmem0/bcache/state", "no cache\n");
	assert_int_equal(pme_topo_load_block(&tree.topo, &tree.log), 0);
	assert_int_equal(pme_topo_load_bcaches(&tree.topo, &tree.log), 0);
	dev = pme_topo_find(&tree.topo, "bcache0");
	assert_null(dev->bcache->set);
	assert_int_equal(dev->bcache->id, PME_UNKNOWN);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_super_backing),
		cmocka_unit_test(test_super_cache),
		cmocka_unit_test(test_super_large_buckets),
		cmocka_unit_test(test_super_damaged),
		cmocka_unit_test(test_extents),
		cmocka_unit_test(test_extents_nonsense),
		cmocka_unit_test(test_topo),
		cmocka_unit_test(test_topo_without_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
