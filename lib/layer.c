/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of layers, and the lists of steps that they fill.
 *
 * Steps that continue each other are joined here, so that a run of adjacent table lines or of
 * stripes of a one-disk zone stays one piece.  Nothing else is judged here.
 */
#include "layer.h"

#include <stdarg.h>

static const struct pme_layer *const layers[] = {
	&pme_layer_partition, &pme_layer_dm,   &pme_layer_md,	  &pme_layer_namespace,
	&pme_layer_loop,      &pme_layer_zram, &pme_layer_bcache,
};

const struct pme_layer *pme_layer_of(const struct pme_dev *upper)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(layers); i++)
		if (layers[i]->owns(upper))
			return layers[i];
	return NULL;
}

bool pme_dev_is_bottom(const struct pme_dev *dev)
{
	if (dev->kind == PME_DEV_PARTITION || dev->kind == PME_DEV_DM || dev->kind == PME_DEV_MD)
		return false;
	for (size_t i = 0; i < dev->n_lowers; i++)
		if (dev->lowers[i]->kind != PME_DEV_REGION)
			return false;
	return true;
}

static int append(struct pme_steps *steps, const struct pme_step *step)
{
	uint64_t end;
	int r;

	if (step->from.length == 0 || pme_add(step->from.start, step->from.length, &end) < 0 ||
	    pme_add(step->to_start, step->from.length, &end) < 0)
		return -EINVAL;
	if (steps->count >= PME_STEPS_MAX)
		return -E2BIG;
	r = pme_grow(&steps->items, &steps->alloc, steps->count, sizeof(*steps->items));
	if (r < 0)
		return r;
	steps->items[steps->count++] = *step;
	return 0;
}

bool pme_step_is_sane(const struct pme_step *step, struct pme_range range)
{
	uint64_t end;

	if (step->from.length == 0 || step->from.start < range.start ||
	    pme_add(step->from.start, step->from.length, &end) < 0 || end > pme_range_end(range))
		return false;
	if (!step->to)
		return true;
	return pme_add(step->to_start, step->from.length, &end) == 0 && end <= step->to->size;
}

static bool continues(const struct pme_step *last, const struct pme_step *next)
{
	return last->to == next->to && last->kind == next->kind && !last->copies &&
	       last->certainty == PME_EXACT && pme_range_end(last->from) == next->from.start &&
	       last->to_start + last->from.length == next->to_start;
}

int pme_steps_lead(struct pme_steps *steps, struct pme_range from, const struct pme_dev *to,
		   uint64_t to_start, const char *kind)
{
	struct pme_step step = {.from = from, .to = to, .to_start = to_start, .kind = kind};
	struct pme_step *last = steps->count > 0 ? &steps->items[steps->count - 1] : NULL;
	uint64_t end;

	if (!last || !continues(last, &step))
		return append(steps, &step);
	if (pme_add(from.start, from.length, &end) < 0 || pme_add(to_start, from.length, &end) < 0)
		return -EINVAL;
	last->from.length += from.length;
	return 0;
}

static void step_done(struct pme_step *step)
{
	free(step->detail);
	free(step->reason);
	free(step->copies);
}

/* Append a step that is never joined; takes what it owns. */
static int append_owned(struct pme_steps *steps, struct pme_step step)
{
	int r = append(steps, &step);

	if (r < 0)
		step_done(&step);
	return r;
}

int pme_steps_set_copies(struct pme_steps *steps, struct pme_copies *copies)
{
	struct pme_step *last = steps->count > 0 ? &steps->items[steps->count - 1] : NULL;

	if (!copies || !last || last->copies) {
		free(copies);
		return copies ? -EINVAL : -ENOMEM;
	}
	last->copies = copies;
	return 0;
}

int pme_steps_lead_copied(struct pme_steps *steps, struct pme_range from, const struct pme_dev *to,
			  uint64_t to_start, const char *kind, struct pme_copies *copies)
{
	if (!copies)
		return -ENOMEM;
	return append_owned(steps, (struct pme_step){
					   .from = from,
					   .to = to,
					   .to_start = to_start,
					   .kind = kind,
					   .copies = copies,
				   });
}

int pme_steps_doubt(struct pme_steps *steps, struct pme_range from, const struct pme_dev *to,
		    uint64_t to_start, const char *kind, const char *fmt, ...)
{
	struct pme_step step = {
		.from = from,
		.to = to,
		.to_start = to_start,
		.kind = kind,
		.certainty = PME_UNCERTAIN,
	};
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&step.reason, fmt, ap);
	va_end(ap);
	return len < 0 ? -ENOMEM : append_owned(steps, step);
}

int pme_steps_end(struct pme_steps *steps, struct pme_range from, enum pme_owner_kind owner,
		  enum pme_certainty certainty, char *detail, char *reason)
{
	return append_owned(steps, (struct pme_step){
					   .from = from,
					   .owner = owner,
					   .certainty = certainty,
					   .detail = detail,
					   .reason = reason,
				   });
}

int pme_steps_owner(struct pme_steps *steps, struct pme_range from, const char *kind,
		    enum pme_owner_kind owner, const char *fmt, ...)
{
	struct pme_step step = {
		.from = from,
		.kind = kind,
		.owner = owner,
		.certainty = PME_EXACT,
	};
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&step.detail, fmt, ap);
	va_end(ap);
	return len < 0 ? -ENOMEM : append_owned(steps, step);
}

int pme_steps_unknown(struct pme_steps *steps, struct pme_range from, const char *kind,
		      const char *fmt, ...)
{
	struct pme_step step = {
		.from = from,
		.kind = kind,
		.owner = PME_OWNER_UNKNOWN,
		.certainty = PME_UNCERTAIN,
	};
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&step.reason, fmt, ap);
	va_end(ap);
	return len < 0 ? -ENOMEM : append_owned(steps, step);
}

void pme_steps_done(struct pme_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		step_done(&steps->items[i]);
	free(steps->items);
	*steps = (struct pme_steps){};
}

int pme_needs_add(struct pme_needs *needs, const struct pme_need *need)
{
	uint64_t end;
	int r;

	if (!need->dev || need->from.length == 0 || need->place.length == 0 || need->unit == 0 ||
	    need->place_unit == 0 || pme_add(need->from.start, need->from.length, &end) < 0 ||
	    pme_add(need->place.start, need->place.length, &end) < 0)
		return 0;
	if (needs->count >= PME_STEPS_MAX)
		return -E2BIG;
	r = pme_grow(&needs->items, &needs->alloc, needs->count, sizeof(*needs->items));
	if (r < 0)
		return r;
	needs->items[needs->count++] = *need;
	return 0;
}

void pme_needs_done(struct pme_needs *needs)
{
	free(needs->items);
	*needs = (struct pme_needs){0};
}
