/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store of a persistent snapshot, as drivers/md/dm-snap-persistent.c writes it.
 *
 * Chunk 0 is a header.  Areas follow, each a chunk of exceptions (pairs of little-endian 64-bit
 * numbers: chunk of the snapshot, chunk of the store) and behind it as many chunks of data as it
 * has room for exceptions.  The first pair with chunk 0 of the store ends the list.
 */
#ifndef PME_SNAPSHOT_STORE_H
#define PME_SNAPSHOT_STORE_H

#include "dm-remap.h"
#include "reader.h"

struct pme_snapshot_store {
	uint64_t chunk;		      /* bytes */
	uint64_t per_area;	      /* exceptions in one area */
	uint64_t areas;		      /* in use, from the first */
	bool valid;		      /* as the header says */
	uint64_t unread;	      /* pairs that lie on bad sectors: may be exceptions */
	struct pme_remaps exceptions; /* sealed */
};

/* What the kernel says of the store: it goes for what lies on bad sectors. */
struct pme_snapshot_hint {
	uint64_t chunk; /* bytes */
	uint64_t areas; /* in use */
};

/*
 * 0; -EINVAL for what is no store or makes no sense, -ENODATA, -ENOMEM, -E2BIG.
 * *@ret_at: the byte where reading or sense ended.
 */
int pme_snapshot_store_read(const struct pme_reader *reader, struct pme_snapshot_hint hint,
			    struct pme_snapshot_store *ret, uint64_t *ret_at);
void pme_snapshot_store_done(struct pme_snapshot_store *store);

/* Is @chunk of the store one of exceptions, and of which area?  1 or 0. */
int pme_snapshot_store_area(const struct pme_snapshot_store *store, uint64_t chunk,
			    uint64_t *ret_area);

#endif
