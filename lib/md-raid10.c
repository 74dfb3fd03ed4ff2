/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD level "raid10" (drivers/md/raid10.c: setup_geo, calc_sectors, __raid10_find_phys).
 *
 * Layout: near copies in the lowest byte, far copies in the next one; bit 16: far copies follow at
 * once ("offset") instead of in the next fraction of each member; above that, in which sets of
 * members a far copy moves.  The surprises: the first two-bit form of sets is a bug that lives on
 * in arrays of its time; and the fraction is computed from the size that all members use, not from
 * what a member has.
 *
 * The way back is found by trying all members as the one that holds the first copy; the forward
 * way has the last word.
 */
#include "layer-md.h"

#include <inttypes.h>

#define COPIES_MAX (255 * 255)
#define TRIES_MAX (1U << 20)

struct shape {
	uint64_t disks, chunk;
	uint64_t near, far;
	bool offset;
	uint64_t set;	 /* members in one set */
	uint64_t stride; /* bytes of a member from one far copy to the next */
	uint64_t used;	 /* bytes of a member that the layout uses */
};

/* Where the next far copy of what is on member @disk lies. */
static uint64_t next_disk(const struct shape *s, uint64_t disk)
{
	uint64_t last = (s->disks / s->set - 1) * s->set, last_set = s->set + s->disks % s->set;
	uint64_t set = disk / s->set;

	disk += s->near;
	if (s->disks % s->set != 0 && disk > last)
		return last + (disk - last) % last_set;
	return disk % s->set + set * s->set;
}

/* Sets of unequal size can send two far copies to one member, and none to another. */
static int check_next_disks(const struct shape *s)
{
	_cleanup_free_ bool *taken = NULL;

	if (s->far == 1 || s->disks % s->set == 0)
		return 0;
	taken = calloc(s->disks, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	for (uint64_t disk = 0; disk < s->disks; disk++) {
		uint64_t next = next_disk(s, disk);

		if (next >= s->disks || taken[next])
			return -EINVAL;
		taken[next] = true;
	}
	return 0;
}

static int shape_of(const struct pme_md_geometry *geo, struct shape *ret)
{
	uint64_t chunks = geo->members[0].size / geo->chunk, used;
	struct shape s = {
		.disks = geo->count,
		.chunk = geo->chunk,
		.near = geo->layout & 0xff,
		.far = geo->layout >> 8 & 0xff,
		.offset = geo->layout >> 16 & 1,
	};

	if (!geo->layout_known || s.near == 0 || s.far == 0 || s.near * s.far > s.disks)
		return -EINVAL;
	switch (geo->layout >> 17) {
	case 0:
		s.set = s.disks;
		break;
	case 1:
		s.set = s.disks / s.far;
		break;
	case 2:
		s.set = s.near * s.far;
		break;
	default:
		return -EINVAL;
	}
	if (pme_mul(chunks / s.far, s.disks, &used) < 0)
		return -EINVAL;
	used = used / s.near;
	if (geo->range.length / s.chunk > used ||
	    (geo->range.length / s.chunk == used && geo->range.length % s.chunk != 0))
		return -EINVAL;
	if (pme_mul(used, s.near * s.far, &used) < 0)
		return -EINVAL;
	used = used / s.disks + (used % s.disks != 0);
	s.stride = s.offset ? s.chunk : used / s.far * s.chunk;
	s.used = used * s.chunk; /* of chunks that the member has: cannot overflow */
	if (s.stride == 0 || s.disks * s.far > TRIES_MAX)
		return -EINVAL;
	*ret = s;
	return check_next_disks(&s);
}

static int raid10_check(const struct pme_md_geometry *geo)
{
	struct shape s;

	return shape_of(geo, &s);
}

/* All places of byte @x of the array: near * far of them. */
static size_t places_of(const struct shape *s, uint64_t x, struct pme_md_site *ret)
{
	uint64_t copy = x / s->chunk * s->near, disk = copy % s->disks, row = copy / s->disks;
	uint64_t at = (s->offset ? row * s->far : row) * s->chunk + x % s->chunk;
	size_t n = 0;

	for (uint64_t i = 0; i < s->near; i++) {
		uint64_t d = disk;

		for (uint64_t f = 0; f < s->far; f++) {
			ret[n++] = (struct pme_md_site){.slot = d, .at = at + f * s->stride};
			d = next_disk(s, d);
		}
		if (++disk == s->disks) {
			disk = 0;
			at += s->chunk;
		}
	}
	return n;
}

static bool is_place(const struct pme_md_site *sites, size_t n, uint64_t slot, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (sites[i].slot == slot && sites[i].at == at)
			return true;
	return false;
}

/* The byte of the array at @at of member @slot, with all its places: 1, or 0 for none. */
static int find_virtual(const struct shape *s, uint64_t slot, uint64_t at, uint64_t *ret,
			struct pme_md_site *sites)
{
	for (uint64_t f = 0; f < s->far && at < s->used; f++) {
		uint64_t row = at / s->chunk, x;

		if (at < f * s->stride)
			break;
		/* one fraction of the member, or one row, for each far copy */
		if (s->offset ? row % s->far != f : at - f * s->stride >= s->stride)
			continue;
		row = s->offset ? row / s->far : (at - f * s->stride) / s->chunk;
		for (uint64_t disk = 0; disk < s->disks; disk++) {
			x = (row * s->disks + disk) / s->near * s->chunk + at % s->chunk;
			if (is_place(sites, places_of(s, x, sites), slot, at)) {
				*ret = x;
				return 1;
			}
		}
	}
	return 0;
}

static struct pme_md_piece piece_of(const struct pme_md_geometry *geo, uint64_t at, uint64_t x,
				    uint64_t left)
{
	struct pme_md_piece piece = {.at = at, .x = x};

	piece.length = pme_min(left, geo->chunk - x % geo->chunk);
	piece.agreed = x < geo->agreed;
	if (piece.agreed)
		piece.length = pme_min(piece.length, geo->agreed - x);
	return piece;
}

/* No byte of the array is here: surely behind what the layout uses, else it is not understood. */
static int say_placeless(const struct pme_md_geometry *geo, const struct shape *s,
			 const struct pme_md_member *member, struct pme_range range,
			 struct pme_steps *ret)
{
	struct pme_range from = pme_md_on_device(member, range);

	if (range.start >= s->used)
		return pme_steps_owner(ret, from, geo->level->kind, PME_OWNER_UNUSED,
				       "the layout of %s uses no byte here",
				       pme_dev_label(geo->array));
	return pme_steps_unknown(ret, from, geo->level->kind,
				 "no byte of %s is found that its layout puts here",
				 pme_dev_label(geo->array));
}

static int raid10_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     struct pme_range range, struct pme_steps *ret)
{
	_cleanup_free_ struct pme_md_site *sites = calloc(COPIES_MAX, sizeof(*sites));
	uint64_t at, x, end = pme_range_end(range);
	struct pme_md_piece piece;
	struct shape s;
	int r = shape_of(geo, &s);

	if (!sites)
		return -ENOMEM;
	for (at = range.start; r == 0 && at < end; at += piece.length) {
		piece = piece_of(geo, at, at % geo->chunk, end - at);
		if (find_virtual(&s, member->slot, at, &x, sites) == 1) {
			piece = piece_of(geo, at, x, end - at);
			r = pme_md_mirror_up(geo, member, &piece, sites, s.near * s.far, ret);
		} else {
			piece.length = pme_min(end - at, geo->chunk - at % geo->chunk);
			r = say_placeless(geo, &s, member, (struct pme_range){at, piece.length},
					  ret);
		}
	}
	return r;
}

