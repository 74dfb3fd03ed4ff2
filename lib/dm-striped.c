/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "striped": "N CHUNK [DEV START]*N" (drivers/md/dm-stripe.c).
 *
 * Chunk c of the line lies in row c / N of stripe c % N.  The kernel accepts only lines whose
 * length is a multiple of N chunks; so do we.  A device may be several of the stripes.
 */
#include "dm-params.h"
#include "layer.h"

#include <inttypes.h>

struct stripe {
	dev_t devno;
	uint64_t start; /* bytes of the lower device */
};

struct striped {
	struct stripe *stripes;
	size_t count, alloc;
	uint64_t chunk; /* bytes */
	uint64_t width; /* bytes of each stripe */
};

static void striped_done(struct striped *s)
{
	free(s->stripes);
}

#define _cleanup_striped_ _cleanup_(striped_done)

static int parse_stripe(struct pme_dm_params *params, struct striped *s)
{
	struct stripe stripe;
	uint64_t end;
	int r;

	if (pme_dm_params_dev(params, &stripe.devno) < 0 ||
	    pme_dm_params_sectors(params, &stripe.start) < 0 ||
	    pme_add(stripe.start, s->width, &end) < 0)
		return -EINVAL;
	r = pme_grow(&s->stripes, &s->alloc, s->count, sizeof(*s->stripes));
	if (r < 0)
		return r;
	s->stripes[s->count++] = stripe;
	return 0;
}

/* Leaves what it allocated in @ret, also on error. */
static int parse(const struct pme_dm_line *line, struct striped *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	uint64_t n, row;
	int r;

	if (pme_dm_params_u64(&params, &n) < 0 || pme_dm_params_sectors(&params, &ret->chunk) < 0)
		return -EINVAL;
	if (n == 0 || ret->chunk == 0 || pme_mul(n, ret->chunk, &row) < 0 ||
	    line->range.length % row != 0)
		return -EINVAL;
	ret->width = line->range.length / n;
	for (uint64_t i = 0; i < n; i++) {
		r = parse_stripe(&params, ret);
		if (r < 0)
			return r;
	}
	return pme_dm_params_end(&params);
}

/* Bytes [@at, @end) of stripe number @index, chunk by chunk. */
static int lead_up(const struct striped *s, size_t index, uint64_t at, uint64_t end,
		   uint64_t line_start, const struct pme_dev *upper, struct pme_steps *ret)
{
	uint64_t start = s->stripes[index].start, length;
	int r;

	for (; at < end; at += length) {
		uint64_t row = at / s->chunk, in = at % s->chunk;
		uint64_t x = (row * s->count + index) * s->chunk + in;

		length = pme_min(s->chunk - in, end - at);
		r = pme_steps_lead(ret, (struct pme_range){start + at, length}, upper,
				   line_start + x, pme_dm_striped.kind);
		if (r < 0)
			return r;
	}
	return 0;
}

static int striped_up(struct pme_stack *stack, const struct pme_dev *upper,
		      const struct pme_dm_line *line, const struct pme_dev *lower,
		      struct pme_range range, struct pme_steps *ret)
{
	_cleanup_striped_ struct striped s = {};
	struct pme_range part;
	int r;

	r = parse(line, &s);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s.count; i++) {
		struct pme_range whole = {s.stripes[i].start, s.width};

		if (s.stripes[i].devno != lower->devno || !pme_range_intersect(range, whole, &part))
			continue;
		r = lead_up(&s, i, part.start - whole.start, pme_range_end(part) - whole.start,
			    line->range.start, upper, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One piece, within one chunk: @length bytes at @at of the line. */
static int lead_down(const struct striped *s, const struct pme_dev *upper,
		     const struct pme_dm_line *line, uint64_t at, uint64_t length,
		     struct pme_steps *ret)
{
	const struct stripe *stripe = &s->stripes[at / s->chunk % s->count];
	const struct pme_dev *lower = pme_dm_lower(upper, stripe->devno);
	struct pme_range from = {line->range.start + at, length};
	uint64_t row = at / s->chunk / s->count;

	if (!lower)
		return pme_steps_unknown(ret, from, pme_dm_striped.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	return pme_steps_lead(ret, from, lower, stripe->start + row * s->chunk + at % s->chunk,
			      pme_dm_striped.kind);
}

static int striped_down(struct pme_stack *stack, const struct pme_dev *upper,
			const struct pme_dm_line *line, struct pme_range range,
			struct pme_steps *ret)
{
	_cleanup_striped_ struct striped s = {};
	uint64_t at, end, length;
	struct pme_range part;
	int r;

	r = parse(line, &s);
	if (r < 0)
		return r;
	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	end = pme_range_end(part) - line->range.start;
	for (at = part.start - line->range.start; at < end; at += length) {
		length = pme_min(s.chunk - at % s.chunk, end - at);
		r = lead_down(&s, upper, line, at, length, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

static char *striped_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			     const struct pme_dev *lower, uint64_t lower_start,
			     const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_striped_ struct striped s = {};
	uint64_t x, index, start, at;
	int r;

	r = parse(line, &s);
	if (r < 0)
		return r == -ENOMEM ? NULL : pme_printf("malformed 'striped' parameters");
	x = upper_start - line->range.start;
	index = x / s.chunk % s.count;
	start = s.stripes[index].start;
	at = lower_start - start;
	return pme_printf("%" PRIu64 " - %" PRIu64 " (start of stripe %" PRIu64 " on %s) = %" PRIu64
			  " = row %" PRIu64 " of chunks of %" PRIu64 " + %" PRIu64 "; %" PRIu64
			  " (segment in %s) + (%" PRIu64 " * %zu + %" PRIu64 ") * %" PRIu64
			  " + %" PRIu64 " = %" PRIu64,
			  lower_start, start, index, pme_dev_label(lower), at, at / s.chunk,
			  s.chunk, at % s.chunk, line->range.start, pme_dev_label(upper),
			  at / s.chunk, s.count, index, s.chunk, at % s.chunk, upper_start);
}

const struct pme_dm_target pme_dm_striped = {
	.type = "striped",
	.kind = "dm-striped",
	.up = striped_up,
	.down = striped_down,
	.explain = striped_explain,
};
