/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the bytes of a region of persistent memory to the devices of its namespaces.
 *
 * Only here are physical addresses compared; they need root, and without them everything is an
 * explicit unknown.  In front of the data of a namespace lies its info block and, for fsdax and
 * devdax, the page map.  Sector mode (BTT) remaps each block: btt-map.c.
 * The surprise: up() speaks for one device above the region, so disabled namespaces and bytes of no
 * namespace need a function of their own.
 */
#include "layer.h"

#include <inttypes.h>

#include "btt-map.h"

static const char namespace_kind[] = "namespace";

/* Bytes of a region. */
struct place {
	struct pme_range whole; /* of the namespace */
	struct pme_range data;	/* of its device; length 0 when there is none to follow */
};

/* Bytes of the region between its start and physical address @address: 0, or -ENODATA. */
static int offset_of(const struct pme_region *region, uint64_t address, uint64_t *ret)
{
	if (region->resource == PME_UNKNOWN || address == PME_UNKNOWN)
		return -ENODATA;
	if (address < region->resource)
		return -EINVAL;
	*ret = address - region->resource;
	return 0;
}

/* Where the namespace lies: 0, -ENODATA without addresses, -EINVAL when they make no sense. */
static int locate(const struct pme_namespace *ns, struct pme_range *ret)
{
	uint64_t start, end;
	int r = offset_of(ns->region, ns->resource, &start);

	if (r < 0)
		return r;
	if (ns->size == PME_UNKNOWN)
		return -ENODATA;
	if (pme_add(start, ns->size, &end) < 0 || end > ns->region->size)
		return -EINVAL;
	*ret = (struct pme_range){.start = start, .length = ns->size};
	return 0;
}

/* Where the namespace and the bytes of its device lie. */
static int place_of(const struct pme_dev *dev, struct place *ret)
{
	struct place place;
	int r = locate(dev->ns, &place.whole);

	if (r == 0)
		r = offset_of(dev->ns->region, dev->ns->data_start, &place.data.start);
	if (r < 0)
		return r;
	if (dev->size == PME_UNKNOWN || dev->size == 0)
		return -ENODATA;
	place.data.length = dev->size;
	if (place.data.start < place.whole.start || place.data.start > pme_range_end(place.whole) ||
	    dev->size > pme_range_end(place.whole) - place.data.start)
		return -EINVAL;
	*ret = place;
	return 0;
}

/* Why the bytes of the namespace cannot be followed. */
static int say_lost(const struct pme_namespace *ns, int error, struct pme_range range,
		    struct pme_steps *ret)
{
	const char *why = error == -ENODATA ? "addresses or sizes cannot be read (run as root)"
					    : "addresses and sizes do not fit together";

	return pme_steps_unknown(ret, range, namespace_kind, "%s: %s", ns->name, why);
}

/* Modes that cannot be followed, by their nature: 1 and said, 0, or -errno. */
static int say_mode(const struct pme_dev *dev, struct pme_range range, struct pme_steps *ret)
{
	int r = 0;

	switch (dev->ns->mode) {
	case PME_MODE_SECTOR:
		r = pme_steps_unknown(ret, range, namespace_kind,
				      "sector mode (BTT): a block may be mapped anywhere in %s",
				      dev->name);
		break;
	case PME_MODE_UNKNOWN:
		r = pme_steps_unknown(ret, range, namespace_kind, "the mode of %s is not known",
				      dev->ns->name);
		break;
	case PME_MODE_FSDAX:
	case PME_MODE_DEVDAX:
	case PME_MODE_RAW:
		return 0;
	}
	return r < 0 ? r : 1;
}

/* Bytes [@start, @end) of the region belong to the namespace itself. */
static int say_metadata(const struct pme_namespace *ns, struct pme_range range, uint64_t start,
			uint64_t end, const char *what, struct pme_steps *ret)
{
	struct pme_range area = {.start = start, .length = end - start}, part;

	if (!pme_range_intersect(range, area, &part))
		return 0;
	return pme_steps_owner(ret, part, namespace_kind, PME_OWNER_NAMESPACE_METADATA, "%s of %s",
			       what, ns->name);
}

static int follow_up(const struct pme_dev *upper, const struct place *place, struct pme_range range,
		     struct pme_steps *ret)
{
	struct pme_range part;
	int r;

	r = say_metadata(upper->ns, range, place->whole.start, place->data.start,
			 "info block and page map", ret);
	if (r == 0 && pme_range_intersect(range, place->data, &part))
		r = pme_steps_lead(ret, part, upper, part.start - place->data.start,
				   namespace_kind);
	if (r < 0)
		return r;
	return say_metadata(upper->ns, range, pme_range_end(place->data),
			    pme_range_end(place->whole), "unused end", ret);
}

