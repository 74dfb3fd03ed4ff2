/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD arrays: what every level has in common.
 *
 * A member has reserved bytes in front of its data (superblock 1.1 and 1.2, bitmap, bad block log)
 * and behind it (superblock 0.90 and 1.0, what rounding leaves).  Spare members hold no data of the
 * array.  A level without a row here, a running reshape, an array that is not running, and numbers
 * that do not fit together are explicit unknowns.  The surprise: arrays with external metadata
 * (IMSM, DDF) share their members, so that bytes in front of the data of one array may be data of
 * another.
 */
#include "layer-md.h"

#include <inttypes.h>
#include <string.h>

#include "md-areas.h"

static const char md_kind[] = "md";

#define MEMBERS_MAX 4096 /* more than any metadata has room for */

static const struct pme_md_level *level_of(const struct pme_md *md)
{
	return pme_md_level_of(md->level);
}

static size_t count_members(const struct pme_md *md)
{
	size_t count = 0;

	for (size_t i = 0; i < md->n_components; i++)
		count += md->components[i].slot >= 0;
	return count;
}

/* Bytes that a redundant array uses of each member; 0 when nobody says. */
static uint64_t common_size(const struct pme_dev *array, const struct pme_md_level *level)
{
	const struct pme_md *md = array->md;
	uint64_t size = md->member_size ? md->member_size : UINT64_MAX;

	if (level == &pme_md_raid1)
		return array->size; /* to the sector; the attributes are in KiB */
	for (size_t i = 0; md->member_size == 0 && i < md->n_components; i++)
		if (md->components[i].slot >= 0)
			size = pme_min(size, md->components[i].size);
	return size == UINT64_MAX ? 0 : size;
}

/* The place in the geometry for a component, or NULL when it is taken. */
static struct pme_md_member *place_for(const struct pme_md_geometry *geo,
				       const struct pme_md_component *comp)
{
	struct pme_md_member *member;

	if ((size_t)comp->slot >= geo->count)
		return NULL;
	member = &geo->members[comp->slot];
	if (geo->level->redundant && comp->state && strstr(comp->state, "replacement") &&
	    !strstr(comp->state, "want_replacement"))
		member = &geo->replacements[comp->slot];
	return member->dev ? NULL : member;
}

/* Put the component into its slot. */
static int take_member(struct pme_md_geometry *geo, const struct pme_md_component *comp)
{
	struct pme_md_member *member = place_for(geo, comp);
	uint64_t end, size = comp->size;

	if (!member || pme_add(comp->data_offset, comp->size, &end) < 0)
		return -EINVAL;
	if (geo->level->redundant && member->size > size + 1024 && comp->synced > 0)
		return -EINVAL;
	member->dev = comp->dev;
	member->offset = comp->data_offset;
	member->synced = comp->synced;
	member->vague = comp->vague;
	member->bad = &comp->bad;
	if (!geo->level->redundant)
		member->size = geo->chunk ? size - size % geo->chunk : size;
	return 0;
}

/* 0, -ENOMEM, or -EINVAL when the numbers do not fit together.  @ret is zeroed before. */
static int geometry_init(const struct pme_dev *array, const struct pme_md_level *level,
			 struct pme_md_geometry *ret)
{
	const struct pme_md *md = array->md;
	uint64_t size = level->redundant ? common_size(array, level) : 0;
	int r;

	ret->array = array;
	ret->range = (struct pme_range){0, array->size};
	ret->level = level;
	ret->chunk = level == &pme_md_raid1 ? 0 : md->chunk;
	ret->layout = md->layout;
	ret->layout_known = md->layout_known;
	ret->agreed = md->journal_back ? 0 : md->resynced;
	ret->disagree = md->journal_back ? "has its newest data in a journal" : "is being resynced";
	if (md->raid_disks > MEMBERS_MAX ||
	    (!level->redundant && count_members(md) != md->raid_disks))
		return -EINVAL;
	r = pme_md_geometry_alloc(ret, md->raid_disks);
	for (size_t i = 0; r == 0 && level->redundant && i < ret->count; i++)
		ret->members[i].size = ret->replacements[i].size =
			ret->chunk ? size - size % ret->chunk : size;
	for (size_t i = 0; r == 0 && i < md->n_components; i++)
		if (md->components[i].slot >= 0)
			r = take_member(ret, &md->components[i]);
	return r < 0 ? r : pme_md_geometry_check(ret);
}

int pme_md_geometry_of(const struct pme_dev *array, struct pme_md_geometry *ret)
{
	const struct pme_md_level *level = array->md ? level_of(array->md) : NULL;

	if (!level || array->table_error || array->md->reshape || array->size == 0)
		return -EINVAL;
	return geometry_init(array, level, ret);
}

