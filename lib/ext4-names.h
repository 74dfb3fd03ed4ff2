/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of inodes of a mounted ext2, ext3 or ext4 without a walk over its tree: blocks of
 * directories are read where the kernel has them, in the page cache of the device.
 *
 * Nothing that is found so is believed: a name counts when the kernel finds the inode there.  Files
 * that do not get all their names are left to the walk (names.h).
 */
#ifndef PME_EXT4_NAMES_H
#define PME_EXT4_NAMES_H

#include "ext4-inode.h"
#include "ext4-pass.h"
#include "names.h"

struct pme_ext4_search {
	const struct pme_ext4_door *door;
	const struct pme_ext4_marks *marks; /* where directories may be */
	const struct pme_range_list *avoid; /* bad bytes of the device, normalized: not asked for */
	int root;			    /* the root directory, open */
};

/*
 * Append all names of some of @files, which are sorted anew: the first *@ret_left are those of
 * which nothing was appended, also as the time was over.  0, -ENOMEM, -E2BIG.
 */
int pme_ext4_names_find(const struct pme_ext4_search *search, struct pme_file **files,
			size_t n_files, struct pme_names *ret, size_t *ret_left);

#endif
