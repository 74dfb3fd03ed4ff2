/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The beginning of a block map of XFS; see xfs-bmap.h.
 *
 * The root is in the inode and has a shorter header than the blocks below it.  What surprises: in
 * root and nodes the pointers come behind the room for all keys, so that where they are depends on
 * the size of the fork or block, not on how many there are.  Checksums are not looked at: who takes
 * the answer for true has to ask the kernel anyway.
 */
#include "xfs-bmap.h"

#include <endian.h>
#include <string.h>

/* struct xfs_dinode */
#define INODE_MAGIC 0x494eU /* "IN" */
#define INODE_VERSION 4
#define INODE_FORMAT 5
#define INODE_FORKOFF 82 /* in units of 8 bytes; 0: there is no attribute fork */
#define INODE_GEN 92
#define INODE_INO 152
#define CORE_V2 100
#define CORE_V3 176
#define FORMAT_BTREE 3

/* struct xfs_bmdr_block, and what is the same in struct xfs_btree_block behind its magic */
#define ROOT_LEVEL 0
#define ROOT_RECORDS 2
#define ROOT_HEADER 4

/* struct xfs_btree_block, the long format */
#define MAGIC_V2 0x424d4150U /* "BMAP" */
#define MAGIC_V3 0x424d4133U /* "BMA3" */
#define BLOCK_LEVEL 4
#define BLOCK_RECORDS 6
#define BLOCK_LEFT 8
#define BLOCK_PLACE 24 /* in sectors of 512 bytes */
#define BLOCK_OWNER 56
#define HEADER_V2 24
#define HEADER_V3 72

#define ENTRY 16	    /* bytes of a record, and of a key with its pointer */
#define KEY 8		    /* bytes */
#define LEVELS_MAX 9	    /* XFS_BTREE_MAXLEVELS */
#define NO_BLOCK UINT64_MAX /* NULLFSBLOCK */

struct walk {
	const struct pme_xfs_geo *geo;
	const struct pme_reader *reader;
	const struct pme_xfs_inode *inode;
	bool is_v3;
	unsigned int level; /* of the block whose number is: */
	uint64_t block;
};

static uint32_t get16(const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return be16toh(value);
}

static uint32_t get32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static uint64_t get64(const unsigned char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return be64toh(value);
}

/* The bytes of the data fork of the inode at @raw: where it begins and ends, or -EUCLEAN. */
static int find_fork(struct walk *walk, const unsigned char *raw, size_t *ret_start,
		     size_t *ret_size)
{
	unsigned int version = raw[INODE_VERSION];
	size_t room, attr = raw[INODE_FORKOFF] * 8U;

	if (get16(raw) != INODE_MAGIC || (version != 2 && version != 3) ||
	    raw[INODE_FORMAT] != FORMAT_BTREE || get32(raw + INODE_GEN) != walk->inode->gen)
		return -EUCLEAN;
	walk->is_v3 = version == 3;
	if (walk->is_v3 && get64(raw + INODE_INO) != walk->inode->ino)
		return -EUCLEAN;
	*ret_start = walk->is_v3 ? CORE_V3 : CORE_V2;
	room = walk->geo->inode_size - *ret_start;
	if (attr >= room)
		return -EUCLEAN;
	*ret_size = attr > 0 ? attr : room;
	return 0;
}

