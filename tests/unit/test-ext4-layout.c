/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/ext4-geo.c, ext4-layout.c, ext4-pass.c: filesystems that libext2fs makes in a file.
 *
 * What the library marks as used in a new filesystem is what the layout must have, each block once.
 * pme_os_pread() is wrapped by the linker, so that some blocks cannot be read.
 */
#include "ext4-layout.h"

#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <string.h>

#include "check.h"
#include "ext4-pass.h"
#include "os.h"

static char path[] = "/tmp/pmemctl-test-ext4-XXXXXX";
static uint64_t broken_at = UINT64_MAX; /* reads that meet this byte fail */

int __real_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);

int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	if (offset <= broken_at && broken_at - offset < size)
		return -EIO;
	return __real_pme_os_pread(fd, buf, size, offset);
}

struct variant {
	uint32_t log_block, blocks, reserved;
	uint32_t incompat, ro_compat;
};

static const struct variant variants[] = {
	{0, 40000, 0, 0, 0},
	{0, 40000, 30, 0, EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER},
	{2, 100000, 16, EXT4_FEATURE_INCOMPAT_FLEX_BG, EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER},
	{1, 60000, 0, EXT2_FEATURE_INCOMPAT_META_BG | EXT4_FEATURE_INCOMPAT_64BIT, 0},
};

static ext2_filsys make(const struct variant *variant)
{
	struct ext2_super_block param = {0};
	ext2_filsys fs;

	param.s_rev_level = 1;
	param.s_inode_size = 256;
	param.s_log_block_size = variant->log_block;
	param.s_log_cluster_size = variant->log_block;
	param.s_reserved_gdt_blocks = (uint16_t)variant->reserved;
	param.s_feature_incompat = variant->incompat;
	param.s_feature_ro_compat = variant->ro_compat;
	param.s_feature_compat = variant->reserved ? EXT2_FEATURE_COMPAT_RESIZE_INODE : 0;
	param.s_log_groups_per_flex = variant->incompat & EXT4_FEATURE_INCOMPAT_FLEX_BG ? 2 : 0;
	ext2fs_blocks_count_set(&param, variant->blocks);
	assert_int_equal(truncate(path, (off_t)variant->blocks * (1024 << variant->log_block)), 0);
	assert_int_equal(ext2fs_initialize(path, EXT2_FLAG_64BITS, &param, unix_io_manager, &fs),
			 0);
	assert_int_equal(ext2fs_allocate_tables(fs), 0);
	return fs;
}

/* Every block is in as many places as the bitmap says: one or none. */
static void check_layout(ext2_filsys fs, const struct pme_ext4_geo *geo)
{
	struct pme_range whole = {0, geo->size + 4096};
	const struct pme_range_list all = {.items = &whole, .count = 1};
	_cleanup_(pme_ext4_places_done) struct pme_ext4_places places = {0};
	_cleanup_free_ unsigned char *seen = calloc(geo->blocks + 4, 1);

	assert_int_equal(pme_ext4_layout(geo, &all, &places), 0);
	assert_int_equal(places.bad_groups, 0);
	for (size_t i = 0; i < places.count; i++) {
		struct pme_range range = places.items[i].range;
		_cleanup_free_ char *name = pme_ext4_place_name(geo, &places.items[i]);

		assert_non_null(name);
		if (places.items[i].part == PME_EXT4_BEHIND) {
			assert_int_equal(range.start, geo->size);
			continue;
		}
		for (uint64_t at = range.start; at < pme_range_end(range); at += geo->block_size)
			seen[at / geo->block_size]++;
	}
	assert_int_equal(seen[0], 1);
	for (uint64_t i = geo->first_block; i < geo->blocks; i++)
		assert_int_equal(seen[i], ext2fs_test_block_bitmap2(fs->block_map, i) != 0);
}

