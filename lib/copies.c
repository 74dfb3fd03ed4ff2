/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which copies can be read; see copies.h.
 *
 * Everything is cut where any list begins or ends; within such a segment all bytes fare alike, and
 * the places are counted.  The surprise: two ways down to the same bytes (a device in two legs) are
 * not two copies, but they are bad together, so that the count is right.
 */
#include "copies.h"

#include "climb.h"

/* One place of the bytes of @whole: those that it covers, and what of them is missing there. */
struct source {
	struct pme_range covers;
	struct pme_missing missing;
};

struct sources {
	struct source *items;
	size_t count, alloc;
};

void pme_missing_done(struct pme_missing *missing)
{
	pme_range_list_done(&missing->bad);
	pme_range_list_done(&missing->doubt);
}

static void sources_done(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		pme_missing_done(&sources->items[i].missing);
	free(sources->items);
}

#define _cleanup_sources_ _cleanup_(sources_done)

static struct source *add_source(struct sources *sources, struct pme_range covers)
{
	struct source *source;

	if (pme_grow(&sources->items, &sources->alloc, sources->count, sizeof(*sources->items)) < 0)
		return NULL;
	source = &sources->items[sources->count++];
	*source = (struct source){.covers = covers};
	return source;
}

static int add_cut(struct pme_range whole, uint64_t at, struct pme_range_list *cuts)
{
	if (at < whole.start || at >= pme_range_end(whole))
		return 0;
	return pme_range_list_add(cuts, at, 1);
}

static int add_cuts(struct pme_range whole, const struct pme_range_list *list,
		    struct pme_range_list *cuts)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = add_cut(whole, list->items[i].start, cuts);
		if (r == 0)
			r = add_cut(whole, pme_range_end(list->items[i]), cuts);
	}
	return r;
}

static int compare_cuts(const void *a, const void *b)
{
	const struct pme_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Where anything begins or ends within @whole; sorted, perhaps more than once. */
static int find_cuts(struct pme_range whole, const struct sources *sources,
		     struct pme_range_list *cuts)
{
	int r = add_cut(whole, whole.start, cuts);

	for (size_t i = 0; r == 0 && i < sources->count; i++) {
		const struct source *source = &sources->items[i];

		r = add_cut(whole, source->covers.start, cuts);
		if (r == 0)
			r = add_cut(whole, pme_range_end(source->covers), cuts);
		if (r == 0)
			r = add_cuts(whole, &source->missing.bad, cuts);
		if (r == 0)
			r = add_cuts(whole, &source->missing.doubt, cuts);
	}
	if (r == 0)
		qsort(cuts->items, cuts->count, sizeof(*cuts->items), compare_cuts);
	return r;
}

/* One segment: do @need of the sources have it, or could they? */
static int judge_segment(struct pme_range segment, const struct sources *sources, size_t need,
			 struct pme_missing *ret)
{
	size_t good = 0, maybe = 0;

	for (size_t i = 0; i < sources->count; i++) {
		const struct source *source = &sources->items[i];

		if (segment.start < source->covers.start ||
		    segment.start >= pme_range_end(source->covers) ||
		    pme_range_list_meets(&source->missing.bad, segment))
			continue;
		if (pme_range_list_meets(&source->missing.doubt, segment))
			maybe++;
		else
			good++;
	}
	if (good >= need)
		return 0;
	return pme_range_list_add(good + maybe >= need ? &ret->doubt : &ret->bad, segment.start,
				  segment.length);
}

static int judge(struct pme_range whole, const struct sources *sources, size_t need,
		 struct pme_missing *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list cuts = {0};
	int r = find_cuts(whole, sources, &cuts);

	for (size_t i = 0; r == 0 && i < cuts.count; i++) {
		uint64_t start = cuts.items[i].start;
		uint64_t end = i + 1 < cuts.count ? cuts.items[i + 1].start : pme_range_end(whole);

		if (end > start)
			r = judge_segment((struct pme_range){start, end - start}, sources, need,
					  ret);
	}
	pme_range_list_normalize(&ret->bad);
	pme_range_list_normalize(&ret->doubt);
	return r;
}

/* @list as bytes of another device, where @from lies at @to. */
static void move_list(struct pme_range_list *list, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < list->count; i++)
		list->items[i].start = list->items[i].start - from + to;
}

/* The place at @start of @dev as a source for the bytes @covers. */
static int add_place(struct pme_stack *stack, const struct pme_dev *dev, uint64_t start,
		     struct pme_range covers, struct sources *sources)
{
	struct source *source = add_source(sources, covers);
	struct pme_missing missing = {0};
	int r;

	if (!source)
		return -ENOMEM;
	r = pme_missing_of(stack, dev, (struct pme_range){start, covers.length}, &missing);
	move_list(&missing.bad, start, covers.start);
	move_list(&missing.doubt, start, covers.start);
	source->missing = missing;
	return r;
}

static int all_in_doubt(struct pme_range range, struct pme_missing *ret)
{
	return pme_range_list_add(&ret->doubt, range.start, range.length);
}

/* What a step downward says: bytes at a place, rebuilt from others, or nobody knows. */
static int add_step(struct pme_stack *stack, const struct pme_step *step, struct sources *sources)
{
	struct source *source;
	int r;

	if (step->to && step->certainty == PME_UNCERTAIN) {
		source = add_source(sources, step->from);
		return source ? all_in_doubt(step->from, &source->missing) : -ENOMEM;
	}
	if (!step->to && !step->copies) {
		source = add_source(sources, step->from);
		if (!source)
			return -ENOMEM;
		if (step->certainty == PME_EXACT && step->owner == PME_OWNER_UNWRITTEN)
			return 0; /* a hole: it reads as zeros */
		return pme_range_list_add(&source->missing.doubt, step->from.start,
					  step->from.length);
	}
	r = step->to ? add_place(stack, step->to, step->to_start, step->from, sources) : 0;
	if (r < 0 || !step->copies)
		return r;
	source = add_source(sources, step->from);
	return source ? pme_copies_missing(stack, step->copies, step->from, &source->missing)
		      : -ENOMEM;
}

