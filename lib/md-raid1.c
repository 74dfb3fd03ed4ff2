/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD level "raid1" (drivers/md/raid1.c): every member holds all bytes of the array at the same
 * place of its data area.
 *
 * The surprise: a member may be larger than the array, and what lies behind its end is unused.
 */
#include "layer-md.h"

#include <inttypes.h>

static struct pme_md_site *all_legs(const struct pme_md_geometry *geo, uint64_t at)
{
	struct pme_md_site *sites = calloc(geo->count, sizeof(*sites));

	for (size_t i = 0; sites && i < geo->count; i++)
		sites[i] = (struct pme_md_site){.slot = i, .at = at};
	return sites;
}

/* The part of @range from byte @at on whose copies agree, or do not. */
static struct pme_md_piece piece_at(const struct pme_md_geometry *geo, uint64_t at, uint64_t end)
{
	struct pme_md_piece piece = {.at = at, .x = at, .length = end - at};

	piece.agreed = at < geo->agreed;
	if (piece.agreed)
		piece.length = pme_min(piece.length, geo->agreed - at);
	return piece;
}

static int raid1_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		    struct pme_range range, struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range);
	struct pme_md_piece piece;
	int r = 0;

	for (uint64_t at = range.start; r == 0 && at < end; at += piece.length) {
		_cleanup_free_ struct pme_md_site *sites = all_legs(geo, at);

		piece = piece_at(geo, at, end);
		r = sites ? pme_md_mirror_up(geo, member, &piece, sites, geo->count, ret) : -ENOMEM;
	}
	return r;
}

static int raid1_down(const struct pme_md_geometry *geo, struct pme_range range,
		      struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range);
	struct pme_md_piece piece;
	int r = 0;

	for (uint64_t at = range.start; r == 0 && at < end; at += piece.length) {
		_cleanup_free_ struct pme_md_site *sites = all_legs(geo, at);

		piece = piece_at(geo, at, end);
		r = sites ? pme_md_mirror_down(geo, &piece, sites, geo->count, ret) : -ENOMEM;
	}
	return r;
}

static char *raid1_explain(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			   uint64_t at, uint64_t x)
{
	(void)x;
	return pme_printf("member %zu of %zu mirrors holds the same bytes: %" PRIu64, member->slot,
			  geo->count, at);
}

/* Members are all larger than the array, however large their sum is. */
static int raid1_check(const struct pme_md_geometry *geo)
{
	return geo->members[0].size < geo->range.length ? -EINVAL : 0;
}

const struct pme_md_level pme_md_raid1 = {
	.name = "raid1",
	.kind = "md-raid1",
	.redundant = true,
	.check = raid1_check,
	.up = raid1_up,
	.down = raid1_down,
	.explain = raid1_explain,
};
