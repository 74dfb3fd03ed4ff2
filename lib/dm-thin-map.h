/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the targets thin-pool and thin share: the tables of both, and the map of a live pool, read
 * from a metadata snapshot once per scan.
 */
#ifndef PME_DM_THIN_MAP_H
#define PME_DM_THIN_MAP_H

#include "dm-thin-meta.h"
#include "map.h"

/* "META DATA BLOCK LOW-WATER #FEATURES FEATURE..." */
struct pme_thin_pool {
	dev_t meta, data;
	uint64_t block; /* bytes; a multiple of 64 KiB */
};
int pme_thin_pool_parse(const struct pme_dm_line *line, struct pme_thin_pool *ret);

/* "POOL DEVICE [ORIGIN]" */
struct pme_thin {
	dev_t pool, origin; /* origin 0: none */
	uint32_t id;
};
int pme_thin_parse(const struct pme_dm_line *line, struct pme_thin *ret);

/* The line of a device that is a thin pool, else NULL. */
const struct pme_dm_line *pme_thin_pool_line(const struct pme_dev *pool);

/* The map of @pool as pme_map_get() gives it. */
int pme_thin_map_get(struct pme_stack *stack, const struct pme_dev *pool,
		     const struct pme_thin_map **ret, const char **ret_why);

extern const struct pme_map_kind pme_thin_map_kind; /* for tests that bring a map of their own */

#endif
