/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoints: reflinked copies of files in the vault of their filesystem, and what changed between
 * two of them.
 *
 * Only where a reflinked copy is harmless.  Before Linux 6.2 a file that was ever reflinked loses
 * DAX when its inode is next loaded (xfs_inode_supports_dax()), and with it MAP_SYNC: there a file
 * that is DAX, or is marked to be, is never reflinked.
 */
#ifndef PME_CHECKPOINT_H
#define PME_CHECKPOINT_H

#include "extent.h"
#include "saved.h"

/* Has the kernel of this text of uname(2) DAX files with shared extents?  Unknown text: no. */
bool pme_kernel_shares_dax(const char *release);

/*
 * May the open file @fd be reflinked?  1; 0, and *@ret_why (static text) says why not, NULL where
 * that is the nature of the filesystem; -errno.
 */
int pme_checkpoint_allowed(int fd, const char **ret_why);

/*
 * Make the checkpoint @name of @fd: a descriptor for reading, around the page cache where that can
 * be.  Once that is synced, so are its name and all checkpoints before it: XFS has one log.
 * -EOPNOTSUPP: this filesystem has none, or the file cannot be reflinked; -errno.
 */
int pme_checkpoint_make(int checkpoints, const char *name, int fd);
/* 0, also when it is gone; -errno.  Not synced. */
int pme_checkpoint_remove(int checkpoints, const char *name);

/* Its extents, all of them: 0, -errno. */
int pme_checkpoint_extents(int fd, uint64_t size, struct pme_extents *ret);

/*
 * Append the parts of [0, @size) where the bytes may differ: other blocks, or blocks in one only.
 * Holes and blocks that were never written are alike.  Both in order, without gaps.  0 or -ENOMEM.
 */
int pme_extents_differ(const struct pme_extents *a, const struct pme_extents *b, uint64_t size,
		       struct pme_range_list *ret);

/*
 * What of a file with @extents and @size is not known to be what @saved has: whole blocks,
 * normalized.  0, -errno.
 */
int pme_checkpoint_changes(const struct pme_saved *saved, const struct pme_extents *extents,
			   uint64_t size, struct pme_range_list *ret);

#endif
