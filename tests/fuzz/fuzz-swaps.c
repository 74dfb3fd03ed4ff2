/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a line of /proc/swaps.
 * Parsers: topo-swap
 */
#include "fuzz.h"
#include "topo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size);
	struct pme_swap_line line = {0};

	if (pme_swap_line_parse(text, size, &line) == 0)
		FUZZ_CHECK(line.path && *line.path && line.size % 1024 == 0);
	else
		FUZZ_CHECK(!line.path);
	free(line.path);
	return 0;
}
