/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The climb through the stack; see climb.h.
 *
 * Plain recursion: each device asks the layers of the devices above it.  An error of a layer is an
 * explicit unknown for the bytes it was asked about, never an end of the climb.
 *
 * A step with copies is cut into bytes that a readable copy gives back, bytes that none does, and
 * bytes of which nobody knows; each kind goes on by itself, with what is to be said of it.
 */
#include "climb.h"

#include <string.h>

#include "copies.h"
#include "layer.h"

struct climb {
	struct pme_stack *stack;
	struct pme_tops *tops;
	/* what is to be said of everything on this way: reasons, or NULL; borrowed */
	const char *vouched; /* another copy can be read */
	const char
		*doubt; /* nobody knows whether the way leads here, or whether a copy can be read */
	struct pme_hop hops[PME_CLIMB_DEPTH];
	size_t depth; /* hops in use */
};

const char *pme_hop_kind(const struct pme_dev *dev)
{
	switch (dev->kind) {
	case PME_DEV_DISK:
		return "disk";
	case PME_DEV_PARTITION:
		return "partition";
	case PME_DEV_DM:
		return "dm";
	case PME_DEV_MD:
		return "md";
	case PME_DEV_REGION:
		return "region";
	case PME_DEV_CHARDEV:
		return "chardev";
	}
	return NULL;
}

static void top_done(struct pme_top *top)
{
	free(top->hops);
	free(top->detail);
	free(top->reason);
	free(top->fs_type);
	free(top->fs_uuid);
	free(top->way_reason);
}

void pme_tops_done(struct pme_tops *tops)
{
	for (size_t i = 0; i < tops->count; i++)
		top_done(&tops->items[i]);
	free(tops->items);
	*tops = (struct pme_tops){0};
}

struct pme_hop *pme_hops_copy(const struct pme_hop *hops, size_t n_hops, uint64_t skip)
{
	struct pme_hop *copy = malloc(n_hops * sizeof(*copy));

	if (!copy)
		return NULL;
	memcpy(copy, hops, n_hops * sizeof(*copy));
	for (size_t i = 0; i < n_hops; i++)
		copy[i].start += skip;
	return copy;
}

struct pme_top *pme_tops_add(struct pme_tops *tops, const struct pme_hop *hops, size_t n_hops,
			     uint64_t skip, uint64_t length)
{
	struct pme_hop *copy;
	struct pme_top *top;

	if (pme_grow(&tops->items, &tops->alloc, tops->count, sizeof(*tops->items)) < 0)
		return NULL;
	copy = pme_hops_copy(hops, n_hops, skip);
	if (!copy)
		return NULL;
	top = &tops->items[tops->count++];
	*top = (struct pme_top){.hops = copy, .n_hops = n_hops, .length = length};
	return top;
}

/* Adds to @top what is to be said of the way to it. */
static int qualify(const struct climb *c, struct pme_top *top)
{
	_cleanup_free_ char *own = pme_take_ptr(top->reason);
	const char *said = c->vouched ? c->vouched : c->doubt;

	if (said && own)
		top->reason = pme_printf("%s; %s", own, said);
	else if (said)
		top->reason = strdup(said);
	else
		top->reason = pme_take_ptr(own);
	if (said && !top->reason)
		return -ENOMEM;
	if (said && top->blank) {
		top->way_reason = strdup(said);
		if (!top->way_reason)
			return -ENOMEM;
	}
	if (said)
		top->certainty = c->vouched ? PME_REDUNDANT : PME_UNCERTAIN;
	return 0;
}

/* The current way, ending with an owner; takes @detail and @reason. */
static int end_here(struct climb *c, uint64_t skip, uint64_t length, enum pme_owner_kind owner,
		    enum pme_certainty certainty, char *detail, char *reason)
{
	struct pme_top *top = pme_tops_add(c->tops, c->hops, c->depth, skip, length);

	if (!top) {
		free(detail);
		free(reason);
		return -ENOMEM;
	}
	top->owner = owner;
	top->certainty = certainty;
	top->detail = detail;
	top->reason = reason;
	return qualify(c, top);
}

static int unknown_here(struct climb *c, uint64_t length, char *reason)
{
	if (!reason)
		return -ENOMEM;
	return end_here(c, 0, length, PME_OWNER_UNKNOWN, PME_UNCERTAIN, NULL, reason);
}

static int climb_from(struct climb *c, uint64_t length);

