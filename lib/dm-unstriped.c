/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "unstriped": "N CHUNK INDEX DEV START": one of N stripes of a device, taken
 * out of it (drivers/md/dm-unstripe.c).  The inverse of "striped".
 *
 * The surprise: the kernel does not subtract the start of the line, so that the second line of a
 * table begins in the middle of the stripe.
 */
#include <inttypes.h>

#include "dm-params.h"
#include "layer.h"

struct unstriped {
	uint64_t stripes, chunk, index, start; /* chunk and start in bytes */
	dev_t devno;
};

static int parse(const struct pme_dm_line *line, struct unstriped *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	uint64_t rows, end;

	if (pme_dm_params_u64(&params, &ret->stripes) < 0 ||
	    pme_dm_params_sectors(&params, &ret->chunk) < 0 ||
	    pme_dm_params_u64(&params, &ret->index) < 0 ||
	    pme_dm_params_dev(&params, &ret->devno) < 0 ||
	    pme_dm_params_sectors(&params, &ret->start) < 0 || pme_dm_params_end(&params) < 0)
		return -EINVAL;
	if (ret->chunk == 0 || ret->index >= ret->stripes)
		return -EINVAL;
	rows = pme_range_end(line->range) / ret->chunk + 1;
	if (pme_mul(rows, ret->stripes, &end) < 0 || pme_mul(end, ret->chunk, &end) < 0 ||
	    pme_add(end, ret->start, &end) < 0)
		return -EINVAL;
	return 0;
}

/* Where byte @x of the device lies on the lower one. */
static uint64_t place_of(const struct unstriped *u, uint64_t x)
{
	return u->start + (x / u->chunk * u->stripes + u->index) * u->chunk + x % u->chunk;
}

static int unstriped_up(struct pme_stack *stack, const struct pme_dev *upper,
			const struct pme_dm_line *line, const struct pme_dev *lower,
			struct pme_range range, struct pme_steps *ret)
{
	struct unstriped u;
	uint64_t row;
	int r = parse(line, &u);

	if (r < 0 || u.devno != lower->devno)
		return r;
	row = u.stripes * u.chunk;
	for (uint64_t x = range.start > u.start ? (range.start - u.start) / row * u.chunk : 0;
	     r == 0 && x < pme_range_end(line->range) && place_of(&u, x) < pme_range_end(range);
	     x += u.chunk) {
		struct pme_range chunk = {x, u.chunk}, part, from;

		if (!pme_range_intersect(chunk, line->range, &part))
			continue;
		part.start = place_of(&u, part.start);
		if (pme_range_intersect(part, range, &from))
			r = pme_steps_lead(ret, from, upper, x + (from.start - place_of(&u, x)),
					   pme_dm_unstriped.kind);
	}
	return r;
}

static int unstriped_down(struct pme_stack *stack, const struct pme_dev *upper,
			  const struct pme_dm_line *line, struct pme_range range,
			  struct pme_steps *ret)
{
	const struct pme_dev *lower;
	struct pme_range part;
	struct unstriped u;
	uint64_t length;
	int r = parse(line, &u);

	if (r < 0 || !pme_range_intersect(range, line->range, &part))
		return r;
	lower = pme_dm_lower(upper, u.devno);
	if (!lower)
		return pme_steps_unknown(ret, part, pme_dm_unstriped.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	for (uint64_t x = part.start; r == 0 && x < pme_range_end(part); x += length) {
		length = pme_min(u.chunk - x % u.chunk, pme_range_end(part) - x);
		r = pme_steps_lead(ret, (struct pme_range){x, length}, lower, place_of(&u, x),
				   pme_dm_unstriped.kind);
	}
	return r;
}

static char *unstriped_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			       const struct pme_dev *lower, uint64_t lower_start,
			       const struct pme_dev *upper, uint64_t upper_start)
{
	struct unstriped u;
	uint64_t at;

	if (parse(line, &u) < 0)
		return pme_printf("malformed 'unstriped' parameters");
	at = lower_start - u.start;
	return pme_printf("%" PRIu64 " - %" PRIu64 " (start on %s) = %" PRIu64 " = chunk %" PRIu64
			  " of %" PRIu64 " + %" PRIu64 "; stripe %" PRIu64 " of %" PRIu64
			  ", its chunk %" PRIu64 " * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
			  lower_start, u.start, pme_dev_label(lower), at, at / u.chunk, u.chunk,
			  at % u.chunk, u.index, u.stripes, upper_start / u.chunk, u.chunk,
			  at % u.chunk, upper_start);
}

const struct pme_dm_target pme_dm_unstriped = {
	.type = "unstriped",
	.kind = "dm-unstriped",
	.up = unstriped_up,
	.down = unstriped_down,
	.explain = unstriped_explain,
};
