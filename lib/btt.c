/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of sector mode; see btt.h.  Everything here is a function of a buffer and numbers.
 */
#include "btt.h"

#include <string.h>

#include "reader.h"

/* struct btt_sb */
#define AT_FLAGS 48
#define AT_MAJOR 52
#define AT_MINOR 54
#define AT_LBA_BYTES 56
#define AT_BLOCKS 60
#define AT_INTERNAL_LBA_BYTES 64
#define AT_INTERNAL_BLOCKS 68
#define AT_FREE 72
#define AT_NEXT 80
#define AT_DATA 88
#define AT_MAP 96
#define AT_LOG 104
#define AT_INFO2 112
#define AT_CHECKSUM 4088

static const char signature[16] = "BTT_ARENA_INFO";

static uint16_t le16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* Fletcher's checksum of 32-bit words, the checksum itself taken for 0 (nd_sb_checksum). */
static uint64_t checksum(const unsigned char *info)
{
	uint32_t low = 0;
	uint64_t high = 0;

	for (size_t i = 0; i < PME_BTT_INFO_SIZE; i += 4) {
		low += i >= AT_CHECKSUM ? 0 : pme_le32_at(info + i);
		high += low;
	}
	return high << 32 | low;
}

int pme_btt_check(const struct pme_btt_arena *arena, uint64_t size)
{
	uint64_t bytes, end;

	if (arena->lba_bytes < 512 || arena->internal_lba_bytes < arena->lba_bytes ||
	    arena->internal_blocks > PME_BTT_LBA_MASK || arena->blocks == 0 ||
	    arena->blocks > arena->internal_blocks ||
	    arena->n_free > arena->internal_blocks - arena->blocks)
		return -EINVAL;
	if (arena->data < arena->start || arena->data - arena->start < PME_BTT_INFO_SIZE)
		return -EINVAL;
	if (pme_mul(arena->internal_blocks, arena->internal_lba_bytes, &bytes) < 0 ||
	    pme_add(arena->data, bytes, &end) < 0 || arena->map < end)
		return -EINVAL;
	if (pme_add(arena->map, 4ULL * arena->blocks, &end) < 0 || arena->log < end)
		return -EINVAL;
	if (pme_add(arena->log, (uint64_t)PME_BTT_LANE_BYTES * arena->n_free, &end) < 0 ||
	    arena->info2 < end)
		return -EINVAL;
	if (pme_add(arena->info2, PME_BTT_INFO_SIZE, &end) < 0 || end > size)
		return -EINVAL;
	return arena->next && arena->next < end ? -EINVAL : 0;
}

static int place(const unsigned char *field, uint64_t start, uint64_t *ret)
{
	return pme_add(start, pme_le64_at(field), ret) < 0 ? -EINVAL : 0;
}

int pme_btt_info_parse(const void *info, uint64_t start, uint64_t size, struct pme_btt_arena *ret)
{
	const unsigned char *sb = info;
	struct pme_btt_arena arena = {
		.start = start,
		.lba_bytes = pme_le32_at(sb + AT_LBA_BYTES),
		.internal_lba_bytes = pme_le32_at(sb + AT_INTERNAL_LBA_BYTES),
		.blocks = pme_le32_at(sb + AT_BLOCKS),
		.internal_blocks = pme_le32_at(sb + AT_INTERNAL_BLOCKS),
		.n_free = pme_le32_at(sb + AT_FREE),
		.major = le16(sb + AT_MAJOR),
		.minor = le16(sb + AT_MINOR),
		.flags = pme_le32_at(sb + AT_FLAGS),
	};

	if (memcmp(sb, signature, sizeof(signature)) != 0)
		return -ENOENT;
	if (checksum(sb) != pme_le64_at(sb + AT_CHECKSUM))
		return -EBADMSG;
	if (place(sb + AT_DATA, start, &arena.data) < 0 ||
	    place(sb + AT_MAP, start, &arena.map) < 0 ||
	    place(sb + AT_LOG, start, &arena.log) < 0 ||
	    place(sb + AT_INFO2, start, &arena.info2) < 0)
		return -EINVAL;
	if (pme_le64_at(sb + AT_NEXT) && place(sb + AT_NEXT, start, &arena.next) < 0)
		return -EINVAL;
	if (pme_btt_check(&arena, size) < 0)
		return -EINVAL;
	*ret = arena;
	return 0;
}

