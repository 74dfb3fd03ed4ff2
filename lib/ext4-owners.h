/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an ext2, ext3 or ext4 in the words of claim.h: inodes become files, pieces owners.
 */
#ifndef PME_EXT4_OWNERS_H
#define PME_EXT4_OWNERS_H

#include "ext4-state.h"
#include "fs.h"

/* One file per inode, in the same order; internal ones are complete without a name. */
int pme_ext4_files_make(const struct pme_ext4_state *state, const struct pme_ext4_door *door,
			struct pme_fs_result *ret);

/* Owners for all pieces; ret->files must be those of state->inodes. */
int pme_ext4_owners_make(const struct pme_ext4_geo *geo, const struct pme_ext4_state *state,
			 struct pme_fs_result *ret);

#endif
