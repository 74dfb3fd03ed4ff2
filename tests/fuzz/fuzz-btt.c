/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: an info block of sector mode, then 64 bytes of a lane.  The checksum is made right
 * first, so that the fuzzer comes past it.  What is accepted has areas one behind the other.
 * Parsers: btt
 */
#include "btt.h"
#include "fuzz.h"
#include "seal.h"

#define SPACE (1ULL << 40)

static void check_areas(const struct pme_btt_arena *arena)
{
	uint64_t at = 0, end;

	while (pme_btt_area_at(arena, at, &end) != PME_BTT_OUTSIDE || end != UINT64_MAX) {
		FUZZ_CHECK(end > at && end <= SPACE);
		at = end;
	}
	FUZZ_CHECK(at == arena->info2 + PME_BTT_INFO_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char info[PME_BTT_INFO_SIZE] = {0}, lane[PME_BTT_LANE_BYTES] = {0};
	struct pme_btt_arena arena = {0};
	struct pme_btt_write write;

	if (size)
		memcpy(info, data, size < sizeof(info) ? size : sizeof(info));
	if (size > sizeof(info))
		memcpy(lane, data + sizeof(info),
		       size - sizeof(info) < sizeof(lane) ? size - sizeof(info) : sizeof(lane));
	seal_btt(info);
	if (pme_btt_info_parse(info, 4096, SPACE, &arena) == 0)
		check_areas(&arena);
	else
		FUZZ_CHECK(arena.start == 0);
	if (pme_btt_lane_parse(lane, pme_btt_log_is_padded(lane, 1), &write) == 0)
		FUZZ_CHECK(write.old_block <= PME_BTT_LBA_MASK);
	return 0;
}
