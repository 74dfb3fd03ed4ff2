/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grouping of bad bytes into steps, against an obvious model: a table with one row per block.
 */
#include "check.h"
#include "random.h"
#include "repair-steps.h"
#include "vault.h"

#define BLOCK 4096ULL
#define BLOCKS 512
#define FILES 4

struct world {
	struct pme_reached_fs fs;
	struct pme_file files[FILES];
	/* of each block: at which block of each file it is, or -1; which sector is bad, or -1 */
	long at[BLOCKS][FILES];
	int bad[BLOCKS];
	struct pme_range_list list;
	struct pme_repair_plan plan;
};

static struct pme_fs_owner *own(struct world *w, uint64_t start, uint64_t length,
				enum pme_owner_kind kind)
{
	struct pme_fs_owner *owner =
		pme_fs_result_add(&w->fs.result, (struct pme_range){start, length}, kind);

	assert_non_null(owner);
	return owner;
}

static void own_sector(struct world *w, uint64_t block, int sector, size_t file)
{
	uint64_t skip = (uint64_t)sector * PME_SECTOR;
	struct pme_fs_owner *owner = own(w, block * BLOCK + skip, PME_SECTOR, PME_OWNER_FILE_DATA);

	owner->file = &w->files[file];
	owner->file_start = (uint64_t)w->at[block][file] * BLOCK + skip;
	owner->has_file_start = true;
}

static void world_init(struct world *w)
{
	*w = (struct world){0};
	for (size_t f = 0; f < FILES; f++)
		w->files[f] = (struct pme_file){.inode = 100 + f, .mode = S_IFREG};
	for (size_t b = 0; b < BLOCKS; b++) {
		w->bad[b] = -1;
		for (size_t f = 0; f < FILES; f++)
			w->at[b][f] = -1;
	}
}

static void world_done(struct world *w)
{
	for (size_t i = 0; i < w->plan.n_steps; i++)
		pme_repair_step_done(&w->plan.steps[i]);
	free(w->plan.steps);
	free(w->fs.result.owners);
	pme_range_list_done(&w->list);
}

static void spread(struct world *w)
{
	for (size_t b = 0; b < BLOCKS; b++) {
		if (w->bad[b] < 0)
			continue;
		assert_int_equal(pme_range_list_add(&w->list,
						    b * BLOCK + (uint64_t)w->bad[b] * PME_SECTOR,
						    PME_SECTOR),
				 0);
		for (size_t f = 0; f < FILES; f++)
			if (w->at[b][f] >= 0)
				own_sector(w, b, w->bad[b], f);
	}
	pme_range_list_normalize(&w->list);
	assert_int_equal(pme_repair_steps_make(&w->fs, &w->list, BLOCK, &w->plan), 0);
}

/* Does block @b continue block @b - 1 for everybody? */
static bool follows(const struct world *w, size_t b)
{
	if (b == 0 || w->bad[b - 1] < 0)
		return false;
	for (size_t f = 0; f < FILES; f++)
		if ((w->at[b][f] < 0) != (w->at[b - 1][f] < 0) ||
		    (w->at[b][f] >= 0 && w->at[b][f] != w->at[b - 1][f] + 1))
			return false;
	return true;
}

static size_t owners_of(const struct world *w, size_t b)
{
	size_t n = 0;

	for (size_t f = 0; f < FILES; f++)
		n += w->at[b][f] >= 0;
	return n;
}

static void check_step(const struct world *w, const struct pme_repair_step *step, size_t b)
{
	size_t n = 0;

	assert_null(step->refusal);
	assert_int_equal(step->device.start, b * BLOCK);
	assert_int_equal(step->n_targets, owners_of(w, b));
	for (size_t f = 0; f < FILES; f++) {
		if (w->at[b][f] < 0)
			continue;
		assert_ptr_equal(step->targets[n].file, &w->files[f]);
		assert_int_equal(step->targets[n].start, (uint64_t)w->at[b][f] * BLOCK);
		n++;
	}
	for (size_t i = 0; i < step->bad.count; i++)
		assert_true(step->bad.items[i].start >= step->device.start &&
			    pme_range_end(step->bad.items[i]) <= pme_range_end(step->device));
}

