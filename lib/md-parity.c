/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD levels "raid4", "raid5" and "raid6" (drivers/md/raid5.c).
 *
 * A row of chunks, one on each member, is data and one or two parities; as many of the row as there
 * are data chunks give any other back.  The surprise: where a member is missing, every chunk of the
 * row, parity too, is what the bytes of the missing one are computed from, so that one bad sector
 * damages two pieces of the array.
 */
#include "layer-md.h"
#include "md-parity-layout.h"

#include <inttypes.h>

static unsigned int level_number(const struct pme_md_geometry *geo)
{
	if (geo->level == &pme_md_raid6)
		return 6;
	return geo->level == &pme_md_raid4 ? 4 : 5;
}

static uint64_t data_disks(const struct pme_md_geometry *geo)
{
	return geo->count - (level_number(geo) == 6 ? 2 : 1);
}

static int row_of(const struct pme_md_geometry *geo, uint64_t stripe, struct pme_md_row *ret)
{
	return pme_md_row_of(level_number(geo), geo->layout, geo->count, stripe, ret);
}

static int parity_check(const struct pme_md_geometry *geo)
{
	struct pme_md_row row;
	uint64_t bytes;

	if ((!geo->layout_known && level_number(geo) != 4) || row_of(geo, 0, &row) < 0 ||
	    pme_mul(geo->members[0].size, data_disks(geo), &bytes) < 0)
		return -EINVAL;
	return bytes < geo->range.length ? -EINVAL : 0;
}

/* Some bytes of one chunk of each member of a row, that fare alike. */
struct part {
	struct pme_md_row row;
	uint64_t stripe, in; /* number of the row; bytes from the start of each chunk */
	uint64_t at, length; /* the same on each member */
	bool agreed;
};

static int part_of(const struct pme_md_geometry *geo, uint64_t at, uint64_t length,
		   struct part *ret)
{
	struct part part = {.stripe = at / geo->chunk, .in = at % geo->chunk, .at = at};

	part.length = pme_min(length, geo->chunk - part.in);
	part.agreed = at < geo->agreed;
	if (part.agreed)
		part.length = pme_min(part.length, geo->agreed - at);
	for (size_t i = 0; i < geo->count; i++) {
		struct pme_md_site site = {.slot = i, .at = at};

		part.length = pme_md_alike(geo, &site, 1, part.length);
	}
	*ret = part;
	return row_of(geo, part.stripe, &ret->row);
}

/* Byte of the array that the chunk on @slot holds, which is no parity. */
static uint64_t byte_of(const struct pme_md_geometry *geo, const struct part *part, uint64_t slot)
{
	return (part->stripe * data_disks(geo) + pme_md_row_index(&part->row, slot)) * geo->chunk +
	       part->in;
}

static bool is_parity(const struct part *part, uint64_t slot)
{
	return slot == part->row.p || slot == part->row.q;
}

/* What gives the bytes on @slot back when those on @bad cannot be read, either. */
static struct pme_copies *rest_of_row(const struct pme_md_geometry *geo, const struct part *part,
				      uint64_t slot, uint64_t bad)
{
	struct pme_copies *copies =
		pme_copies_new("the rest of the stripe", data_disks(geo), geo->count);
	size_t count = 0;

	for (size_t i = 0; copies && i < geo->count; i++) {
		const struct pme_md_member *member =
			pme_md_voucher(geo, (struct pme_md_site){i, part->at});

		if (i != slot && i != bad && member)
			copies->places[count++] =
				(struct pme_place){member->dev, member->offset + part->at};
	}
	if (copies)
		copies->count = count;
	return copies;
}

/* The other device of the slot, where it vouches for these bytes, or NULL. */
static const struct pme_md_member *twin_of(const struct pme_md_geometry *geo,
					   const struct pme_md_member *member, uint64_t at)
{
	const struct pme_md_member *twin = &geo->members[member->slot];

	if (twin == member)
		twin = &geo->replacements[member->slot];
	return pme_md_vouches(twin, at) ? twin : NULL;
}

