/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums of btrfs: of data by the checksum tree, one for each block; of tree blocks in their
 * head.
 */
#ifndef PME_BTRFS_SUMS_H
#define PME_BTRFS_SUMS_H

#include "btrfs-search.h"
#include "btrfs-view.h"

/* How a filesystem does them. */
struct pme_btrfs_sums {
	uint16_t type;
	uint32_t size; /* bytes of one */
};

/* 0; -EOPNOTSUPP when the kernel does not tell, other -errno. */
int pme_btrfs_sums_ask(int fd, struct pme_btrfs_sums *ret);

/* 1 @sum is that of the @len bytes at @data, 0 it is not, -EOPNOTSUPP nobody can tell here. */
int pme_btrfs_sums_check(const struct pme_btrfs_sums *sums, const void *data, size_t len,
			 const unsigned char *sum);

/* Items with the checksums of logical @range, and others: to be asked with the next function. */
struct pme_btrfs_search pme_btrfs_sums_search(const struct pme_btrfs_view *view,
					      const struct pme_btrfs_sums *sums,
					      struct pme_range range);
/* Has @item checksums of some of @range?  Of all its own bytes then, *@ret, from its start on. */
bool pme_btrfs_sums_of(const struct pme_btrfs_view *view, const struct pme_btrfs_sums *sums,
		       const struct pme_btrfs_item *item, struct pme_range range,
		       struct pme_range *ret);

#endif
