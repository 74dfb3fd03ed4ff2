/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the redundant MD levels: random arrays against models that deal chunks one by one, as
 * md(4) draws the layouts, and what is said of degraded arrays.
 */
#include <string.h>

#include "hop-check.h"

#define SECTORS(n) ((n)*PME_SECTOR)
#define MEMBERS 7
#define PAIRS 4096

struct pair {
	uint64_t upper, sector;
	size_t slot;
};

struct array {
	struct pme_dev lowers[MEMBERS];
	const struct pme_dev *edges[MEMBERS];
	struct pme_md_component comps[MEMBERS];
	struct pme_md md;
	struct pme_dev dev;
	uint64_t chunk, rows; /* sectors; chunks of each member */
	struct pair pairs[PAIRS];
	size_t count;
};

static void start(struct array *a, const char *level, uint64_t layout, size_t n, uint64_t chunk,
		  uint64_t rows)
{
	static const char *const names[] = {"pmem0", "pmem1", "pmem2", "pmem3",
					    "pmem4", "pmem5", "pmem6"};

	*a = (struct array){.chunk = chunk, .rows = rows};
	a->md = (struct pme_md){
		.level = text(level),
		.chunk = SECTORS(chunk),
		.layout = layout,
		.layout_known = true,
		.raid_disks = n,
		.member_size = SECTORS(chunk * rows),
		.resynced = UINT64_MAX,
		.components = a->comps,
		.n_components = n,
	};
	for (size_t i = 0; i < n; i++) {
		a->lowers[i] = (struct pme_dev){
			.name = text(names[i]),
			.size = SECTORS(i + chunk * rows + 3),
		};
		a->edges[i] = &a->lowers[i];
		a->comps[i] = (struct pme_md_component){
			.dev = &a->lowers[i],
			.slot = (int)i,
			.data_offset = SECTORS(i),
			.size = SECTORS(chunk * rows),
			.state = text("in_sync"),
			.synced = UINT64_MAX,
		};
	}
	a->dev = (struct pme_dev){
		.name = text("md0"),
		.kind = PME_DEV_MD,
		.md = &a->md,
		.lowers = a->edges,
		.n_lowers = n,
	};
}

/* A copy of chunk @number is chunk @row of member @slot. */
static void put(struct array *a, uint64_t number, size_t slot, uint64_t row)
{
	for (uint64_t s = 0; s < a->chunk; s++) {
		assert_true(a->count < PAIRS && row < a->rows);
		a->pairs[a->count++] = (struct pair){
			.upper = number * a->chunk + s,
			.sector = slot + row * a->chunk + s,
			.slot = slot,
		};
	}
}

/* Everything that the model says, and nothing else; each step up has @copies copies. */
static void check_pairs(const struct array *a, size_t copies)
{
	_cleanup_(pme_steps_done) struct pme_steps down = {0};
	uint64_t bytes = 0;

	assert_int_equal(
		pme_layer_md.down(NULL, &a->dev, (struct pme_range){0, a->dev.size}, &down), 0);
	for (size_t i = 0; i < down.count; i++)
		bytes += down.items[i].to ? down.items[i].from.length : 0;
	assert_int_equal(bytes, SECTORS(a->count));
	for (size_t l = 0; l < a->dev.n_lowers; l++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		size_t mine = 0;

		assert_int_equal(pme_layer_md.up(NULL, &a->dev, &a->lowers[l],
						 (struct pme_range){0, a->lowers[l].size}, &up),
				 0);
		for (size_t i = 0; i < a->count; i++) {
			const struct pair *p = &a->pairs[i];

			if (p->slot != l)
				continue;
			mine++;
			assert_int_equal(bytes_between(&up, &a->dev, p->sector, p->upper), 512);
			assert_int_equal(bytes_between(&down, &a->lowers[l], p->upper, p->sector),
					 512);
		}
		assert_int_equal(bytes_to(&up, &a->dev), SECTORS(mine));
		for (size_t i = 0; i < up.count; i++)
			if (up.items[i].to)
				assert_int_equal(up.items[i].copies->count, copies);
	}
}

/* Row @row of the picture: which slots are P and Q (or none), and the order of the data slots. */
static void picture(unsigned int level, uint64_t layout, size_t n, uint64_t row, size_t *p,
		    size_t *q, size_t *order)
{
	size_t ring = n, count = 0, from = 0;
	bool left = false, round = false, fixed = false;

	*q = MEMBERS;
	if (level == 6 && layout >= 16) {
		*q = --ring;
		layout -= 16;
	}
	left = layout == 0 || layout == 2 || layout == 9 || layout == 10;
	round = layout == 2 || layout == 3 || layout == 10;
	fixed = layout == 4 || layout == 5;
	/* P starts on the last member and moves left, or on the first one and moves right */
	*p = left ? ring - 1 : 0;
	for (uint64_t i = 0; i < row + (layout == 9) && !fixed; i++)
		*p = left ? (*p + ring - 1) % ring : (*p + 1) % ring;
	if (layout == 5)
		*p = ring - (level == 6 && *q == MEMBERS ? 2 : 1);
	if (level == 6 && *q == MEMBERS)
		*q = layout == 10 ? (*p + n - 1) % n : (*p + 1) % n;
	from = round ? *p : 0;
	for (size_t i = 0; i < ring; i++) {
		size_t slot = (from + i) % ring;

		if (slot != *p && slot != *q)
			order[count++] = slot;
	}
}