static int say_odd(const struct pme_dev *array, struct pme_range range, struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, md_kind,
				 "%s: sizes and slots of its members do not fit together",
				 pme_dev_label(array));
}

/* Why no byte of the array can be followed, whatever its level: 1 and said, 0, or -errno. */
static int say_closed(const struct pme_dev *array, struct pme_range range, struct pme_steps *ret)
{
	const char *label = pme_dev_label(array);
	const struct pme_md *md = array->md;
	int r;

	if (array->table_error)
		r = pme_steps_unknown(ret, range, md_kind, "cannot read the attributes of %s: %s",
				      label, strerror(-array->table_error));
	else if (!md)
		r = pme_steps_unknown(ret, range, md_kind, "nothing is known of %s", label);
	else if (md->reshape)
		r = pme_steps_unknown(ret, range, md_kind, "%s is being reshaped", label);
	else if (array->size == 0)
		r = pme_steps_unknown(ret, range, md_kind,
				      "%s is not running, or a container of other arrays", label);
	else
		return 0;
	return r < 0 ? r : 1;
}

static int say_level(const struct pme_dev *array, struct pme_range range, struct pme_steps *ret)
{
	const char *level = array->md->level;

	return pme_steps_unknown(ret, range, md_kind, "MD level '%s' of %s is not followed",
				 level ? level : "", pme_dev_label(array));
}

/* Is the member used by another array as well (external metadata)? */
static bool is_shared(const struct pme_dev *lower, const struct pme_dev *array)
{
	for (size_t i = 0; i < lower->n_uppers; i++)
		if (lower->uppers[i] != array && lower->uppers[i]->kind == PME_DEV_MD)
			return true;
	return false;
}

static int say_spare(struct pme_stack *stack, const struct pme_dev *array,
		     const struct pme_md_component *comp, struct pme_range range,
		     struct pme_steps *ret)
{
	const char *label = pme_dev_label(array);
	struct pme_range part = range;
	int r = 0;

	if (is_shared(comp->dev, array))
		return pme_steps_unknown(ret, range, md_kind,
					 "%s has no slot in %s: part of a container",
					 pme_dev_label(comp->dev), label);
	if (comp->state && strstr(comp->state, "journal"))
		return pme_steps_owner(ret, range, md_kind, PME_OWNER_RAID_METADATA,
				       "write journal of %s%s", label,
				       array->md->journal_back
					       ? ", which may hold the only copy of new data"
					       : "");
	if (comp->state && strstr(comp->state, "spare") && range.start < comp->data_offset) {
		part.length = pme_min(range.length, comp->data_offset - range.start);
		r = pme_md_areas_say(stack, array, comp->dev, part,
				     "md superblock, bitmap or reserved area", ret);
		range.start += part.length;
		range.length -= part.length;
	}
	if (r < 0 || range.length == 0)
		return r;
	return pme_steps_owner(ret, range, md_kind, PME_OWNER_UNUSED,
			       "spare or failed member of %s", label);
}

/* What of @range lies in [@start, @end) of the member, outside of the data. */
static int say_reserved(struct pme_stack *stack, const struct pme_dev *array,
			const struct pme_dev *lower, struct pme_range range, uint64_t start,
			uint64_t end, const char *what, struct pme_steps *ret)
{
	struct pme_range part;

	if (end <= start ||
	    !pme_range_intersect(range, (struct pme_range){start, end - start}, &part))
		return 0;
	if (is_shared(lower, array))
		return pme_steps_unknown(
			ret, part, md_kind,
			"outside of what %s uses of %s, which other arrays use too",
			pme_dev_label(array), pme_dev_label(lower));
	return pme_md_areas_say(stack, array, lower, part, what, ret);
}

/* Data bytes of a member: @part lies in its data area, in bytes of the device. */
static int data_up(const struct pme_dev *array, const struct pme_md_component *comp,
		   uint64_t data_end, struct pme_range part, struct pme_steps *ret)
{
	const struct pme_md_level *level = level_of(array->md);
	_cleanup_md_geometry_ struct pme_md_geometry geo = {};
	const struct pme_md_member *member;
	struct pme_range at = part, used, rest;
	int r;

	if (!level)
		return say_level(array, part, ret);
	r = geometry_init(array, level, &geo);
	if (r < 0)
		return r == -EINVAL ? say_odd(array, part, ret) : r;
	member = pme_md_member_on(&geo, comp->dev);
	used = (struct pme_range){member->offset, member->size};
	if (pme_range_intersect(part, used, &at)) {
		at.start -= member->offset;
		r = level->up(&geo, member, at, ret);
		if (r < 0)
			return r;
	}
	if (data_end <= pme_range_end(used) ||
	    !pme_range_intersect(
		    part, (struct pme_range){pme_range_end(used), data_end - pme_range_end(used)},
		    &rest))
		return 0;
	return pme_steps_owner(ret, rest, md_kind, PME_OWNER_RAID_METADATA, "%s of %s",
			       "unused rest of a member", pme_dev_label(array));
}

