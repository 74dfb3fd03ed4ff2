/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of blocks that are of no use: a device that was missing for a while has old ones.  Each
 * copy that may stand in for a block that is asked about is read and checked.
 */
#ifndef PME_BTRFS_STALE_H
#define PME_BTRFS_STALE_H

#include "btrfs-state.h"

/*
 * Fill the lists of stale bytes of the members of @view for all mirrors of the pieces of @state,
 * which was taken last: what has a wrong checksum, is older than it should be, or cannot be read.
 * What cannot be checked is not in them: data without checksums, parity, checksums of a kind that
 * is not computed here.  0 or -errno, -ETIME when the time of @progress (or NULL) is over.
 */
int pme_btrfs_stale_find(const struct pme_topo *topo, struct pme_btrfs_view *view,
			 const struct pme_btrfs_state *state, struct pme_progress *progress);

/*
 * Are the bytes at @at of @member stale?  Sets *@length (which is what is asked
 * about) to how many of them are alike.
 */
bool pme_btrfs_stale_is(const struct pme_btrfs_member *member, uint64_t at, uint64_t *length);

#endif