static struct pme_copies *copies_of(const struct pme_md_geometry *geo, const struct part *part,
				    const struct pme_md_member *member)
{
	const struct pme_md_member *twin = twin_of(geo, member, part->at);
	struct pme_copies *copies;

	if (!twin)
		return rest_of_row(geo, part, member->slot, member->slot);
	copies = pme_copies_new("the other device of the slot", 1, 1);
	if (copies)
		copies->places[0] = (struct pme_place){twin->dev, twin->offset + part->at};
	return copies;
}

/* The bytes of the array that are on @slot, as far as @member has a share in them. */
static int lead_to(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		   const struct part *part, uint64_t slot, struct pme_steps *ret)
{
	struct pme_md_piece piece = {
		.at = part->at,
		.x = byte_of(geo, part, slot),
		.length = part->length,
		.agreed = part->agreed,
	};
	bool own = slot == member->slot;
	uint64_t inside = piece.x < geo->range.length ? geo->range.length - piece.x : 0;
	struct pme_range behind = {piece.at + inside, piece.length - pme_min(piece.length, inside)};
	int r = 0;

	piece.length = pme_min(piece.length, inside);
	if (piece.length > 0)
		r = pme_md_lead_copied(geo, member, &piece,
				       own ? copies_of(geo, part, member)
					   : rest_of_row(geo, part, slot, member->slot),
				       ret);
	if (r < 0 || !own || behind.length == 0)
		return r;
	return pme_md_lead_up(geo, member, behind, piece.x + inside, ret);
}

static int say_parity(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		      const struct part *part, struct pme_steps *ret)
{
	struct pme_range range = {part->at, part->length};
	uint64_t row = data_disks(geo) * geo->chunk;
	uint64_t first = geo->range.start + part->stripe * row;

	return pme_steps_owner(ret, pme_md_on_device(member, range), geo->level->kind,
			       PME_OWNER_RAID_PARITY,
			       "parity %s of bytes %" PRIu64 " to %" PRIu64 " of %s, bytes %" PRIu64
			       " to %" PRIu64 " of each of the %" PRIu64 " chunks of %" PRIu64,
			       member->slot == part->row.q ? "Q" : "P", first, first + row - 1,
			       pme_dev_label(geo->array), part->in, part->in + part->length - 1,
			       data_disks(geo), geo->chunk);
}

static int part_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		   const struct part *part, struct pme_steps *ret)
{
	struct pme_range range = {part->at, part->length};
	int r = pme_md_say_unread(geo, member, range, ret);
	bool alone = !twin_of(geo, member, part->at) && !member->vague;
	size_t before = ret->count;

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; r == 0 && i < geo->count; i++) {
		bool missing = !pme_md_voucher(geo, (struct pme_md_site){i, part->at});

		if (!is_parity(part, i) && (i == member->slot || (alone && missing)))
			r = lead_to(geo, member, part, i, ret);
	}
	if (r < 0 || !is_parity(part, member->slot) || ret->count > before)
		return r;
	return say_parity(geo, member, part, ret);
}

static int parity_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     struct pme_range range, struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range);
	struct part part;
	int r = 0;

	for (uint64_t at = range.start; r == 0 && at < end; at += part.length) {
		r = part_of(geo, at, end - at, &part);
		if (r == 0)
			r = part_up(geo, member, &part, ret);
	}
	return r;
}

/* Nothing holds the bytes on @slot: they can only be computed. */
static int say_missing(const struct pme_md_geometry *geo, const struct part *part, uint64_t slot,
		       struct pme_range from, struct pme_steps *ret)
{
	struct pme_copies *copies = rest_of_row(geo, part, slot, slot);
	bool enough = copies && copies->count >= copies->need && part->agreed;
	int r = pme_steps_unknown(
		ret, from, geo->level->kind,
		"member %" PRIu64 " of %s is missing, failed or not rebuilt: %s", slot,
		pme_dev_label(geo->array),
		enough ? "its bytes are computed from the rest of the stripe"
		       : "and the rest of the stripe does not give its bytes back");

