/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries in one block of a directory of ext2, ext3 or ext4.
 *
 * Format: Documentation/filesystems/ext4 (directory.rst).  Blocks of a hash tree and checksums look
 * like entries without an inode, so that all blocks are read alike.
 */
#ifndef PME_EXT4_DIRENT_H
#define PME_EXT4_DIRENT_H

#include "base.h"

struct pme_ext4_dirent {
	uint32_t ino;
	const char *name; /* borrowed from the block, not terminated */
	size_t len;
};

/*
 * The next entry with an inode from byte *@pos on, of @size bytes: 1 and *@pos behind it, 0 at the
 * end, -EUCLEAN where none can be.  What it is called is not looked at.
 */
int pme_ext4_dirent_next(const unsigned char *block, uint32_t size, uint32_t *pos,
			 struct pme_ext4_dirent *ret);

/* Can a file be called so?  Not ".", not "..", nothing that leads elsewhere. */
bool pme_ext4_dirent_is_name(const struct pme_ext4_dirent *entry);

#endif
