/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of the bad bytes: what inodes have in them, and what is left.
 */
#ifndef PME_EXT4_PIECES_H
#define PME_EXT4_PIECES_H

#include "ext4-state.h"

int pme_ext4_piece_add(struct pme_ext4_state *state, const struct pme_ext4_piece *piece);
/* Total order: by range.start first. */
int pme_ext4_piece_compare(const struct pme_ext4_piece *a, const struct pme_ext4_piece *b);

/*
 * Append what the inode @live has in @wanted (normalized): data as the kernel tells it through @fd;
 * the rest, and all when @fd is -1, as its block map has it.  0, -ENOMEM, -E2BIG.
 */
int pme_ext4_pieces_of_inode(const struct pme_ext4_geo *geo, const struct pme_ext4_live *live,
			     int fd, const struct pme_range_list *wanted,
			     struct pme_ext4_state *state);

/*
 * Append what no piece of @state covers of @wanted: free, the rest of clusters, or lost.  The
 * pieces must be there for whole clusters.
 */
int pme_ext4_pieces_rest(const struct pme_ext4_geo *geo, const struct pme_range_list *wanted,
			 struct pme_ext4_state *state);

/* Cut all pieces to @ranges, sort them, each once. */
int pme_ext4_pieces_clip(struct pme_ext4_state *state, const struct pme_range_list *ranges);

#endif
