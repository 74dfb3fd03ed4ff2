/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in items of btrfs trees, and in the buffers and blocks beside them: pure parsers of
 * bytes from outside.  All return -EINVAL for nonsense.
 *
 * Format: include/uapi/linux/btrfs_tree.h, linux/btrfs.h (struct btrfs_data_container); the
 * superblock: fs/btrfs/fs.h (struct btrfs_super_block).
 */
#ifndef PME_BTRFS_ITEMS_H
#define PME_BTRFS_ITEMS_H

#include "base.h"

#define PME_BTRFS_SUPER_SIZE 4096U
#define PME_BTRFS_UUID_SIZE 16

/* Trees that have no number in btrfs_tree.h of all machines. */
#define PME_BTRFS_RAID_STRIPE_TREE 12ULL

/* An item of the extent tree (EXTENT_ITEM, METADATA_ITEM): the head of it. */
struct pme_btrfs_extent {
	uint64_t generation; /* the transaction that made it */
	bool is_tree;
	bool has_level;
	uint8_t level;	/* of a tree block */
	size_t refs_at; /* where its references begin */
};
int pme_btrfs_extent_parse(uint8_t type, uint64_t key_offset, const void *data, size_t len,
			   struct pme_btrfs_extent *ret);

/* A reference inside of such an item, at *@pos, which moves behind it: 1, 0 at the end, -EINVAL. */
struct pme_btrfs_ref {
	uint8_t type;
	uint64_t value; /* TREE_BLOCK_REF: the tree; SHARED_BLOCK_REF: the parent block */
};
int pme_btrfs_ref_next(const void *data, size_t len, size_t *pos, struct pme_btrfs_ref *ret);

enum { PME_BTRFS_INLINE, PME_BTRFS_REGULAR, PME_BTRFS_PREALLOC };

struct pme_btrfs_file_extent {
	uint8_t type;
	uint8_t compression;		  /* 0 none, 1 zlib, 2 lzo, 3 zstd */
	bool encoded;			  /* compressed, or in another way not as it is read */
	uint64_t disk_start, disk_length; /* the extent: logical; start 0: a hole */
	uint64_t offset;		  /* byte of the (decoded) extent where the file's begin */
	uint64_t length;		  /* bytes of the file; inline: decoded ones */
};
/* How it is compressed, in a word: "zstd". */
const char *pme_btrfs_coding_name(uint8_t compression);
int pme_btrfs_file_extent_parse(const void *data, size_t len, struct pme_btrfs_file_extent *ret);

struct pme_btrfs_inode {
	uint64_t generation, size;
	uint32_t nlink, mode;
};
int pme_btrfs_inode_parse(const void *data, size_t len, struct pme_btrfs_inode *ret);

/* One name of an inode (INODE_REF, INODE_EXTREF), or of a subvolume (ROOT_BACKREF). */
struct pme_btrfs_name {
	uint64_t dir;	  /* inode of its directory */
	const char *name; /* borrowed, without NUL */
	size_t len;
};
/* Names at *@pos of an item of @type; @key_offset: of its key.  1, 0 at the end, -EINVAL. */
int pme_btrfs_name_next(uint8_t type, uint64_t key_offset, const void *data, size_t len,
			size_t *pos, struct pme_btrfs_name *ret);

/* How often a subvolume is linked (ROOT_ITEM); 0: it is deleted. */
int pme_btrfs_root_refs_parse(const void *data, size_t len, uint32_t *ret);

/* The answer of LOGICAL_INO: a place in a file. */
struct pme_btrfs_place {
	uint64_t root, inode, offset;
};
struct pme_btrfs_container {
	size_t n_places;
	size_t missing; /* bytes that the buffer was too small by, about */
};
int pme_btrfs_container_parse(const void *data, size_t len, struct pme_btrfs_container *ret);
struct pme_btrfs_place pme_btrfs_container_place(const void *data, size_t i);

/* A superblock: which device it stands on. */
struct pme_btrfs_super {
	uint64_t devid, total_bytes;
	unsigned char dev_uuid[PME_BTRFS_UUID_SIZE];
};
int pme_btrfs_super_parse(const void *data, size_t len, struct pme_btrfs_super *ret);

/* The head of a tree block of @len bytes, without its checksum (in front of it). */
struct pme_btrfs_head {
	uint64_t start; /* logical */
	uint64_t generation;
};
#define PME_BTRFS_SUM_AREA 32U /* bytes for the checksum; it is that of all others */
int pme_btrfs_head_parse(const void *data, size_t len, struct pme_btrfs_head *ret);

/* Byte of a device where copy @i (0, 1, 2) of its superblock stands. */
uint64_t pme_btrfs_super_at(unsigned int i);
#define PME_BTRFS_SUPERS 3

/* "checksum tree", "tree of subvolume 257": allocated, NULL without memory. */
char *pme_btrfs_tree_text(uint64_t tree);

#endif
