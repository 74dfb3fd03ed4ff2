/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way down; see descend.h.
 */
#include "descend.h"

#include <string.h>

#include "layer.h"

struct descent {
	struct pme_stack *stack;
	struct pme_ways *ways;
	struct pme_hop hops[PME_CLIMB_DEPTH]; /* from the top down */
	size_t depth;
};

static void way_done(struct pme_way *way)
{
	free(way->hops);
	free(way->reason);
}

void pme_ways_done(struct pme_ways *ways)
{
	for (size_t i = 0; i < ways->count; i++)
		way_done(&ways->items[i]);
	free(ways->items);
	*ways = (struct pme_ways){0};
}

/* The current way becomes an answer, bottom first; takes @reason. */
static int add_way(struct descent *d, uint64_t length, char *reason, bool known)
{
	_cleanup_free_ char *why = reason;
	struct pme_hop *hops;

	if (pme_grow(&d->ways->items, &d->ways->alloc, d->ways->count, sizeof(*d->ways->items)) < 0)
		return -ENOMEM;
	hops = malloc(d->depth * sizeof(*hops));
	if (!hops)
		return -ENOMEM;
	for (size_t i = 0; i < d->depth; i++)
		hops[i] = d->hops[d->depth - 1 - i];
	d->ways->items[d->ways->count++] = (struct pme_way){
		.hops = hops,
		.n_hops = d->depth,
		.length = length,
		.reason = pme_take_ptr(why),
		.known = known,
	};
	return 0;
}

static int add_unknown(struct descent *d, uint64_t length, char *reason)
{
	return reason ? add_way(d, length, reason, false) : -ENOMEM;
}

/* A step that ends: unknown, or no place at all. */
static int add_end(struct descent *d, const struct pme_step *step)
{
	const char *why = step->reason ? step->reason : step->detail;
	char *reason = strdup(why ? why : "not mapped");

	if (!reason)
		return -ENOMEM;
	return add_way(d, step->from.length, reason, step->certainty == PME_EXACT && why);
}

static int descend_from(struct descent *d, uint64_t length);

static int take_step(struct descent *d, uint64_t start, const struct pme_step *step)
{
	struct pme_hop saved[PME_CLIMB_DEPTH];
	size_t depth = d->depth;
	uint64_t skip = step->from.start - start;
	int r;

	memcpy(saved, d->hops, depth * sizeof(saved[0]));
	for (size_t i = 0; i < depth; i++)
		d->hops[i].start += skip;
	if (step->kind)
		d->hops[depth - 1].kind = step->kind;
	if (!step->to) {
		r = add_end(d, step);
	} else if (depth == PME_CLIMB_DEPTH) {
		r = add_unknown(d, step->from.length, strdup("too many devices are stacked"));
	} else {
		d->hops[d->depth++] = (struct pme_hop){
			.dev = step->to,
			.kind = pme_hop_kind(step->to),
			.start = step->to_start,
		};
		r = descend_from(d, step->from.length);
	}
	d->depth = depth;
	memcpy(d->hops, saved, depth * sizeof(saved[0]));
	return r;
}

/* Parts of @range that no step speaks of are said to be unknown. */
static int note_gaps(struct descent *d, struct pme_range range, const struct pme_steps *steps)
{
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	struct pme_hop *last = &d->hops[d->depth - 1];
	int r = 0;

	for (size_t i = 0; r == 0 && i < steps->count; i++)
		r = pme_range_list_add(&covered, steps->items[i].from.start,
				       steps->items[i].from.length);
	pme_range_list_normalize(&covered);
	if (r == 0)
		r = pme_range_list_subtract(range, &covered, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++) {
		struct pme_step gap = {
			.from = rest.items[i],
			.certainty = PME_UNCERTAIN,
			.reason = (char *)"no lower device holds these bytes",
		};

		r = take_step(d, last->start, &gap);
	}
	return r;
}

static bool all_sane(const struct pme_steps *steps, struct pme_range range)
{
	for (size_t i = 0; i < steps->count; i++)
		if (!pme_step_is_sane(&steps->items[i], range))
			return false;
	return true;
}

static int descend_from(struct descent *d, uint64_t length)
{
	const struct pme_hop *last = &d->hops[d->depth - 1];
	const struct pme_dev *dev = last->dev;
	struct pme_range range = {.start = last->start, .length = length};
	const struct pme_layer *layer = pme_layer_of(dev);
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r;

	if (pme_dev_is_bottom(dev))
		return add_way(d, length, NULL, true);
	if (!layer)
		return add_unknown(d, length,
				   pme_printf("%s is made of other devices in a way "
					      "that is not followed",
					      pme_dev_label(dev)));
	r = layer->down(d->stack, dev, range, &steps);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return add_unknown(d, length,
				   pme_printf("%s: cannot follow the %s mapping: %s",
					      pme_dev_label(dev), layer->name, strerror(-r)));
	if (!all_sane(&steps, range))
		return add_unknown(d, length,
				   pme_printf("the mapping of %s leads outside of the device",
					      pme_dev_label(dev)));
	for (size_t i = 0; i < steps.count; i++) {
		r = take_step(d, range.start, &steps.items[i]);
		if (r < 0)
			return r;
	}
	return note_gaps(d, range, &steps);
}

int pme_descend(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		struct pme_ways *ret)
{
	struct descent d = {.stack = stack, .ways = ret, .depth = 1};

	d.hops[0] = (struct pme_hop){.dev = dev, .kind = pme_hop_kind(dev), .start = range.start};
	return descend_from(&d, range.length);
}
