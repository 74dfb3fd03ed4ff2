/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of the beginning of a file of XFS without loading all its extents.
 *
 * Whoever asks about one block of a file with FIEMAP, or reads it, has the kernel load the whole
 * list first, one block of the B+tree after the other (xfs_iread_extents), and keep it.  The
 * reverse map is asked about the place instead (GETFSMAP): it is as new as the file.
 */
#ifndef PME_XFS_HEAD_H
#define PME_XFS_HEAD_H

#include "xfs-fsmap.h"
#include "xfs-inode.h"

/* A file of XFS, and where it lies. */
struct pme_xfs_asked {
	int fd;	   /* the file, open for reading: so its inode is nobody else's */
	dev_t dev; /* the data device */
	uint64_t ino;
	const struct pme_xfs_geo *geo;
};

/* Has the file so many extents that there is something to be gained? */
bool pme_xfs_head_is_far(int fd);

/*
 * Are the bytes @place of the data device the first ones of the file, and written?  1; 0 no, or
 * nobody knows (no reverse map, or no CAP_SYS_ADMIN); -errno.
 */
int pme_xfs_head_is_at(const struct pme_xfs_asked *asked, struct pme_range place);

/* Has @place of the data device a block of the file's block map?  As above. */
int pme_xfs_head_has_map(const struct pme_xfs_asked *asked, struct pme_range place);

#endif