static void parity_layout(struct rnd *rnd, const char *level, unsigned int number, uint64_t layout)
{
	size_t n = (number == 6 ? 4 : 3) + rnd_below(rnd, 3), extra = number == 6 ? 2 : 1;
	size_t order[MEMBERS], p, q, parities = 0;
	static struct array a;

	start(&a, level, layout, n, 1 + rnd_below(rnd, 4), 2 * n + rnd_below(rnd, 5));
	a.dev.size = SECTORS(a.rows * a.chunk * (n - extra));
	for (uint64_t row = 0; row < a.rows; row++) {
		picture(number, number == 4 ? 5 : layout, n, row, &p, &q, order);
		for (size_t i = 0; i < n - extra; i++)
			put(&a, row * (n - extra) + i, order[i], row);
	}
	check_pairs(&a, n - 1);
	for (size_t l = 0; l < n; l++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range data = {SECTORS(l), SECTORS(a.rows * a.chunk)};

		assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[l], data, &up), 0);
		for (size_t i = 0; i < up.count; i++)
			parities += up.items[i].owner == PME_OWNER_RAID_PARITY && !up.items[i].to;
	}
	assert_int_equal(parities, a.rows * extra);
}

static void parity_is_as_drawn(void **state)
{
	static const uint64_t five[] = {0, 1, 2, 3, 4, 5};
	static const uint64_t six[] = {0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 19, 20};
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 4; round++) {
		parity_layout(&rnd, "raid4", 4, 0);
		for (size_t i = 0; i < PME_ARRAY_SIZE(five); i++)
			parity_layout(&rnd, "raid5", 5, five[i]);
		for (size_t i = 0; i < PME_ARRAY_SIZE(six); i++)
			parity_layout(&rnd, "raid6", 6, six[i]);
	}
}

/* Copies one behind the other, over the members, row by row. */
static void near_is_as_drawn(void **state)
{
	struct rnd rnd = rnd_start();
	static struct array a;

	for (int round = 0; round < 40; round++) {
		size_t n = 2 + rnd_below(&rnd, 5), near = 2 + rnd_below(&rnd, n - 1), place = 0;
		uint64_t chunks;

		start(&a, "raid10", 0x100 | near, n, 1 + rnd_below(&rnd, 3), 9);
		chunks = a.rows * n / near;
		a.dev.size = SECTORS(chunks * a.chunk);
		for (uint64_t c = 0; c < chunks; c++)
			for (size_t k = 0; k < near; k++, place++)
				put(&a, c, place % n, place / n);
		check_pairs(&a, near - 1);
	}
}

/* Stripes first, then all of them again (far) or each one at once (offset), moved by one member. */
static void far_is_as_drawn(void **state)
{
	struct rnd rnd = rnd_start();
	static struct array a;

	for (int round = 0; round < 80; round++) {
		size_t far = 2 + rnd_below(&rnd, 2), n = far * (1 + rnd_below(&rnd, 2));
		bool offset = rnd_below(&rnd, 2), sets = rnd_below(&rnd, 2);
		size_t set = sets ? far : n;
		uint64_t rows;

		start(&a, "raid10",
		      1 | far << 8 | (uint64_t)offset << 16 | (sets ? UINT64_C(1) << 18 : 0), n,
		      1 + rnd_below(&rnd, 3), far * 3);
		rows = a.rows / far;
		a.dev.size = SECTORS(rows * n * a.chunk);
		for (uint64_t c = 0; c < rows * n; c++)
			for (size_t f = 0; f < far; f++) {
				size_t disk = c % n, base = disk / set * set;
				uint64_t row = c / n;

				put(&a, c, base + (disk - base + f) % set,
				    offset ? row * far + f : row + f * rows);
			}
		check_pairs(&a, far - 1);
	}
}