/* What @dev's own layer makes of @range, which is not known to be bad itself. */
static int missing_below(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
			 struct pme_missing *ret)
{
	const struct pme_layer *layer = pme_layer_of(dev);
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	_cleanup_sources_ struct sources sources = {0};
	int r;

	if (!layer || stack->depth >= PME_CLIMB_DEPTH)
		return all_in_doubt(range, ret);
	r = layer->down(stack, dev, range, &steps);
	if (r < 0)
		return r == -ENOMEM ? r : all_in_doubt(range, ret);
	stack->depth++;
	for (size_t i = 0; r == 0 && i < steps.count; i++)
		r = pme_step_is_sane(&steps.items[i], range)
			    ? add_step(stack, &steps.items[i], &sources)
			    : all_in_doubt(range, ret);
	stack->depth--;
	return r < 0 ? r : judge(range, &sources, 1, ret);
}

/* Units of @need->from that @missing of its place takes with it, as far as they meet @range. */
static int add_units(const struct pme_need *need, const struct pme_range_list *missing,
		     struct pme_range range, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < missing->count; i++) {
		uint64_t start = missing->items[i].start - need->place.start;
		uint64_t last = start + missing->items[i].length - 1;
		uint64_t from = start / need->place_unit * need->unit;
		uint64_t units = last / need->place_unit - start / need->place_unit + 1;
		struct pme_range part;

		if (from >= need->from.length)
			continue;
		part.start = need->from.start + from;
		part.length = units > (need->from.length - from) / need->unit
				      ? need->from.length - from
				      : units * need->unit;
		if (pme_range_intersect(range, part, &part))
			r = pme_range_list_add(ret, part.start, part.length);
	}
	return r;
}

static int add_need(struct pme_stack *stack, const struct pme_need *need, struct pme_range range,
		    struct pme_missing *ret)
{
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	int r = pme_missing_of(stack, need->dev, need->place, &missing);

	if (r == 0)
		r = add_units(need, &missing.bad, range, need->perhaps ? &ret->doubt : &ret->bad);
	if (r == 0)
		r = add_units(need, &missing.doubt, range, &ret->doubt);
	return r;
}

/* What @range of @dev needs besides its own bytes: whole blocks, tags, hashes. */
static int add_needs(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		     struct pme_missing *ret)
{
	const struct pme_layer *layer = pme_layer_of(dev);
	_cleanup_(pme_needs_done) struct pme_needs needs = {0};
	int r;

	if (!layer || !layer->needs || stack->depth >= PME_CLIMB_DEPTH)
		return 0;
	r = layer->needs(dev, range, &needs);
	stack->depth++;
	for (size_t i = 0; r == 0 && i < needs.count; i++)
		r = add_need(stack, &needs.items[i], range, ret);
	stack->depth--;
	return r;
}

/* What is bad is not in doubt as well. */
static int settle(struct pme_missing *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list doubt = ret->doubt;
	int r = 0;

	ret->doubt = (struct pme_range_list){0};
	pme_range_list_normalize(&ret->bad);
	pme_range_list_normalize(&doubt);
	for (size_t i = 0; r == 0 && i < doubt.count; i++)
		r = pme_range_list_subtract(doubt.items[i], &ret->bad, &ret->doubt);
	pme_range_list_normalize(&ret->doubt);
	return r;
}

int pme_missing_of(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		   struct pme_missing *ret)
{
	const struct pme_range_list *bad = pme_stack_bad(stack, dev);
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	size_t first = bad ? pme_range_list_first(bad, range.start) : 0;
	struct pme_range part;
	int r = 0;

	for (size_t i = first; bad && r == 0 && i < bad->count; i++) {
		if (!pme_range_intersect(range, bad->items[i], &part))
			break;
		r = pme_range_list_add(&ret->bad, part.start, part.length);
	}
	if (r < 0 || pme_dev_is_bottom(dev))
		return r;
	r = pme_range_list_subtract(range, &ret->bad, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = missing_below(stack, dev, rest.items[i], ret);
	if (r == 0 && rest.count > 0)
		r = add_needs(stack, dev, range, ret);
	return r < 0 ? r : settle(ret);
}

int pme_copies_missing(struct pme_stack *stack, const struct pme_copies *copies,
		       struct pme_range from, struct pme_missing *ret)
{
	_cleanup_sources_ struct sources sources = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < copies->count; i++)
		r = add_place(stack, copies->places[i].dev, copies->places[i].start, from,
			      &sources);
	return r < 0 ? r : judge(from, &sources, copies->need, ret);
}

char *pme_copies_text(const struct pme_copies *copies, uint64_t skip, uint64_t length)
{
	char *text = pme_printf("%s", copies->what);

	for (size_t i = 0; text && i < copies->count; i++) {
		const struct pme_place *place = &copies->places[i];
		_cleanup_free_ char *before = text;

		text = pme_printf("%s%s %s bytes %llu to %llu", before, i ? "," : ":",
				  pme_dev_label(place->dev),
				  (unsigned long long)(place->start + skip),
				  (unsigned long long)(place->start + skip + length - 1));
	}
	return text;
}
