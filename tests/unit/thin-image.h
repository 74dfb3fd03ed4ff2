/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata of a thin pool that never was: blocks in memory, filled by tests.
 */
#ifndef PME_TESTS_THIN_IMAGE_H
#define PME_TESTS_THIN_IMAGE_H

#include <endian.h>
#include <string.h>

#include "dm-thin-meta.h"

#define IMAGE_BLOCKS 64

struct image {
	unsigned char blocks[IMAGE_BLOCKS][PME_BTREE_BLOCK];
	uint64_t reads;
};

static inline void put32(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put64(unsigned char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

/* Gives a block its number and checksum. */
static inline void image_seal(struct image *image, unsigned int block, uint32_t salt)
{
	unsigned char *p = image->blocks[block];

	put64(p + 8, block);
	put32(p, pme_btree_csum(p, salt));
}

/* An empty node; max_entries 126, or 84 for values of 24 bytes. */
static inline void image_node(struct image *image, unsigned int block, bool leaf, uint32_t size)
{
	unsigned char *p = image->blocks[block];

	memset(p, 0, PME_BTREE_BLOCK);
	put32(p + 4, leaf ? 2 : 1);
	put32(p + 20, size == 24 ? 126 : 252);
	put32(p + 24, size);
	image_seal(image, block, PME_BTREE_SALT);
}

static inline void image_entry(struct image *image, unsigned int block, uint64_t key,
			       uint64_t value)
{
	unsigned char *p = image->blocks[block];
	uint32_t count, max, size;

	memcpy(&count, p + 16, 4);
	memcpy(&max, p + 20, 4);
	memcpy(&size, p + 24, 4);
	count = le32toh(count);
	put64(p + 32 + count * 8, key);
	put64(p + 32 + le32toh(max) * 8 + count * le32toh(size), value);
	put32(p + 16, count + 1);
	image_seal(image, block, PME_BTREE_SALT);
}

/* Data blocks of 128 sectors. */
static inline void image_super(struct image *image, unsigned int block, uint64_t held,
			       uint64_t mappings, uint64_t details)
{
	unsigned char *p = image->blocks[block];

	memset(p, 0, PME_BTREE_BLOCK);
	put64(p + 32, 27022010);
	put32(p + 40, 2);
	put64(p + 56, held);
	put64(p + 320, mappings);
	put64(p + 328, details);
	put32(p + 336, 128);
	put32(p + 340, 8);
	put64(p + 344, IMAGE_BLOCKS);
	image_seal(image, block, PME_THIN_SALT_SUPER);
}

static inline int image_read(void *context, uint64_t block, void *buf)
{
	struct image *image = context;

	image->reads++;
	if (block >= IMAGE_BLOCKS)
		return -ENODATA;
	memcpy(buf, image->blocks[block], PME_BTREE_BLOCK);
	return 0;
}

#endif
