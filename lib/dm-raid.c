/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "raid" (drivers/md/dm-raid.c): an md array inside of one table line.  LVM
 * makes its raid volumes of these.
 *
 * Which members are in sync only its status says; without one no copy is vouched for.  The
 * surprises: the metadata of a member is on a device of its own, and of a member that is being
 * rebuilt the status says how far it was written, not how far it is read already.
 */
#include "dm-raid.h"

#include "dm-ask.h"
#include "layer-md.h"
#include "map.h"

#include <inttypes.h>
#include <string.h>

#define SUPERBLOCK 4096U /* the bitmap begins behind it */

static int load_status(struct pme_stack *stack, const struct pme_dev *dev,
		       const struct pme_dm_line *line, void **ret, char **ret_why)
{
	_cleanup_free_ struct pme_dm_raid_status *status = calloc(1, sizeof(*status));
	_cleanup_free_ struct pme_dm_raid *raid = calloc(1, sizeof(*raid));
	_cleanup_free_ char *text = NULL;
	int r;

	if (!status || !raid)
		return -ENOMEM;
	r = pme_dm_raid_parse(line, raid);
	if (r == 0)
		r = pme_dm_status(stack->topo, dev, line, PME_DM_NO_FLUSH, &text);
	if (r == 0)
		r = pme_dm_raid_status_parse(text, raid->count, status);
	if (r == 0)
		*ret = pme_take_ptr(status);
	else
		*ret_why = pme_printf("cannot read the status of %s: %s", pme_dev_label(dev),
				      strerror(-r));
	return r;
}

static const struct pme_map_kind status_map = {.load = load_status, .done = free};

/* Bytes that the array uses of each member. */
static int member_size(const struct pme_dm_raid *raid, uint64_t length, uint64_t *ret)
{
	uint64_t size = length, width = raid->count;

	if (strcmp(raid->level, "raid1") == 0) {
		*ret = length;
		return 0;
	}
	if (strcmp(raid->level, "raid10") == 0 && pme_mul(size, raid->copies, &size) < 0)
		return -EINVAL;
	if (width <= raid->parity || raid->chunk == 0)
		return -EINVAL;
	width -= raid->parity;
	size = size / width + (size % width != 0);
	*ret = size - size % raid->chunk;
	return 0;
}

static void fill_members(const struct pme_dm_raid *raid, const struct pme_dm_raid_status *status,
			 const struct pme_dev *upper, uint64_t size, struct pme_md_geometry *geo)
{
	for (size_t i = 0; i < raid->count; i++) {
		struct pme_md_member *member = &geo->members[i];
		char health = status ? status->health[i] : 'A';

		member->size = geo->replacements[i].size = size;
		member->offset = status ? status->data_offset : 0;
		if (raid->members[i].data != 0)
			member->dev = pme_dm_lower(upper, raid->members[i].data);
		member->synced = health == 'A' || health == 'a' ? UINT64_MAX : 0;
		member->vague = health == 'a' && status->agreed;
		member->counted = member->vague && status->rebuilding;
		member->rebuilt = member->counted ? status->done : 0;
	}
}

/* Everything of one line; *@ret_why is set for a line of which nothing can be said. */
static int geometry_of(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_dm_raid *raid,
		       struct pme_md_geometry *geo, const char **ret_why)
{
	const struct pme_dm_raid_status *status = NULL;
	const void *map = NULL;
	const char *why = NULL;
	uint64_t size = 0;
	int r = pme_dm_raid_parse(line, raid);

	*ret_why = NULL;
	if (r == -EOPNOTSUPP)
		*ret_why = "its type of raid is not followed";
	if (r == 0 && stack && stack->topo)
		r = pme_map_get(stack, &status_map, upper, line, &map, &why);
	if (why)
		*ret_why = r == -ENOMEM ? NULL : why;
	status = map;
	if (r == 0 && (raid->reshape || (status && status->reshape)))
		*ret_why = "it is being reshaped";
	if (r == -ENOMEM || *ret_why)
		return r == -ENOMEM ? r : 0;
	if (r == 0)
		r = member_size(raid, line->range.length, &size);
	if (r == 0)
		r = pme_md_geometry_alloc(geo, raid->count);
	if (r < 0)
		return r;
	geo->array = upper;
	geo->range = line->range;
	geo->level = pme_md_level_of(raid->level);
	geo->chunk = geo->level == &pme_md_raid1 ? 0 : raid->chunk;
	geo->layout = raid->layout;
	geo->layout_known = true;
	geo->agreed = status && status->agreed ? UINT64_MAX : 0;
	geo->disagree = status ? "is being resynced" : "does not say whether it is in sync";
	fill_members(raid, status, upper, size, geo);
	return pme_md_geometry_check(geo);
}

