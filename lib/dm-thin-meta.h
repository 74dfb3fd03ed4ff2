/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On-disk metadata of a thin pool (drivers/md/dm-thin-metadata.c, persistent-data/dm-btree*.c):
 * which block of which thin device lies in which block of the data device.
 *
 * The surprise: volumes that share blocks share whole subtrees.
 */
#ifndef PME_DM_THIN_META_H
#define PME_DM_THIN_META_H

#include "dm-btree.h"

/* Blocks [@block, @block + @count) of thin device @dev lie at @data and behind. */
struct pme_thin_run {
	uint64_t block, data, count;
	uint32_t dev;
};

struct pme_thin_map {
	struct pme_thin_run *runs; /* by device, then block */
	size_t n_runs, alloc_runs;
	uint32_t *by_data;    /* numbers of runs, by data block */
	uint64_t *data_until; /* greatest data block end of by_data[0] to this one */
	uint32_t *devs;	      /* all thin devices, also empty ones; rising */
	size_t n_devs, alloc_devs;
	uint64_t block_size; /* bytes */
	uint64_t held_root;  /* of the live superblock; 0: none */
};

/*
 * Read the map of the snapshot in metadata block @held, which the superblock must name.  Data
 * blocks lie below @data_blocks.  0, -ENOMEM, -EBADMSG for what is no sound metadata, -E2BIG for
 * too much of it, or what the reader returned; *@ret_what (static) and *@ret_block say what failed
 * where.  *@ret is the caller's to free also on error.
 */
int pme_thin_map_read(const struct pme_btree_reader *reader, uint64_t held, uint64_t block_size,
		      uint64_t data_blocks, struct pme_thin_map *ret, const char **ret_what,
		      uint64_t *ret_block);
void pme_thin_map_done(struct pme_thin_map *map);

/*
 * The next run that holds @data or a block behind it, in the order of data blocks; *@pos is 0
 * before the first call.  NULL when there are no more below @end.
 */
const struct pme_thin_run *pme_thin_map_next(const struct pme_thin_map *map, uint64_t data,
					     uint64_t end, size_t *pos);

/* The run of @dev that holds its @block, else the first behind it; NULL when there is none. */
const struct pme_thin_run *pme_thin_map_find(const struct pme_thin_map *map, uint32_t dev,
					     uint64_t block);

bool pme_thin_map_has(const struct pme_thin_map *map, uint32_t dev);

#define PME_THIN_SALT_SUPER 160774U

#endif
