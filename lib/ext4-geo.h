/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the parts of an ext2, ext3 or ext4 lie: superblock and group descriptors, by libext2fs.
 *
 * Everything is read through the page cache of the block device: the kernel keeps the metadata of
 * a mounted filesystem there, so that this is what it works with, not what was on the media when
 * the journal was last written back.  Nothing is written, and nothing is flushed.
 */
#ifndef PME_EXT4_GEO_H
#define PME_EXT4_GEO_H

#include "range.h"
#include "reader.h"

struct struct_ext2_filsys;

struct pme_ext4_geo {
	int *fd; /* borrowed, must stay: the device, opened without O_DIRECT */
	struct struct_ext2_filsys *fs;
	uint32_t block_size, cluster_size; /* bytes; the same without bigalloc */
	uint32_t inode_size, inodes_per_group, table_blocks, groups;
	uint32_t inodes;       /* how many there are: numbers 1 to this */
	uint32_t first_inode;  /* below are reserved ones */
	uint64_t first_block;  /* 1 when block 0 is a boot block of 1 KiB, else 0 */
	uint64_t blocks, size; /* of the filesystem; size in bytes */
	uint64_t group_blocks;
	uint64_t fsid; /* as statfs(2) tells it */
	bool has_csum; /* metadata_csum */
};

/* One block group, its places checked to be inside the filesystem. */
struct pme_ext4_group {
	uint64_t block_bitmap, inode_bitmap, table; /* blocks */
	uint32_t used_inodes;			    /* no inode behind these was ever in use */
	bool no_blocks, no_inodes; /* no bitmap was made yet: nothing but metadata is in use */
};

/*
 * Read them from @fd, a device of @device_size bytes: 0; -EUCLEAN for what is no such filesystem or
 * is damaged, -EOPNOTSUPP for features that libext2fs does not know, -EIO, -ENOMEM.
 */
int pme_ext4_geo_read(int *fd, uint64_t device_size, struct pme_ext4_geo *ret);
void pme_ext4_geo_done(struct pme_ext4_geo *geo);

/* 0, or -EUCLEAN when the descriptor makes no sense. */
int pme_ext4_geo_group(const struct pme_ext4_geo *geo, uint32_t group, struct pme_ext4_group *ret);

/* A reader of the device. */
struct pme_reader pme_ext4_geo_reader(const struct pme_ext4_geo *geo);

/* Group of a block, from first_block on. */
uint32_t pme_ext4_geo_group_of(const struct pme_ext4_geo *geo, uint64_t block);

/*
 * The block bitmap of @group into @buf (a block; a bit for each cluster).  0, -EIO or -EUCLEAN when
 * it cannot be had.
 */
int pme_ext4_geo_bitmap(const struct pme_ext4_geo *geo, uint32_t group, unsigned char *buf);
/* Is the inode in use, by its bitmap: 1, 0, and the same errors. */
int pme_ext4_geo_inode_used(const struct pme_ext4_geo *geo, uint32_t ino);

/* Byte of the device where inode @ino lies: 0, -EUCLEAN, -ENOENT no such inode. */
int pme_ext4_geo_inode_at(const struct pme_ext4_geo *geo, uint32_t ino, uint64_t *ret);

#endif