/* The inode: 0, and the walk is at the leftmost block below the root. */
static int enter(struct walk *walk)
{
	uint64_t place = pme_xfs_geo_place(walk->geo, walk->inode->ino);
	_cleanup_free_ unsigned char *raw = malloc(walk->geo->inode_size);
	const unsigned char *root;
	size_t start = 0, size = 0, records;
	int r;

	if (walk->inode->ino >> walk->geo->agino_bits >= walk->geo->ag_count ||
	    place > walk->geo->size - walk->geo->inode_size)
		return -EUCLEAN;
	if (!raw)
		return -ENOMEM;
	r = walk->reader->read(walk->reader->arg, raw, walk->geo->inode_size, place);
	if (r == 0)
		r = find_fork(walk, raw, &start, &size);
	if (r < 0)
		return r;
	if (size < ROOT_HEADER + ENTRY)
		return -EUCLEAN;
	root = raw + start;
	records = (size - ROOT_HEADER) / ENTRY;
	walk->level = get16(root + ROOT_LEVEL);
	if (walk->level == 0 || walk->level >= LEVELS_MAX || get16(root + ROOT_RECORDS) == 0 ||
	    get16(root + ROOT_RECORDS) > records)
		return -EUCLEAN;
	walk->level--;
	walk->block = get64(root + ROOT_HEADER + records * KEY);
	return 0;
}

/* Is @raw, which lies at byte @place, the block that the walk has come to? */
static bool is_wanted(const struct walk *walk, const unsigned char *raw, uint64_t place)
{
	size_t records = (walk->geo->block_size - HEADER_V2) / ENTRY;

	if (get16(raw + BLOCK_LEVEL) != walk->level || get64(raw + BLOCK_LEFT) != NO_BLOCK)
		return false;
	if (!walk->is_v3)
		return get32(raw) == MAGIC_V2 && get16(raw + BLOCK_RECORDS) > 0 &&
		       get16(raw + BLOCK_RECORDS) <= records;
	records = (walk->geo->block_size - HEADER_V3) / ENTRY;
	return get32(raw) == MAGIC_V3 && get16(raw + BLOCK_RECORDS) > 0 &&
	       get16(raw + BLOCK_RECORDS) <= records &&
	       get64(raw + BLOCK_OWNER) == walk->inode->ino &&
	       get64(raw + BLOCK_PLACE) == place / PME_SECTOR;
}

/* struct xfs_bmbt_rec: 1 bit unwritten, 54 bits block of the file, 52 bits block, 21 bits count. */
static int take_record(const struct walk *walk, const unsigned char *raw, struct pme_range *ret)
{
	uint64_t high = get64(raw), low = get64(raw + 8);
	uint64_t block = (high & 0x1ff) << 43 | low >> 21;
	uint64_t length = (low & 0x1fffff) * walk->geo->block_size;
	uint64_t start = pme_xfs_geo_block(walk->geo, block);

	if (high >> 9 != 0)
		return -ENODATA;
	if (start == 0 || length == 0 || length > walk->geo->size ||
	    start > walk->geo->size - length)
		return -EUCLEAN;
	*ret = (struct pme_range){start, length};
	return 0;
}

/* One block further: 1, 0 when it was a leaf and *@ret is there, -errno. */
static int descend(struct walk *walk, unsigned char *raw, struct pme_range *ret)
{
	const struct pme_xfs_geo *geo = walk->geo;
	uint64_t place = pme_xfs_geo_block(geo, walk->block);
	size_t header = walk->is_v3 ? HEADER_V3 : HEADER_V2;
	int r;

	if (place == 0 || place > geo->size - geo->block_size)
		return -EUCLEAN;
	r = walk->reader->read(walk->reader->arg, raw, geo->block_size, place);
	if (r < 0)
		return r;
	if (!is_wanted(walk, raw, place))
		return -EUCLEAN;
	if (walk->level == 0)
		return take_record(walk, raw + header, ret);
	walk->block = get64(raw + header + (geo->block_size - header) / ENTRY * KEY);
	walk->level--;
	return 1;
}

int pme_xfs_bmap_first(const struct pme_xfs_geo *geo, const struct pme_reader *reader,
		       const struct pme_xfs_inode *inode, struct pme_range *ret)
{
	struct walk walk = {.geo = geo, .reader = reader, .inode = inode};
	_cleanup_free_ unsigned char *raw = malloc(geo->block_size);
	int r = raw ? enter(&walk) : -ENOMEM;

	if (r < 0)
		return r;
	do {
		r = descend(&walk, raw, ret);
	} while (r > 0);
	return r;
}
