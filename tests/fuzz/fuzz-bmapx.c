/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: answers of GETBMAPX -> owners of bytes.  The input is the bad range, then
 * an array of struct getbmapx, the first of which is the request.  What comes out meets the range,
 * and makes pieces that cover it.
 * Parsers: xfs-sweep
 */
#include "fuzz.h"
#include "xfs-sweep.h"

#define ROOM 64

static void check(const struct pme_xfs_records *records, struct pme_range bad)
{
	struct pme_xfs_pieces pieces = {0};
	uint64_t at = bad.start;

	for (size_t i = 0; i < records->count; i++) {
		const struct fsmap *record = &records->items[i];
		uint64_t end;

		FUZZ_CHECK(record->fmr_length > 0 &&
			   pme_add(record->fmr_physical, record->fmr_length, &end) == 0 &&
			   record->fmr_physical < pme_range_end(bad) && end > bad.start);
	}
	if (pme_xfs_fsmap_pieces(records, bad, FMR_OWN_UNKNOWN, &pieces) == 0) {
		for (size_t i = 0; i < pieces.count; i++) {
			FUZZ_CHECK(pieces.items[i].range.start <= at);
			at = pme_max(at, pme_range_end(pieces.items[i].range));
		}
		FUZZ_CHECK(at == pme_range_end(bad));
	}
	pme_xfs_pieces_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct getbmapx map[ROOM + 1] = {0};
	struct pme_xfs_records records = {0};
	const struct fsmap like = {.fmr_owner = 99};
	struct pme_range bad;
	struct pme_range_list ranges = {.items = &bad, .count = 1};
	uint64_t end;
	size_t room;

	if (size < sizeof(bad) + sizeof(map[0]))
		return 0;
	memcpy(&bad, data, sizeof(bad));
	if (bad.length == 0 || pme_add(bad.start, bad.length, &end) < 0)
		return 0;
	room = pme_min((size - sizeof(bad)) / sizeof(map[0]) - 1, ROOM);
	memcpy(map, data + sizeof(bad), (room + 1) * sizeof(map[0]));
	if (pme_xfs_sweep_extents(map, room, &like, &ranges, &records) == 0)
		check(&records, bad);
	pme_xfs_records_done(&records);
	return 0;
}
