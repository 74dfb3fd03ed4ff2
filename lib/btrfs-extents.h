/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logical bytes of a btrfs -> extents, and who refers to them (extent tree; LOGICAL_INO_V2).
 */
#ifndef PME_BTRFS_EXTENTS_H
#define PME_BTRFS_EXTENTS_H

#include "btrfs-items.h"
#include "btrfs-view.h"

#define PME_BTRFS_TREES 4 /* that are named of those that share a tree block */

struct pme_btrfs_found {
	struct pme_range range; /* logical: the whole extent */
	uint64_t generation;	/* the transaction that made it */
	bool is_tree;
	uint8_t level;
	/* of a tree block: the trees that it belongs to, sorted; n_trees may be more than are named
	 */
	uint64_t trees[PME_BTRFS_TREES];
	size_t n_trees;
};

struct pme_btrfs_founds {
	struct pme_btrfs_found *items;
	size_t count, alloc;
};

/* Append the extents that meet @range, which lies in @chunk, in order: 0 or -errno. */
int pme_btrfs_extents_find(const struct pme_btrfs_view *view, const struct pme_btrfs_chunk *chunk,
			   struct pme_range range, struct pme_btrfs_founds *ret);

struct pme_btrfs_places {
	struct pme_btrfs_place *items; /* sorted by root, inode, offset; each once */
	size_t count, alloc;
};

/*
 * File extents that refer to the data extent around logical byte @start, whatever part of it.  0;
 * -EOVERFLOW when they are more than the kernel tells, -ENOENT when there is no such extent.
 */
int pme_btrfs_extents_places(const struct pme_btrfs_view *view, uint64_t start,
			     struct pme_btrfs_places *ret);

#endif