static int member_up(struct pme_stack *stack, const struct pme_dev *array,
		     const struct pme_md_component *comp, struct pme_range range,
		     struct pme_steps *ret)
{
	struct pme_range data = {comp->data_offset, comp->size}, part;
	uint64_t data_end;
	int r;

	if (pme_add(comp->data_offset, comp->size, &data_end) < 0)
		return say_odd(array, range, ret);
	r = say_reserved(stack, array, comp->dev, range, 0, comp->data_offset,
			 "md superblock, bitmap or reserved area", ret);
	if (r == 0 && pme_range_intersect(range, data, &part))
		r = data_up(array, comp, data_end, part, ret);
	if (r < 0)
		return r;
	return say_reserved(stack, array, comp->dev, range, data_end, pme_range_end(range),
			    "md superblock (metadata 0.90 or 1.0) or unused tail", ret);
}

static const struct pme_md_component *component_of(const struct pme_md *md,
						   const struct pme_dev *lower)
{
	for (size_t i = 0; i < md->n_components; i++)
		if (md->components[i].dev == lower)
			return &md->components[i];
	return NULL;
}

static int md_up(struct pme_stack *stack, const struct pme_dev *upper, const struct pme_dev *lower,
		 struct pme_range range, struct pme_steps *ret)
{
	const struct pme_md_component *comp;
	int r = say_closed(upper, range, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	comp = component_of(upper->md, lower);
	if (!comp)
		return pme_steps_unknown(ret, range, md_kind, "%s does not say how it uses %s",
					 pme_dev_label(upper), pme_dev_label(lower));
	if (comp->slot < 0)
		return say_spare(stack, upper, comp, range, ret);
	return member_up(stack, upper, comp, range, ret);
}

static int md_down(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		   struct pme_steps *ret)
{
	_cleanup_md_geometry_ struct pme_md_geometry geo = {};
	const struct pme_md_level *level;
	int r = say_closed(upper, range, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!pme_range_intersect(range, (struct pme_range){.length = upper->size}, &range))
		return 0;
	level = level_of(upper->md);
	if (!level)
		return say_level(upper, range, ret);
	r = geometry_init(upper, level, &geo);
	if (r < 0)
		return r == -EINVAL ? say_odd(upper, range, ret) : r;
	return level->down(&geo, range, ret);
}

/* The part that all levels share, then that of the level. */
static char *explain_member(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			    uint64_t lower_start, uint64_t x)
{
	uint64_t at = lower_start - member->offset;
	_cleanup_free_ char *rest = NULL;

	if (lower_start < member->offset || at >= member->size)
		return pme_printf("not in the data area of %s", pme_dev_label(member->dev));
	rest = geo->level->explain(geo, member, at, x);
	if (!rest)
		return NULL;
	return pme_printf("%" PRIu64 " - %" PRIu64 " (data offset of %s) = %" PRIu64 "; %s",
			  lower_start, member->offset, pme_dev_label(member->dev), at, rest);
}

static char *md_explain(struct pme_stack *stack, const struct pme_dev *lower, uint64_t lower_start,
			const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_md_geometry_ struct pme_md_geometry geo = {};
	const struct pme_md_component *comp;
	const struct pme_md_level *level;
	int r = -EINVAL;

	comp = upper->md ? component_of(upper->md, lower) : NULL;
	level = upper->md ? level_of(upper->md) : NULL;
	if (comp && comp->slot >= 0 && level)
		r = geometry_init(upper, level, &geo);
	if (r == 0)
		return explain_member(&geo, pme_md_member_on(&geo, lower), lower_start,
				      upper_start);
	return r == -ENOMEM ? NULL : pme_printf("%s is not followed", pme_dev_label(upper));
}

static bool md_owns(const struct pme_dev *upper)
{
	return upper->kind == PME_DEV_MD;
}

const struct pme_layer pme_layer_md = {
	.name = md_kind,
	.owns = md_owns,
	.up = md_up,
	.down = md_down,
	.explain = md_explain,
};
