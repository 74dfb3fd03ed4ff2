/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a line of mountinfo.  An overlay that is accepted has one mount and its layers have
 * paths.
 * Parsers: topo-overlay topo-overlay-parse
 */
#include "fuzz.h"
#include "topo-overlay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(pme_overlay_done) struct pme_overlay overlay = {0};
	_cleanup_free_ char *line = fuzz_copy(data, size);

	if (pme_overlay_parse(line, size, "1", &overlay) != 1) {
		FUZZ_CHECK(!overlay.layers && !overlay.mounts && !overlay.options);
		return 0;
	}
	FUZZ_CHECK(overlay.n_mounts == 1 && overlay.mounts[0].target[0] == '/');
	FUZZ_CHECK(overlay.n_layers <= PME_OVERLAY_LAYERS_MAX);
	FUZZ_CHECK(!overlay.has_upper || overlay.n_layers > 0);
	for (size_t i = 0; i < overlay.n_layers; i++)
		FUZZ_CHECK(overlay.layers[i].path && *overlay.layers[i].path);
	return 0;
}
