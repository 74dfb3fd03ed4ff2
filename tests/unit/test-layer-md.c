/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of layer-md.c, md-raid0.c and md-linear.c: cases, and random arrays
 * against a model that builds the array chunk by chunk.
 */
#include "md-array.h"

/* Members as a list of what the array was made of, in slot order, for the model. */
struct part {
	const struct pme_dev *dev;
	uint64_t offset, size; /* sectors; size rounded to chunks */
};

/*
 * The array as drivers/md/raid0.c makes it: as long as any member has chunks left at this row, deal
 * one chunk to each of those.  @original: the chunk's number in the whole array chooses the member,
 * else its number in the zone (a zone: rows with the same members).
 */
static void model_raid0(struct model *m, const struct part *parts, size_t n, uint64_t chunk,
			bool original)
{
	size_t last_width = 0;
	uint64_t in_zone = 0;

	for (uint64_t row = 0;; row++) {
		const struct part *in_row[MEMBERS];
		size_t width = 0;

		for (size_t i = 0; i < n; i++)
			if (parts[i].size > row * chunk)
				in_row[width++] = &parts[i];
		if (width == 0)
			return;
		if (width != last_width)
			in_zone = 0;
		last_width = width;
		for (size_t k = 0; k < width; k++, in_zone++) {
			uint64_t number = original ? m->count / chunk : in_zone;
			const struct part *part = in_row[number % width];

			for (uint64_t s = 0; s < chunk; s++)
				model_put(m, part->dev, part->offset + row * chunk + s);
		}
	}
}

static void model_linear(struct model *m, const struct part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (uint64_t s = 0; s < parts[i].size; s++)
			model_put(m, parts[i].dev, parts[i].offset + s);
}

/* Slots in another order than the devices. */
static void shuffle_slots(struct rnd *rnd, struct array *a)
{
	for (size_t i = a->md.n_components; i > 1; i--) {
		size_t j = rnd_below(rnd, i);
		int slot = a->comps[j].slot;

		a->comps[j].slot = a->comps[i - 1].slot;
		a->comps[i - 1].slot = slot;
	}
}

static void random_array(struct rnd *rnd, struct array *a, const char *level, uint64_t chunk)
{
	size_t n = 1 + rnd_below(rnd, MEMBERS);
	uint64_t unit = chunk ? chunk : 1;

	array_start(a, level, chunk);
	for (size_t i = 0; i < n; i++)
		array_add(a, rnd_below(rnd, 9),
			  unit * (1 + rnd_below(rnd, 90 / unit)) + rnd_below(rnd, unit),
			  rnd_below(rnd, 9));
	shuffle_slots(rnd, a);
}

/* The members by slot; the array gets its size. */
static size_t list_parts(struct array *a, struct part *parts)
{
	uint64_t unit = a->md.chunk ? a->md.chunk : PME_SECTOR;

	for (size_t i = 0; i < a->md.n_components; i++) {
		const struct pme_md_component *c = &a->comps[i];
		uint64_t size = c->size / unit * unit;

		parts[c->slot] = (struct part){
			.dev = c->dev,
			.offset = c->data_offset / PME_SECTOR,
			.size = size / PME_SECTOR,
		};
		a->dev.size += size;
	}
	return a->md.n_components;
}

static void random_raid0_is_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 600; round++) {
		uint64_t chunk = 1 + rnd_below(&rnd, 8);
		struct part parts[MEMBERS];
		struct array a;
		struct model m = {.upper = &a.dev};
		size_t n;

		random_array(&rnd, &a, "raid0", chunk);
		a.md.layout = 1 + rnd_below(&rnd, 2);
		n = list_parts(&a, parts);
		model_raid0(&m, parts, n, chunk, a.md.layout == 1);
		assert_int_equal(SECTORS(m.count), a.dev.size);
		check_model(&pme_layer_md, &m, &rnd);
	}
}

static void random_linear_is_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct part parts[MEMBERS];
		struct array a;
		struct model m = {.upper = &a.dev};
		size_t n;

		random_array(&rnd, &a, "linear", rnd_below(&rnd, 8));
		n = list_parts(&a, parts);
		model_linear(&m, parts, n);
		assert_int_equal(SECTORS(m.count), a.dev.size);
		check_model(&pme_layer_md, &m, &rnd);
	}
}

