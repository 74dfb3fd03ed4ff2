/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD level "raid0" (drivers/md/raid0.c: create_strip_zones, map_sector).
 *
 * Members of unequal sizes make zones: the first zone stripes over all members as far as the
 * smallest reaches, the next one over the larger members from there on, and so forth.  The
 * surprise: in which order a zone behind the first uses its members depends on the layout, because
 * Linux 3.14 changed it by mistake: 1 (original) counts chunks from the start of the array, 2
 * (alternate) from the start of the zone.  Where the two differ and the layout is not recorded, we
 * do not guess.
 */
#include "layer-md.h"

#include <inttypes.h>

enum { LAYOUT_ORIGINAL = 1, LAYOUT_ALTERNATE = 2 };

struct zone {
	uint64_t dev_start, dev_end; /* bytes of the data area of each member in it */
	uint64_t start;		     /* byte of the array where it begins */
	uint64_t width;		     /* number of members in it */
};

/* The zone behind @zone (at first a zeroed one): 1, or 0 when there is none. */
static int next_zone(const struct pme_md_geometry *geo, struct zone *zone)
{
	struct zone next = {
		.dev_start = zone->dev_end,
		.dev_end = UINT64_MAX,
		.start = zone->start + (zone->dev_end - zone->dev_start) * zone->width,
	};

	for (size_t i = 0; i < geo->count; i++) {
		if (geo->members[i].size <= next.dev_start)
			continue;
		next.dev_end = pme_min(next.dev_end, geo->members[i].size);
		next.width++;
	}
	if (next.width == 0)
		return 0;
	*zone = next;
	return 1;
}

static uint64_t zone_length(const struct zone *zone)
{
	return (zone->dev_end - zone->dev_start) * zone->width;
}

/* Position of member @slot among the members of the zone. */
static uint64_t index_of(const struct pme_md_geometry *geo, const struct zone *zone, size_t slot)
{
	uint64_t index = 0;

	for (size_t i = 0; i < slot; i++)
		index += geo->members[i].size > zone->dev_start;
	return index;
}

/* Slot of the member at position @index of the zone. */
static size_t slot_of(const struct pme_md_geometry *geo, const struct zone *zone, uint64_t index)
{
	size_t slot = 0;

	for (;; slot++)
		if (geo->members[slot].size > zone->dev_start && index-- == 0)
			return slot;
}

/* By how many members the original layout rotates each row of the zone. */
static uint64_t rotation_of(const struct pme_md_geometry *geo, const struct zone *zone)
{
	return zone->start / geo->chunk % zone->width;
}

/* Is the order of members in this zone certain? */
static bool order_known(const struct pme_md_geometry *geo, const struct zone *zone)
{

	if (rotation_of(geo, zone) == 0)
		return true;
	return geo->layout_known &&
	       (geo->layout == LAYOUT_ORIGINAL || geo->layout == LAYOUT_ALTERNATE);
}

/* The rotation that is in force. */
static uint64_t shift_of(const struct pme_md_geometry *geo, const struct zone *zone)
{
	return geo->layout == LAYOUT_ALTERNATE ? 0 : rotation_of(geo, zone);
}

/* Column of member @slot in each row of the zone. */
static uint64_t column_of(const struct pme_md_geometry *geo, const struct zone *zone, size_t slot)
{
	return (index_of(geo, zone, slot) + zone->width - shift_of(geo, zone)) % zone->width;
}

static int order_unknown(const struct pme_md_geometry *geo, struct pme_range range,
			 struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, pme_md_raid0.kind,
				 "the layout of %s (members of unequal size) is not recorded: "
				 "raid0.default_layout decided when it was assembled",
				 pme_dev_label(geo->array));
}

static int zone_up(const struct pme_md_geometry *geo, const struct zone *zone, size_t slot,
		   struct pme_range part, struct pme_steps *ret)
{
	uint64_t column = column_of(geo, zone, slot), end = pme_range_end(part);
	uint64_t at = part.start, length;
	int r;

	if (!order_known(geo, zone))
		return order_unknown(geo, pme_md_on_device(&geo->members[slot], part), ret);
	for (; at < end; at += length) {
		uint64_t row = (at - zone->dev_start) / geo->chunk, in = at % geo->chunk;
		uint64_t x = zone->start + (row * zone->width + column) * geo->chunk + in;

		length = pme_min(geo->chunk - in, end - at);
		r = pme_md_lead_up(geo, &geo->members[slot], (struct pme_range){at, length}, x,
				   ret);
		if (r < 0)
			return r;
	}
	return 0;
}

static int raid0_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		    struct pme_range range, struct pme_steps *ret)
{
	size_t slot = member->slot;
	struct zone zone = {};
	int r = 0;

	while (r == 0 && zone.dev_end < geo->members[slot].size && next_zone(geo, &zone)) {
		struct pme_range whole = {zone.dev_start, zone.dev_end - zone.dev_start}, part;

		if (pme_range_intersect(range, whole, &part))
			r = zone_up(geo, &zone, slot, part, ret);
	}
	return r;
}

static int zone_down(const struct pme_md_geometry *geo, const struct zone *zone,
		     struct pme_range part, struct pme_steps *ret)
{
	uint64_t x = part.start, end = pme_range_end(part), shift = shift_of(geo, zone), length;
	int r;

	if (!order_known(geo, zone))
		return order_unknown(
			geo, (struct pme_range){geo->range.start + part.start, part.length}, ret);
	for (; x < end; x += length) {
		uint64_t chunk = (x - zone->start) / geo->chunk, in = x % geo->chunk;
		uint64_t index = (chunk % zone->width + shift) % zone->width;
		uint64_t at = zone->dev_start + chunk / zone->width * geo->chunk + in;

		length = pme_min(geo->chunk - in, end - x);
		r = pme_md_lead_down(geo, &geo->members[slot_of(geo, zone, index)],
				     (struct pme_range){at, length}, x, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

static int raid0_down(const struct pme_md_geometry *geo, struct pme_range range,
		      struct pme_steps *ret)
{
	struct zone zone = {};
	int r = 0;

	while (r == 0 && next_zone(geo, &zone)) {
		struct pme_range whole = {zone.start, zone_length(&zone)}, part;

		if (pme_range_intersect(range, whole, &part))
			r = zone_down(geo, &zone, part, ret);
	}
	return r;
}

static char *raid0_explain(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			   uint64_t at, uint64_t x)
{
	size_t slot = member->slot;
	struct zone zone = {};
	uint64_t zones = 0, row, column, in = at % geo->chunk;

	(void)x;
	while (zone.dev_end <= at && next_zone(geo, &zone))
		zones++;
	row = (at - zone.dev_start) / geo->chunk;
	column = column_of(geo, &zone, slot);
	return pme_printf("%" PRIu64 " - %" PRIu64 " (start of zone %" PRIu64
			  " on each member) = row %" PRIu64 " of chunks of %" PRIu64 " + %" PRIu64
			  "; %" PRIu64 " (zone in the array) + (%" PRIu64 " * %" PRIu64
			  " + %" PRIu64 ") * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
			  at, zone.dev_start, zones - 1, row, geo->chunk, in, zone.start, row,
			  zone.width, column, geo->chunk, in,
			  zone.start + (row * zone.width + column) * geo->chunk + in);
}

const struct pme_md_level pme_md_raid0 = {
	.name = "raid0",
	.kind = "md-raid0",
	.needs_chunk = true,
	.up = raid0_up,
	.down = raid0_down,
	.explain = raid0_explain,
};