/* What lies behind the last far copy is unused; of what is in front of it, that must be proven. */
static void far_ends_where_members_do_not(void **state)
{
	static struct array a;

	for (unsigned int offset = 0; offset < 2; offset++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};

		/* 7 rows of 2 members: 3 of each copy, and one that is left */
		start(&a, "raid10", 0x201 | offset << 16, 2, 2, 7);
		a.dev.size = SECTORS(12);
		assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[0],
						 (struct pme_range){0, SECTORS(14)}, &up),
				 0);
		assert_int_equal(bytes_to(&up, &a.dev), SECTORS(12));
		check_end(&(struct pme_steps){.items = &up.items[up.count - 1], .count = 1},
			  PME_OWNER_UNUSED, (struct pme_range){SECTORS(12), SECTORS(2)},
			  "the layout of md0 uses no byte here");
	}
}

/* Seven members in sets of three, the last of four, and two near copies: far copies collide. */
static void colliding_sets_are_refused(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0};
	static struct array a;

	start(&a, "raid10", 0x202 | 1 << 17, 7, 2, 8);
	a.dev.size = SECTORS(14);
	assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[1],
					 (struct pme_range){0, SECTORS(17)}, &up),
			 0);
	assert_int_equal(bytes_to(&up, &a.dev), 0);
	for (size_t i = 0; i < up.count; i++)
		assert_int_not_equal(up.items[i].owner, PME_OWNER_UNUSED);
}

static void mirrors_are_equal(void **state)
{
	static struct array a;

	start(&a, "raid1", 0, 3, 1, 20);
	a.dev.size = SECTORS(20);
	for (uint64_t c = 0; c < 20; c++)
		for (size_t i = 0; i < 3; i++)
			put(&a, c, i, c);
	check_pairs(&a, 2);
}

static void ask(const struct array *a, size_t lower, uint64_t sector, struct pme_steps *ret)
{
	assert_int_equal(pme_layer_md.up(NULL, &a->dev, &a->lowers[lower],
					 (struct pme_range){SECTORS(lower + sector), 512}, ret),
			 0);
}

static void degraded_is_said(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps failed = {0}, alone = {0}, behind = {0},
						   unsure = {0}, listed = {0};
	static struct array a;

	start(&a, "raid1", 0, 2, 1, 20);
	a.dev.size = SECTORS(20);
	a.comps[1].synced = SECTORS(10);
	ask(&a, 1, 12, &failed);
	check_end(&failed, PME_OWNER_UNUSED, (struct pme_range){SECTORS(13), 512},
		  "md0 reads nothing here yet: pmem1 is being rebuilt and in sync below byte 5632");
	ask(&a, 0, 12, &alone);
	assert_int_equal(alone.count, 1);
	assert_null(alone.items[0].copies);
	assert_int_equal(alone.items[0].certainty, PME_EXACT);
	ask(&a, 0, 9, &behind);
	assert_int_equal(behind.items[0].copies->count, 1);
	a.md.resynced = SECTORS(5);
	ask(&a, 0, 9, &unsure);
	assert_int_equal(unsure.items[0].certainty, PME_UNCERTAIN);
	assert_string_equal(unsure.items[0].reason,
			    "md0 is being resynced: its copies may differ here");
	assert_int_equal(pme_range_list_add(&a.comps[1].bad, SECTORS(4), 512), 0);
	ask(&a, 0, 3, &listed);
	assert_null(listed.items[0].copies);
	pme_range_list_done(&a.comps[1].bad);
}

/* With a member missing, a chunk of the rest is also what the missing one is computed from. */
static void one_sector_damages_two_chunks(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps data = {0}, parity = {0}, down = {0};
	static struct array a;

	start(&a, "raid5", 4, 3, 2, 8); /* parity on member 0 */
	a.dev.size = SECTORS(32);
	a.comps[2].slot = -1;
	ask(&a, 1, 0, &data);
	assert_int_equal(data.count, 2);
	assert_int_equal(data.items[0].to_start, 0);
	assert_int_equal(data.items[1].to_start, SECTORS(2));
	assert_null(data.items[0].copies);
	ask(&a, 0, 0, &parity);
	assert_int_equal(parity.count, 1);
	assert_int_equal(parity.items[0].to_start, SECTORS(2));
	assert_int_equal(
		pme_layer_md.down(NULL, &a.dev, (struct pme_range){SECTORS(2), 512}, &down), 0);
	assert_null(down.items[0].to);
	assert_int_equal(down.items[0].copies->count, 2);
	assert_string_equal(down.items[0].reason,
			    "member 2 of md0 is missing, failed or not rebuilt: its bytes are "
			    "computed from the rest of the stripe");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parity_is_as_drawn),
		cmocka_unit_test(near_is_as_drawn),
		cmocka_unit_test(far_is_as_drawn),
		cmocka_unit_test(far_ends_where_members_do_not),
		cmocka_unit_test(colliding_sets_are_refused),
		cmocka_unit_test(mirrors_are_equal),
		cmocka_unit_test(degraded_is_said),
		cmocka_unit_test(one_sector_damages_two_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