static int namespace_up(struct pme_stack *stack, const struct pme_dev *upper,
			const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_namespace *ns = upper->ns;
	struct place place;
	int r;

	if (!lower->region || lower->region != ns->region)
		return -EINVAL;
	r = locate(ns, &place.whole);
	if (r < 0)
		return say_lost(ns, r, range, ret);
	if (!pme_range_intersect(range, place.whole, &range))
		return 0;
	if (ns->mode == PME_MODE_SECTOR) {
		struct pme_range inside = {.start = range.start - place.whole.start,
					   .length = range.length};

		r = pme_btt_live(stack, upper, inside, place.whole.start, ret);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = say_mode(upper, range, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	r = place_of(upper, &place);
	return r < 0 ? say_lost(ns, r, range, ret) : follow_up(upper, &place, range, ret);
}

static const struct pme_dev *region_below(const struct pme_dev *upper)
{
	for (size_t i = 0; i < upper->n_lowers; i++)
		if (upper->lowers[i]->region && upper->lowers[i]->region == upper->ns->region)
			return upper->lowers[i];
	return NULL;
}

static int namespace_down(struct pme_stack *stack, const struct pme_dev *upper,
			  struct pme_range range, struct pme_steps *ret)
{
	const struct pme_dev *region = region_below(upper);
	struct pme_range part;
	struct place place;
	int r;

	if (!region)
		return -EINVAL;
	r = say_mode(upper, range, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	r = place_of(upper, &place);
	if (r < 0)
		return say_lost(upper->ns, r, range, ret);
	if (!pme_range_intersect(range, (struct pme_range){.length = upper->size}, &part))
		return 0;
	return pme_steps_lead(ret, part, region, place.data.start + part.start, namespace_kind);
}

static char *namespace_explain(struct pme_stack *stack, const struct pme_dev *lower,
			       uint64_t lower_start, const struct pme_dev *upper,
			       uint64_t upper_start)
{
	return pme_printf("%" PRIu64 " + %" PRIu64 " (physical address of %s) - %" PRIu64
			  " (physical address of the data of %s) = %" PRIu64,
			  lower_start, lower->region ? lower->region->resource : 0, lower->name,
			  upper->ns->data_start, upper->ns->name, upper_start);
}

static bool has_device(const struct pme_dev *region, const struct pme_namespace *ns)
{
	for (size_t i = 0; i < region->n_uppers; i++)
		if (region->uppers[i]->ns == ns)
			return true;
	return false;
}

/* A namespace that no device speaks for; @part is its share of the range. */
static int say_deviceless(const struct pme_namespace *ns, struct pme_range part,
			  struct pme_steps *ret)
{
	if (ns->active)
		return pme_steps_unknown(ret, part, namespace_kind,
					 "%s is active, but its device was not found", ns->name);
	return pme_steps_unknown(ret, part, namespace_kind,
				 "%s is disabled: enable it to see what is on it", ns->name);
}

/* One namespace of the region: what it covers, and what it is when no device speaks for it. */
static int rest_of(const struct pme_dev *region, const struct pme_namespace *ns,
		   struct pme_range range, struct pme_range_list *covered, struct pme_steps *ret)
{
	struct pme_range whole, part = range;
	bool spoken_for = has_device(region, ns);
	int r = locate(ns, &whole);

	if (r == 0 && !pme_range_intersect(range, whole, &part))
		return 0;
	if (r < 0 && !spoken_for)
		r = say_lost(ns, r, range, ret);
	else if (r == 0 && !spoken_for)
		r = say_deviceless(ns, part, ret);
	else
		r = 0;
	return r < 0 ? r : pme_range_list_add(covered, part.start, part.length);
}

static int say_rest(const struct pme_region *region, struct pme_range range, struct pme_steps *ret)
{
	if (region->disabled)
		return pme_steps_unknown(ret, range, namespace_kind,
					 "%s is disabled: enable it to see what is on it",
					 region->name);
	return pme_steps_owner(ret, range, namespace_kind, PME_OWNER_UNUSED,
			       "not in any namespace");
}

int pme_namespace_rest(const struct pme_topo *topo, const struct pme_dev *region,
		       struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {}, rest = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_namespaces; i++) {
		const struct pme_namespace *ns = topo->namespaces[i];

		if (ns->region == region->region && ns->size > 0)
			r = rest_of(region, ns, range, &covered, ret);
	}
	if (r < 0)
		return r;
	pme_range_list_normalize(&covered);
	r = pme_range_list_subtract(range, &covered, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = say_rest(region->region, rest.items[i], ret);
	return r;
}

static bool namespace_owns(const struct pme_dev *upper)
{
	return upper->ns && (upper->kind == PME_DEV_DISK || upper->kind == PME_DEV_CHARDEV);
}

const struct pme_layer pme_layer_namespace = {
	.name = namespace_kind,
	.owns = namespace_owns,
	.up = namespace_up,
	.down = namespace_down,
	.explain = namespace_explain,
};
