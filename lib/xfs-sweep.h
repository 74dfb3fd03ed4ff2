/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners of blocks of XFS, found in the files themselves.
 *
 * Of a filesystem without a reverse map, and of its realtime device, the kernel knows what is in
 * use, but not by whom.  Interfaces: <xfs/xfs_fs.h> (BULKSTAT, GETBMAPX).
 */
#ifndef PME_XFS_SWEEP_H
#define PME_XFS_SWEEP_H

#include <xfs/xfs.h>

#include "progress.h"
#include "xfs-fsmap.h"
#include "xfs-inode.h"

/* What is looked for, and where. */
struct pme_xfs_scope {
	int fd;				     /* any file of the filesystem */
	const struct pme_xfs_geo *geo;
	const struct pme_range_list *ranges; /* bytes of one device; normalized */
	bool is_realtime;		     /* of the realtime device: only data forks lie there */
	struct pme_progress *progress;	     /* borrowed, or NULL */
};

struct pme_xfs_swept {
	struct pme_xfs_records records; /* extents, as GETFSMAP would tell them */
	size_t unread;			/* inodes that could not be asked */
};

/*
 * Append the extents of the data and attribute forks of all files that meet scope->ranges. Symbolic
 * links and special files with blocks of their own cannot be asked.  0; -ETIME: not all files were
 * asked; -errno.  Costs one BULKSTAT for every 256 inodes of the filesystem, and at least three
 * system calls for every file that has blocks on that device.
 */
int pme_xfs_sweep(const struct pme_xfs_scope *scope, struct pme_xfs_swept *ret);

/*
 * The same of the inodes @owners only: what a sweep found may have changed, which costs no second
 * one.  Those that cannot be asked any more have no extents.
 */
int pme_xfs_sweep_again(const struct pme_xfs_scope *scope, const struct pme_xfs_inodes *owners,
			struct pme_xfs_swept *ret);
void pme_xfs_swept_done(struct pme_xfs_swept *swept);

/*
 * Append what @map says of one fork of the inode @like->fmr_owner: records as @like with place,
 * length and offset filled in.  @map[0] is the request, @room the number of others.  0, -EPROTO,
 * -ENOMEM.
 */
int pme_xfs_sweep_extents(const struct getbmapx *map, size_t room, const struct fsmap *like,
			  const struct pme_range_list *ranges, struct pme_xfs_records *ret);

#endif
