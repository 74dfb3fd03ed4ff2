/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of MD arrays: up to five members and an array on them.
 */
#ifndef PME_TESTS_MD_ARRAY_H
#define PME_TESTS_MD_ARRAY_H

#include "hop-check.h"

#define SECTORS(n) ((n)*PME_SECTOR)
#define MEMBERS 5

struct array {
	struct pme_dev lowers[MEMBERS];
	const struct pme_dev *edges[MEMBERS];
	struct pme_md_component comps[MEMBERS];
	struct pme_md md;
	struct pme_dev dev;
};

static inline void array_start(struct array *a, const char *level, uint64_t chunk)
{
	*a = (struct array){0};
	a->md = (struct pme_md){
		.level = text(level),
		.chunk = SECTORS(chunk),
		.layout_known = true,
		.resynced = UINT64_MAX,
		.components = a->comps,
	};
	a->dev = (struct pme_dev){
		.name = text("md0"),
		.kind = PME_DEV_MD,
		.md = &a->md,
		.lowers = a->edges,
	};
}

/* One more member, in the next slot: offset, size and tail of its device in sectors. */
static inline void array_add(struct array *a, uint64_t offset, uint64_t size, uint64_t tail)
{
	static const char *const names[] = {"pmem0", "pmem1", "pmem2", "pmem3", "pmem4"};
	size_t i = a->md.n_components++;

	assert_true(i < MEMBERS);
	a->lowers[i] = (struct pme_dev){
		.name = text(names[i]),
		.kind = PME_DEV_DISK,
		.size = SECTORS(offset + size + tail),
	};
	a->edges[i] = &a->lowers[i];
	a->dev.n_lowers++;
	a->comps[i] = (struct pme_md_component){
		.dev = &a->lowers[i],
		.slot = (int)i,
		.data_offset = SECTORS(offset),
		.size = SECTORS(size),
		.state = text("in_sync"),
		.synced = UINT64_MAX,
	};
	a->md.raid_disks++;
}

#endif
