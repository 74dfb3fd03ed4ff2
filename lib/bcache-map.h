/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a bcache device has where: where its data begins on the backing device, and which of it is
 * in the cache, clean or dirty, as the kernel has it in memory.
 *
 * The surprise: what is on the cache device itself is older.  That an extent was written back is
 * never journalled, only written with its B-tree node half a minute later, so the disk calls data
 * dirty that is clean; the list in debugfs is the truth.
 */
#ifndef PME_BCACHE_MAP_H
#define PME_BCACHE_MAP_H

#include "bcache-extents.h"
#include "bcache-super.h"
#include "stack.h"

struct pme_bcache_map {
	uint64_t data_offset;	     /* bytes of the backing device */
	const struct pme_dev *cache; /* NULL: none, or several (then with a doubt) */
	struct pme_bcache_extents extents;
	char *doubt; /* why the extents are not known, or NULL */
};

/* As pme_map_get() in map.h; @upper has a backing device. */
int pme_bcache_get(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_bcache_map **ret, const char **ret_why);

/*
 * The superblock of a cache device.  0 or -errno; but for -ENOMEM with *@ret_why, borrowed, as in
 * map.h.
 */
int pme_bcache_cache_get(struct pme_stack *stack, const struct pme_dev *cache,
			 const struct pme_bcache_super **ret, const char **ret_why);

#endif
