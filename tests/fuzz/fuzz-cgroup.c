/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: text of /proc/PID/cgroup.  Units and containers are components, not paths.
 * Parsers: holders-parse
 */
#include "fuzz.h"
#include "holders.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size);
	_cleanup_free_ char *unit = NULL;
	_cleanup_free_ char *container = NULL;

	if (pme_cgroup_parse(text, size, &unit, &container) == 0)
		FUZZ_CHECK(!unit || (*unit && !strchr(unit, '/')));
	else
		FUZZ_CHECK(!unit && !container);
	return 0;
}