static int say_why(const struct pme_dev *upper, struct pme_range range, const char *why,
		   struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, pme_dm_raid.kind, "raid array %s: %s",
				 pme_dev_label(upper), why);
}

/* Devices that hold metadata, or a journal. */
static int metadata_up(const struct pme_dm_raid *raid, const struct pme_dev *upper,
		       const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;
	int r = 0;

	if (lower->devno == raid->journal)
		return pme_steps_owner(ret, range, pme_dm_raid.kind, PME_OWNER_RAID_METADATA,
				       "write journal of %s", pme_dev_label(upper));
	for (size_t i = 0; i < raid->count; i++) {
		if (raid->members[i].meta != lower->devno)
			continue;
		if (pme_range_intersect(range, (struct pme_range){0, SUPERBLOCK}, &part))
			r = pme_steps_owner(ret, part, pme_dm_raid.kind, PME_OWNER_RAID_METADATA,
					    "raid superblock of member %zu of %s", i,
					    pme_dev_label(upper));
		if (r == 0 &&
		    pme_range_intersect(
			    range, (struct pme_range){SUPERBLOCK, UINT64_MAX - SUPERBLOCK}, &part))
			r = pme_steps_owner(ret, part, pme_dm_raid.kind, PME_OWNER_RAID_METADATA,
					    "write-intent bitmap of member %zu of %s, or behind it",
					    i, pme_dev_label(upper));
		return r;
	}
	return 0;
}

static int raid_up(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_dm_line *line, const struct pme_dev *lower,
		   struct pme_range range, struct pme_steps *ret)
{
	_cleanup_free_ struct pme_dm_raid *raid = calloc(1, sizeof(*raid));
	_cleanup_md_geometry_ struct pme_md_geometry geo = {};
	const struct pme_md_member *member;
	struct pme_range part;
	const char *why;
	int r = raid ? geometry_of(stack, upper, line, raid, &geo, &why) : -ENOMEM;

	if (r < 0 || !pme_dm_line_names(line, lower->devno))
		return r;
	if (why)
		return say_why(upper, range, why, ret);
	member = pme_md_member_on(&geo, lower);
	if (!member)
		return metadata_up(raid, upper, lower, range, ret);
	if (!pme_range_intersect(range, (struct pme_range){member->offset, member->size}, &part))
		return 0;
	part.start -= member->offset;
	return geo.level->up(&geo, member, part, ret);
}

static int raid_down(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	_cleanup_free_ struct pme_dm_raid *raid = calloc(1, sizeof(*raid));
	_cleanup_md_geometry_ struct pme_md_geometry geo = {};
	struct pme_range part;
	const char *why;
	int r = raid ? geometry_of(stack, upper, line, raid, &geo, &why) : -ENOMEM;

	if (r < 0 || !pme_range_intersect(range, line->range, &part))
		return r;
	if (why)
		return say_why(upper, part, why, ret);
	part.start -= line->range.start;
	return geo.level->down(&geo, part, ret);
}

static char *raid_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			  const struct pme_dev *lower, uint64_t lower_start,
			  const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_free_ struct pme_dm_raid *raid = calloc(1, sizeof(*raid));
	_cleanup_md_geometry_ struct pme_md_geometry geo = {};
	const struct pme_md_member *member;
	_cleanup_free_ char *rest = NULL;
	const char *why;
	int r = raid ? geometry_of(stack, upper, line, raid, &geo, &why) : -ENOMEM;

	if (r < 0)
		return r == -ENOMEM ? NULL : pme_printf("malformed 'raid' parameters");
	member = why ? NULL : pme_md_member_on(&geo, lower);
	if (!member || lower_start < member->offset)
		return pme_printf("%s is not followed", pme_dev_label(upper));
	rest = geo.level->explain(&geo, member, lower_start - member->offset,
				  upper_start - line->range.start);
	if (!rest)
		return NULL;
	return pme_printf("%" PRIu64 " - %" PRIu64 " (data offset of %s) = %" PRIu64
			  "; %s; + %" PRIu64 " (segment in %s) = %" PRIu64,
			  lower_start, member->offset, pme_dev_label(lower),
			  lower_start - member->offset, rest, line->range.start,
			  pme_dev_label(upper), upper_start);
}

const struct pme_dm_target pme_dm_raid = {
	.type = "raid",
	.kind = "dm-raid",
	.up = raid_up,
	.down = raid_down,
	.explain = raid_explain,
};
