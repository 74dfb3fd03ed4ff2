/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Geometry of ext2, ext3 and ext4; see ext4-geo.h.
 *
 * The superblock is looked at before libext2fs gets it, so that nothing that it allocates is larger
 * than the device can justify.  What surprises: descriptors are not checked by the library, and
 * with flex_bg the tables of a group lie in another one.
 */
#include "ext4-geo.h"

#include <ext2fs/ext2fs.h>
#include <string.h>

#include "ext4-io.h"
#include "os.h"

/* struct ext2_super_block (ext2fs/ext2_fs.h): at byte 1024, little-endian */
#define SUPER_AT 1024
#define SUPER_BLOCKS_LO 0x04
#define SUPER_LOG_BLOCK 0x18
#define SUPER_MAGIC 0x38
#define SUPER_INCOMPAT 0x60
#define SUPER_BLOCKS_HI 0x150
#define LOG_BLOCK_MAX 6 /* 64 KiB */

#define OPEN_FLAGS (EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS | EXT2_FLAG_SOFTSUPP_FEATURES)

/* Is there a filesystem, no larger than the device? */
static int check_super(int fd, uint64_t device_size)
{
	unsigned char raw[SUPERBLOCK_SIZE];
	uint64_t blocks, size;
	uint32_t log;
	int r = pme_os_pread(fd, raw, sizeof(raw), SUPER_AT);

	if (r < 0)
		return r == -ENODATA ? -EUCLEAN : r;
	if (raw[SUPER_MAGIC] != 0x53 || raw[SUPER_MAGIC + 1] != 0xef)
		return -EUCLEAN;
	log = pme_le32_at(raw + SUPER_LOG_BLOCK);
	blocks = pme_le32_at(raw + SUPER_BLOCKS_LO);
	if (pme_le32_at(raw + SUPER_INCOMPAT) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)pme_le32_at(raw + SUPER_BLOCKS_HI) << 32;
	if (log > LOG_BLOCK_MAX || pme_mul(blocks, 1024ULL << log, &size) < 0 ||
	    size > device_size || blocks == 0)
		return -EUCLEAN;
	return 0;
}

static int errno_of(errcode_t error)
{
	switch (error) {
	case EXT2_ET_NO_MEMORY:
	case ENOMEM:
		return -ENOMEM;
	case EXT2_ET_SHORT_READ:
	case EIO:
		return -EIO;
	case EXT2_ET_UNSUPP_FEATURE:
	case EXT2_ET_RO_UNSUPP_FEATURE:
	case EXT2_ET_REV_TOO_HIGH:
		return -EOPNOTSUPP;
	}
	return -EUCLEAN;
}

/* What the kernel makes of the UUID: fs/ext4/super.c:ext4_statfs() */
static uint64_t fsid_of(const unsigned char *uuid)
{
	return pme_le64_at(uuid) ^ pme_le64_at(uuid + 8);
}

static struct pme_ext4_geo describe(ext2_filsys fs, int *fd)
{
	const struct ext2_super_block *super = fs->super;

	return (struct pme_ext4_geo){
		.fd = fd,
		.fs = fs,
		.block_size = fs->blocksize,
		.cluster_size = fs->blocksize << fs->cluster_ratio_bits,
		.inode_size = EXT2_INODE_SIZE(super),
		.inodes_per_group = super->s_inodes_per_group,
		.table_blocks = fs->inode_blocks_per_group,
		.groups = fs->group_desc_count,
		.inodes = super->s_inodes_count,
		.first_inode = EXT2_FIRST_INODE(super),
		.first_block = super->s_first_data_block,
		.blocks = ext2fs_blocks_count(fs->super),
		.size = ext2fs_blocks_count(fs->super) * fs->blocksize,
		.group_blocks = super->s_blocks_per_group,
		.fsid = fsid_of(super->s_uuid),
		.has_csum = ext2fs_has_feature_metadata_csum(fs->super),
	};
}

/* Sizes that everything else divides by. */
static bool is_sane(const struct pme_ext4_geo *geo)
{
	uint64_t inodes = (uint64_t)geo->groups * geo->inodes_per_group;

	return geo->block_size >= 1024 && geo->inode_size >= 128 &&
	       geo->inode_size <= geo->block_size && geo->inodes_per_group > 0 &&
	       geo->group_blocks > 0 && geo->groups > 0 && geo->inodes <= inodes &&
	       geo->inodes_per_group <= geo->block_size * 8 &&
	       geo->group_blocks / (geo->cluster_size / geo->block_size) <= geo->block_size * 8 &&
	       (uint64_t)geo->table_blocks * geo->block_size >=
		       (uint64_t)geo->inodes_per_group * geo->inode_size &&
	       geo->first_block <= 1 && geo->first_block < geo->blocks &&
	       (geo->blocks - geo->first_block - 1) / geo->group_blocks < geo->groups;
}

