/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of XFS whose owner follows from their place; see xfs-places.h.
 */
#include "xfs-places.h"

#include <xfs/xfs.h>

#define HEADER_SECTORS 4 /* superblock, AGF, AGI, AGFL */

static int add_record(struct pme_range range, uint64_t owner, struct pme_xfs_records *ret)
{
	const struct fsmap record = {
		.fmr_physical = range.start,
		.fmr_length = range.length,
		.fmr_owner = owner,
		.fmr_flags = FMR_OF_SPECIAL_OWNER,
	};

	return pme_xfs_records_add(ret, &record);
}

static int add_if_met(struct pme_range range, uint64_t owner, struct pme_range met,
		      struct pme_xfs_records *ret)
{
	struct pme_range common;

	return pme_range_intersect(range, met, &common) ? add_record(range, owner, ret) : 0;
}

/* Whole blocks, as everything that is allocated. */
static struct pme_range header_of(const struct pme_xfs_geo *geo, struct pme_range ag)
{
	uint64_t bytes = (uint64_t)HEADER_SECTORS * geo->sector_size;
	uint64_t blocks = (bytes + geo->block_size - 1) / geo->block_size;

	return (struct pme_range){ag.start, blocks * geo->block_size};
}

/* A record for each block with inodes in use; neighbours follow each other. */
static int add_chunks(int fd, const struct pme_xfs_geo *geo, struct pme_range part,
		      struct pme_xfs_records *ret)
{
	_cleanup_(pme_xfs_inodes_done) struct pme_xfs_inodes inodes = {0};
	uint64_t first, last, before = UINT64_MAX;
	int r;

	part.length += part.start % geo->block_size;
	part.start -= part.start % geo->block_size;
	part.length += -part.length % geo->block_size;
	pme_xfs_geo_inodes(geo, part, &first, &last);
	r = pme_xfs_inodes_allocated(fd, first, last, &inodes);
	for (size_t i = 0; r == 0 && i < inodes.count; i++) {
		uint64_t at = pme_xfs_geo_place(geo, inodes.items[i].ino);

		at -= at % geo->block_size;
		if (at != before)
			r = add_record((struct pme_range){at, geo->block_size}, XFS_FMR_OWN_INODES,
				       ret);
		before = at;
	}
	return r;
}

/* @part lies in the AG @ag. */
static int add_part(int fd, const struct pme_xfs_geo *geo, struct pme_range ag,
		    struct pme_range part, struct pme_xfs_records *ret)
{
	struct pme_range log = {geo->log_start, geo->log_size};
	int r = add_if_met(header_of(geo, ag), XFS_FMR_OWN_FS, part, ret);

	if (r == 0 && geo->log_start > 0)
		r = add_if_met(log, XFS_FMR_OWN_LOG, part, ret);
	return r < 0 ? r : add_chunks(fd, geo, part, ret);
}

static int add_piece(int fd, const struct pme_xfs_geo *geo, struct pme_range piece,
		     struct pme_xfs_records *ret)
{
	uint64_t size = (uint64_t)geo->ag_blocks * geo->block_size, at = piece.start;
	int r = 0;

	while (r == 0 && at < pme_range_end(piece)) {
		struct pme_range ag = {at / size * size, size}, part;

		pme_range_intersect(piece, ag, &part);
		r = add_part(fd, geo, ag, part, ret);
		at = pme_range_end(part);
	}
	return r;
}

int pme_xfs_places_add(int fd, const struct pme_xfs_geo *geo, const struct pme_xfs_pieces *pieces,
		       struct pme_xfs_records *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pieces->count; i++)
		if (pme_xfs_piece_is_unknown(&pieces->items[i]))
			r = add_piece(fd, geo, pieces->items[i].range, ret);
	return r;
}
