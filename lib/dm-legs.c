/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run on each device; see dm-legs.h.
 *
 * The surprise: where a target reads blocks larger than a sector, the sectors beside a bad one are
 * lost as well.  They are told as more steps from the same bytes, each as long as these, because
 * all hops of one claim have one length; the last of them may overlap its neighbour.
 */
#include "dm-legs.h"

#include <inttypes.h>

void pme_dm_legs_done(struct pme_dm_legs *legs)
{
	free(legs->items);
}

int pme_dm_legs_add(struct pme_dm_legs *legs, const struct pme_dm_line *line, dev_t devno,
		    uint64_t start, const char *doubt)
{
	uint64_t end;
	int r;

	if (pme_add(start, line->range.length, &end) < 0)
		return -EINVAL;
	for (size_t i = 0; i < legs->count; i++)
		if (legs->items[i].devno == devno && legs->items[i].start == start)
			return 0;
	r = pme_grow(&legs->items, &legs->alloc, legs->count, sizeof(*legs->items));
	if (r < 0)
		return r;
	legs->items[legs->count++] =
		(struct pme_dm_leg){.devno = devno, .start = start, .doubt = doubt};
	return 0;
}

int pme_dm_params_skip(struct pme_dm_params *params, uint64_t count)
{
	const char *word;
	size_t len;

	for (; count > 0; count--)
		if (pme_next_word(&params->pos, params->end, &word, &len) != 1)
			return -EINVAL;
	return 0;
}

static int lead(struct pme_steps *ret, struct pme_range from, const struct pme_dev *to,
		uint64_t to_start, const char *kind, const char *doubt)
{
	if (doubt)
		return pme_steps_doubt(ret, from, to, to_start, kind, "%s", doubt);
	return pme_steps_lead(ret, from, to, to_start, kind);
}

/* The bytes @from, at @at of a block that starts at @start of @to, lead to all of the block. */
static int lead_block(struct pme_steps *ret, struct pme_range from, const struct pme_dev *to,
		      uint64_t start, uint64_t length, uint64_t at, const char *kind,
		      const char *doubt)
{
	uint64_t n = from.length, pos = (at - start) % n;
	int r = 0;

	if (pos > 0)
		r = lead(ret, from, to, start, kind, doubt);
	for (; r == 0 && pos + n <= length; pos += n)
		r = lead(ret, from, to, start + pos, kind, doubt);
	if (r == 0 && pos < length)
		r = lead(ret, from, to, start + length - n, kind, doubt);
	return r;
}

int pme_dm_lead_blocks(struct pme_steps *ret, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range part, uint64_t at,
		       uint64_t block, uint64_t phase, const char *kind, const char *doubt)
{
	uint64_t x = part.start, end = pme_range_end(part), length;
	int r = 0;

	if (block <= PME_SECTOR)
		return lead(ret, (struct pme_range){at, part.length}, upper, line->range.start + x,
			    kind, doubt);
	for (; r == 0 && x < end; x += length) {
		uint64_t in = (x + phase) % block, first = in > x ? 0 : x - in;
		uint64_t last = pme_min(x - in + block, line->range.length);
		struct pme_range from = {.start = at + (x - part.start)};

		length = pme_min(last, end) - x;
		if (in == 0 && x + length == last) /* whole blocks stay one piece */
			length = pme_max(length, (end - x) / block * block);
		from.length = length;
		if (x == first && length >= last - first)
			r = lead(ret, from, upper, line->range.start + x, kind, doubt);
		else
			r = lead_block(ret, from, upper, line->range.start + first, last - first,
				       line->range.start + x, kind, doubt);
	}
	return r;
}

int pme_dm_legs_up(const struct pme_dm_legs *legs, const struct pme_dev *upper,
		   const struct pme_dm_line *line, const struct pme_dev *lower,
		   struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;
	int r = 0;

	for (size_t i = 0; r == 0 && i < legs->count; i++) {
		const struct pme_dm_leg *leg = &legs->items[i];
		struct pme_range whole = {leg->start, line->range.length};
		uint64_t phase = legs->block_of_device ? leg->start % legs->block : 0;

		if (leg->devno != lower->devno || !pme_range_intersect(range, whole, &part))
			continue;
		r = pme_dm_lead_blocks(ret, upper, line,
				       (struct pme_range){part.start - leg->start, part.length},
				       part.start, legs->block, phase, legs->kind, leg->doubt);
	}
	if (r < 0 || !legs->side.devno || legs->side.devno != lower->devno)
		return r;
	return pme_steps_owner(ret, range, legs->kind, legs->side.owner, "%s of %s",
			       legs->side.what, pme_dev_label(upper));
}