static int raid10_down(const struct pme_md_geometry *geo, struct pme_range range,
		       struct pme_steps *ret)
{
	_cleanup_free_ struct pme_md_site *sites = calloc(COPIES_MAX, sizeof(*sites));
	uint64_t x, end = pme_range_end(range);
	struct pme_md_piece piece;
	struct shape s;
	int r = shape_of(geo, &s);

	if (!sites)
		return -ENOMEM;
	for (x = range.start; r == 0 && x < end; x += piece.length) {
		size_t n = places_of(&s, x, sites);

		piece = piece_of(geo, 0, x, end - x);
		for (size_t i = 0; i < n; i++)
			if (sites[i].at >= geo->members[0].size)
				return -EINVAL;
		r = pme_md_mirror_down(geo, &piece, sites, n, ret);
	}
	return r;
}

static char *raid10_explain(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			    uint64_t at, uint64_t x)
{
	_cleanup_free_ struct pme_md_site *sites = calloc(COPIES_MAX, sizeof(*sites));
	struct shape s;
	uint64_t found;

	(void)x;
	if (!sites)
		return NULL;
	if (shape_of(geo, &s) < 0 || find_virtual(&s, member->slot, at, &found, sites) == 0)
		return pme_printf("no byte of %s is found here", pme_dev_label(geo->array));
	return pme_printf("chunks of %" PRIu64 ", near %" PRIu64 ", %s %" PRIu64
			  ", members %zu: a copy of chunk %" PRIu64
			  ", whose first copy is on member %" PRIu64 " at byte %" PRIu64
			  " (copies %" PRIu64 " bytes apart); %" PRIu64 " * %" PRIu64 " + %" PRIu64
			  " = %" PRIu64,
			  s.chunk, s.near, s.offset ? "offset" : "far", s.far, geo->count,
			  found / s.chunk, (uint64_t)sites[0].slot, sites[0].at, s.stride,
			  found / s.chunk, s.chunk, at % s.chunk, found);
}

const struct pme_md_level pme_md_raid10 = {
	.name = "raid10",
	.kind = "md-raid10",
	.needs_chunk = true,
	.redundant = true,
	.check = raid10_check,
	.up = raid10_up,
	.down = raid10_down,
	.explain = raid10_explain,
};
