/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file's bytes -> bytes of the filesystem's device (FS_IOC_FIEMAP, linux/fiemap.h; FIBMAP, for
 * filesystems that have nothing else).
 *
 * Only for filesystems whose fe_physical is a byte of their one device: see pme_extents_mapping().
 * The file is flushed first, so that delayed allocations have a place.
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
	bool encoded; /* compressed: its bytes are not those of the device, nor as many */
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

/* How the kernel says where the bytes of files lie, of filesystems without a better way. */
enum pme_mapping {
	PME_MAPPING_NONE, /* not in bytes of one device, or nobody has looked */
	PME_MAPPING_FIEMAP,
	PME_MAPPING_FIBMAP, /* one block at a time; needs CAP_SYS_RAWIO */
};
enum pme_mapping pme_extents_mapping(const char *fs_type);
/* As pme_extents_read(), by @mapping. */
int pme_extents_map(int fd, enum pme_mapping mapping, struct pme_range range,
		    struct pme_extents *ret);

#endif
