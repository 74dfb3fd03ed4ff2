/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners of realtime extents of XFS, found in the files themselves.
 *
 * Of a realtime device without a reverse map the kernel knows what is in use, but not by whom.
 * Interfaces: <xfs/xfs_fs.h> (BULKSTAT, GETBMAPX).  Only data forks lie on the realtime device.
 */
#ifndef PME_XFS_REALTIME_H
#define PME_XFS_REALTIME_H

#include <xfs/xfs.h>

#include "xfs-fsmap.h"
#include "xfs-inode.h"

/*
 * Append the extents of all realtime files that meet the normalized @ranges, as GETFSMAP would
 * tell them.  *@unread grows by the number of inodes that could not be asked.  0 or -errno.
 * Costs one BULKSTAT for every 256 inodes of the filesystem, and at least three system calls for
 * every realtime file.
 */
int pme_xfs_realtime_sweep(int fd, const struct pme_range_list *ranges, struct pme_xfs_records *ret,
			   size_t *unread);

/*
 * The same of the inodes @owners only: what a sweep found may have changed, which costs no second
 * one.  Those that cannot be asked any more have no extents.
 */
int pme_xfs_realtime_again(int fd, const struct pme_xfs_inodes *owners,
			   const struct pme_range_list *ranges, struct pme_xfs_records *ret);

/* Extents as GETBMAPX answers in @map: @map[0] is the request.  0, -EPROTO, -ENOMEM. */
int pme_xfs_realtime_extents(const struct getbmapx *map, size_t room, uint64_t ino,
			     const struct pme_range_list *ranges, struct pme_xfs_records *ret);

#endif