/* Each byte of each member is spoken for, exactly once. */
static void every_byte_of_a_member_is_spoken_for(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 200; round++) {
		struct part parts[MEMBERS];
		struct array a;

		random_array(&rnd, &a, round % 2 ? "raid0" : "linear", 1 + rnd_below(&rnd, 8));
		a.md.layout = rnd_below(&rnd, 4);
		list_parts(&a, parts);
		for (size_t i = 0; i < a.dev.n_lowers; i++) {
			_cleanup_(pme_steps_done) struct pme_steps steps = {0};
			_cleanup_(pme_range_list_done) struct pme_range_list list = {0};
			struct pme_range range = random_range(&rnd, a.lowers[i].size);
			uint64_t bytes = 0;

			assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[i], range, &steps),
					 0);
			check_inside(&steps, range);
			for (size_t s = 0; s < steps.count; s++) {
				struct pme_range from = steps.items[s].from;

				bytes += from.length;
				assert_int_equal(pme_range_list_add(&list, from.start, from.length),
						 0);
			}
			pme_range_list_normalize(&list);
			assert_int_equal(bytes, range.length);
			assert_int_equal(pme_range_list_bytes(&list), range.length);
		}
	}
}

/*
 * Where the layout is not recorded, a step is either right for both layouts or an explicit
 * unknown; and one zone needs no layout.
 */
static void unrecorded_layout_never_guesses(void **state)
{
	struct rnd rnd = rnd_start();
	size_t unknowns = 0;

	for (int round = 0; round < 300; round++) {
		uint64_t chunk = 1 + rnd_below(&rnd, 4);
		struct part parts[MEMBERS];
		struct array a;
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct model old = {.upper = &a.dev}, new = {.upper = &a.dev};
		size_t n;

		random_array(&rnd, &a, "raid0", chunk);
		a.md.layout = rnd_below(&rnd, 2) ? 0 : 3;
		if (rnd_below(&rnd, 2)) {
			a.md.layout = 1;
			a.md.layout_known = false;
		}
		n = list_parts(&a, parts);
		model_raid0(&old, parts, n, chunk, true);
		model_raid0(&new, parts, n, chunk, false);
		assert_int_equal(
			pme_layer_md.down(NULL, &a.dev, (struct pme_range){0, a.dev.size}, &steps),
			0);
		for (size_t u = 0; u < old.count; u++) {
			bool said = false;

			for (size_t s = 0; s < steps.count; s++)
				said |= !steps.items[s].to && overlap(steps.items[s].from, u);
			unknowns += said;
			if (said)
				continue;
			assert_ptr_equal(old.at[u].lower, new.at[u].lower);
			assert_int_equal(old.at[u].sector, new.at[u].sector);
			assert_int_equal(
				bytes_between(&steps, old.at[u].lower, u, old.at[u].sector),
				PME_SECTOR);
		}
	}
	assert_true(unknowns > 0);
}

/* The layouts differ in the second zone of this array; the words say why it is unknown. */
static void unrecorded_layout_has_its_reason(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps first = {0}, second = {0}, down = {0};
	struct pme_range in_first = {SECTORS(8), 4096}, in_second = {SECTORS(24), 4096};
	const char *words = "the layout of md0 (members of unequal size) is not recorded: "
			    "raid0.default_layout decided when it was assembled";
	struct array a;

	array_start(&a, "raid0", 8);
	array_add(&a, 0, 8, 0);
	array_add(&a, 0, 40, 0);
	array_add(&a, 0, 40, 0);
	a.dev.size = SECTORS(88);
	assert_int_equal(
		pme_layer_md.up(NULL, &a.dev, &a.lowers[1], (struct pme_range){0, 4096}, &first),
		0);
	assert_int_equal(first.count, 1);
	assert_int_equal(first.items[0].to_start, SECTORS(8));
	assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[1], in_first, &second), 0);
	check_end(&second, PME_OWNER_UNKNOWN, in_first, words);
	assert_int_equal(pme_layer_md.down(NULL, &a.dev, in_second, &down), 0);
	check_end(&down, PME_OWNER_UNKNOWN, in_second, words);
}

/* The second zone begins at chunk 6, and has two members: both layouts begin with the first. */
static void layouts_that_agree_need_no_record(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct array a;

	array_start(&a, "raid0", 8);
	array_add(&a, 0, 16, 0);
	array_add(&a, 0, 40, 0);
	array_add(&a, 0, 40, 0);
	a.dev.size = SECTORS(96);
	assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[2],
					 (struct pme_range){SECTORS(16), 4096}, &steps),
			 0);
	assert_int_equal(steps.count, 1);
	assert_ptr_equal(steps.items[0].to, &a.dev);
	assert_int_equal(steps.items[0].to_start, SECTORS(56));
}

