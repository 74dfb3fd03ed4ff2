/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of bcache: superblocks of a cache device and of backing devices.
 */
#ifndef PME_TESTS_BCACHE_SUPERS_H
#define PME_TESTS_BCACHE_SUPERS_H

#include "bcache-super.h"
#include "check.h"

#define SET "0c4f6a1e-7d5a-4b7e-9d6f-3f3c8d2f1a55"

/* The superblocks of all devices of these tests, by minor. */
static unsigned char supers[3][PME_BCACHE_SUPER_SIZE];

static inline void put(unsigned char *at, unsigned int bytes, uint64_t value)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static inline void seal(unsigned char *buf)
{
	size_t keys = buf[206] | (size_t)buf[207] << 8;

	put(buf, 8, ~pme_bcache_crc(~0ULL, buf + 8, 200 + keys * 8));
}

static inline void make_super(unsigned char *buf, uint64_t version)
{
	static const unsigned char magic[16] = {0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
						0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81};

	memset(buf, 0, PME_BCACHE_SUPER_SIZE);
	put(buf + 8, 8, 8);
	put(buf + 16, 8, version);
	memcpy(buf + 24, magic, sizeof(magic));
}

/* Buckets of 16 sectors; the first one is for the superblock, the next two for the journal. */
static inline void make_cache_super(unsigned char *buf)
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

static inline void make_backing_super(unsigned char *buf, uint64_t sectors)
{
	make_super(buf, 4);
	put(buf + 184, 8, sectors);
	seal(buf);
}

#endif