static void test_layout(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(variants); i++) {
		const struct variant *variant = &variants[i];
		uint64_t size = (uint64_t)variant->blocks * (1024 << variant->log_block);
		_cleanup_(pme_ext4_geo_done) struct pme_ext4_geo geo = {0};
		ext2_filsys fs = make(variant);
		_cleanup_close_ int fd = -1;

		assert_int_equal(ext2fs_flush(fs), 0);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(pme_ext4_geo_read(&fd, size, &geo), 0);
		assert_int_equal(geo.blocks, ext2fs_blocks_count(fs->super));
		check_layout(fs, &geo);
		ext2fs_free(fs);
	}
}

static void test_refused(void **state)
{
	_cleanup_(pme_ext4_geo_done) struct pme_ext4_geo geo = {0};
	ext2_filsys fs = make(&variants[0]);
	_cleanup_close_ int fd = -1;

	assert_int_equal(ext2fs_flush(fs), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* larger than its device */
	assert_int_equal(pme_ext4_geo_read(&fd, 39999 * 1024, &geo), -EUCLEAN);
	broken_at = 1500;
	assert_int_equal(pme_ext4_geo_read(&fd, 40000 * 1024, &geo), -EIO);
	broken_at = 2 * 1024 + 5; /* group descriptors */
	assert_int_equal(pme_ext4_geo_read(&fd, 40000 * 1024, &geo), -EIO);
	broken_at = UINT64_MAX;
	assert_int_equal(pwrite(fd, "xx", 2, 1024 + 0x38), 2);
	assert_int_equal(pme_ext4_geo_read(&fd, 40000 * 1024, &geo), -EUCLEAN);
	ext2fs_free(fs);
}

/* An inode with one block; the library writes it into its table. */
static void put_inode(ext2_filsys fs, ext2_ino_t ino, uint32_t block)
{
	struct ext2_inode inode = {.i_mode = LINUX_S_IFREG | 0644, .i_links_count = 1};

	inode.i_block[0] = block;
	ext2fs_inode_alloc_stats2(fs, ino, 1, 0);
	assert_int_equal(ext2fs_write_inode(fs, ino, &inode), 0);
}

static void test_pass(void **state)
{
	struct pme_range range = {30000 * 1024, 4 * 1024};
	const struct pme_range_list wanted = {.items = &range, .count = 1};
	struct pme_ext4_candidates found = {0};
	_cleanup_(pme_ext4_geo_done) struct pme_ext4_geo geo = {0};
	ext2_filsys fs = make(&variants[0]);
	_cleanup_close_ int fd = -1;
	uint32_t far = fs->super->s_inodes_per_group * 2 + 5; /* in another group */
	uint64_t at;

	put_inode(fs, far, 30002);
	put_inode(fs, 20, 30001);
	put_inode(fs, 21, 30004);
	put_inode(fs, 100, 30003);
	assert_int_equal(ext2fs_flush(fs), 0);
	ext2fs_write_bitmaps(fs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pme_ext4_geo_read(&fd, 40000 * 1024, &geo), 0);
	assert_int_equal(pme_ext4_pass(&geo, &wanted, NULL, &found), 0);
	assert_int_equal(found.count, 3);
	assert_int_equal(found.inodes[0], 20);
	assert_int_equal(found.inodes[1], 100);
	assert_int_equal(found.inodes[2], far);
	assert_int_equal(found.unread_blocks, 0);
	assert_int_equal(pme_ext4_geo_inode_used(&geo, 100), 1);
	assert_int_equal(pme_ext4_geo_inode_used(&geo, 101), 0);
	pme_ext4_candidates_done(&found);

	assert_int_equal(pme_ext4_geo_inode_at(&geo, 20, &at), 0);
	broken_at = at + 3; /* costs the four inodes of its block, no more */
	assert_int_equal(pme_ext4_pass(&geo, &wanted, NULL, &found), 0);
	broken_at = UINT64_MAX;
	assert_int_equal(found.count, 2);
	assert_int_equal(found.inodes[0], 100);
	assert_int_equal(found.unread_blocks, 1);
	pme_ext4_candidates_done(&found);
	ext2fs_free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pass),
	};
	int fd = mkstemp(path), r;

	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