int pme_ext4_geo_read(int *fd, uint64_t device_size, struct pme_ext4_geo *ret)
{
	_cleanup_free_ char *name = pme_printf("%d", *fd);
	_cleanup_(pme_ext4_geo_done) struct pme_ext4_geo geo = {0};
	ext2_filsys fs = NULL;
	errcode_t error;
	int r = name ? check_super(*fd, device_size) : -ENOMEM;

	if (r < 0)
		return r;
	error = ext2fs_open2(name, NULL, OPEN_FLAGS, 0, 0, pme_ext4_io, &fs);
	if (error)
		return errno_of(error);
	geo = describe(fs, fd);
	if (!is_sane(&geo) || geo.size > device_size)
		return -EUCLEAN;
	*ret = geo;
	geo.fs = NULL;
	return 0;
}

void pme_ext4_geo_done(struct pme_ext4_geo *geo)
{
	if (geo->fs)
		ext2fs_free(geo->fs);
	geo->fs = NULL;
}

static bool is_inside(const struct pme_ext4_geo *geo, uint64_t block, uint64_t count)
{
	return block >= geo->first_block && block < geo->blocks && count <= geo->blocks - block;
}

int pme_ext4_geo_group(const struct pme_ext4_geo *geo, uint32_t group, struct pme_ext4_group *ret)
{
	bool has_flags = ext2fs_has_group_desc_csum(geo->fs);
	uint32_t unused = has_flags ? ext2fs_bg_itable_unused(geo->fs, group) : 0;

	*ret = (struct pme_ext4_group){
		.block_bitmap = ext2fs_block_bitmap_loc(geo->fs, group),
		.inode_bitmap = ext2fs_inode_bitmap_loc(geo->fs, group),
		.table = ext2fs_inode_table_loc(geo->fs, group),
		.used_inodes = geo->inodes_per_group - unused,
		.no_blocks =
			has_flags && ext2fs_bg_flags_test(geo->fs, group, EXT2_BG_BLOCK_UNINIT),
		.no_inodes =
			has_flags && ext2fs_bg_flags_test(geo->fs, group, EXT2_BG_INODE_UNINIT),
	};
	if (!is_inside(geo, ret->block_bitmap, 1) || !is_inside(geo, ret->inode_bitmap, 1) ||
	    !is_inside(geo, ret->table, geo->table_blocks) || unused > geo->inodes_per_group)
		return -EUCLEAN;
	return 0;
}

static int read_bytes(void *arg, void *buf, size_t size, uint64_t offset)
{
	return pme_os_pread(*(int *)arg, buf, size, offset);
}

struct pme_reader pme_ext4_geo_reader(const struct pme_ext4_geo *geo)
{
	return (struct pme_reader){.read = read_bytes, .arg = geo->fd, .size = geo->size};
}

uint32_t pme_ext4_geo_group_of(const struct pme_ext4_geo *geo, uint64_t block)
{
	return (uint32_t)((block - geo->first_block) / geo->group_blocks);
}

/* Bit @bit of the bitmap in @block; only the byte that holds it is read. */
static int read_bit(const struct pme_ext4_geo *geo, uint64_t block, uint64_t bit)
{
	unsigned char byte = 0;
	int r = pme_os_pread(*geo->fd, &byte, 1, block * geo->block_size + bit / 8);

	return r < 0 ? r : byte >> bit % 8 & 1;
}

int pme_ext4_geo_bitmap(const struct pme_ext4_geo *geo, uint32_t group, unsigned char *buf)
{
	struct pme_ext4_group places;
	int r = pme_ext4_geo_group(geo, group, &places);

	if (r < 0)
		return r;
	if (!places.no_blocks)
		return pme_os_pread(*geo->fd, buf, geo->block_size,
				    places.block_bitmap * geo->block_size);
	memset(buf, 0, geo->block_size);
	return 0;
}

int pme_ext4_geo_inode_used(const struct pme_ext4_geo *geo, uint32_t ino)
{
	struct pme_ext4_group group;
	uint32_t index;
	int r;

	if (ino == 0 || ino > geo->inodes)
		return 0;
	index = (ino - 1) % geo->inodes_per_group;
	r = pme_ext4_geo_group(geo, (ino - 1) / geo->inodes_per_group, &group);
	if (r < 0 || group.no_inodes)
		return r;
	return read_bit(geo, group.inode_bitmap, index);
}

int pme_ext4_geo_inode_at(const struct pme_ext4_geo *geo, uint32_t ino, uint64_t *ret)
{
	struct pme_ext4_group group;
	int r;

	if (ino == 0 || ino > geo->inodes)
		return -ENOENT;
	r = pme_ext4_geo_group(geo, (ino - 1) / geo->inodes_per_group, &group);
	if (r < 0)
		return r;
	*ret = group.table * geo->block_size +
	       (uint64_t)((ino - 1) % geo->inodes_per_group) * geo->inode_size;
	return 0;
}