/* Bytes @part of a step that ends; @part lies in what the current device was asked about. */
static int end_step(struct climb *c, uint64_t start, const struct pme_step *step,
		    struct pme_range part)
{
	char *detail = step->detail ? strdup(step->detail) : NULL;
	char *reason = step->reason ? strdup(step->reason) : NULL;

	if ((step->detail && !detail) || (step->reason && !reason)) {
		free(detail);
		free(reason);
		return -ENOMEM;
	}
	return end_here(c, part.start - start, part.length, step->owner, step->certainty, detail,
			reason);
}

/* Follow bytes @part of a step to the device that it leads to. */
static int follow_step(struct climb *c, uint64_t start, const struct pme_step *step,
		       struct pme_range part)
{
	size_t depth = c->depth;
	struct pme_hop saved[PME_CLIMB_DEPTH];
	uint64_t skip = part.start - start;
	int r;

	memcpy(saved, c->hops, depth * sizeof(saved[0]));
	for (size_t i = 0; i < depth; i++)
		c->hops[i].start += skip;
	if (depth == PME_CLIMB_DEPTH) {
		r = unknown_here(
			c, part.length,
			pme_printf("more than %d devices are stacked here", PME_CLIMB_DEPTH));
	} else {
		c->hops[c->depth++] = (struct pme_hop){
			.dev = step->to,
			.kind = step->kind,
			.start = step->to_start + (part.start - step->from.start),
		};
		r = climb_from(c, part.length);
	}
	c->depth = depth;
	memcpy(c->hops, saved, depth * sizeof(saved[0]));
	return r;
}

static int take_part(struct climb *c, uint64_t start, const struct pme_step *step,
		     struct pme_range part)
{
	const char *doubt = c->doubt;
	int r;

	if (!step->to)
		return end_step(c, start, step, part);
	if (step->certainty == PME_UNCERTAIN && !c->doubt)
		c->doubt = step->reason ? step->reason : "nobody knows whether it is used";
	r = follow_step(c, start, step, part);
	c->doubt = doubt;
	return r;
}

/* Bytes that a readable copy gives back. */
static int take_vouched(struct climb *c, uint64_t start, const struct pme_step *step,
			struct pme_range part)
{
	_cleanup_free_ char *text =
		pme_copies_text(step->copies, part.start - step->from.start, part.length);
	const char *vouched = c->vouched;
	int r;

	if (!text)
		return -ENOMEM;
	if (!c->vouched)
		c->vouched = text;
	r = step->ends_if_copied ? end_step(c, start, step, part) : take_part(c, start, step, part);
	c->vouched = vouched;
	return r;
}

/* Bytes whose copies may be readable or not. */
static int take_doubtful(struct climb *c, uint64_t start, const struct pme_step *step,
			 struct pme_range part)
{
	_cleanup_free_ char *where =
		pme_copies_text(step->copies, part.start - step->from.start, part.length);
	_cleanup_free_ char *text =
		where ? pme_printf("cannot tell whether a copy can be read: %s", where) : NULL;
	const char *doubt = c->doubt;
	int r;

	if (!text)
		return -ENOMEM;
	if (!c->doubt)
		c->doubt = text;
	r = take_part(c, start, step, part);
	c->doubt = doubt;
	return r;
}

static int take_list(struct climb *c, uint64_t start, const struct pme_step *step,
		     const struct pme_range_list *list,
		     int (*take)(struct climb *c, uint64_t start, const struct pme_step *step,
				 struct pme_range part))
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = take(c, start, step, list->items[i]);
	return r;
}

/* Follow one step from the current device, whose asked range starts at @start. */
static int take_step(struct climb *c, uint64_t start, const struct pme_step *step)
{
	_cleanup_(pme_range_list_done) struct pme_range_list missing = {0}, good = {0};
	_cleanup_(pme_missing_done) struct pme_missing which = {0};
	int r;

	if (!step->copies)
		return take_part(c, start, step, step->from);
	r = pme_copies_missing(c->stack, step->copies, step->from, &which);
	for (size_t i = 0; r == 0 && i < which.bad.count; i++)
		r = pme_range_list_add(&missing, which.bad.items[i].start,
				       which.bad.items[i].length);
	for (size_t i = 0; r == 0 && i < which.doubt.count; i++)
		r = pme_range_list_add(&missing, which.doubt.items[i].start,
				       which.doubt.items[i].length);
	pme_range_list_normalize(&missing);
	if (r == 0)
		r = pme_range_list_subtract(step->from, &missing, &good);
	if (r == 0)
		r = take_list(c, start, step, &good, take_vouched);
	if (r == 0)
		r = take_list(c, start, step, &which.doubt, take_doubtful);
	return r < 0 ? r : take_list(c, start, step, &which.bad, take_part);
}

