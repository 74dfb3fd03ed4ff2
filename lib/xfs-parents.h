/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of inodes from XFS parent pointers: no walk, a few look-ups per inode.
 *
 * Only on filesystems made with parent pointers (pme_xfs_geo.has_parents), Linux 6.10 or later,
 * with CAP_SYS_ADMIN.  Interface: XFS_IOC_GETPARENTS_BY_HANDLE (fs/xfs/libxfs/xfs_fs.h), which the
 * headers of Debian 12 do not have.
 */
#ifndef PME_XFS_PARENTS_H
#define PME_XFS_PARENTS_H

#include "names.h"
#include "xfs-inode.h"

/* One name of an inode: in which directory, and how it is called there. */
struct pme_xfs_parent {
	uint64_t ino;
	uint32_t gen;
	const char *name; /* borrowed from the buffer */
	size_t name_len;
};

/*
 * The record at *@pos of what the ioctl wrote into the 8-byte aligned @buf: 1 and *@pos behind it,
 * 0 at the end, -EPROTO for a record that does not fit or has no possible name.
 */
int pme_xfs_parent_next(const void *buf, size_t size, size_t *pos, struct pme_xfs_parent *ret);

/*
 * Append the names of all @files, relative to the directory @root.  Inodes that are gone have
 * none.  -errno when parent pointers do not work here: then walk the tree.
 */
int pme_xfs_parents_names(int fd, const struct pme_xfs_inode *root, struct pme_file **files,
			  size_t n_files, struct pme_names *ret);

#endif