int pme_dm_legs_down(const struct pme_dm_legs *legs, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;
	int r = 0;

	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	for (size_t i = 0; r == 0 && i < legs->count; i++) {
		const struct pme_dm_leg *leg = &legs->items[i];
		const struct pme_dev *lower = pme_dm_lower(upper, leg->devno);

		if (!lower)
			r = pme_steps_unknown(ret, part, legs->kind, "a device below %s is missing",
					      pme_dev_label(upper));
		else
			r = lead(ret, part, lower, leg->start + (part.start - line->range.start),
				 legs->kind, leg->doubt);
	}
	return r;
}

int pme_dm_need_blocks(struct pme_needs *ret, const struct pme_dm_line *line,
		       struct pme_range range, const struct pme_dev *lower, uint64_t at,
		       uint64_t block, uint64_t phase)
{
	uint64_t x = range.start - line->range.start, in = (x + phase) % block;
	uint64_t end = x + range.length, length;

	if (!lower || block <= PME_SECTOR)
		return 0;
	if (in <= x) {
		x -= in;
		length = pme_min((end - x + block - 1) / block * block, line->range.length - x);
		return pme_needs_add(ret,
				     &(struct pme_need){.from = {line->range.start + x, length},
							.dev = lower,
							.place = {at + x, length},
							.unit = block,
							.place_unit = block});
	}
	/* the first block begins in front of the line */
	length = pme_min(block - phase, line->range.length);
	if (end > length) {
		struct pme_range rest = {line->range.start + length, end - length};
		int r = pme_dm_need_blocks(ret, line, rest, lower, at, block, phase);

		if (r < 0)
			return r;
	}
	return pme_needs_add(ret, &(struct pme_need){.from = {line->range.start, length},
						     .dev = lower,
						     .place = {at, length},
						     .unit = block,
						     .place_unit = block});
}

int pme_dm_legs_needs(const struct pme_dm_legs *legs, const struct pme_dev *upper,
		      const struct pme_dm_line *line, struct pme_range range, struct pme_needs *ret)
{
	int r = 0;

	if (legs->block <= PME_SECTOR)
		return 0;
	for (size_t i = 0; r == 0 && i < legs->count; i++) {
		const struct pme_dm_leg *leg = &legs->items[i];

		r = pme_dm_need_blocks(ret, line, range, pme_dm_lower(upper, leg->devno),
				       leg->start, legs->block,
				       legs->block_of_device ? leg->start % legs->block : 0);
	}
	return r;
}

/* The leg and, with blocks, the neighbour that lead from @at of @lower to byte @x of the line. */
static const struct pme_dm_leg *find_leg(const struct pme_dm_legs *legs,
					 const struct pme_dm_line *line,
					 const struct pme_dev *lower, uint64_t at, uint64_t x)
{
	for (size_t i = 0; i < legs->count; i++) {
		const struct pme_dm_leg *leg = &legs->items[i];
		uint64_t phase = legs->block_of_device ? leg->start % legs->block : 0;
		uint64_t own = at - leg->start;

		if (leg->devno != lower->devno || at < leg->start || own >= line->range.length)
			continue;
		if (own == x || (legs->block > PME_SECTOR &&
				 (own + phase) / legs->block == (x + phase) / legs->block))
			return leg;
	}
	return NULL;
}

char *pme_dm_legs_explain(const struct pme_dm_legs *legs, const struct pme_dm_line *line,
			  const struct pme_dev *lower, uint64_t lower_start,
			  const struct pme_dev *upper, uint64_t upper_start)
{
	uint64_t x = upper_start - line->range.start;
	const struct pme_dm_leg *leg = find_leg(legs, line, lower, lower_start, x);
	_cleanup_free_ char *own = NULL;

	if (!leg)
		return pme_printf("no leg of %s explains this", pme_dev_label(upper));
	own = pme_printf("%" PRIu64 " - %" PRIu64 " (start on %s) + %" PRIu64
			 " (start of the segment in %s) = %" PRIu64,
			 lower_start, leg->start, pme_dev_label(lower), line->range.start,
			 pme_dev_label(upper), lower_start - leg->start + line->range.start);
	if (!own || lower_start - leg->start == x)
		return pme_take_ptr(own);
	return pme_printf("%s; its %s of %" PRIu64
			  " bytes is lost as a whole, with byte = %" PRIu64,
			  own, legs->block_name, legs->block, upper_start);
}
