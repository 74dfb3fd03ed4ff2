/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks of btrfs: which logical bytes lie where on which device, and back.
 *
 * Format: include/uapi/linux/btrfs_tree.h (struct btrfs_chunk); arithmetic: fs/btrfs/volumes.c
 * (btrfs_map_block), fs/btrfs/block-group.c (btrfs_rmap_block).  Pure functions of what was read.
 */
#ifndef PME_BTRFS_CHUNK_H
#define PME_BTRFS_CHUNK_H

#include "range.h"

/* Bits of a chunk's type (BTRFS_BLOCK_GROUP_*). */
#define PME_BTRFS_GROUP_DATA (1ULL << 0)
#define PME_BTRFS_GROUP_SYSTEM (1ULL << 1)
#define PME_BTRFS_GROUP_METADATA (1ULL << 2)

/* A chunk has one stripe on a device, and at most as many as fit into an item of 64 KiB. */
#define PME_BTRFS_STRIPES_MAX 2048

struct pme_btrfs_stripe {
	uint64_t devid;
	uint64_t start; /* byte of the device */
};

struct pme_btrfs_chunk {
	uint64_t start, length; /* logical */
	uint64_t type;
	uint64_t unit; /* bytes on one stripe before the next one is used */
	uint32_t n_stripes;
	uint32_t mirrors;    /* stripes with the same bytes; of RAID10: neighbours */
	uint32_t parities;   /* stripes of a row that hold parity */
	bool striped;	     /* RAID0, RAID10, RAID5, RAID6 */
	uint64_t dev_length; /* bytes of each stripe */
	struct pme_btrfs_stripe *stripes;
};

struct pme_btrfs_chunks {
	struct pme_btrfs_chunk *items; /* sorted by start */
	size_t count, alloc;
};

/* Append the chunk of an item at logical byte @start: 0, -EINVAL for nonsense, -ENOMEM. */
int pme_btrfs_chunks_add(struct pme_btrfs_chunks *chunks, uint64_t start, const void *item,
			 size_t len);
/* Sort; -EINVAL when two overlap. */
int pme_btrfs_chunks_seal(struct pme_btrfs_chunks *chunks);
/* The chunk that holds the logical byte @at, or NULL. */
const struct pme_btrfs_chunk *pme_btrfs_chunks_find(const struct pme_btrfs_chunks *chunks,
						    uint64_t at);
void pme_btrfs_chunks_done(struct pme_btrfs_chunks *chunks);

/* "data, RAID1": allocated, NULL without memory. */
char *pme_btrfs_chunk_text(const struct pme_btrfs_chunk *chunk);

/* Bytes of one stripe of a chunk, cut where what follows lies elsewhere. */
struct pme_btrfs_part {
	uint64_t length;
	bool parity;
	uint64_t logical; /* of the first byte; of parity: of the row that it protects */
};

/* The bytes of stripe @stripe from its byte @at (less than dev_length) on, @max at most. */
struct pme_btrfs_part pme_btrfs_chunk_up(const struct pme_btrfs_chunk *chunk, uint32_t stripe,
					 uint64_t at, uint64_t max);

/*
 * The opposite: the first of the stripes that hold logical byte @logical (within the chunk), the
 * byte of the stripe, how many bytes follow there.  The next mirrors - 1 stripes hold them, too.
 */
void pme_btrfs_chunk_down(const struct pme_btrfs_chunk *chunk, uint64_t logical,
			  uint32_t *ret_stripe, uint64_t *ret_at, uint64_t *ret_length);

/*
 * The other stripes that give back what stripe @stripe holds at its byte @at, each at the same
 * byte of its own: [*@ret_first, + *@ret_count) without @stripe itself; how many of them are
 * needed, 0: there are none.
 */
uint32_t pme_btrfs_chunk_others(const struct pme_btrfs_chunk *chunk, uint32_t stripe,
				uint32_t *ret_first, uint32_t *ret_count);

#endif
