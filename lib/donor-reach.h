/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a mounted filesystem by inode and generation: whatever is mounted over it, and whoever
 * renames them meanwhile.
 *
 * For XFS and ext2/3/4, whose file handles are known; others are -EOPNOTSUPP.
 */
#ifndef PME_DONOR_REACH_H
#define PME_DONOR_REACH_H

#include "fs-enter.h"

struct pme_reach {
	struct pme_fs_entry entry;
	int root; /* the root directory of the filesystem */
};

/* 0 or -errno, as pme_fs_enter(); close it in any case. */
int pme_reach_open(const struct pme_os *os, const struct pme_fs *fs, struct pme_reach *ret);
void pme_reach_close(struct pme_reach *reach);

/*
 * A descriptor of the regular file @file, or -errno: -ESTALE when this inode is not that file any
 * more, -EUCLEAN when it must not be touched (out_of_reach).
 */
int pme_reach_file(const struct pme_reach *reach, const struct pme_fs *fs,
		   const struct pme_file *file, int flags);

#endif
