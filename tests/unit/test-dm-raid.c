/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-raid.c: what status lines say of members, with a kernel that says what a test wants.
 */
#include "dm-ask.h"
#include "dm-table.h"

static const char *status;

int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret);
int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret)
{
	assert_int_equal(flush, PME_DM_NO_FLUSH);
	*ret = strdup(status);
	return *ret ? 0 : -ENOMEM;
}

#define VAGUE "pmem1 is being rebuilt, and nobody knows whether vg0/data reads it here already"
#define RESYNC "vg0/data is being resynced: its copies may differ here"

/* A mirror of 64 sectors on pmem0 and pmem1. */
static const struct {
	const char *status;
	size_t leg;
	uint64_t at; /* sector */
	size_t copies;
	const char *detail, *reason;
} cases[] = {
	{"raid1 2 AA 64/64 idle 0 0 -", 0, 8, 1, NULL, NULL},
	{"raid1 2 AD 64/64 idle 0 0 -", 0, 8, 0, NULL, NULL},
	{"raid1 2 AD 64/64 idle 0 0 -", 1, 8, 0,
	 "vg0/data reads nothing here: pmem1 is failed or not rebuilt yet", NULL},
	{"raid1 2 aa 16/64 resync 0 0 -", 0, 8, 0, NULL, RESYNC},
	{"raid1 2 aa 16/64 idle 0 0 -", 1, 8, 0, NULL, RESYNC},
	/* the second is rebuilt from the first: below sector 32 it was written */
	{"raid1 2 Aa 32/64 recover 0 0 -", 0, 8, 0, NULL, NULL},
	{"raid1 2 Aa 32/64 recover 0 0 -", 0, 40, 0, NULL, NULL},
	{"raid1 2 Aa 32/64 recover 0 0 -", 1, 31, 1, NULL, NULL},
	{"raid1 2 Aa 32/64 recover 0 0 -", 1, 32, 0,
	 "vg0/data reads nothing here yet: pmem1 is being rebuilt", NULL},
	/* it waits for it: nobody says from where on */
	{"raid1 2 Aa 64/64 idle 0 0 -", 0, 8, 0, NULL, NULL},
	{"raid1 2 Aa 64/64 idle 0 0 -", 1, 8, 0, NULL, VAGUE},
};

static void the_status_says_what_is_a_copy(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_topo topo = {0};
		struct pme_stack stack = {.topo = &topo};
		struct pme_range range = {SECTORS(cases[i].at), 512};
		const struct pme_step *s;
		struct table t;

		status = cases[i].status;
		table_start(&t);
		table_add(&t, 64, "raid", strdup("raid1 3 0 region_size 8 2 - 259:0 - 259:1"));
		assert_int_equal(
			pme_layer_dm.up(&stack, &t.dm, &t.lowers[cases[i].leg], range, &up), 0);
		assert_int_equal(up.count, 1);
		s = &up.items[0];
		assert_int_equal(s->copies ? s->copies->count : 0, cases[i].copies);
		assert_int_equal(s->certainty, cases[i].reason ? PME_UNCERTAIN : PME_EXACT);
		if (cases[i].reason)
			assert_string_equal(s->reason, cases[i].reason);
		if (cases[i].detail)
			check_end(&up, PME_OWNER_UNUSED, range, cases[i].detail);
		else
			assert_int_equal(s->to_start, range.start);
		pme_stack_done(&stack);
		table_free(&t);
	}
}

/* Three parts: all legs, one leg; the leg that is rebuilt is told as far as it is. */
static void a_range_is_cut_where_the_rebuilding_is(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
	struct pme_topo topo = {0};
	struct pme_stack stack = {.topo = &topo};
	struct pme_range whole = {0, SECTORS(64)};
	struct table t;

	status = "raid1 2 Aa 32/64 recover 0 0 -";
	table_start(&t);
	table_add(&t, 64, "raid", strdup("raid1 3 0 region_size 8 2 - 259:0 - 259:1"));
	assert_int_equal(pme_layer_dm.up(&stack, &t.dm, &t.lowers[1], whole, &up), 0);
	assert_int_equal(up.count, 2);
	assert_int_equal(up.items[0].from.length, SECTORS(32));
	assert_ptr_equal(up.items[0].to, &t.dm);
	assert_null(up.items[1].to);
	assert_int_equal(pme_layer_dm.down(&stack, &t.dm, whole, &down), 0);
	assert_int_equal(down.count, 3);
	assert_ptr_equal(down.items[0].to, &t.lowers[0]);
	assert_ptr_equal(down.items[1].to, &t.lowers[1]);
	assert_int_equal(down.items[1].from.length, SECTORS(32));
	assert_ptr_equal(down.items[2].to, &t.lowers[0]);
	pme_stack_done(&stack);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_says_what_is_a_copy),
		cmocka_unit_test(a_range_is_cut_where_the_rebuilding_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
