/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/ext4-map.c: inodes and block maps, made by hand, also ones that lead astray.
 *
 * A device of 64 blocks of 1 KiB is played from a buffer.
 */
#include "ext4-map.h"

#include <ext2fs/ext2fs.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "ext4-pass.h"

#define SIZE 1024U
#define BLOCKS 64U

static unsigned char device[BLOCKS][SIZE];
static struct pme_ext4_run runs[64];
static size_t n_runs;
static uint32_t broken; /* a block that cannot be read */

static void put16(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *at, uint32_t value)
{
	put16(at, value & 0xffff);
	put16(at + 2, value >> 16);
}

static int read_device(void *arg, void *buf, size_t size, uint64_t offset)
{
	assert_true(offset % SIZE == 0 && size == SIZE && offset / SIZE < BLOCKS);
	if (offset / SIZE == broken)
		return -EIO;
	memcpy(buf, device[offset / SIZE], size);
	return 0;
}

static int take(void *arg, const struct pme_ext4_run *run)
{
	assert_true(n_runs < PME_ARRAY_SIZE(runs));
	runs[n_runs++] = *run;
	return 0;
}

static int walk(const struct pme_ext4_inode *inode)
{
	const struct pme_reader reader = {.read = read_device, .size = sizeof(device)};
	const struct pme_ext4_map map = {
		.reader = &reader,
		.block_size = SIZE,
		.blocks = BLOCKS,
		.take = take,
	};

	n_runs = 0;
	return pme_ext4_map_walk(&map, inode);
}

static void check_run(size_t i, enum pme_ext4_run_kind kind, uint64_t logical, uint64_t physical,
		      uint64_t count)
{
	assert_true(i < n_runs);
	assert_int_equal(runs[i].kind, kind);
	assert_int_equal(runs[i].logical, logical);
	assert_int_equal(runs[i].physical, physical);
	assert_int_equal(runs[i].count, count);
}

static void head(unsigned char *node, uint32_t entries, uint32_t max, uint32_t depth)
{
	put16(node, 0xf30a);
	put16(node + 2, entries);
	put16(node + 4, max);
	put16(node + 6, depth);
}

static void leaf(unsigned char *node, int i, uint32_t logical, uint32_t count, uint32_t physical)
{
	unsigned char *entry = node + 12 * (i + 1);

	put32(entry, logical);
	put16(entry + 4, count);
	put16(entry + 6, 0);
	put32(entry + 8, physical);
}

static void branch(unsigned char *node, int i, uint32_t logical, uint32_t block)
{
	unsigned char *entry = node + 12 * (i + 1);

	put32(entry, logical);
	put32(entry + 4, block);
	put32(entry + 8, 0);
}

static struct pme_ext4_inode start(uint32_t flags)
{
	memset(device, 0, sizeof(device));
	broken = UINT32_MAX;
	return (struct pme_ext4_inode){
		.ino = 12,
		.mode = S_IFREG,
		.flags = flags,
		.space = 16 * SIZE,
	};
}

static void test_leaf_in_inode(void **state)
{
	struct pme_ext4_inode inode = start(PME_EXT4_EXTENTS);

	head(inode.block, 2, 4, 0);
	leaf(inode.block, 0, 0, 3, 20);
	leaf(inode.block, 1, 7, 32768 + 2, 30);
	assert_int_equal(walk(&inode), 0);
	assert_int_equal(n_runs, 2);
	check_run(0, PME_EXT4_DATA, 0, 20, 3);
	check_run(1, PME_EXT4_UNWRITTEN, 7, 30, 2);
}

/* The longest written extent has the length with which others begin to be unwritten. */
static void test_longest(void **state)
{
	struct pme_ext4_inode inode = start(PME_EXT4_EXTENTS);
	const struct pme_reader reader = {.read = read_device};
	const struct pme_ext4_map map = {&reader, SIZE, 1U << 20, take, NULL, NULL};

	head(inode.block, 1, 4, 0);
	leaf(inode.block, 0, 0, 32768, 20);
	n_runs = 0;
	assert_int_equal(pme_ext4_map_walk(&map, &inode), 0);
	check_run(0, PME_EXT4_DATA, 0, 20, 32768);
}

static struct pme_ext4_inode make_tree(void)
{
	struct pme_ext4_inode inode = start(PME_EXT4_EXTENTS);

	head(inode.block, 2, 4, 1);
	branch(inode.block, 0, 0, 10);
	branch(inode.block, 1, 100, 11);
	head(device[10], 1, 84, 0);
	leaf(device[10], 0, 5, 1, 40);
	head(device[11], 1, 84, 0);
	leaf(device[11], 0, 100, 2, 50);
	return inode;
}

static void test_tree(void **state)
{
	struct pme_ext4_inode inode = make_tree();

	assert_int_equal(walk(&inode), 0);
	assert_int_equal(n_runs, 4);
	check_run(0, PME_EXT4_MAP, 0, 10, 1);
	check_run(1, PME_EXT4_DATA, 5, 40, 1);
	check_run(2, PME_EXT4_MAP, 0, 11, 1);
	check_run(3, PME_EXT4_DATA, 100, 50, 2);
}

static void test_unreadable_leaf(void **state)
{
	struct pme_ext4_inode inode = make_tree();

	broken = 10;
	assert_int_equal(walk(&inode), -EIO);
	assert_int_equal(n_runs, 3); /* the block itself, and all of the other */
	check_run(2, PME_EXT4_DATA, 100, 50, 2);
}

