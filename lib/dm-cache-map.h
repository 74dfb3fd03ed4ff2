/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in a live cache: its table, its status, and its metadata together.
 *
 * Which blocks are in the cache is in the metadata, as of its last commit: a status with flush
 * commits, and what is read then is the truth when no block moved until it was read.
 *
 * The surprise: which blocks are dirty is in the memory of the kernel only, and writethrough does
 * not say that none is (a reload keeps those of writeback before).  What is known is how many: all
 * or none of the cached blocks, or else every cached block is in doubt.
 */
#ifndef PME_DM_CACHE_MAP_H
#define PME_DM_CACHE_MAP_H

#include "dm-remap.h"
#include "stack.h"

struct pme_cache_params {
	dev_t meta, cache, origin;
	uint64_t block; /* bytes */
};

/* Of the status. */
struct pme_cache_counts {
	uint64_t block, used, total, demotions, promotions, dirty; /* block: bytes */
};

enum pme_cache_dirty { PME_CACHE_NONE_DIRTY, PME_CACHE_ALL_DIRTY, PME_CACHE_SOME_DIRTY };

struct pme_cache {
	uint64_t block, blocks; /* bytes of one, how many */
	enum pme_cache_dirty dirty;
	uint64_t n_dirty;
	struct pme_remaps map; /* block of the origin to block of the cache */
};

/* The parameters of a table: 0 or -EINVAL. */
int pme_cache_params_parse(const struct pme_dm_line *line, struct pme_cache_params *ret);

/*
 * "8 USED/TOTAL BLOCK USED/TOTAL HITS MISSES HITS MISSES DEMOTIONS PROMOTIONS DIRTY … rw|ro
 * needs_check|-", or "Fail": 0, -EINVAL, -EIO for a cache that is not sound.
 */
int pme_cache_counts_parse(const char *text, struct pme_cache_counts *ret);

/* As pme_map_get() in map.h. */
int pme_cache_get(struct pme_stack *stack, const struct pme_dev *upper,
		  const struct pme_dm_line *line, const struct pme_cache **ret,
		  const char **ret_why);

#endif
