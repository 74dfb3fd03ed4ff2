/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFS reverse mapping: what GETFSMAP tells about bytes of the data device, and what it means.
 *
 * Interface: <linux/fsmap.h>; behaviour of XFS: fs/xfs/xfs_fsmap.c.  Records come unclipped, one
 * per owner, sorted by device, physical start, owner, offset; free space is a gap or a record.
 */
#ifndef PME_XFS_FSMAP_H
#define PME_XFS_FSMAP_H

#include <linux/fsmap.h>
#include <sys/types.h>

#include "range.h"

struct pme_xfs_records {
	struct fsmap *items;
	size_t count, alloc;
};

/* Bytes with one owner.  Several pieces may cover the same bytes: each is an owner of its own. */
struct pme_xfs_piece {
	struct pme_range range; /* bytes of the data device */
	uint64_t owner;		/* inode number, or FMR_OWN_* and XFS_FMR_OWN_* */
	uint64_t offset;	/* byte of the fork at range.start; 0 where that means nothing */
	uint32_t flags;		/* PREALLOC, ATTR_FORK, EXTENT_MAP, SPECIAL_OWNER (FMR_OF_*) */
	bool shared;		/* another owner has all of these bytes, too */
};

struct pme_xfs_pieces {
	struct pme_xfs_piece *items;
	size_t count, alloc;
};

/*
 * Append all records of the data device @dev that meet @window, which must begin and end at block
 * borders inside the data section.  0, -errno of the ioctl, -EPROTO when the answer makes no sense.
 */
int pme_xfs_fsmap_read(int fd, dev_t dev, struct pme_range window, struct pme_xfs_records *ret);

/*
 * Append the pieces that make up @bad, sorted by pme_xfs_piece_compare(), each as long as it can
 * be.  Bytes that no record covers belong to @rest: FMR_OWN_FREE where the kernel names owners,
 * else FMR_OWN_UNKNOWN; records of that owner mean no more than a gap.  -EPROTO for impossible
 * records.
 */
int pme_xfs_fsmap_pieces(const struct pme_xfs_records *records, struct pme_range bad, uint64_t rest,
			 struct pme_xfs_pieces *ret);

/* In use, and no more is known. */
bool pme_xfs_piece_is_unknown(const struct pme_xfs_piece *piece);

/* Total order: by range.start first. */
int pme_xfs_piece_compare(const struct pme_xfs_piece *a, const struct pme_xfs_piece *b);

/* Append a copy of @piece: 0, -ENOMEM, -E2BIG. */
int pme_xfs_pieces_add(struct pme_xfs_pieces *pieces, const struct pme_xfs_piece *piece);
void pme_xfs_pieces_sort(struct pme_xfs_pieces *pieces); /* by pme_xfs_piece_compare() */

/* Append a copy of @record: 0, -ENOMEM, -E2BIG. */
int pme_xfs_records_add(struct pme_xfs_records *records, const struct fsmap *record);

void pme_xfs_records_done(struct pme_xfs_records *records);
void pme_xfs_pieces_done(struct pme_xfs_pieces *pieces);

#endif
