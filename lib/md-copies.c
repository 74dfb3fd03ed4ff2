/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which members of a redundant array hold what they should, and steps that name them as copies.
 *
 * The rules are md's own: it reads a member that is being rebuilt only below its recovery_offset,
 * and never where it has noted bad blocks itself.  The surprise: such noted bytes lead up all the
 * same, because without another copy it is they that are lost.  Bytes of a member that is not in
 * sync hold nothing, whatever happens to them.
 */
#include "layer-md.h"

#include <inttypes.h>

bool pme_md_vouches(const struct pme_md_member *member, uint64_t at)
{
	struct pme_range byte = {member->offset + at, 1};

	return member->dev && !member->vague && at < member->synced &&
	       !(member->bad && pme_range_list_meets(member->bad, byte));
}

const struct pme_md_member *pme_md_voucher(const struct pme_md_geometry *geo,
					   struct pme_md_site site)
{
	if (pme_md_vouches(&geo->members[site.slot], site.at))
		return &geo->members[site.slot];
	if (pme_md_vouches(&geo->replacements[site.slot], site.at))
		return &geo->replacements[site.slot];
	return NULL;
}

/* Nothing changes on the member in the next bytes from @at on: at most @length. */
static uint64_t member_alike(const struct pme_md_member *member, uint64_t at, uint64_t length)
{
	uint64_t start = member->offset + at;

	if (!member->dev)
		return length;
	if (at < member->synced)
		length = pme_min(length, member->synced - at);
	if (member->counted && at < member->rebuilt)
		length = pme_min(length, member->rebuilt - at);
	for (size_t i = 0; member->bad && i < member->bad->count; i++) {
		struct pme_range bad = member->bad->items[i];

		if (bad.start > start)
			length = pme_min(length, bad.start - start);
		else if (pme_range_end(bad) > start)
			length = pme_min(length, pme_range_end(bad) - start);
	}
	return length;
}

uint64_t pme_md_alike(const struct pme_md_geometry *geo, const struct pme_md_site *sites, size_t n,
		      uint64_t length)
{
	for (size_t i = 0; i < n; i++) {
		length = member_alike(&geo->members[sites[i].slot], sites[i].at, length);
		length = member_alike(&geo->replacements[sites[i].slot], sites[i].at, length);
	}
	return length;
}

const char *pme_md_disagreement(const struct pme_md_geometry *geo)
{
	return geo->disagree ? geo->disagree : "is not known to be in sync";
}

/* Is the byte @at one that md cannot read yet, although nobody says how far it does? */
static bool is_behind(const struct pme_md_member *member, uint64_t at)
{
	return member->vague && member->counted && at >= member->rebuilt;
}

/* Is the byte @at rebuilt, although nobody says whether md reads it already? */
static bool is_rebuilt(const struct pme_md_member *member, uint64_t at)
{
	return member->vague && member->counted && at < member->rebuilt;
}

int pme_md_say_unread(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		      struct pme_range range, struct pme_steps *ret)
{
	struct pme_range from = pme_md_on_device(member, range);
	const char *label = pme_dev_label(geo->array);
	int r;

	if (is_behind(member, range.start)) {
		r = pme_steps_owner(ret, from, geo->level->kind, PME_OWNER_UNUSED,
				    "%s reads nothing here yet: %s is being rebuilt", label,
				    pme_dev_label(member->dev));
		return r < 0 ? r : 1;
	}
	if (member->vague || range.start < member->synced)
		return 0;
	if (member->synced == 0)
		r = pme_steps_owner(ret, from, geo->level->kind, PME_OWNER_UNUSED,
				    "%s reads nothing here: %s is failed or not rebuilt yet", label,
				    pme_dev_label(member->dev));
	else
		r = pme_steps_owner(
			ret, from, geo->level->kind, PME_OWNER_UNUSED,
			"%s reads nothing here yet: %s is being rebuilt and in sync below byte "
			"%" PRIu64,
			label, pme_dev_label(member->dev), member->offset + member->synced);
	return r < 0 ? r : 1;
}

int pme_md_lead_copied(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		       const struct pme_md_piece *piece, struct pme_copies *copies,
		       struct pme_steps *ret)
{
	struct pme_range range = {piece->at, piece->length}, from = pme_md_on_device(member, range);
	_cleanup_free_ struct pme_copies *mine = copies;
	uint64_t to = geo->range.start + piece->x;

	if (!copies)
		return -ENOMEM;
	/* with enough other copies it does not matter whether md reads it already */
	if (member->vague && !(is_rebuilt(member, piece->at) && copies->count >= copies->need))
		return pme_steps_doubt(ret, from, geo->array, to, geo->level->kind,
				       "%s is being rebuilt, and nobody knows whether %s reads it "
				       "here already",
				       pme_dev_label(member->dev), pme_dev_label(geo->array));
	if (copies->count < copies->need)
		return pme_md_lead_up(geo, member, range, piece->x, ret);
	if (!piece->agreed)
		return pme_steps_doubt(ret, from, geo->array, to, geo->level->kind,
				       "%s %s: its copies may differ here",
				       pme_dev_label(geo->array), pme_md_disagreement(geo));
	return pme_steps_lead_copied(ret, from, geo->array, to, geo->level->kind,
				     pme_take_ptr(mine));
}

