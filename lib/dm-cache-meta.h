/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On-disk metadata of a cache (drivers/md/dm-cache-metadata.c, persistent-data/dm-array.c): which
 * block of the origin is in which block of the cache.
 *
 * The surprise: what the metadata says of dirty blocks is true after a clean shutdown only; it is
 * not read here.
 */
#ifndef PME_DM_CACHE_META_H
#define PME_DM_CACHE_META_H

#include "dm-btree.h"
#include "dm-remap.h"

#define PME_CACHE_SALT_SUPER 9031977U
#define PME_CACHE_SALT_ARRAY 595846735U

/* As the table and the kernel have it. */
struct pme_cache_shape {
	uint64_t block;	       /* bytes */
	uint64_t blocks;       /* of the cache */
	uint64_t origin_bytes; /* of the cached device */
};

/*
 * The blocks of the origin that are in the cache, sealed.  0, -ENOMEM, -EAGAIN when the superblock
 * changed meanwhile, -EBADMSG for what is no sound metadata of that shape, -E2BIG for too much of
 * it, or what the reader returned; *@ret_what (static) and *@ret_block say what failed where.
 */
int pme_cache_map_read(const struct pme_btree_reader *reader, const struct pme_cache_shape *shape,
		       struct pme_remaps *ret, const char **ret_what, uint64_t *ret_block);

#endif
