/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Items of the trees of a mounted btrfs, in the order of their keys (BTRFS_IOC_TREE_SEARCH_V2,
 * linux/btrfs.h); needs CAP_SYS_ADMIN.  The kernel answers from memory: with what is not committed.
 */
#ifndef PME_BTRFS_SEARCH_H
#define PME_BTRFS_SEARCH_H

#include "base.h"

struct pme_btrfs_key {
	uint64_t objectid;
	uint8_t type;
	uint64_t offset;
};

struct pme_btrfs_item {
	struct pme_btrfs_key key;
	const unsigned char *data; /* borrowed from the buffer */
	uint32_t len;
};

/*
 * The item at *@pos of a buffer that the ioctl filled; *@pos moves behind it.  1, 0 at the end,
 * -EINVAL for an item that reaches behind the end.
 */
int pme_btrfs_item_next(const void *buf, size_t size, size_t *pos, struct pme_btrfs_item *ret);

/* Negative, 0, positive. */
int pme_btrfs_key_compare(const struct pme_btrfs_key *a, const struct pme_btrfs_key *b);

struct pme_btrfs_search {
	int fd; /* borrowed: any on the filesystem */
	uint64_t tree;
	struct pme_btrfs_key next, last; /* keys wanted, both included */
	uint32_t batch;			 /* items asked for at once; 0: as many as fit */
	struct btrfs_ioctl_search_args_v2 *args;
	size_t pos;
	uint32_t left, found; /* of what is in the buffer */
	bool ended;
};

/* One item in the order of keys, valid until the next call: 1, 0 at the end, -errno. */
int pme_btrfs_search_next(struct pme_btrfs_search *search, struct pme_btrfs_item *ret);
void pme_btrfs_search_done(struct pme_btrfs_search *search);

/* All items of one type of one object. */
struct pme_btrfs_search pme_btrfs_search_of(int fd, uint64_t tree, uint64_t objectid, uint8_t type);

#endif
