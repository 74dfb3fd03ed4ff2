/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of inodes of a btrfs, by their references upwards: no directory is read, and nothing is
 * opened but the root directory of a subvolume.
 */
#ifndef PME_BTRFS_NAMES_H
#define PME_BTRFS_NAMES_H

#include "btrfs-state.h"
#include "names.h"

/*
 * Append the names of @files (in the order of those of @state), from the top-level subvolume on:
 * "snapshots/1/a/b"; sets their devno.  0 or -errno; what cannot be found is said in the file
 * (names_doubt).
 */
int pme_btrfs_names_find(const struct pme_btrfs_view *view, const struct pme_btrfs_state *state,
			 struct pme_file **files, struct pme_names *ret);

#endif
