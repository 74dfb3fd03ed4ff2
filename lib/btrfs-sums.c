/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums; see btrfs-sums.h.
 *
 * Which there are: include/uapi/linux/btrfs_tree.h (enum btrfs_csum_type).  What surprises: SHA-256
 * and BLAKE2b are not computed here; what has them cannot be checked.
 */
#include "btrfs-sums.h"

#include <ext2fs/ext2fs.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <xxhash.h>

#include "reader.h"

#define CSUM_TREE 7ULL

enum { CRC32C, XXHASH };

int pme_btrfs_sums_ask(int fd, struct pme_btrfs_sums *ret)
{
	struct btrfs_ioctl_fs_info_args info = {.flags = BTRFS_FS_INFO_FLAG_CSUM_INFO};
	int r = pme_os_ioctl(fd, BTRFS_IOC_FS_INFO, &info);

	if (r < 0)
		return r;
	if (!(info.flags & BTRFS_FS_INFO_FLAG_CSUM_INFO) || info.csum_size < 4 ||
	    info.csum_size > 32 || (info.csum_type == XXHASH && info.csum_size < 8))
		return -EOPNOTSUPP;
	*ret = (struct pme_btrfs_sums){info.csum_type, info.csum_size};
	return 0;
}

int pme_btrfs_sums_check(const struct pme_btrfs_sums *sums, const void *data, size_t len,
			 const unsigned char *sum)
{
	switch (sums->type) {
	case CRC32C:
		return ~ext2fs_crc32c_le(UINT32_MAX, data, len) == pme_le32_at(sum);
	case XXHASH:
		return XXH64(data, len, 0) == pme_le64_at(sum);
	}
	return -EOPNOTSUPP;
}

struct pme_btrfs_search pme_btrfs_sums_search(const struct pme_btrfs_view *view,
					      const struct pme_btrfs_sums *sums,
					      struct pme_range range)
{
	/* an item fits into a node: what is before can reach so far at most */
	uint64_t reach = (uint64_t)view->node_size / sums->size * view->block_size;

	return (struct pme_btrfs_search){
		.fd = view->fd,
		.tree = CSUM_TREE,
		.next = {(uint64_t)BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY,
			 range.start > reach ? range.start - reach : 0},
		.last = {(uint64_t)BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY,
			 pme_range_end(range)},
	};
}

bool pme_btrfs_sums_of(const struct pme_btrfs_view *view, const struct pme_btrfs_sums *sums,
		       const struct pme_btrfs_item *item, struct pme_range range,
		       struct pme_range *ret)
{
	struct pme_range common;

	*ret = (struct pme_range){item->key.offset,
				  (uint64_t)item->len / sums->size * view->block_size};
	return item->key.type == BTRFS_EXTENT_CSUM_KEY && ret->length <= UINT64_MAX - ret->start &&
	       pme_range_intersect(*ret, range, &common);
}
