/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an XFS in the words of claim.h: inodes become files, pieces become owners.
 */
#ifndef PME_XFS_OWNERS_H
#define PME_XFS_OWNERS_H

#include "fs.h"
#include "xfs-state.h"

/* One file per inode, in the same order; internal ones are complete without a name. */
int pme_xfs_files_make(const struct pme_xfs_state *state, dev_t devno, struct pme_fs_result *ret);

/*
 * Owners for all pieces; ret->files must be those of state->inodes.  @internal tells the inodes
 * that BULKSTAT hides apart.
 */
int pme_xfs_owners_make(const struct pme_xfs_view *view, const struct pme_xfs_internal *internal,
			const struct pme_xfs_state *state, struct pme_fs_result *ret);

#endif
