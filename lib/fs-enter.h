/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way into a mounted filesystem: a directory of it, whatever is mounted over its mounts.
 */
#ifndef PME_FS_ENTER_H
#define PME_FS_ENTER_H

#include "fs.h"

struct pme_fs_entry {
	int fd;	      /* a directory of it, on a mount of our own where we may make one; -1: none */
	bool is_root; /* which is the root of the filesystem, not a subdirectory */
};

/* The directory of @mount, for reading: a descriptor or -errno. */
int pme_fs_enter_mount(const struct pme_os *os, const struct pme_mount *mount);

/*
 * Enter @fs, whose statfs(2) type must be @magic (0: any): 0, -EXDEV when others are mounted over
 * all of its mounts, -errno.
 */
int pme_fs_enter(const struct pme_os *os, const struct pme_fs *fs, unsigned long magic,
		 struct pme_fs_entry *ret);

#endif
