/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the store of a persistent snapshot.  Exceptions that are accepted
 * lie on the device, in no area and in different places.
 * Parsers: dm-snapshot-store
 */
#include "dm-snapshot-store.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	struct pme_reader_buffer buf = {copy, size};
	struct pme_reader reader = pme_reader_of_buffer(&buf);
	struct pme_snapshot_store store;
	uint64_t at, area;

	if (pme_snapshot_store_read(&reader, (struct pme_snapshot_hint){0}, &store, &at) < 0)
		return 0;
	for (size_t i = 0; i < store.exceptions.count; i++) {
		const struct pme_remap *one = &store.exceptions.by_block[i];

		FUZZ_CHECK(one->place > 0 && one->place < size / store.chunk);
		FUZZ_CHECK(!pme_snapshot_store_area(&store, one->place, &area));
		FUZZ_CHECK(pme_remaps_of_place(&store.exceptions, one->place)->block == one->block);
		FUZZ_CHECK(pme_remaps_of_block(&store.exceptions, one->block) == one);
	}
	pme_snapshot_store_done(&store);
	return 0;
}
