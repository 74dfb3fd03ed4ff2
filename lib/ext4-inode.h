/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inodes of a mounted ext2, ext3 or ext4: as they lie in their table, and as the kernel has them.
 *
 * The kernel is asked through a handle (number and generation), never by name, and only about
 * inodes whose place in the table could be read and whose checksum is right: one that it cannot
 * read itself is an error of the filesystem to it, which may then become read-only
 * (errors=remount-ro).
 */
#ifndef PME_EXT4_INODE_H
#define PME_EXT4_INODE_H

#include <sys/types.h>

#include "ext4-geo.h"
#include "ext4-map.h"

struct pme_ext4_live {
	struct pme_ext4_inode disk; /* only the number when @error is set */
	uint32_t mode, nlink;	    /* of the kernel; of the table when it cannot be asked */
	uint64_t size;		    /* bytes */
	int error;	 /* it is in use, but its table cannot be read or is damaged: no mode */
	bool internal;	 /* of the filesystem itself: it has no name, and handles do not reach it */
	bool unreadable; /* a directory of which a block cannot be read */
	bool no_key;	 /* encrypted, and the key is not there, or may not be */
};

/* How to reach them. */
struct pme_ext4_door {
	const struct pme_ext4_geo *geo;
	int fd;			       /* a directory of the filesystem */
	dev_t devno;		       /* of the filesystem, as files have it */
	struct pme_progress *progress; /* borrowed, or NULL */
};

/*
 * What is inode @ino now?  1 and *@ret, 0 not in use (any more), -ENOMEM.  With @ret_fd it is
 * opened for questions about its extents: *@ret_fd is -1 when that cannot be.
 */
int pme_ext4_inode_look(const struct pme_ext4_door *door, uint32_t ino, struct pme_ext4_live *ret,
			int *ret_fd);

/* Open by handle: a descriptor or -errno.  Generation 0 fits any. */
int pme_ext4_inode_open(int dir, uint32_t ino, uint32_t gen, int flags);

/*
 * What the kernel says of bytes @range of the open file @fd: extents that have a place, clipped,
 * each as (bytes of the file, byte of the device, unwritten).  0, -errno, or what @take returned.
 */
typedef int (*pme_ext4_take_extent)(void *arg, struct pme_range range, uint64_t device_start,
				    bool unwritten);
int pme_ext4_inode_extents(int fd, struct pme_range range, pme_ext4_take_extent take, void *arg);

/* "journal inode", "user quota inode", "reserved inode 9": allocated, NULL without memory. */
char *pme_ext4_inode_name(const struct pme_ext4_geo *geo, const struct pme_ext4_inode *inode);
bool pme_ext4_inode_is_journal(const struct pme_ext4_geo *geo, uint32_t ino);

#endif