static void test_bad_trees(void **state)
{
	struct pme_ext4_inode inode = make_tree();

	put16(device[10], 0xf30b); /* magic */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	put16(device[10] + 6, 1); /* does not get shallower */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	put16(device[10] + 2, 85); /* more than fit */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	branch(inode.block, 1, 100, 10); /* the same block twice: not where its entries belong */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	branch(inode.block, 1, 100, BLOCKS); /* behind the end */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	leaf(device[11], 0, 100, 2, BLOCKS - 1); /* across the end */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	leaf(device[10], 0, 99, 2, 40); /* reaches into the next */
	assert_int_equal(walk(&inode), -EUCLEAN);
	inode = make_tree();
	put16(inode.block + 6, 6); /* too deep */
	assert_int_equal(walk(&inode), -EUCLEAN);
	assert_int_equal(n_runs, 0);
}

static void test_indirect(void **state)
{
	struct pme_ext4_inode inode = start(0);

	for (uint32_t i = 0; i < 12; i++)
		put32(inode.block + (size_t)i * 4, 20 + i);
	put32(inode.block + 48, 10); /* indirect */
	put32(inode.block + 52, 11); /* double */
	put32(device[10], 32);	     /* goes on where the direct ones end */
	put32(device[10] + 8, 40);   /* a hole before it */
	put32(device[11] + 4, 12);
	put32(device[12] + 4, 50);
	assert_int_equal(walk(&inode), 0);
	check_run(0, PME_EXT4_MAP, 0, 10, 1);
	check_run(1, PME_EXT4_DATA, 0, 20, 13);
	check_run(2, PME_EXT4_MAP, 0, 11, 1);
	check_run(3, PME_EXT4_MAP, 0, 12, 1);
	check_run(4, PME_EXT4_DATA, 14, 40, 1);
	check_run(5, PME_EXT4_DATA, 12 + 256 + 256 + 1, 50, 1);
	assert_int_equal(n_runs, 6);
}

/* Blocks that point to themselves: it ends, and says so. */
static void test_circle(void **state)
{
	struct pme_ext4_inode inode = start(0);

	put32(inode.block + 56, 10);
	for (size_t i = 0; i < SIZE / 4; i++)
		put32(device[10] + i * 4, 10);
	inode.space = 4 * SIZE;
	for (size_t i = 0; i < SIZE / 4; i++) /* lest there be too many runs of data */
		put32(device[10] + i * 4, i < 4 ? 10 : 0);
	assert_int_equal(walk(&inode), -EUCLEAN);
	assert_in_range(n_runs, 4, 20);
}

static void test_no_map(void **state)
{
	struct pme_ext4_inode inode = start(PME_EXT4_INLINE);

	memset(inode.block, 0xff, sizeof(inode.block));
	assert_int_equal(walk(&inode), 0);
	inode.flags = 0;
	inode.mode = S_IFCHR;
	assert_int_equal(walk(&inode), 0);
	inode.mode = S_IFLNK;
	inode.size = 59;
	assert_int_equal(walk(&inode), 0);
	assert_int_equal(n_runs, 0);
	inode.size = 60; /* its name does not fit any more */
	assert_int_equal(walk(&inode), -EUCLEAN);
}

static void test_parse(void **state)
{
	unsigned char raw[PME_EXT4_INODE_MIN] = {0};
	struct pme_ext4_inode inode;

	put16(raw, S_IFREG | 0644);
	put32(raw + 0x04, 5);
	put16(raw + 0x1a, 3);
	put32(raw + 0x1c, 16);
	put32(raw + 0x20, PME_EXT4_EXTENTS);
	put32(raw + 0x64, 0xdeadbeef);
	put32(raw + 0x68, 77);
	put32(raw + 0x6c, 1);
	put16(raw + 0x76, 2);
	raw[0x28] = 'x';
	pme_ext4_inode_parse(raw, 12, SIZE, &inode);
	assert_int_equal(inode.ino, 12);
	assert_int_equal(inode.mode, S_IFREG | 0644);
	assert_int_equal(inode.size, (1ULL << 32) + 5);
	assert_int_equal(inode.nlink, 3);
	assert_int_equal(inode.gen, 0xdeadbeef);
	assert_int_equal(inode.xattr_block, (2ULL << 32) + 77);
	assert_int_equal(inode.space, 8192);
	assert_int_equal(inode.block[0], 'x');
	put32(raw + 0x20, 0x40000); /* huge: counted in blocks */
	pme_ext4_inode_parse(raw, 12, SIZE, &inode);
	assert_int_equal(inode.space, 16 * SIZE);
	put16(raw, 0);
	pme_ext4_inode_parse(raw, PME_EXT4_BAD_INO, SIZE, &inode);
	assert_true(pme_ext4_inode_has_map(&inode));
}

/* A header that says that the checksum is behind the block; with 84 entries it ends the block. */
static void test_no_room_for_checksum(void **state)
{
	static const uint32_t rooms[] = {84, 85, 86, 65535};
	struct struct_ext2_filsys fs = {.csum_seed = 1};
	const struct pme_ext4_geo geo = {.fs = &fs, .block_size = SIZE, .has_csum = true};
	const struct pme_ext4_inode inode = {.ino = 12, .gen = 1};
	struct pme_ext4_checker checker = {.geo = &geo};
	_cleanup_free_ unsigned char *block = calloc(1, SIZE);

	(void)state;
	assert_non_null(block);
	for (size_t i = 0; i < PME_ARRAY_SIZE(rooms); i++) {
		put16(block + 4, rooms[i]);
		assert_false(pme_ext4_check_block(&checker, &inode, block));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf_in_inode), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_tree),	      cmocka_unit_test(test_unreadable_leaf),
		cmocka_unit_test(test_bad_trees),     cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_circle),	      cmocka_unit_test(test_no_map),
		cmocka_unit_test(test_parse),	      cmocka_unit_test(test_no_room_for_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
