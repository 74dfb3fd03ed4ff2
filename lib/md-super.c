/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superblocks of MD members; see md-super.h.
 *
 * All numbers are little-endian in version 1.  The surprise: places of the bitmap and the bad block
 * log are signed distances from the superblock, and the same field is the bitmap's or the partial
 * parity log's.
 */
#include "md-super.h"

#include <string.h>

#include "reader.h"

#define SUPER_MAGIC 0xa92b4efcU
#define BITMAP_MAGIC 0x6d746962U
#define SUPER_SPACE 4096U
#define RESERVED_0_90 65536U

enum feature {
	FEATURE_BITMAP = 1 << 0,
	FEATURE_BAD_BLOCKS = 1 << 3,
	FEATURE_JOURNAL = 1 << 9,
	FEATURE_PPL = 1 << 10,
	FEATURE_MULTIPLE_PPLS = 1 << 11,
};

enum offset {
	AT_MAJOR = 4,
	AT_FEATURES = 8,
	AT_BITMAP = 96,	   /* le32, sectors from the superblock; with PPL: le16 place, le16 size */
	AT_SUPER = 144,	   /* le64, sectors */
	AT_BAD_SIZE = 186, /* le16, sectors */
	AT_BAD_OFFSET = 188, /* le32, sectors from the superblock */
	BITMAP_SYNC_SIZE = 40,
	BITMAP_CHUNK = 52,
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

int pme_md_version_parse(const char *text, enum pme_md_version *ret)
{
	static const char *const names[] = {
		[PME_MD_0_90] = "0.90",
		[PME_MD_1_0] = "1.0",
		[PME_MD_1_1] = "1.1",
		[PME_MD_1_2] = "1.2",
	};

	for (size_t i = 0; text && i < PME_ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum pme_md_version)i;
			return 0;
		}
	return -EINVAL;
}

int pme_md_super_place(enum pme_md_version version, uint64_t size, uint64_t *ret)
{
	if (size < 2ULL * RESERVED_0_90)
		return -EINVAL;
	switch (version) {
	case PME_MD_0_90:
		*ret = size / RESERVED_0_90 * RESERVED_0_90 - RESERVED_0_90;
		break;
	case PME_MD_1_0:
		*ret = (size / PME_SECTOR - 16) / 8 * 8 * PME_SECTOR;
		break;
	case PME_MD_1_1:
		*ret = 0;
		break;
	case PME_MD_1_2:
		*ret = SUPER_SPACE;
		break;
	}
	return 0;
}

/* @sectors from @at on, either way; within the device. */
static int place_at(uint64_t at, int64_t sectors, uint64_t device_size, uint64_t *ret)
{
	int64_t distance = sectors * (int64_t)PME_SECTOR; /* 32 bits at most */

	if (distance < 0 && (uint64_t)-distance > at)
		return -EINVAL;
	*ret = at + (uint64_t)distance;
	return *ret >= device_size ? -EINVAL : 0;
}

static int add_area(struct pme_md_areas *areas, uint64_t start, uint64_t length,
		    uint64_t device_size, const char *what)
{
	if (start >= device_size || length == 0)
		return -EINVAL;
	areas->items[areas->count++] = (struct pme_md_area){
		.range = {start, pme_min(length, device_size - start)}, .what = what};
	return 0;
}

/* No area reaches into another one that begins behind it. */
static uint64_t space_from(const struct pme_md_areas *areas, uint64_t start, uint64_t length)
{
	for (size_t i = 0; i < areas->count; i++)
		if (areas->items[i].range.start > start)
			length = pme_min(length, areas->items[i].range.start - start);
	return length;
}

static int add_ppl(const uint8_t *buf, uint64_t at, uint64_t device_size, bool many,
		   struct pme_md_areas *ret)
{
	int16_t distance = (int16_t)get16(buf + AT_BITMAP);
	uint64_t size = get16(buf + AT_BITMAP + 2) * PME_SECTOR, start;

	if (place_at(at, distance, device_size, &start) < 0)
		return -EINVAL;
	return add_area(ret, start, space_from(ret, start, many ? 1048576 : size), device_size,
			"partial parity log");
}

int pme_md_super_parse(const uint8_t buf[PME_MD_SUPER_SIZE], uint64_t at, uint64_t device_size,
		       struct pme_md_areas *ret)
{
	struct pme_md_areas areas = {};
	uint32_t features = pme_le32_at(buf + AT_FEATURES);
	uint64_t start;
	int r;

	if (pme_le32_at(buf) != SUPER_MAGIC || pme_le32_at(buf + AT_MAJOR) != 1 ||
	    pme_le64_at(buf + AT_SUPER) != at / PME_SECTOR)
		return -EINVAL;
	r = add_area(&areas, at, SUPER_SPACE, device_size, "md superblock");
	if (r == 0 && features & FEATURE_BAD_BLOCKS && get16(buf + AT_BAD_SIZE) > 0) {
		r = place_at(at, (int32_t)pme_le32_at(buf + AT_BAD_OFFSET), device_size, &start);
		if (r == 0)
			r = add_area(&areas, start, get16(buf + AT_BAD_SIZE) * PME_SECTOR,
				     device_size, "bad block log");
	}
	if (r == 0 && features & (FEATURE_PPL | FEATURE_MULTIPLE_PPLS)) {
		r = add_ppl(buf, at, device_size, features & FEATURE_MULTIPLE_PPLS, &areas);
	} else if (r == 0 && features & FEATURE_BITMAP) {
		r = place_at(at, (int32_t)pme_le32_at(buf + AT_BITMAP), device_size, &start);
		areas.bitmap = start;
	}
	if (r < 0)
		return r;
	*ret = areas;
	return 0;
}

int pme_md_bitmap_parse(const uint8_t buf[PME_MD_SUPER_SIZE], struct pme_md_areas *areas)
{
	uint64_t sectors = pme_le64_at(buf + BITMAP_SYNC_SIZE),
		 chunk = pme_le32_at(buf + BITMAP_CHUNK), bytes;

	if (pme_le32_at(buf) != BITMAP_MAGIC || chunk < PME_SECTOR || areas->count == PME_MD_AREAS)
		return -EINVAL;
	bytes = sectors / (chunk / PME_SECTOR) + 1;
	bytes = PME_MD_SUPER_SIZE + bytes / 8 + 1;
	bytes = (bytes + PME_SECTOR - 1) / PME_SECTOR * PME_SECTOR;
	bytes = space_from(areas, areas->bitmap, bytes);
	return add_area(areas, areas->bitmap, bytes, UINT64_MAX, "write-intent bitmap");
}