	if (r == 0 && copies && enough)
		return pme_steps_set_copies(ret, copies);
	if (r == 0 && !copies)
		r = -ENOMEM;
	free(copies);
	return r;
}

static int device_down(const struct pme_md_geometry *geo, const struct part *part,
		       const struct pme_md_member *member, struct pme_range from,
		       struct pme_steps *ret)
{
	struct pme_copies *copies = copies_of(geo, part, member);
	int r;

	if (copies && part->agreed && copies->count >= copies->need)
		return pme_steps_lead_copied(ret, from, member->dev, member->offset + part->at,
					     geo->level->kind, copies);
	r = copies ? 0 : -ENOMEM;
	free(copies);
	return r < 0 ? r
		     : pme_steps_lead(ret, from, member->dev, member->offset + part->at,
				      geo->level->kind);
}

static int part_down(const struct pme_md_geometry *geo, const struct part *part, uint64_t slot,
		     uint64_t x, struct pme_steps *ret)
{
	struct pme_range from = {geo->range.start + x, part->length};
	const struct pme_md_member *both[] = {&geo->members[slot], &geo->replacements[slot]};
	int r = 0;

	if (!pme_md_voucher(geo, (struct pme_md_site){slot, part->at}))
		return say_missing(geo, part, slot, from, ret);
	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(both); i++)
		if (pme_md_vouches(both[i], part->at))
			r = device_down(geo, part, both[i], from, ret);
	return r;
}

static int parity_down(const struct pme_md_geometry *geo, struct pme_range range,
		       struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range), disks = data_disks(geo);
	struct part part;
	int r = 0;

	for (uint64_t x = range.start; r == 0 && x < end; x += part.length) {
		uint64_t chunk = x / geo->chunk;
		uint64_t at = chunk / disks * geo->chunk + x % geo->chunk;

		r = part_of(geo, at, end - x, &part);
		if (r == 0)
			r = part_down(geo, &part, pme_md_row_slot(&part.row, chunk % disks), x,
				      ret);
	}
	return r;
}

static char *parity_explain(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			    uint64_t at, uint64_t x)
{
	uint64_t index = x / geo->chunk % data_disks(geo), slot;
	_cleanup_free_ char *q = NULL, *from = NULL;
	struct part part;

	if (part_of(geo, at, 1, &part) < 0)
		return pme_printf("the layout is not followed");
	slot = pme_md_row_slot(&part.row, index);
	q = part.row.q < geo->count ? pme_printf(", Q on member %" PRIu64, part.row.q)
				    : pme_printf("%s", "");
	from = slot == member->slot
		       ? pme_printf("%s", "")
		       : pme_printf(", from which the bytes of member %" PRIu64 " are computed",
				    slot);
	if (!q || !from)
		return NULL;
	return pme_printf("row %" PRIu64 " of chunks of %" PRIu64 " + %" PRIu64
			  ", parity P on member %" PRIu64 "%s; member %zu%s: (%" PRIu64
			  " * %" PRIu64 " + %" PRIu64 ") * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
			  part.stripe, geo->chunk, part.in, part.row.p, q, member->slot, from,
			  part.stripe, data_disks(geo), index, geo->chunk, part.in,
			  (part.stripe * data_disks(geo) + index) * geo->chunk + part.in);
}

const struct pme_md_level pme_md_raid4 = {
	.name = "raid4",
	.kind = "md-raid4",
	.needs_chunk = true,
	.redundant = true,
	.check = parity_check,
	.up = parity_up,
	.down = parity_down,
	.explain = parity_explain,
};

const struct pme_md_level pme_md_raid5 = {
	.name = "raid5",
	.kind = "md-raid5",
	.needs_chunk = true,
	.redundant = true,
	.check = parity_check,
	.up = parity_up,
	.down = parity_down,
	.explain = parity_explain,
};

const struct pme_md_level pme_md_raid6 = {
	.name = "raid6",
	.kind = "md-raid6",
	.needs_chunk = true,
	.redundant = true,
	.check = parity_check,
	.up = parity_up,
	.down = parity_down,
	.explain = parity_explain,
};
