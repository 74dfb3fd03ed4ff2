/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: partition tables: the input is a small disk.  Its second block is the header of a
 * GPT, with checksums made right, so that they do not hide the parser; its first begins a chain of
 * tables of logical partitions, whose hostile form leads back to itself.
 * Parsers: rest-parts-disk
 */
#include <endian.h>

#include "fuzz.h"
#include "rest-crc.h"
#include "rest-parts.h"

#define BLOCK 512ULL
#define BLOCKS_MAX 64
#define SIZE (BLOCKS_MAX * BLOCK)

static void try_gpt(unsigned char *header)
{
	uint32_t len, crc;
	struct pme_gpt gpt;
	unsigned char *entries;

	memcpy(&len, header + 12, sizeof(len));
	len = le32toh(len);
	if (len >= 92 && len <= BLOCK) {
		memset(header + 16, 0, 4);
		crc = htole32(~pme_rest_crc(0xffffffffU, header, len));
		memcpy(header + 16, &crc, sizeof(crc));
	}
	if (pme_gpt_parse(header, BLOCK, BLOCK, SIZE, &gpt) < 0)
		return;
	FUZZ_CHECK(gpt.other <= SIZE - BLOCK && gpt.used <= PME_GPT_ENTRIES_MAX);
	FUZZ_CHECK(pme_range_end(gpt.entries) <= SIZE && gpt.used <= gpt.entries.length);
	entries = calloc(1, gpt.used);
	if (!entries)
		abort();
	pme_gpt_entries_are_good(entries, &gpt);
	FUZZ_CHECK(pme_gpt_is_empty(entries, &gpt));
	free(entries);
}

static void try_chain(const unsigned char *disk)
{
	struct pme_ebr_walk walk = {.count = 0};
	struct pme_mbr mbr;
	size_t count = 0;

	while (pme_mbr_parse(disk + walk.start, &mbr) == 0 &&
	       pme_ebr_next(&walk, &mbr, BLOCK, SIZE) == 1) {
		FUZZ_CHECK(walk.start % BLOCK == 0 && walk.start < SIZE);
		FUZZ_CHECK(++count <= PME_EBR_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *disk = calloc(1, SIZE);

	if (!disk)
		abort();
	if (size)
		memcpy(disk, data, size < SIZE ? size : SIZE);
	try_chain(disk);
	try_gpt(disk + BLOCK);
	free(disk);
	return 0;
}
