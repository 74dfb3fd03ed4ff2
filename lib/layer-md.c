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

static const struct pme_md_level *const levels[] = {
	&pme_md_linear,
	&pme_md_raid0,
};

static const char md_kind[] = "md";

static const struct pme_md_level *level_of(const struct pme_md *md)
{
	for (size_t i = 0; md->level && i < PME_ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i]->name, md->level) == 0)
			return levels[i];
	return NULL;
}

static void geometry_done(struct pme_md_geometry *geo)
{
	free(geo->members);
}

#define _cleanup_geometry_ _cleanup_(geometry_done)

/* Put the component into its slot. */
static int take_member(struct pme_md_geometry *geo, const struct pme_md_component *comp)
{
	struct pme_md_member *member;
	uint64_t end;

	if ((size_t)comp->slot >= geo->count || pme_add(comp->data_offset, comp->size, &end) < 0)
		return -EINVAL;
	member = &geo->members[comp->slot];
	if (member->comp)
		return -EINVAL;
	member->comp = comp;
	member->size = geo->chunk ? comp->size - comp->size % geo->chunk : comp->size;
	if (member->size == 0)
		return -EINVAL;
	return pme_add(geo->total, member->size, &geo->total) < 0 ? -EINVAL : 0;
}

static size_t count_members(const struct pme_md *md)
{
	size_t count = 0;

	for (size_t i = 0; i < md->n_components; i++)
		count += md->components[i].slot >= 0;
	return count;
}

/* 0, -ENOMEM, or -EINVAL when the numbers do not fit together.  @ret is zeroed before. */
static int geometry_init(const struct pme_dev *array, const struct pme_md_level *level,
			 struct pme_md_geometry *ret)
{
	const struct pme_md *md = array->md;
	int r = 0;

	ret->array = array;
	ret->chunk = md->chunk;
	ret->count = count_members(md);
	if (ret->count == 0 || ret->count != md->raid_disks ||
	    (level->needs_chunk && md->chunk == 0) || md->chunk % PME_SECTOR != 0)
		return -EINVAL;
	ret->members = calloc(ret->count, sizeof(*ret->members));
	if (!ret->members)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < md->n_components; i++)
		if (md->components[i].slot >= 0)
			r = take_member(ret, &md->components[i]);
	if (r < 0)
		return r;
	return ret->total < array->size ? -EINVAL : 0;
}

struct pme_range pme_md_on_device(const struct pme_md_geometry *geo, size_t slot,
				  struct pme_range range)
{
	range.start += geo->members[slot].comp->data_offset;
	return range;
}

int pme_md_lead_up(const struct pme_md_geometry *geo, size_t slot, struct pme_range range,
		   uint64_t start, const char *kind, struct pme_steps *ret)
{
	uint64_t inside = start < geo->array->size ? geo->array->size - start : 0;
	struct pme_range from = pme_md_on_device(geo, slot, range), behind = from;
	int r = 0;

	from.length = pme_min(from.length, inside);
	behind.start += from.length;
	behind.length -= from.length;
	if (from.length > 0)
		r = pme_steps_lead(ret, from, geo->array, start, kind);
	if (r < 0 || behind.length == 0)
		return r;
	return pme_steps_owner(ret, behind, kind, PME_OWNER_UNUSED, "behind the end of %s",
			       pme_dev_label(geo->array));
}

int pme_md_lead_down(const struct pme_md_geometry *geo, size_t slot, struct pme_range range,
		     uint64_t start, const char *kind, struct pme_steps *ret)
{
	struct pme_range from = {.start = start, .length = range.length};

	return pme_steps_lead(ret, from, geo->members[slot].comp->dev,
			      pme_md_on_device(geo, slot, range).start, kind);
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

static int say_spare(const struct pme_dev *array, const struct pme_md_component *comp,
		     struct pme_range range, struct pme_steps *ret)
{
	const char *label = pme_dev_label(array);

	if (is_shared(comp->dev, array) || (comp->state && strstr(comp->state, "journal")))
		return pme_steps_unknown(ret, range, md_kind,
					 "%s has no slot in %s: a journal, or part of a container",
					 pme_dev_label(comp->dev), label);
	return pme_steps_owner(ret, range, md_kind, PME_OWNER_UNUSED,
			       "spare or failed member of %s", label);
}

/* What of @range lies in [@start, @end) of the member, outside of the data. */
static int say_reserved(const struct pme_dev *array, const struct pme_dev *lower,
			struct pme_range range, uint64_t start, uint64_t end, const char *what,
			struct pme_steps *ret)
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
	return pme_steps_owner(ret, part, md_kind, PME_OWNER_RAID_METADATA, "%s of %s", what,
			       pme_dev_label(array));
}