static int take_steps(struct climb *c, const struct pme_dev *upper, struct pme_range range,
		      struct pme_steps *steps, struct pme_range_list *covered)
{
	for (size_t i = 0; i < steps->count; i++) {
		const struct pme_step *step = &steps->items[i];
		int r;

		if (!pme_step_is_sane(step, range)) {
			r = unknown_here(c, range.length,
					 pme_printf("the mapping of %s leads outside of the device",
						    pme_dev_label(upper)));
			return r < 0 ? r : pme_range_list_add(covered, range.start, range.length);
		}
		r = pme_range_list_add(covered, step->from.start, step->from.length);
		if (r == 0)
			r = take_step(c, range.start, step);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Everything that @upper does with @range of the current device. */
static int climb_upper(struct climb *c, const struct pme_dev *upper, struct pme_range range,
		       struct pme_range_list *covered)
{
	const struct pme_dev *dev = c->hops[c->depth - 1].dev;
	const struct pme_layer *layer = pme_layer_of(upper);
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	char *reason;
	int r;

	if (layer) {
		r = layer->up(c->stack, upper, dev, range, &steps);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			return take_steps(c, upper, range, &steps, covered);
		reason = pme_printf("%s: cannot follow the %s mapping: %s", pme_dev_label(upper),
				    layer->name, strerror(-r));
	} else {
		reason = pme_printf("%s is stacked on it in a way that is not followed",
				    pme_dev_label(upper));
	}
	r = unknown_here(c, range.length, reason);
	return r < 0 ? r : pme_range_list_add(covered, range.start, range.length);
}

/* The first page of an area is its header (mm/swapfile.c:read_swap_header). */
static int end_swap(struct climb *c, uint64_t length)
{
	bool header = c->hops[c->depth - 1].start < 4096;
	char *detail = strdup(header ? "swap area in use: its header"
				     : "swap area in use: owner process not known from outside");

	if (!detail)
		return -ENOMEM;
	return end_here(c, 0, length, PME_OWNER_SWAP, PME_EXACT, detail, NULL);
}

/* The last hop itself: a filesystem, swap, or bytes that nobody above it uses. */
static int finish_here(struct climb *c, struct pme_range range, struct pme_range_list *covered)
{
	const struct pme_dev *dev = c->hops[c->depth - 1].dev;
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	const struct pme_dev *main;
	enum pme_fs_role role;
	int r = pme_topo_fs_find(c->stack->topo, dev, &main, &role);

	if (r < 0)
		return r;
	if (r > 0) {
		struct pme_top *top = pme_tops_add(c->tops, c->hops, c->depth, 0, range.length);

		if (!top)
			return -ENOMEM;
		top->at_fs = true;
		return qualify(c, top);
	}
	if (dev->swap)
		return end_swap(c, range.length);
	pme_range_list_normalize(covered);
	r = pme_range_list_subtract(range, covered, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++) {
		struct pme_hop *last = &c->hops[c->depth - 1];
		uint64_t skip = rest.items[i].start - last->start;
		_cleanup_free_ struct pme_hop *way = pme_hops_copy(c->hops, c->depth, skip);
		size_t first;

		if (!way)
			return -ENOMEM;
		first = c->tops->count;
		r = pme_rest(c->stack, way, c->depth, rest.items[i], c->tops);
		for (size_t t = first; r == 0 && t < c->tops->count; t++)
			r = qualify(c, &c->tops->items[t]);
	}
	return r;
}

/* Climb from the last hop, @length bytes. */
static int climb_from(struct climb *c, uint64_t length)
{
	const struct pme_hop *last = &c->hops[c->depth - 1];
	struct pme_range range = {.start = last->start, .length = length};
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {0};
	const struct pme_dev *dev = last->dev;

	for (size_t i = 0; i < dev->n_uppers; i++) {
		int r = climb_upper(c, dev->uppers[i], range, &covered);

		if (r < 0)
			return r;
	}
	return finish_here(c, range, &covered);
}

int pme_climb(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
	      struct pme_tops *ret)
{
	struct climb c = {.stack = stack, .tops = ret, .depth = 1};

	c.hops[0] = (struct pme_hop){.dev = dev, .kind = pme_hop_kind(dev), .start = range.start};
	return climb_from(&c, range.length);
}
