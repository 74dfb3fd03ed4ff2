/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of XFS whose owner follows from their place: headers of the AGs, the internal log, and
 * blocks with inodes.  For a filesystem without a reverse map.
 *
 * Layout: fs/xfs/libxfs/xfs_format.h; which inodes there are says INUMBERS (<xfs/xfs_fs.h>).
 */
#ifndef PME_XFS_PLACES_H
#define PME_XFS_PLACES_H

#include "xfs-fsmap.h"
#include "xfs-inode.h"

/*
 * Append what is known of the pieces with the owner FMR_OWN_UNKNOWN, as GETFSMAP would tell it.
 * Blocks of inode chunks in which no inode is in use are left out: a chunk may have holes, which
 * INUMBERS does not tell.  @fd: any file of the filesystem.  0 or -errno.
 */
int pme_xfs_places_add(int fd, const struct pme_xfs_geo *geo, const struct pme_xfs_pieces *pieces,
		       struct pme_xfs_records *ret);

#endif
