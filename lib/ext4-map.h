/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On-disk inodes of ext2, ext3 and ext4, and their block maps: extent trees, indirect blocks.
 *
 * Formats: Documentation/filesystems/ext4 (ifork.rst, inodes.rst); ext2fs/ext3_extents.h.  Pure
 * functions of the bytes that a reader gives; what is damaged is said, and the rest still told.
 */
#ifndef PME_EXT4_MAP_H
#define PME_EXT4_MAP_H

#include "range.h"
#include "reader.h"

#define PME_EXT4_INODE_MIN 128 /* bytes that every inode has */
#define PME_EXT4_IBLOCK 60     /* bytes of i_block */
#define PME_EXT4_BAD_INO 1     /* its blocks are those that were found bad: it has no mode */
#define PME_EXT4_ROOT_INO 2

/* i_flags */
#define PME_EXT4_ENCRYPTED 0x00000800U
#define PME_EXT4_HTREE 0x00001000U
#define PME_EXT4_EXTENTS 0x00080000U
#define PME_EXT4_VERITY 0x00100000U
#define PME_EXT4_XATTR_INODE 0x00200000U
#define PME_EXT4_INLINE 0x10000000U

struct pme_ext4_inode {
	uint32_t ino, gen, nlink, mode, flags;
	uint64_t size;	      /* bytes */
	uint64_t space;	      /* bytes that it occupies, block map and attributes included */
	uint64_t xattr_block; /* 0 none */
	unsigned char block[PME_EXT4_IBLOCK];
};

enum pme_ext4_run_kind {
	PME_EXT4_DATA,
	PME_EXT4_UNWRITTEN,
	PME_EXT4_MAP, /* a block of the map itself: no place in the file */
};

struct pme_ext4_run {
	enum pme_ext4_run_kind kind;
	uint64_t logical, physical, count; /* blocks */
};

struct pme_ext4_map {
	const struct pme_reader *reader;
	uint32_t block_size;
	uint64_t blocks; /* of the filesystem */
	/* Called for every run: 0 to go on. */
	int (*take)(void *arg, const struct pme_ext4_run *run);
	/* Is the block of an extent tree what was once written?  (checksum)  NULL: nobody knows. */
	bool (*check)(void *arg, const struct pme_ext4_inode *inode, const void *block);
	void *arg;
};

/* @raw: an inode of at least PME_EXT4_INODE_MIN bytes. */
void pme_ext4_inode_parse(const unsigned char *raw, uint32_t ino, uint32_t block_size,
			  struct pme_ext4_inode *ret);

/* Does i_block hold a map?  Not of devices, short symbolic links, and with the data inside. */
bool pme_ext4_inode_has_map(const struct pme_ext4_inode *inode);

/*
 * All runs of @inode.  0; -EIO or -EUCLEAN when parts of its map cannot be read or make no sense:
 * all that could be told has been; or what take() returned.
 */
int pme_ext4_map_walk(const struct pme_ext4_map *map, const struct pme_ext4_inode *inode);

#endif
