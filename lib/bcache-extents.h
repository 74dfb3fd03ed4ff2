/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is where in a cache set of bcache, as the kernel lists it in debugfs (bcache-UUID): one line
 * for each extent, "INODE:START len SECTORS -> [0:PLACE gen N] dirty"
 * (drivers/md/bcache/debug.c:bch_dump_read, extents.c:bch_extent_to_text).
 *
 * INODE is the number of the backing device in its set.  The kernel lists what is valid only: no
 * extents whose bucket was used again.  The surprise: START counts from the start of the backing
 * device, as the offset of the data is added before the cache is asked
 * (request.c:cached_dev_submit_bio).
 */
#ifndef PME_BCACHE_EXTENTS_H
#define PME_BCACHE_EXTENTS_H

#include "range.h"

/* Bytes. */
struct pme_bcache_extent {
	uint64_t inode;
	struct pme_range range; /* of that backing device, not of its data only */
	uint64_t place;		/* of the cache device */
	bool dirty;		/* the only copy */
};

struct pme_bcache_extents {
	struct pme_bcache_extent *items;	   /* sorted by inode and start */
	const struct pme_bcache_extent **by_place; /* sorted, too */
	size_t count, alloc;
};

/*
 * The whole text.  0, -ENOMEM, -E2BIG, -EINVAL for one that makes no sense, -EAGAIN when extents
 * overlap: it changed while it was read.
 */
int pme_bcache_extents_parse(const char *text, size_t len, struct pme_bcache_extents *ret);
void pme_bcache_extents_done(struct pme_bcache_extents *extents);

/*
 * The first piece of bytes [@at, @end) of the backing device @inode that lies in one extent
 * (*@ret), or in none (NULL) and reaches to the next one or to the end.
 */
struct pme_range pme_bcache_piece(const struct pme_bcache_extents *extents, uint64_t inode,
				  uint64_t at, uint64_t end, const struct pme_bcache_extent **ret);
/* The same for bytes of the cache device. */
struct pme_range pme_bcache_place_piece(const struct pme_bcache_extents *extents, uint64_t at,
					uint64_t end, const struct pme_bcache_extent **ret);

#endif
