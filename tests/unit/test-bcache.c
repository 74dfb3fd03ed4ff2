/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bcache: superblocks, the kernel's list of extents, devices in sysfs, and the layer.  Two backing
 * devices share one cache device, as they do on a machine.
 */
#include <string.h>

#include "bcache-map.h"
#include "hop-check.h"
#include "media.h"
#include "snapshot.h"
#include "tree.h"

#define SET "0c4f6a1e-7d5a-4b7e-9d6f-3f3c8d2f1a55"
#define LIST "sys/kernel/debug/bcache/bcache-" SET

/* The superblocks of all devices of these tests, by minor. */
static unsigned char supers[3][PME_BCACHE_SUPER_SIZE];
static int media_error;

int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset);
int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset)
{
	assert_int_equal(offset, PME_BCACHE_SUPER_AT);
	assert_int_equal(size, PME_BCACHE_SUPER_SIZE);
	memcpy(buf, supers[dev->name[4] - '0'], size);
	return media_error;
}

static void put(unsigned char *at, unsigned int bytes, uint64_t value)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static void seal(unsigned char *buf)
{
	size_t keys = buf[206] | (size_t)buf[207] << 8;

	put(buf, 8, ~pme_bcache_crc(~0ULL, buf + 8, 200 + keys * 8));
}

static void make_super(unsigned char *buf, uint64_t version)
{
	static const unsigned char magic[16] = {0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
						0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81};

	memset(buf, 0, PME_BCACHE_SUPER_SIZE);
	put(buf + 8, 8, 8);
	put(buf + 16, 8, version);
	memcpy(buf + 24, magic, sizeof(magic));
}

/* Buckets of 16 sectors; the first one is for the superblock, the next two for the journal. */
static void make_cache_super(unsigned char *buf)
{
	make_super(buf, 3);
	put(buf + 184, 8, 64);
	put(buf + 192, 2, 1);
	put(buf + 194, 2, 16);
	put(buf + 196, 2, 1);
	put(buf + 204, 2, 1);
	put(buf + 206, 2, 2);
	put(buf + 208, 8, 1);
	put(buf + 216, 8, 2);
	seal(buf);
}

static void make_backing_super(unsigned char *buf, uint64_t sectors)
{
	make_super(buf, 4);
	put(buf + 184, 8, sectors);
	seal(buf);
}

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

/* pmem0 and pmem2 behind the cache pmem1. */
struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *lowers[3], *uppers[2];
};

static struct pme_dev *add_bcache(struct machine *m, const char *name, struct pme_dev *backing,
				  uint64_t id)
{
	struct pme_dev *dev = snap_disk(&m->snap, name, backing->size / PME_SECTOR - 16);

	snap_stack(backing, dev);
	snap_stack(m->lowers[1], dev);
	dev->bcache = calloc(1, sizeof(*dev->bcache));
	assert_non_null(dev->bcache);
	*dev->bcache = (struct pme_bcache){
		.backing = backing, .state = strdup("dirty"), .set = strdup(SET), .id = id};
	return dev;
}

static void machine_start(struct machine *m, const char *list)
{
	static const char *const names[] = {"pmem0", "pmem1", "pmem2"};

	tree_init(&m->tree);
	snap_init(&m->snap, &m->tree.os);
	if (list)
		tree_file(&m->tree, LIST, list);
	for (int i = 0; i < 3; i++)
		m->lowers[i] = snap_disk(&m->snap, names[i], 1024);
	m->uppers[0] = add_bcache(m, "bcache0", m->lowers[0], 0);
	m->uppers[1] = add_bcache(m, "bcache1", m->lowers[2], 1);
	make_cache_super(supers[1]);
	media_error = 0;
}

static void machine_end(struct machine *m)
{
	snap_done(&m->snap);
	tree_done(&m->tree);
}

/* From the start of the backing device: 16 sectors more than of its data. */
static const char list_text[] = "0:24 len 8 -> [0:200 gen 3] dirty\n"
				"0:32 len 16 -> [0:64 gen 3]\n"
				"1:16 len 8 -> [0:208 gen 1] dirty\n"
				"5:16 len 8 -> [0:216 gen 1] dirty\n";

/* The only step for one sector; copied so that a test can look at it. */
static struct pme_step one(struct machine *m, int upper, int lower, uint64_t sector,
			   struct pme_steps *steps)
{
	struct pme_range range = {SECTORS(sector), PME_SECTOR};

	pme_steps_done(steps);
	assert_int_equal(pme_layer_bcache.up(&m->snap.stack, m->uppers[upper], m->lowers[lower],
					     range, steps),
			 0);
	assert_int_equal(steps->count, 1);
	assert_int_equal(steps->items[0].from.length, PME_SECTOR);
	return steps->items[0];
}

