/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Areas of MD members, from their superblocks on the media; see md-areas.h.
 *
 * The surprise: the superblock may be the very thing that is bad.  Then its place is still known
 * from its version, but nothing that it says.
 */
#include "md-areas.h"

#include <string.h>

#include "map.h"
#include "md-super.h"
#include "media.h"

static const char *version_of(const struct pme_dev *lower)
{
	for (size_t i = 0; i < lower->n_uppers; i++)
		if (lower->uppers[i]->kind == PME_DEV_MD && lower->uppers[i]->md)
			return lower->uppers[i]->md->metadata;
	return NULL;
}

static int load_version_1(struct pme_stack *stack, const struct pme_dev *dev, uint64_t at,
			  struct pme_md_areas *ret)
{
	uint8_t buf[PME_MD_SUPER_SIZE];
	int r = pme_media_read_dev(stack->topo, dev, buf, sizeof(buf), at);

	if (r == 0)
		r = pme_md_super_parse(buf, at, dev->size, ret);
	if (r < 0 || !ret->bitmap)
		return r;
	r = pme_media_read_dev(stack->topo, dev, buf, sizeof(buf), ret->bitmap);
	return r < 0 ? r : pme_md_bitmap_parse(buf, ret);
}

static int load_areas(struct pme_stack *stack, const struct pme_dev *dev,
		      const struct pme_dm_line *line, void **ret, char **ret_why)
{
	_cleanup_free_ struct pme_md_areas *areas = calloc(1, sizeof(*areas));
	enum pme_md_version version;
	uint64_t at;
	int r;

	(void)line;
	if (!areas)
		return -ENOMEM;
	r = pme_md_version_parse(version_of(dev), &version);
	if (r == 0)
		r = pme_md_super_place(version, dev->size, &at);
	if (r == 0 && version == PME_MD_0_90)
		areas->items[areas->count++] =
			(struct pme_md_area){{at, 4096}, "md superblock (metadata 0.90)"};
	else if (r == 0)
		r = load_version_1(stack, dev, at, areas);
	if (r == 0)
		*ret = pme_take_ptr(areas);
	else
		*ret_why = pme_printf("cannot read the md superblock of %s: %s", pme_dev_label(dev),
				      pme_media_error(r));
	return r;
}

static const struct pme_map_kind areas_map = {.load = load_areas, .done = free};

/* The area at byte @at, or NULL; *@ret_end: where it, or the space between two, ends. */
static const struct pme_md_area *area_at(const struct pme_md_areas *areas, uint64_t at,
					 uint64_t *ret_end)
{
	for (size_t i = 0; i < areas->count; i++) {
		const struct pme_md_area *area = &areas->items[i];

		if (at >= area->range.start && at < pme_range_end(area->range)) {
			*ret_end = pme_min(*ret_end, pme_range_end(area->range));
			return area;
		}
		if (area->range.start > at)
			*ret_end = pme_min(*ret_end, area->range.start);
	}
	return NULL;
}

int pme_md_areas_say(struct pme_stack *stack, const struct pme_dev *array,
		     const struct pme_dev *lower, struct pme_range range, const char *what,
		     struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range), part_end;
	const char *why = NULL;
	const void *map = NULL;
	int r = -ENODATA;

	if (stack && stack->topo && array->md->metadata)
		r = pme_map_get(stack, &areas_map, lower, NULL, &map, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_owner(ret, range, "md", PME_OWNER_RAID_METADATA, "%s of %s", what,
				       pme_dev_label(array));
	r = 0;
	for (uint64_t at = range.start; r == 0 && at < end; at = part_end) {
		const struct pme_md_area *area;

		part_end = end;
		area = area_at(map, at, &part_end);
		r = pme_steps_owner(ret, (struct pme_range){at, part_end - at}, "md",
				    PME_OWNER_RAID_METADATA, "%s of %s",
				    area ? area->what : "space reserved beside the metadata",
				    pme_dev_label(array));
	}
	return r;
}
