/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Geometry of arrays: the table of levels, what every geometry must keep to, and steps between a
 * member and the array.
 *
 * The surprise: byte 0 of the array is not byte 0 of its device when the array is one line of a
 * device-mapper table.
 */
#include "layer-md.h"

#include <string.h>

static const struct pme_md_level *const levels[] = {
	&pme_md_linear, &pme_md_raid0, &pme_md_raid1,  &pme_md_raid4,
	&pme_md_raid5,	&pme_md_raid6, &pme_md_raid10,
};

const struct pme_md_level *pme_md_level_of(const char *name)
{
	for (size_t i = 0; name && i < PME_ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i]->name, name) == 0)
			return levels[i];
	return NULL;
}

int pme_md_geometry_alloc(struct pme_md_geometry *ret, size_t count)
{
	ret->members = calloc(count ? count : 1, sizeof(*ret->members));
	ret->replacements = calloc(count ? count : 1, sizeof(*ret->replacements));
	if (!ret->members || !ret->replacements)
		return -ENOMEM;
	ret->count = count;
	for (size_t i = 0; i < count; i++)
		ret->members[i].slot = ret->replacements[i].slot = i;
	return 0;
}

void pme_md_geometry_done(struct pme_md_geometry *geo)
{
	free(geo->members);
	free(geo->replacements);
}

static int check_member(const struct pme_md_geometry *geo, const struct pme_md_member *member)
{
	uint64_t end;

	if (member->size == 0 || pme_add(member->offset, member->size, &end) < 0 ||
	    (geo->chunk && member->size % geo->chunk != 0))
		return -EINVAL;
	return 0;
}

int pme_md_geometry_check(struct pme_md_geometry *geo)
{
	uint64_t end;

	if (geo->count == 0 || (geo->level->needs_chunk && geo->chunk == 0) ||
	    geo->chunk % PME_SECTOR != 0 || pme_add(geo->range.start, geo->range.length, &end) < 0)
		return -EINVAL;
	for (size_t i = 0; i < geo->count; i++) {
		struct pme_md_member *member = &geo->members[i];

		if (!member->dev && !geo->level->redundant)
			return -EINVAL;
		if (check_member(geo, member) < 0 ||
		    (geo->replacements[i].dev && check_member(geo, &geo->replacements[i]) < 0) ||
		    pme_add(geo->total, member->size, &geo->total) < 0)
			return -EINVAL;
	}
	if (geo->total < geo->range.length)
		return -EINVAL;
	return geo->level->check ? geo->level->check(geo) : 0;
}

const struct pme_md_member *pme_md_member_on(const struct pme_md_geometry *geo,
					     const struct pme_dev *dev)
{
	for (size_t i = 0; i < geo->count; i++) {
		if (geo->members[i].dev == dev)
			return &geo->members[i];
		if (geo->replacements[i].dev == dev)
			return &geo->replacements[i];
	}
	return NULL;
}

struct pme_range pme_md_on_device(const struct pme_md_member *member, struct pme_range range)
{
	range.start += member->offset;
	return range;
}

int pme_md_lead_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		   struct pme_range range, uint64_t start, struct pme_steps *ret)
{
	uint64_t inside = start < geo->range.length ? geo->range.length - start : 0;
	struct pme_range from = pme_md_on_device(member, range), behind = from;
	int r = 0;

	from.length = pme_min(from.length, inside);
	behind.start += from.length;
	behind.length -= from.length;
	if (from.length > 0)
		r = pme_steps_lead(ret, from, geo->array, geo->range.start + start,
				   geo->level->kind);
	if (r < 0 || behind.length == 0)
		return r;
	return pme_steps_owner(ret, behind, geo->level->kind, PME_OWNER_UNUSED,
			       "behind the end of %s", pme_dev_label(geo->array));
}

int pme_md_lead_down(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     struct pme_range range, uint64_t start, struct pme_steps *ret)
{
	struct pme_range from = {.start = geo->range.start + start, .length = range.length};

	return pme_steps_lead(ret, from, member->dev, pme_md_on_device(member, range).start,
			      geo->level->kind);
}