static void reserved_areas_are_metadata(void **state)
{
	static const struct {
		uint64_t start;
		const char *words;
	} cases[] = {
		{0, "md superblock, bitmap or reserved area of md0"},
		{SECTORS(15), "md superblock, bitmap or reserved area of md0"},
		{SECTORS(16 + 16), "unused rest of a member of md0"},
		{SECTORS(16 + 20), "md superblock (metadata 0.90 or 1.0) or unused tail of md0"},
		{SECTORS(16 + 20 + 3),
		 "md superblock (metadata 0.90 or 1.0) or unused tail of md0"},
	};
	struct array a;

	array_start(&a, "raid0", 8);
	array_add(&a, 16, 20, 4);
	a.dev.size = SECTORS(16);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct pme_range range = {cases[i].start, PME_SECTOR};

		assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[0], range, &steps), 0);
		check_end(&steps, PME_OWNER_RAID_METADATA, range, cases[i].words);
	}
}

static void array_made_smaller_leaves_unused_bytes(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range = {SECTORS(30), SECTORS(2)};
	struct array a;

	array_start(&a, "linear", 0);
	array_add(&a, 0, 40, 0);
	a.dev.size = SECTORS(30);
	assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[0], range, &steps), 0);
	check_end(&steps, PME_OWNER_UNUSED, range, "behind the end of md0");
}

static void explains_in_plain_numbers(void **state)
{
	_cleanup_free_ char *raid0 = NULL, *linear = NULL, *outside = NULL;
	struct array a;

	array_start(&a, "raid0", 8);
	array_add(&a, 0, 8, 0);
	array_add(&a, 16, 40, 0);
	array_add(&a, 0, 40, 0);
	a.dev.size = SECTORS(88);
	a.md.layout = 1;
	raid0 = pme_layer_md.explain(NULL, &a.lowers[1], SECTORS(16 + 16) + 3, &a.dev, 0);
	assert_string_equal(raid0, "16387 - 8192 (data offset of pmem1) = 8195; 8195 - 4096 (start "
				   "of zone 1 on each member) = row 1 of chunks of 4096 + 3; 12288 "
				   "(zone in the array) + (1 * 2 + 1) * 4096 + 3 = 24579");
	outside = pme_layer_md.explain(NULL, &a.lowers[1], SECTORS(3), &a.dev, 0);
	assert_string_equal(outside, "not in the data area of pmem1");
	a.md.level = text("linear");
	linear = pme_layer_md.explain(NULL, &a.lowers[2], 100, &a.dev, 0);
	assert_string_equal(linear,
			    "100 - 0 (data offset of pmem2) = 100; 100 + 24576 (where member "
			    "2 begins) = 24676");
}

static void explain_ends_with_the_answer(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 50; round++) {
		uint64_t chunk = 1 + rnd_below(&rnd, 8);
		struct part parts[MEMBERS];
		struct array a;
		struct model m = {.upper = &a.dev};
		size_t n;

		random_array(&rnd, &a, "raid0", chunk);
		a.md.layout = 1 + rnd_below(&rnd, 2);
		n = list_parts(&a, parts);
		model_raid0(&m, parts, n, chunk, a.md.layout == 1);
		for (size_t u = 0; u < m.count; u++) {
			_cleanup_free_ char *end = pme_printf(" = %llu", SECTORS(u) + 9);
			_cleanup_free_ char *line = pme_layer_md.explain(
				NULL, m.at[u].lower, SECTORS(m.at[u].sector) + 9, &a.dev,
				SECTORS(u) + 9);

			assert_string_equal(line + strlen(line) - strlen(end), end);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_raid0_is_as_modelled),
		cmocka_unit_test(random_linear_is_as_modelled),
		cmocka_unit_test(every_byte_of_a_member_is_spoken_for),
		cmocka_unit_test(unrecorded_layout_never_guesses),
		cmocka_unit_test(unrecorded_layout_has_its_reason),
		cmocka_unit_test(layouts_that_agree_need_no_record),
		cmocka_unit_test(reserved_areas_are_metadata),
		cmocka_unit_test(array_made_smaller_leaves_unused_bytes),
		cmocka_unit_test(explains_in_plain_numbers),
		cmocka_unit_test(explain_ends_with_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
