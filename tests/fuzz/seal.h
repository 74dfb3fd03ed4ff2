/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the checksums of on-disk formats right, so that fuzzers come past them.
 */
#ifndef PME_FUZZ_SEAL_H
#define PME_FUZZ_SEAL_H

#include <endian.h>
#include <string.h>

#include "btt.h"
#include "reader.h"
#include "rest-crc.h"

static inline void seal_put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

/* An info block of sector mode. */
static inline void seal_btt(uint8_t *info)
{
	uint32_t low = 0, high = 0;

	for (size_t i = 0; i < PME_BTT_INFO_SIZE - 8; i += 4) {
		low += pme_le32_at(info + i);
		high += low;
	}
	high += 2 * low; /* the checksum counts as zeros */
	seal_put32(info + PME_BTT_INFO_SIZE - 8, low);
	seal_put32(info + PME_BTT_INFO_SIZE - 4, high);
}

/* What LVM wrote: label, header of an area, text. */
static inline void seal_lvm(uint8_t *at, const uint8_t *data, size_t len)
{
	seal_put32(at, pme_rest_crc(0xf597a6cfU, data, len));
}

/* A GPT header of 92 bytes in block @lba of a disk of @size bytes, and its entries. */
static inline void seal_gpt(uint8_t *disk, size_t size, size_t lba)
{
	uint8_t *p = disk + lba * 512;
	uint64_t first = pme_le64_at(p + 72);
	uint64_t used = (uint64_t)pme_le32_at(p + 80) * pme_le32_at(p + 84);

	if (first < size / 512 && used < size - first * 512)
		seal_put32(p + 88, ~pme_rest_crc(0xffffffffU, disk + first * 512, used));
	seal_put32(p + 16, 0);
	seal_put32(p + 16, ~pme_rest_crc(0xffffffffU, p, 92));
}

#endif
