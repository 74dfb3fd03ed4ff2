/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a file of XFS begins, by its block map as it lies on the device: the inode and the leftmost
 * way down its B+tree, three or four blocks, however many extents there are.
 *
 * Format: fs/xfs/libxfs/xfs_format.h (struct xfs_dinode, xfs_bmdr_block, xfs_btree_block,
 * xfs_bmbt_rec); where the pointers are: xfs_bmap_btree.h.  A pure function of the bytes that a
 * reader gives.  The filesystem is mounted, and what it writes is in its log first: the answer may
 * be an old one, of another file even, and has to be asked about.
 */
#ifndef PME_XFS_BMAP_H
#define PME_XFS_BMAP_H

#include "reader.h"
#include "xfs-inode.h"

/*
 * The bytes of the data device that hold the file @inode (its number and generation count) from its
 * first byte on, as far as its first extent reaches.  0; -ENODATA: its first bytes have no place,
 * or are not written; -EUCLEAN: not such an inode, not a B+tree, or it makes no sense; -ENOMEM;
 * errors of the reader.
 */
int pme_xfs_bmap_first(const struct pme_xfs_geo *geo, const struct pme_reader *reader,
		       const struct pme_xfs_inode *inode, struct pme_range *ret);

#endif
