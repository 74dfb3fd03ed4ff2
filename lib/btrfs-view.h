/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mounted btrfs, opened for one pass: a descriptor, its devices, its chunks.
 */
#ifndef PME_BTRFS_VIEW_H
#define PME_BTRFS_VIEW_H

#include "btrfs-chunk.h"
#include "btrfs-items.h"
#include "fs.h"

struct pme_btrfs_member {
	uint64_t devid;
	const struct pme_dev *dev; /* NULL: missing, or nobody knows which it is */
	uint64_t total_bytes;
	struct pme_range_list stale; /* normalized: see btrfs-stale.h */
};

struct pme_btrfs_view {
	int fd; /* -1: not open */
	uint32_t node_size, block_size;
	bool stopped;	    /* an error made it read-only: what it says is not on the disk */
	uint64_t committed; /* the last transaction that is known to be on the disk */
	uint64_t devid;	    /* of the device asked about */
	uint64_t size;	    /* of that device, as btrfs uses it */
	struct pme_btrfs_member *members;
	size_t n_members, alloc_members;
};

/*
 * Open any mount of @fs and find its devices.  0; -EPERM without the privilege to read trees,
 * -EXDEV when no mount leads there, -EPROTONOSUPPORT for a format that is not known, and other
 * -errno; *@ret_why says it in words (static), or is NULL.
 */
int pme_btrfs_view_open(const struct pme_topo *topo, const struct pme_fs *fs,
			struct pme_btrfs_view *ret, const char **ret_why);
void pme_btrfs_view_done(struct pme_btrfs_view *view);

/* Commit what is only in memory, so that all trees tell of one moment.  Sets stopped. */
int pme_btrfs_view_sync(struct pme_btrfs_view *view);

/* Is @text (or NULL) how these 16 bytes are written? */
bool pme_btrfs_uuid_is(const unsigned char *uuid, const char *text);

/* The member with @devid, or NULL; its device, or NULL. */
const struct pme_btrfs_member *pme_btrfs_view_member(const struct pme_btrfs_view *view,
						     uint64_t devid);
const struct pme_dev *pme_btrfs_view_dev(const struct pme_btrfs_view *view, uint64_t devid);

int pme_btrfs_view_chunks(const struct pme_btrfs_view *view, struct pme_btrfs_chunks *ret);

/* What the tree of a subvolume has of an inode: 1; 0, it has none, or none that makes sense;
 * -errno. */
int pme_btrfs_view_inode(const struct pme_btrfs_view *view, uint64_t root, uint64_t inode,
			 struct pme_btrfs_inode *ret);
/* An inode of any subvolume by its number: a descriptor or -errno. */
int pme_btrfs_view_open_inode(const struct pme_btrfs_view *view, uint64_t root, uint64_t inode,
			      int flags);

#endif
