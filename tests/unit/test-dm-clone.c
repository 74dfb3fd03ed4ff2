/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clones: what their status says.  The metadata is the third device, which this machine has not.
 */
#include "store-world.h"

static const struct {
	const char *status;
	bool dest_leads, source_leads;
	enum pme_certainty certainty;
} clones[] = {
	{"8 1/256 8 64/64 0 0 4 hydration_threshold 1 hydration_batch_size 1 rw", true, false,
	 PME_EXACT},
	{"8 1/256 8 0/64 0 1 no_hydration 0 rw", false, true, PME_EXACT},
	{"8 1/256 8 0/64 3 0 0 rw", true, true, PME_UNCERTAIN},
	{"8 1/256 8 30/64 0 0 0 rw", true, true, PME_UNCERTAIN},
};

static void clones_lead_by_what_is_hydrated(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(clones); i++) {
		_cleanup_(pme_steps_done) struct pme_steps dest = {0}, source = {0}, down = {0};
		struct world w;

		world_start(&w, "clone", 512, strdup("259:7 259:0 259:1 8 1 no_hydration"));
		status_text = clones[i].status;
		step_at(&w, 0, 9, &dest);
		step_at(&w, 1, 9, &source);
		assert_int_equal(
			pme_layer_dm.down(&w.stack, &w.dm, (struct pme_range){512, 512}, &down), 0);
		assert_int_equal(bytes_between(&dest, &w.dm, 9, 9), clones[i].dest_leads * 512);
		assert_int_equal(bytes_between(&source, &w.dm, 9, 9), clones[i].source_leads * 512);
		assert_int_equal(bytes_between(&down, &w.lowers[0], 1, 1),
				 clones[i].dest_leads * 512);
		assert_int_equal(bytes_between(&down, &w.lowers[1], 1, 1),
				 clones[i].source_leads * 512);
		for (size_t n = 0; n < down.count; n++)
			assert_int_equal(down.items[n].certainty, clones[i].certainty);
		world_end(&w);
	}
}

static void failed_clones_are_unknown(void **state)
{
	static const char *const failed[] = {
		"Fail", "Error", "", "8 1/256 8 3/0 0 0", "8 1/256 8 65/64 0 0", "8 1/256 8 1 0"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(failed); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct world w;

		world_start(&w, "clone", 512, strdup("259:7 259:0 259:1 8"));
		status_text = failed[i];
		step_at(&w, 0, 9, &steps);
		check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(9), 512},
			  "cannot tell how much of clone vg0/snap is hydrated: Invalid argument");
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clones_lead_by_what_is_hydrated),
		cmocka_unit_test(failed_clones_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
