/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way into a mounted filesystem: a directory of it, whatever is mounted over its mounts.
 */
#ifndef PME_FS_ENTER_H
#define PME_FS_ENTER_H

#include "fs.h"

struct pme_fs_entry {
	int clone;    /* detached copy of a mount, or -1; close it last */
	int fd;	      /* its directory */
	bool is_root; /* which is the root of the filesystem, not a subdirectory */
};

/*
 * Enter @fs, whose statfs(2) type must be @magic: 0, -EXDEV when others are mounted over all of its
 * mounts, -errno.
 */
int pme_fs_enter(const struct pme_os *os, const struct pme_fs *fs, unsigned long magic,
		 struct pme_fs_entry *ret);

#endif
