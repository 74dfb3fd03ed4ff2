/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold for a layer, whatever the snapshot says: steps stay in the asked range, each has
 * its words, and what leads up leads down again.
 */
#ifndef PME_TESTS_INVERSE_H
#define PME_TESTS_INVERSE_H

#include "fuzz.h"
#include "layer.h"

#define ASKED (256U << 10) /* bytes */
#define CHECKED 16	   /* steps of each answer that are led back */

static inline void check_steps(const struct pme_steps *steps, struct pme_range range)
{
	for (size_t i = 0; i < steps->count; i++) {
		const struct pme_step *s = &steps->items[i];
		uint64_t end;

		FUZZ_CHECK(s->from.length > 0 && s->from.start >= range.start);
		FUZZ_CHECK(pme_range_end(s->from) <= pme_range_end(range));
		FUZZ_CHECK(s->kind);
		if (s->to)
			FUZZ_CHECK(pme_add(s->to_start, s->from.length, &end) == 0);
		else
			FUZZ_CHECK((s->owner == PME_OWNER_UNKNOWN) == (s->reason != NULL));
	}
}

static inline bool leads(const struct pme_steps *steps, const struct pme_dev *to, uint64_t start)
{
	for (size_t i = 0; i < steps->count; i++)
		if (steps->items[i].to == to && steps->items[i].to_start == start)
			return true;
	return false;
}

/* Bytes that no place holds: only copies give them back. */
static inline bool is_computed(const struct pme_steps *steps)
{
	return steps->count == 1 && !steps->items[0].to &&
	       steps->items[0].owner == PME_OWNER_UNKNOWN;
}

/* Does a place that these steps led down to lead up to @start of @upper? */
static inline bool leads_up(struct pme_stack *stack, const struct pme_layer *layer,
			    const struct pme_dev *upper, const struct pme_dev *lower,
			    const struct pme_steps *down, uint64_t start)
{
	for (size_t i = 0; i < down->count; i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range byte = {down->items[i].to_start, 1};

		if (down->items[i].to != lower || layer->up(stack, upper, lower, byte, &up) < 0)
			continue;
		if (leads(&up, upper, start))
			return true;
	}
	return false;
}

/*
 * One byte that leads up from @lower leads down to it again; where blocks are lost as a whole, to
 * a byte that leads up to the same.
 */
static inline void check_back(struct pme_stack *stack, const struct pme_layer *layer,
			      const struct pme_dev *lower, const struct pme_step *step)
{
	_cleanup_(pme_steps_done) struct pme_steps back = {0};
	struct pme_range byte = {step->to_start, 1};
	_cleanup_free_ char *line =
		layer->explain(stack, lower, step->from.start, step->to, step->to_start);

	FUZZ_CHECK(line);
	FUZZ_CHECK(layer->down(stack, step->to, byte, &back) == 0);
	FUZZ_CHECK(leads(&back, lower, step->from.start) || is_computed(&back) ||
		   leads_up(stack, layer, step->to, lower, &back, step->to_start));
}

static inline void check_around(struct pme_stack *stack, const struct pme_layer *layer,
				const struct pme_dev *upper, const struct pme_dev *lower,
				uint64_t start)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0};
	struct pme_range range = {start, ASKED};
	uint64_t end;
	int r;

	if (pme_add(range.start, range.length, &end) < 0)
		return;
	r = layer->up(stack, upper, lower, range, &up);
	FUZZ_CHECK(r == 0 || r == -E2BIG);
	check_steps(&up, range);
	for (size_t i = 0; i < up.count && i < CHECKED; i++)
		if (up.items[i].to)
			check_back(stack, layer, lower, &up.items[i]);
}

static inline void check_below(struct pme_stack *stack, const struct pme_layer *layer,
			       const struct pme_dev *upper, uint64_t start)
{
	_cleanup_(pme_steps_done) struct pme_steps down = {0};
	struct pme_range range = {start, ASKED};
	uint64_t end;
	int r;

	if (pme_add(range.start, range.length, &end) < 0)
		return;
	r = layer->down(stack, upper, range, &down);
	FUZZ_CHECK(r == 0 || r == -E2BIG);
	check_steps(&down, range);
}

/* The next line of [*@pos, @end), without its newline: 1, or 0 at the end. */
static inline int next_line(const char **pos, const char *end, const char **ret, size_t *ret_len)
{
	const char *newline;

	if (*pos == end)
		return 0;
	newline = memchr(*pos, '\n', end - *pos);
	*ret = *pos;
	*ret_len = (newline ? newline : end) - *pos;
	*pos = newline ? newline + 1 : end;
	return 1;
}

/* The next word as number; 0 when it is none. */
static inline uint64_t next_number(const char **pos, const char *end)
{
	const char *word;
	size_t len;
	uint64_t n = 0;

	if (pme_next_word(pos, end, &word, &len) == 1)
		pme_parse_u64(word, len, &n);
	return n;
}

#endif
