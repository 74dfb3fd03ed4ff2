/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file's bytes -> bytes of the filesystem's device (FS_IOC_FIEMAP, linux/fiemap.h).
 *
 * Only for filesystems whose fe_physical is a byte of their one device: XFS (data device) and
 * ext2/3/4.  The file is flushed first, so that delayed allocations have a place.
 */
#ifndef PME_EXTENT_H
#define PME_EXTENT_H

#include "range.h"

enum pme_extent_state {
	PME_EXTENT_DATA,
	PME_EXTENT_UNWRITTEN,
	PME_EXTENT_HOLE,
	PME_EXTENT_INLINE,   /* inside the inode: no place of its own */
	PME_EXTENT_DELALLOC, /* only in memory */
};
const char *pme_extent_state_name(enum pme_extent_state state);

struct pme_extent {
	struct pme_range range; /* bytes of the file */
	enum pme_extent_state state;
	uint64_t device_start; /* byte of the device; only for data and unwritten */
	bool shared;
};

struct pme_extents {
	struct pme_extent *items;
	size_t count, alloc;
};

/* Extents and holes of @range of the open file @fd, in order, clipped, without gaps. */
int pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret);
void pme_extents_done(struct pme_extents *extents);

/* A file on an XFS realtime device: its extents are bytes of that device. */
bool pme_fd_is_realtime(int fd);

/* May FIEMAP be trusted to give bytes of the device, for a file on this filesystem? */
bool pme_extents_physical(const char *fs_type);

#endif
