/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: records of GETFSMAP -> pieces.  The input is the bad range, then an array of struct
 * fsmap.  Every byte of the range gets an owner, and no piece reaches outside.
 * Parsers: xfs-fsmap
 */
#include "fuzz.h"
#include "xfs-fsmap.h"

#define RECORDS_MAX 64

static void check(const struct pme_xfs_pieces *pieces, struct pme_range bad)
{
	uint64_t at = bad.start;

	for (size_t i = 0; i < pieces->count; i++) {
		struct pme_range part = pieces->items[i].range;

		FUZZ_CHECK(part.length > 0 && part.start >= bad.start && part.start <= at &&
			   pme_range_end(part) <= pme_range_end(bad));
		at = pme_max(at, pme_range_end(part));
	}
	FUZZ_CHECK(at == pme_range_end(bad));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fsmap items[RECORDS_MAX];
	struct pme_xfs_records records = {.items = items};
	struct pme_xfs_pieces pieces = {0};
	struct pme_range bad;
	uint64_t end;

	if (size < sizeof(bad))
		return 0;
	memcpy(&bad, data, sizeof(bad));
	if (bad.length == 0 || pme_add(bad.start, bad.length, &end) < 0)
		return 0;
	records.count = pme_min((size - sizeof(bad)) / sizeof(*items), RECORDS_MAX);
	memcpy(items, data + sizeof(bad), records.count * sizeof(*items));
	if (pme_xfs_fsmap_pieces(&records, bad, FMR_OWN_FREE, &pieces) == 0)
		check(&pieces, bad);
	pme_xfs_pieces_done(&pieces);
	return 0;
}
