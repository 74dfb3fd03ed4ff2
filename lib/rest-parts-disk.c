/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers of GPT and tables of an MBR; see rest-parts.h.
 */
#include "rest-parts.h"

#include <string.h>

#include "reader.h"
#include "rest-crc.h"

#define ENTRY_MIN 128
#define GUID_BYTES 16
#define MBR_ENTRIES_AT 446
#define MBR_ENTRY_BYTES 16

static uint32_t crc32(const void *data, size_t len)
{
	return ~pme_rest_crc(0xffffffffU, data, len);
}

/* The checksum of a header counts its own four bytes as zero. */
static bool header_is_good(const unsigned char *p, uint64_t block)
{
	static const unsigned char zero[4];
	uint32_t len = pme_le32_at(p + 12), crc = 0xffffffffU;

	if (memcmp(p, "EFI PART", 8) != 0 || len < 92 || len > block)
		return false;
	crc = pme_rest_crc(crc, p, 16);
	crc = pme_rest_crc(crc, zero, 4);
	crc = pme_rest_crc(crc, p + 20, len - 20);
	return ~crc == pme_le32_at(p + 16);
}

int pme_gpt_parse(const void *buf, uint64_t block, uint64_t start, uint64_t size,
		  struct pme_gpt *ret)
{
	const unsigned char *p = buf;
	struct pme_gpt gpt = {.header = {start, block}};
	uint64_t here, end;

	if (!header_is_good(p, block) || pme_mul(pme_le64_at(p + 24), block, &here) < 0 ||
	    here != start || pme_mul(pme_le64_at(p + 32), block, &gpt.other) < 0 ||
	    gpt.other > size - block ||
	    pme_mul(pme_le64_at(p + 72), block, &gpt.entries.start) < 0 ||
	    pme_le32_at(p + 84) < ENTRY_MIN ||
	    pme_mul(pme_le32_at(p + 80), pme_le32_at(p + 84), &gpt.used) < 0 || gpt.used == 0 ||
	    gpt.used > PME_GPT_ENTRIES_MAX)
		return -EINVAL;
	gpt.entry = pme_le32_at(p + 84);
	gpt.entries.length = (gpt.used + block - 1) / block * block;
	if (pme_add(gpt.entries.start, gpt.entries.length, &end) < 0 || end > size)
		return -EINVAL;
	gpt.crc = pme_le32_at(p + 88);
	*ret = gpt;
	return 0;
}

bool pme_gpt_entries_are_good(const void *entries, const struct pme_gpt *gpt)
{
	return crc32(entries, gpt->used) == gpt->crc;
}

static bool is_zero(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* An entry that is not used has no type. */
bool pme_gpt_is_empty(const void *entries, const struct pme_gpt *gpt)
{
	const unsigned char *p = entries;

	for (uint64_t at = 0; at < gpt->used; at += gpt->entry)
		if (!is_zero(p + at, GUID_BYTES))
			return false;
	return true;
}

/* block/partitions/msdos.c: is_extended_partition() */
static bool is_extended(unsigned char type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

int pme_mbr_parse(const void *buf, struct pme_mbr *ret)
{
	const unsigned char *p = buf;
	struct pme_mbr mbr = {.next = 0};

	if (p[510] != 0x55 || p[511] != 0xaa)
		return -EINVAL;
	mbr.empty = is_zero(p + MBR_ENTRIES_AT, 4 * MBR_ENTRY_BYTES);
	for (size_t i = 0; i < 4; i++) {
		const unsigned char *entry = p + MBR_ENTRIES_AT + MBR_ENTRY_BYTES * i;

		if (!is_extended(entry[4]) || pme_le32_at(entry + 12) == 0)
			continue;
		mbr.next = pme_le32_at(entry + 8);
		mbr.length = pme_le32_at(entry + 12);
		break;
	}
	*ret = mbr;
	return 0;
}

int pme_ebr_next(struct pme_ebr_walk *walk, const struct pme_mbr *mbr, uint64_t block,
		 uint64_t size)
{
	uint64_t offset, start, end;

	if (mbr->next == 0)
		return 0;
	if (pme_mul(mbr->next, block, &offset) < 0 || pme_add(walk->first, offset, &start) < 0 ||
	    pme_add(start, block, &end) < 0 || end > size || walk->count == PME_EBR_MAX)
		return -EINVAL;
	walk->start = start;
	if (walk->count++ == 0)
		walk->first = start;
	return 1;
}