static void test_backing(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, list_text);
	step = one(&m, 0, 0, 16 + 7, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(7));
	assert_null(step.copies);
	step = one(&m, 0, 0, 16 + 8, &steps);
	assert_null(step.to);
	assert_int_equal(step.owner, PME_OWNER_UNUSED);
	step = one(&m, 0, 0, 16 + 20, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_ptr_equal(step.copies->places[0].dev, m.lowers[1]);
	assert_int_equal(step.copies->places[0].start, SECTORS(68));
	step = one(&m, 0, 0, 8, &steps);
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	step = one(&m, 0, 0, 7, &steps);
	assert_int_equal(step.owner, PME_OWNER_UNUSED);
	machine_end(&m);
}

static void test_cache(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, list_text);
	step = one(&m, 0, 1, 203, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(11));
	assert_false(step.ends_if_copied);
	step = one(&m, 0, 1, 64, &steps);
	assert_int_equal(step.owner, PME_OWNER_CACHE_COPY);
	assert_true(step.ends_if_copied);
	assert_ptr_equal(step.copies->places[0].dev, m.lowers[0]);
	assert_int_equal(step.copies->places[0].start, SECTORS(16 + 16));
	step = one(&m, 1, 1, 208, &steps);
	assert_ptr_equal(step.to, m.uppers[1]);
	assert_int_equal(step.to_start, 0);
	step = one(&m, 0, 1, 216, &steps); /* of a device that is not here */
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	step = one(&m, 0, 1, 8, &steps);
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	step = one(&m, 0, 1, 47, &steps); /* journal: buckets 1 and 2 */
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	step = one(&m, 0, 1, 48, &steps);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	machine_end(&m);
}

/* Every byte of the cache is spoken for once. */
static void test_cache_shared(void **state)
{
	struct machine m;
	uint64_t covered = 0;

	machine_start(&m, list_text);
	for (int i = 0; i < 2; i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct pme_range all = {0, SECTORS(1024)};

		assert_int_equal(
			pme_layer_bcache.up(&m.snap.stack, m.uppers[i], m.lowers[1], all, &steps),
			0);
		check_inside(&steps, all);
		for (size_t k = 0; k < steps.count; k++)
			covered += steps.items[k].from.length;
	}
	assert_int_equal(covered, SECTORS(1024));
	machine_end(&m);
}

static void test_down(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range = {SECTORS(7), SECTORS(10)};
	struct machine m;

	machine_start(&m, list_text);
	assert_int_equal(pme_layer_bcache.down(&m.snap.stack, m.uppers[0], range, &steps), 0);
	assert_int_equal(bytes_between(&steps, m.lowers[0], 7, 16 + 7), PME_SECTOR);
	assert_int_equal(bytes_between(&steps, m.lowers[1], 8, 200), PME_SECTOR);
	assert_int_equal(bytes_between(&steps, m.lowers[0], 8, 16 + 8), 0);
	assert_int_equal(bytes_between(&steps, m.lowers[1], 16, 64), PME_SECTOR);
	assert_int_equal(bytes_between(&steps, m.lowers[0], 16, 16 + 16), PME_SECTOR);
	machine_end(&m);
}

/* Without the list: clean is exact for the backing device, dirty is not. */
static void test_no_list(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, NULL);
	step = one(&m, 0, 0, 16 + 8, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	assert_non_null(strstr(step.reason, "debugfs is not mounted"));
	step = one(&m, 0, 1, 200, &steps);
	assert_null(step.to);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	step = one(&m, 0, 1, 8, &steps);
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	machine_end(&m);

	machine_start(&m, NULL);
	memcpy(m.uppers[0]->bcache->state, "clean", 6);
	step = one(&m, 0, 0, 16 + 8, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.certainty, PME_EXACT);
	machine_end(&m);
}

static void test_no_cache(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, NULL);
	free(m.uppers[0]->bcache->state);
	free(m.uppers[0]->bcache->set);
	m.uppers[0]->bcache->state = strdup("no cache");
	m.uppers[0]->bcache->set = NULL;
	m.uppers[0]->bcache->id = PME_UNKNOWN;
	step = one(&m, 0, 0, 1023, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(1007));
	assert_int_equal(step.certainty, PME_EXACT);
	machine_end(&m);
}

/* A backing device that grew, or has its data further behind: its superblock is needed. */
static void test_offset(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, list_text);
	m.lowers[0]->size += SECTORS(100);
	make_backing_super(supers[0], 24);
	step = one(&m, 0, 0, 50, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(26));
	machine_end(&m);

	machine_start(&m, list_text);
	m.lowers[0]->size += SECTORS(100);
	make_backing_super(supers[0], 1000);
	step = one(&m, 0, 0, 50, &steps);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	machine_end(&m);

	machine_start(&m, list_text);
	m.lowers[0]->size += SECTORS(100);
	media_error = -EIO;
	step = one(&m, 0, 0, 50, &steps);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	machine_end(&m);
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
		cmocka_unit_test(test_backing),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_shared),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_no_cache),
		cmocka_unit_test(test_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
