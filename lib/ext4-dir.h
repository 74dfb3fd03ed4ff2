/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories of a mounted ext2, ext3 or ext4 as they lie in the page cache of the device, where
 * the kernel has them, too.
 *
 * What is read so is a hint that the kernel confirms or not.  Directories that only the kernel can
 * read are left to it: encrypted ones, those with their entries in the inode, those that
 * compare names without case, damaged ones; and those with a bad block, which are not asked for
 * (the kernel may read ahead over them, as it does for itself).
 */
#ifndef PME_EXT4_DIR_H
#define PME_EXT4_DIR_H

#include "crew.h"
#include "ext4-dirent.h"
#include "ext4-geo.h"
#include "ext4-map.h"

/* One thread's. */
struct pme_ext4_dirs {
	const struct pme_ext4_geo *geo;
	const struct pme_range_list *avoid; /* bytes of the device, normalized: not asked for */
	struct pme_crew *crew;		    /* is told of the entries */
	_Atomic uint64_t *blocks_left;	    /* that all threads may read: no two have the same */
	/* Called for each entry with an inode: 0 to go on.  It may be called anything. */
	int (*take)(void *arg, const struct pme_ext4_dirent *entry);
	void *arg;
	unsigned char *buf; /* private */
};
int pme_ext4_dirs_init(struct pme_ext4_dirs *dirs);
void pme_ext4_dirs_done(struct pme_ext4_dirs *dirs);

/*
 * All entries of @inode, and the directory that it is in: 1; 0 when it is left to the kernel (what
 * was taken is not all, then); or the error of the crew, or of take().
 */
int pme_ext4_dir_read(struct pme_ext4_dirs *dirs, const struct pme_ext4_inode *inode,
		      uint32_t *ret_parent);

/* The same of inode @ino, as its table has it. */
int pme_ext4_dir_read_number(struct pme_ext4_dirs *dirs, uint32_t ino, uint32_t *ret_parent);

/* May these bytes be read?  Whole pages are. */
bool pme_ext4_dir_may_read(const struct pme_ext4_dirs *dirs, uint64_t start, uint64_t length);

#endif