/* The model: a block begins a step, or is behind one that it follows. */
static void check(const struct world *w)
{
	const uint64_t most = PME_REPAIR_STEP_MAX / BLOCK;
	size_t step = 0;
	uint64_t length = 0, bytes = 0;

	for (size_t b = 0; b < BLOCKS; b++) {
		if (w->bad[b] < 0 || owners_of(w, b) == 0)
			continue;
		if (!follows(w, b) || length == most) {
			assert_true(step < w->plan.n_steps);
			check_step(w, &w->plan.steps[step], b);
			step++;
			length = 0;
		}
		length++;
		assert_true(w->plan.steps[step - 1].device.length >= length * BLOCK);
		bytes += BLOCK;
	}
	assert_int_equal(step, w->plan.n_steps);
	for (size_t i = 0; i < w->plan.n_steps; i++)
		bytes -= w->plan.steps[i].device.length;
	assert_int_equal(bytes, 0);
}

/* Runs of blocks, each of some files, some of it bad; nobody owns nothing that is bad. */
static void random_worlds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct rnd random = {.state = seed};
		struct world w;

		world_init(&w);
		for (size_t b = 0; b < BLOCKS;) {
			size_t run = 1 + rnd_below(&random, 40);
			uint64_t who = 1 + rnd_below(&random, (1U << FILES) - 1);
			long start = (long)rnd_below(&random, 1000);

			for (; run > 0 && b < BLOCKS; run--, b++, start++) {
				w.bad[b] = rnd_below(&random, 5) ? (int)rnd_below(&random, 8) : -1;
				for (size_t f = 0; f < FILES; f++)
					if (who >> f & 1)
						w.at[b][f] = start + 2000 * (long)f;
			}
		}
		spread(&w);
		check(&w);
		world_done(&w);
	}
}

/* A step never grows beyond its limit. */
static void one_long_run(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t b = 0; b < BLOCKS; b++) {
		w.at[b][0] = (long)b;
		w.bad[b] = 0;
	}
	spread(&w);
	check(&w);
	assert_int_equal(w.plan.n_steps, BLOCKS * BLOCK / PME_REPAIR_STEP_MAX);
	world_done(&w);
}

static void others_are_refused(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.at[7][0] = 3;
	w.bad[7] = 2;
	own(&w, 7 * BLOCK + 2 * PME_SECTOR, PME_SECTOR, PME_OWNER_UNKNOWN);
	spread(&w);
	assert_int_equal(w.plan.n_steps, 1);
	assert_non_null(strstr(w.plan.steps[0].refusal, "unknown"));
	world_done(&w);
}

static void what_is_parked_is_no_target(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.files[1].vault = 1 + PME_VAULT_QUARANTINE;
	w.files[2].vault = 1 + PME_VAULT_CHECKPOINTS;
	for (size_t b = 1; b <= 3; b++)
		w.bad[b] = 0;
	w.at[1][0] = w.at[1][1] = w.at[1][2] = 5; /* a file, quarantine, a checkpoint */
	w.at[2][1] = 9;				  /* quarantine alone */
	w.at[3][1] = w.at[3][2] = 20;		  /* only pmemctl's own */
	spread(&w);
	assert_int_equal(w.plan.n_steps, 1);
	assert_int_equal(w.plan.steps[0].n_targets, 2);
	assert_ptr_equal(w.plan.steps[0].targets[0].file, &w.files[0]);
	assert_ptr_equal(w.plan.steps[0].targets[1].file, &w.files[2]);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_worlds),
		cmocka_unit_test(one_long_run),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(what_is_parked_is_no_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
