/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: one line of /proc/PID/maps, of smaps, or a whole fdinfo/N.  A mapping that is
 * accepted is not empty.
 * Parsers: holders-parse
 */
#include "fuzz.h"
#include "holders.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *line = fuzz_copy(data, size);
	uint64_t mount, inode;
	struct pme_map_line map;

	if (pme_map_line_parse(line, size, &map) == 0)
		FUZZ_CHECK(map.start < map.end);
	FUZZ_CHECK(pme_fdinfo_parse(line, size) <= 1);
	FUZZ_CHECK(pme_fdinfo_place_parse(line, size, &mount, &inode) <= 0);
	FUZZ_CHECK(pme_vmflags_parse(line, size) <= 1);
	return 0;
}
