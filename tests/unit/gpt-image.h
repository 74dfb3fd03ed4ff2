/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partition tables as they are on a disk, built by hand, without a partition at first.
 */
#ifndef PME_TESTS_GPT_IMAGE_H
#define PME_TESTS_GPT_IMAGE_H

#include <endian.h>

#include "check.h"
#include "rest-crc.h"
#include "rest-parts.h"

#define GPT_ENTRIES_BYTES 16384

static inline void put(unsigned char *p, uint64_t value, size_t len)
{
	value = htole64(value);
	memcpy(p, &value, len);
}

static inline void seal(unsigned char *p)
{
	put(p + 16, 0, 4);
	put(p + 16, ~pme_rest_crc(0xffffffffU, p, 92), 4);
}

/* Revision 1, 92 bytes, 128 entries of 128 bytes behind it. */
static inline void make_header(unsigned char *p, uint64_t block, uint64_t lba, uint64_t other)
{
	memset(p, 0, block);
	memcpy(p, "EFI PART", 8);
	put(p + 8, 0x10000, 4);
	put(p + 12, 92, 4);
	put(p + 24, lba, 8);
	put(p + 32, other, 8);
	put(p + 72, lba + 1, 8);
	put(p + 80, 128, 4);
	put(p + 84, 128, 4);
	seal(p);
}

/* One of the two tables of @disk, with @type, one byte, as that of its last entry; 0: not used. */
static inline void make_table(unsigned char *disk, uint64_t lba, uint64_t other, uint64_t entries,
			      unsigned char type)
{
	unsigned char *p = disk + lba * 512, *e = disk + entries * 512;

	memset(e, 0, GPT_ENTRIES_BYTES);
	e[127 * 128] = type;
	make_header(p, 512, lba, other);
	put(p + 72, entries, 8);
	put(p + 88, ~pme_rest_crc(0xffffffffU, e, GPT_ENTRIES_BYTES), 4);
	seal(p);
}

#endif
