/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a btrfs in the words of claim.h.
 */
#ifndef PME_BTRFS_OWNERS_H
#define PME_BTRFS_OWNERS_H

#include "btrfs-state.h"

/* One file for each of the state, in its order; @shown: device number in /proc/PID/maps. */
int pme_btrfs_files_make(const struct pme_btrfs_state *state, dev_t shown,
			 struct pme_fs_result *ret);

/* The owners of all pieces; the files are there already.  0 or -ENOMEM. */
int pme_btrfs_owners_make(const struct pme_btrfs_view *view, const struct pme_fs *fs,
			  const struct pme_btrfs_state *state, struct pme_fs_result *ret);

/* One unknown for each range. */
int pme_btrfs_owners_unknown(const struct pme_range_list *ranges, const char *reason,
			     struct pme_fs_result *ret);

#endif