/* Every device but @member that vouches for one of the sites. */
static struct pme_copies *other_legs(const struct pme_md_geometry *geo,
				     const struct pme_md_member *member,
				     const struct pme_md_site *sites, size_t n)
{
	struct pme_copies *copies = pme_copies_new("another leg", 1, 2 * n);
	size_t count = 0;

	for (size_t i = 0; copies && i < n; i++) {
		const struct pme_md_member *both[] = {&geo->members[sites[i].slot],
						      &geo->replacements[sites[i].slot]};

		for (size_t k = 0; k < PME_ARRAY_SIZE(both); k++)
			if (both[k] != member && pme_md_vouches(both[k], sites[i].at))
				copies->places[count++] = (struct pme_place){
					both[k]->dev, both[k]->offset + sites[i].at};
	}
	if (copies)
		copies->count = count;
	return copies;
}

static int leg_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		  const struct pme_md_piece *piece, const struct pme_md_site *sites, size_t n,
		  struct pme_steps *ret)
{
	struct pme_range range = {piece->at, piece->length};
	int r = pme_md_say_unread(geo, member, range, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	return pme_md_lead_copied(geo, member, piece, other_legs(geo, member, sites, n), ret);
}

/* The next part of @rest that fares alike; @sites move behind it afterwards. */
static struct pme_md_piece next_part(const struct pme_md_geometry *geo,
				     const struct pme_md_piece *rest,
				     const struct pme_md_site *sites, size_t n)
{
	struct pme_md_piece part = *rest;

	part.length = pme_md_alike(geo, sites, n, part.length);
	return part;
}

static void advance(struct pme_md_piece *rest, struct pme_md_site *sites, size_t n, uint64_t by)
{
	rest->at += by;
	rest->x += by;
	rest->length -= by;
	for (size_t i = 0; i < n; i++)
		sites[i].at += by;
}

static struct pme_md_site *copy_sites(const struct pme_md_site *sites, size_t n)
{
	struct pme_md_site *copy = calloc(n ? n : 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++)
		copy[i] = sites[i];
	return copy;
}

int pme_md_mirror_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     const struct pme_md_piece *piece, const struct pme_md_site *sites, size_t n,
		     struct pme_steps *ret)
{
	_cleanup_free_ struct pme_md_site *now = copy_sites(sites, n);
	struct pme_md_piece rest = *piece;
	uint64_t inside = rest.x < geo->range.length ? geo->range.length - rest.x : 0;
	int r = 0;

	if (!now)
		return -ENOMEM;
	rest.length = pme_min(rest.length, inside);
	while (r == 0 && rest.length > 0) {
		struct pme_md_piece part = next_part(geo, &rest, now, n);

		r = leg_up(geo, member, &part, now, n, ret);
		advance(&rest, now, n, part.length);
	}
	if (r < 0 || piece->length <= inside)
		return r;
	return pme_md_lead_up(geo, member,
			      (struct pme_range){piece->at + inside, piece->length - inside},
			      piece->x + inside, ret);
}

static int leg_down(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		    const struct pme_md_piece *part, uint64_t at, bool alone, struct pme_steps *ret)
{
	struct pme_range range = {at, part->length},
			 from = {geo->range.start + part->x, part->length};

	if (member->dev && member->vague && !is_behind(member, at) && !is_rebuilt(member, at))
		return pme_steps_doubt(ret, from, member->dev,
				       pme_md_on_device(member, range).start, geo->level->kind,
				       "%s is being rebuilt", pme_dev_label(member->dev));
	if (!pme_md_vouches(member, at) && !(member->dev && is_rebuilt(member, at)))
		return 0;
	if (!part->agreed && !alone)
		return pme_steps_doubt(ret, from, member->dev,
				       pme_md_on_device(member, range).start, geo->level->kind,
				       "%s %s: its copies may differ here",
				       pme_dev_label(geo->array), pme_md_disagreement(geo));
	return pme_md_lead_down(geo, member, range, part->x, ret);
}

static int legs_down(const struct pme_md_geometry *geo, const struct pme_md_piece *part,
		     const struct pme_md_site *sites, size_t n, struct pme_steps *ret)
{
	struct pme_range from = {geo->range.start + part->x, part->length};
	size_t vouching = 0, vague = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pme_md_member *member = &geo->members[sites[i].slot];
		const struct pme_md_member *next = &geo->replacements[sites[i].slot];

		vouching += pme_md_vouches(member, sites[i].at) + pme_md_vouches(next, sites[i].at);
		vague += (member->dev && member->vague) + (next->dev && next->vague);
	}
	if (vouching + vague == 0)
		return pme_steps_unknown(ret, from, geo->level->kind,
					 "no member of %s that is in sync holds these bytes",
					 pme_dev_label(geo->array));
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = leg_down(geo, &geo->members[sites[i].slot], part, sites[i].at, vouching == 1,
			     ret);
		if (r == 0)
			r = leg_down(geo, &geo->replacements[sites[i].slot], part, sites[i].at,
				     vouching == 1, ret);
	}
	return r;
}

int pme_md_mirror_down(const struct pme_md_geometry *geo, const struct pme_md_piece *piece,
		       const struct pme_md_site *sites, size_t n, struct pme_steps *ret)
{
	_cleanup_free_ struct pme_md_site *now = copy_sites(sites, n);
	struct pme_md_piece rest = *piece;
	int r = now ? 0 : -ENOMEM;

	while (r == 0 && rest.length > 0) {
		struct pme_md_piece part = next_part(geo, &rest, now, n);

		r = legs_down(geo, &part, now, n, ret);
		advance(&rest, now, n, part.length);
	}
	return r;
}