enum pme_btt_area pme_btt_area_at(const struct pme_btt_arena *arena, uint64_t at, uint64_t *ret_end)
{
	const struct {
		uint64_t end;
		enum pme_btt_area area;
	} areas[] = {
		{arena->start, PME_BTT_OUTSIDE},
		{arena->start + PME_BTT_INFO_SIZE, PME_BTT_INFO},
		{arena->data, PME_BTT_PAD},
		{arena->data + (uint64_t)arena->internal_blocks * arena->internal_lba_bytes,
		 PME_BTT_DATA},
		{arena->map, PME_BTT_PAD},
		{arena->map + 4ULL * arena->blocks, PME_BTT_MAP},
		{arena->log, PME_BTT_PAD},
		{arena->log + (uint64_t)PME_BTT_LANE_BYTES * arena->n_free, PME_BTT_LOG},
		{arena->info2, PME_BTT_PAD},
		{arena->info2 + PME_BTT_INFO_SIZE, PME_BTT_INFO2},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(areas); i++) {
		if (at < areas[i].end) {
			*ret_end = areas[i].end;
			return areas[i].area;
		}
	}
	*ret_end = UINT64_MAX;
	return PME_BTT_OUTSIDE;
}

/*
 * Bit 31: reads as zeros, bit 30: reads fail.  Both mean "an ordinary entry", none "never written":
 * such a block lies in its own place.
 */
struct pme_btt_entry pme_btt_entry_parse(const unsigned char raw[4], uint32_t lba)
{
	uint32_t value = pme_le32_at(raw);
	bool zero = value >> 31 & 1, error = value >> 30 & 1;

	return (struct pme_btt_entry){
		.block = zero || error ? value & PME_BTT_LBA_MASK : lba,
		.is_zero = zero && !error,
		.is_error = error && !zero,
	};
}

static bool is_nothing(const unsigned char *entry)
{
	static const unsigned char nothing[16];

	return memcmp(entry, nothing, sizeof(nothing)) == 0;
}

/* btt.c:log_set_indices: the second entry was never written in any lane, the third was. */
bool pme_btt_log_is_padded(const unsigned char *log, uint32_t lanes)
{
	bool third = false;

	for (uint32_t i = 0; i < lanes; i++, log += PME_BTT_LANE_BYTES) {
		if (!is_nothing(log + 16))
			return false;
		third |= !is_nothing(log + 32);
	}
	return third;
}

/* Sequence numbers go 1, 2, 3, 1; 0 was never written (btt.c:btt_log_get_old). */
int pme_btt_lane_parse(const unsigned char raw[PME_BTT_LANE_BYTES], bool padded,
		       struct pme_btt_write *ret)
{
	const unsigned char *first = raw, *second = raw + (padded ? 32 : 16), *newest;
	uint32_t a = pme_le32_at(first + 12), b = pme_le32_at(second + 12);

	if (a > 3 || b > 3 || a == b)
		return -EINVAL;
	if (a == 0 || b == 0)
		newest = a == 0 ? second : first;
	else
		newest = a % 3 + 1 == b ? second : first;
	*ret = (struct pme_btt_write){
		.lba = pme_le32_at(newest),
		.old_block = pme_le32_at(newest + 4) & PME_BTT_LBA_MASK,
		.new_block = pme_le32_at(newest + 8) & PME_BTT_LBA_MASK,
	};
	return 0;
}

int pme_btt_number_parse(const char *text, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;
	size_t len = strlen(text);

	if (strncmp(text, "0x", 2) != 0)
		return pme_parse_u64(text, len, ret);
	if (len < 3 || len > 18)
		return -EINVAL;
	for (const char *p = text + 2; *p; p++) {
		const char *digit = strchr(digits, *p);

		if (!digit)
			return -EINVAL;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*ret = value;
	return 0;
}
