/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD level "linear": the members one behind the other, in the order of their slots
 * (drivers/md/md-linear.c).
 */
#include "layer-md.h"

#include <inttypes.h>

/* Where member @slot begins in the array. */
static uint64_t start_of(const struct pme_md_geometry *geo, size_t slot)
{
	uint64_t start = 0;

	for (size_t i = 0; i < slot; i++)
		start += geo->members[i].size;
	return start;
}

static int linear_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     struct pme_range range, struct pme_steps *ret)
{
	return pme_md_lead_up(geo, member, range, start_of(geo, member->slot) + range.start, ret);
}

static int linear_down(const struct pme_md_geometry *geo, struct pme_range range,
		       struct pme_steps *ret)
{
	struct pme_range member = {}, part;
	int r = 0;

	for (size_t i = 0; r == 0 && i < geo->count; i++) {
		member.length = geo->members[i].size;
		if (pme_range_intersect(range, member, &part)) {
			uint64_t start = part.start;

			part.start -= member.start;
			r = pme_md_lead_down(geo, &geo->members[i], part, start, ret);
		}
		member.start += member.length;
	}
	return r;
}

static char *linear_explain(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			    uint64_t at, uint64_t x)
{
	size_t slot = member->slot;
	uint64_t start = start_of(geo, slot);

	(void)x;
	return pme_printf("%" PRIu64 " + %" PRIu64 " (where member %zu begins) = %" PRIu64, at,
			  start, slot, start + at);
}

const struct pme_md_level pme_md_linear = {
	.name = "linear",
	.kind = "md-linear",
	.up = linear_up,
	.down = linear_down,
	.explain = linear_explain,
};
