/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the table of a writecache.  Blocks that are accepted lie on the
 * device, each once.
 * Parsers: dm-writecache-table
 */
#include "dm-writecache-table.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	struct pme_reader_buffer buf = {copy, size};
	struct pme_reader reader = pme_reader_of_buffer(&buf);
	struct pme_writecache_table table;

	for (int committed = 0; committed < 2; committed++) {
		if (pme_writecache_table_read(&reader, 0, committed, &table) < 0)
			continue;
		FUZZ_CHECK(table.data + table.count * table.block <= size);
		FUZZ_CHECK(table.map.count <= table.used && table.used <= table.count);
		for (size_t i = 0; i < table.map.count; i++) {
			const struct pme_remap *one = &table.map.by_block[i];

			FUZZ_CHECK(one->place < table.count);
			FUZZ_CHECK(pme_remaps_of_place(&table.map, one->place)->block ==
				   one->block);
		}
		pme_writecache_table_done(&table);
	}
	return 0;
}