/* Data bytes of a member: @part lies in its data area, in bytes of the device. */
static int data_up(const struct pme_dev *array, const struct pme_md_component *comp,
		   uint64_t data_end, struct pme_range part, struct pme_steps *ret)
{
	const struct pme_md_level *level = level_of(array->md);
	_cleanup_geometry_ struct pme_md_geometry geo = {};
	struct pme_range at = part;
	uint64_t used_end;
	int r;

	if (!level)
		return say_level(array, part, ret);
	r = geometry_init(array, level, &geo);
	if (r < 0)
		return r == -EINVAL ? say_odd(array, part, ret) : r;
	used_end = comp->data_offset + geo.members[comp->slot].size;
	if (pme_range_intersect(part,
				(struct pme_range){comp->data_offset, used_end - comp->data_offset},
				&at)) {
		at.start -= comp->data_offset;
		r = level->up(&geo, comp->slot, at, ret);
		if (r < 0)
			return r;
	}
	return say_reserved(array, comp->dev, part, used_end, data_end, "unused rest of a member",
			    ret);
}

static int member_up(const struct pme_dev *array, const struct pme_md_component *comp,
		     struct pme_range range, struct pme_steps *ret)
{
	struct pme_range data = {comp->data_offset, comp->size}, part;
	uint64_t data_end;
	int r;

	if (pme_add(comp->data_offset, comp->size, &data_end) < 0)
		return say_odd(array, range, ret);
	r = say_reserved(array, comp->dev, range, 0, comp->data_offset,
			 "md superblock, bitmap or reserved area", ret);
	if (r == 0 && pme_range_intersect(range, data, &part))
		r = data_up(array, comp, data_end, part, ret);
	if (r < 0)
		return r;
	return say_reserved(array, comp->dev, range, data_end, pme_range_end(range),
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
		return say_spare(upper, comp, range, ret);
	return member_up(upper, comp, range, ret);
}

static int md_down(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		   struct pme_steps *ret)
{
	_cleanup_geometry_ struct pme_md_geometry geo = {};
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
static char *explain_member(const struct pme_md_geometry *geo, const struct pme_md_level *level,
			    const struct pme_md_component *comp, uint64_t lower_start)
{
	uint64_t at = lower_start - comp->data_offset;
	_cleanup_free_ char *rest = NULL;

	if (lower_start < comp->data_offset || at >= geo->members[comp->slot].size)
		return pme_printf("not in the data area of %s", pme_dev_label(comp->dev));
	rest = level->explain(geo, comp->slot, at);
	if (!rest)
		return NULL;
	return pme_printf("%" PRIu64 " - %" PRIu64 " (data offset of %s) = %" PRIu64 "; %s",
			  lower_start, comp->data_offset, pme_dev_label(comp->dev), at, rest);
}

static char *md_explain(struct pme_stack *stack, const struct pme_dev *lower, uint64_t lower_start,
			const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_geometry_ struct pme_md_geometry geo = {};
	const struct pme_md_component *comp;
	const struct pme_md_level *level;
	int r = -EINVAL;

	(void)upper_start;
	comp = upper->md ? component_of(upper->md, lower) : NULL;
	level = upper->md ? level_of(upper->md) : NULL;
	if (comp && comp->slot >= 0 && level)
		r = geometry_init(upper, level, &geo);
	if (r == 0)
		return explain_member(&geo, level, comp, lower_start);
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
