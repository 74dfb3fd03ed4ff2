/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arenas of a namespace in sector mode, as maps of its device.
 */
#ifndef PME_BTT_ARENAS_H
#define PME_BTT_ARENAS_H

#include "btt.h"
#include "map.h"

/* In the order of the namespace; at least one. */
struct pme_btt_arenas {
	struct pme_btt_arena *items;
	size_t count, alloc;
};

/* Of a namespace in use, from debugfs (drivers/nvdimm/btt.c:arena_debugfs_init). */
extern const struct pme_map_kind pme_btt_live_arenas;
/* Of one in raw mode, from the info blocks on its block device. */
extern const struct pme_map_kind pme_btt_raw_arenas;

#endif
