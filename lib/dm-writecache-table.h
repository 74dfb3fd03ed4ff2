/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a writecache, as drivers/md/dm-writecache.c keeps it at the start of the cache:
 * a superblock of 64 bytes and an entry of 16 for each block (sector of the origin, sequence
 * number; all ones: free), then the blocks.
 */
#ifndef PME_WRITECACHE_TABLE_H
#define PME_WRITECACHE_TABLE_H

#include "dm-remap.h"
#include "reader.h"

struct pme_writecache_table {
	uint64_t block;	       /* bytes */
	uint64_t count;	       /* blocks */
	uint64_t data;	       /* byte of block 0, from the superblock on */
	uint64_t used;	       /* entries that are not free, with stale ones */
	uint64_t unread;       /* entries that lie on bad sectors */
	struct pme_remaps map; /* block of the origin to block of the cache; sealed */
};

/* Bytes of the superblock; entries follow. */
#define PME_WRITECACHE_SUPERBLOCK 64U

/*
 * The table at byte @start of the reader.  @committed: take only what the superblock vouches for,
 * as on a device that the kernel does not work on in place.  0; -EINVAL for what makes no sense,
 * -EIO for a bad superblock, -ENODATA, -ENOMEM, -E2BIG.
 */
int pme_writecache_table_read(const struct pme_reader *reader, uint64_t start, bool committed,
			      struct pme_writecache_table *ret);
void pme_writecache_table_done(struct pme_writecache_table *table);

#endif
