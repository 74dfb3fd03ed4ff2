/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of layers: a slow, obvious model of how one device lies on others, and its comparison
 * with what up() and down() say.
 *
 * The model is a list of sectors of the upper device, each with the device and sector below.  A
 * test fills it by simulating the layer forward, sector by sector, as its documentation says.
 */
#ifndef PME_TESTS_HOP_CHECK_H
#define PME_TESTS_HOP_CHECK_H

#include "check.h"
#include "layer.h"
#include "random.h"

#define MODEL_SECTORS 640

/* The snapshot's strings are not const; nothing here writes to them. */
static inline char *text(const char *literal)
{
	return (char *)literal;
}

struct model_sector {
	const struct pme_dev *lower; /* NULL: this sector of the upper device is nowhere */
	uint64_t sector;
};

struct model {
	const struct pme_dev *upper;
	struct model_sector at[MODEL_SECTORS];
	size_t count; /* sectors of the upper device */
};

static inline void model_put(struct model *m, const struct pme_dev *lower, uint64_t sector)
{
	assert_true(m->count < MODEL_SECTORS);
	m->at[m->count++] = (struct model_sector){.lower = lower, .sector = sector};
}

static inline uint64_t overlap(struct pme_range range, uint64_t sector)
{
	struct pme_range whole = {sector * PME_SECTOR, PME_SECTOR}, part;

	return pme_range_intersect(range, whole, &part) ? part.length : 0;
}

/* Bytes that the steps lead from @lower_sector to @upper_sector; from and to swapped when @down. */
static inline uint64_t bytes_between(const struct pme_steps *steps, const struct pme_dev *to,
				     uint64_t from_sector, uint64_t to_sector)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < steps->count; i++) {
		const struct pme_step *s = &steps->items[i];
		struct pme_range from = {from_sector * PME_SECTOR, PME_SECTOR}, part;

		if (s->to != to || !pme_range_intersect(s->from, from, &part))
			continue;
		if (s->to_start + (part.start - s->from.start) ==
		    to_sector * PME_SECTOR + part.start % PME_SECTOR)
			bytes += part.length;
	}
	return bytes;
}

/* Bytes of @steps that lead to @to. */
static inline uint64_t bytes_to(const struct pme_steps *steps, const struct pme_dev *to)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < steps->count; i++)
		if (steps->items[i].to == to)
			bytes += steps->items[i].from.length;
	return bytes;
}

static inline void check_inside(const struct pme_steps *steps, struct pme_range range)
{
	for (size_t i = 0; i < steps->count; i++) {
		const struct pme_step *s = &steps->items[i];

		assert_true(s->from.length > 0);
		assert_true(s->from.start >= range.start);
		assert_true(pme_range_end(s->from) <= pme_range_end(range));
		assert_non_null(s->kind);
		if (s->to)
			assert_true(s->to_start + s->from.length <= s->to->size);
	}
}

/* up() of @range of @lower gives what the model says: each pair once, nothing else. */
static inline void check_up(const struct pme_layer *layer, const struct model *m,
			    const struct pme_dev *lower, struct pme_range range)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	uint64_t expected = 0;

	assert_int_equal(layer->up(NULL, m->upper, lower, range, &steps), 0);
	check_inside(&steps, range);
	for (size_t u = 0; u < m->count; u++) {
		uint64_t bytes = 0;

		if (m->at[u].lower == lower)
			bytes = overlap(range, m->at[u].sector);
		if (bytes > 0)
			assert_int_equal(bytes_between(&steps, m->upper, m->at[u].sector, u),
					 bytes);
		expected += bytes;
	}
	assert_int_equal(bytes_to(&steps, m->upper), expected);
}

static inline void check_down(const struct pme_layer *layer, const struct model *m,
			      struct pme_range range)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	uint64_t expected = 0, bytes = 0;

	assert_int_equal(layer->down(NULL, m->upper, range, &steps), 0);
	check_inside(&steps, range);
	for (size_t u = 0; u < m->count; u++) {
		if (!m->at[u].lower)
			continue;
		assert_int_equal(bytes_between(&steps, m->at[u].lower, u, m->at[u].sector),
				 overlap(range, u));
		expected += overlap(range, u);
	}
	for (size_t i = 0; i < steps.count; i++)
		bytes += steps.items[i].to ? steps.items[i].from.length : 0;
	assert_int_equal(bytes, expected);
}

/* A random byte range of @size bytes: any alignment. */
static inline struct pme_range random_range(struct rnd *rnd, uint64_t size)
{
	uint64_t start = rnd_below(rnd, size);

	return (struct pme_range){start, 1 + rnd_below(rnd, size - start)};
}

/* Whole devices, and some random parts of them. */
static inline void check_model(const struct pme_layer *layer, const struct model *m,
			       struct rnd *rnd)
{
	const struct pme_dev *upper = m->upper;

	check_down(layer, m, (struct pme_range){0, upper->size});
	for (int i = 0; i < 4; i++)
		check_down(layer, m, random_range(rnd, upper->size));
	for (size_t l = 0; l < upper->n_lowers; l++) {
		const struct pme_dev *lower = upper->lowers[l];

		check_up(layer, m, lower, (struct pme_range){0, lower->size});
		for (int i = 0; i < 4; i++)
			check_up(layer, m, lower, random_range(rnd, lower->size));
	}
}

/* The only step of @steps ends with this owner, and its words are these. */
static inline void check_end(const struct pme_steps *steps, enum pme_owner_kind owner,
			     struct pme_range from, const char *words)
{
	const struct pme_step *s = &steps->items[0];
	bool unknown = owner == PME_OWNER_UNKNOWN;

	assert_int_equal(steps->count, 1);
	assert_null(s->to);
	assert_int_equal(s->owner, owner);
	assert_int_equal(s->certainty, unknown ? PME_UNCERTAIN : PME_EXACT);
	assert_int_equal(s->from.start, from.start);
	assert_int_equal(s->from.length, from.length);
	assert_string_equal(unknown ? s->reason : s->detail, words);
	assert_null(unknown ? s->detail : s->reason);
	assert_non_null(s->kind);
}

#endif
