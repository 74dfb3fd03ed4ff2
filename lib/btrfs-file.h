/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file of a mounted btrfs: which bytes of the filesystem (logical ones) hold its bytes, and
 * where these lie on its devices.
 */
#ifndef PME_BTRFS_FILE_H
#define PME_BTRFS_FILE_H

#include "btrfs-view.h"
#include "extent.h"

struct pme_btrfs_span {
	struct pme_range range; /* bytes of the file */
	enum pme_extent_state state;
	bool shared;
	/* how they are compressed, static, or NULL; then each needs all of @logical */
	const char *coding;
	struct pme_range logical; /* of data and unwritten; without coding as long as @range */
};

struct pme_btrfs_spans {
	struct pme_btrfs_span *items;
	size_t count, alloc;
};

/* A place of logical bytes. */
struct pme_btrfs_spot {
	uint64_t skip; /* from the first byte asked about */
	uint64_t devid;
	const struct pme_dev *dev; /* NULL: missing, or not known */
	struct pme_range range;	   /* bytes of that device */
};

struct pme_btrfs_spots {
	struct pme_btrfs_spot *items; /* by skip; copies one after the other */
	size_t count, alloc;
};

/*
 * The filesystem that the open file @fd is on, as pme_btrfs_view_open() says; -ENOENT when none of
 * its devices is known here.  pme_fs_done() and pme_btrfs_view_done() either way; ret_view->fd is
 * -1 before.
 */
int pme_btrfs_file_open(const struct pme_topo *topo, int fd, struct pme_fs *ret_fs,
			struct pme_btrfs_view *ret_view, const char **ret_why);

/*
 * Append what holds @range of the open file @fd with the number @inode, in order, without gaps.
 * It is flushed first.  0; -EAGAIN when it changed while it was read; -errno.
 */
int pme_btrfs_file_spans(struct pme_btrfs_view *view, int fd, uint64_t inode,
			 struct pme_range range, struct pme_btrfs_spans *ret);

/* Append all places of @logical: 0, -EAGAIN when some are in no chunk (now), -ENOMEM. */
int pme_btrfs_file_spots(const struct pme_btrfs_view *view, const struct pme_btrfs_chunks *chunks,
			 struct pme_range logical, struct pme_btrfs_spots *ret);

#endif
