/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes use anything of these filesystems, and which have these devices open: one pass
 * over /proc for all.
 *
 * The filesystems may be dead: no file of them is ever looked at.  Descriptors are known by the
 * mount that fdinfo names, mappings by the device that maps shows.  Only nodes on filesystems in
 * memory (devtmpfs, tmpfs) are asked which device they are.
 */
#ifndef PME_HOLDERS_FS_H
#define PME_HOLDERS_FS_H

#include "holders.h"
#include "topo-spaces.h"

/* A process, and how many different files it has open or mapped. */
struct pme_fs_holder {
	struct pme_holder who; /* open, mapped and map_sync are set, the rest is unused */
	size_t n_open, n_mapped;
	uint64_t *inodes; /* private to the search */
	size_t n_inodes, alloc_inodes;
};

/* A filesystem, by its superblock as mountinfo and maps show it; or a device. */
struct pme_fs_use {
	dev_t shown;		       /* 0 for a device */
	dev_t rdev;		       /* of a device */
	mode_t type;		       /* S_IFBLK or S_IFCHR */
	struct pme_fs_holder *holders; /* by process */
	size_t n_holders, alloc_holders;
};

/* Fill the holders of each of @uses: 0 or -ENOMEM; what cannot be seen is said in @log. */
int pme_fs_holders_find(const struct pme_topo *topo, const struct pme_spaces *spaces,
			struct pme_fs_use *uses, size_t n_uses, struct pme_log *log);
void pme_fs_use_done(struct pme_fs_use *use);

#endif
