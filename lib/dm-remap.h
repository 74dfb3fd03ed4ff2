/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks of a target lie in which blocks of its store: exceptions of a snapshot, entries of
 * a writecache, mappings of a cache.  Found from either side by binary search.
 *
 * A block is in one place at most and a place holds one block at most.
 */
#ifndef PME_DM_REMAP_H
#define PME_DM_REMAP_H

#include "range.h"

struct pme_remap {
	uint64_t block; /* of the target */
	uint64_t place; /* of its store */
};

struct pme_remaps {
	struct pme_remap *by_block, *by_place; /* by_place: only when sealed */
	size_t count, alloc;
};

int pme_remaps_add(struct pme_remaps *remaps, uint64_t block,
		   uint64_t place); /* 0, -ENOMEM, -E2BIG */
/* Sort, once, behind the last one: 0, -ENOMEM, -EINVAL when a block or a place is there twice. */
int pme_remaps_seal(struct pme_remaps *remaps);
void pme_remaps_done(struct pme_remaps *remaps);

/* The one of the block, of the place, or NULL. */
const struct pme_remap *pme_remaps_of_block(const struct pme_remaps *remaps, uint64_t block);
const struct pme_remap *pme_remaps_of_place(const struct pme_remaps *remaps, uint64_t place);

/*
 * The first piece of bytes [@at, @end), cut at the blocks of @size bytes: it lies in one remapped
 * block (*@ret_remap), or in none (NULL) and reaches to the next one or to the end.
 */
struct pme_range pme_remaps_block_piece(const struct pme_remaps *remaps, uint64_t size, uint64_t at,
					uint64_t end, const struct pme_remap **ret_remap);
/* The same for bytes of the store. */
struct pme_range pme_remaps_place_piece(const struct pme_remaps *remaps, uint64_t size, uint64_t at,
					uint64_t end, const struct pme_remap **ret_remap);

#endif
