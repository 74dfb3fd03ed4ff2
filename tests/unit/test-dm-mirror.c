/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-mirror.c: what status lines say of legs, with a kernel that says what a test wants.
 */
#include "dm-ask.h"
#include "dm-table.h"

static const char *status; /* NULL: it cannot be read */

int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret);
int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret)
{
	assert_int_equal(flush, PME_DM_NO_FLUSH);
	*ret = status ? strdup(status) : NULL;
	return status ? 0 : -EACCES;
}

static const struct {
	const char *status;
	size_t copies;	    /* of the first leg */
	const char *detail; /* its bytes are not used */
	const char *reason; /* in doubt */
	size_t down;	    /* legs that may hold the bytes */
} cases[] = {
	{"2 259:0 259:1 4/4 1 AA 3 disk 259:2 A", 1, NULL, NULL, 2},
	{"2 259:0 259:1 4/4 1 AR 1 core", 0, NULL, NULL, 1},
	{"2 259:0 259:1 4/4 1 DA 1 core", 0,
	 "failed leg of vg0/data, which does not read it any more", NULL, 1},
	{"2 259:0 259:1 4/4 1 DD 1 core", 0, NULL, NULL, 2},
	{"2 259:0 259:1 3/4 1 AA 1 core", 0, NULL,
	 "vg0/data is being synchronized: nobody knows which legs hold these bytes", 2},
	/* the first leg is read as long as the mirror is not in sync */
	{"2 259:0 259:1 3/4 1 SA 1 core", 0, NULL,
	 "vg0/data is being synchronized: nobody knows which legs hold these bytes", 2},
	{NULL, 0, NULL, "cannot read the status of the mirror vg0/data: Permission denied", 2},
	{"", 0, NULL, "cannot read the status of the mirror vg0/data: Invalid argument", 2},
	{"3 259:0 259:1 4/4 1 AA 1 core", 0, NULL,
	 "cannot read the status of the mirror vg0/data: Invalid argument", 2},
	{"2 259:0 259:1 5/4 1 AA 1 core", 0, NULL,
	 "cannot read the status of the mirror vg0/data: Invalid argument", 2},
	{"2 259:0 259:1 4/4 1 A 1 core", 0, NULL,
	 "cannot read the status of the mirror vg0/data: Invalid argument", 2},
	{"2 259:0 259:1 44 1 AA 1 core", 0, NULL,
	 "cannot read the status of the mirror vg0/data: Invalid argument", 2},
};

static void the_status_says_what_is_a_copy(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
		struct pme_topo topo = {0};
		struct pme_stack stack = {.topo = &topo};
		struct pme_range range = {SECTORS(16), 512};
		const struct pme_step *s;
		struct table t;

		status = cases[i].status;
		table_start(&t);
		table_add(&t, 64, "mirror",
			  strdup("disk 2 259:2 16 2 259:0 8 259:1 100 1 handle_errors"));
		assert_int_equal(pme_layer_dm.up(&stack, &t.dm, &t.lowers[0], range, &up), 0);
		assert_int_equal(up.count, 1);
		s = &up.items[0];
		assert_int_equal(s->copies ? s->copies->count : 0, cases[i].copies);
		if (cases[i].copies) {
			assert_int_equal(s->copies->need, 1);
			assert_ptr_equal(s->copies->places[0].dev, &t.lowers[1]);
			assert_int_equal(s->copies->places[0].start, SECTORS(108));
		}
		assert_int_equal(s->to == NULL, cases[i].detail != NULL);
		if (cases[i].detail)
			check_end(&up, PME_OWNER_UNUSED, range, cases[i].detail);
		else
			assert_int_equal(s->to_start, SECTORS(8));
		assert_int_equal(s->certainty, cases[i].reason ? PME_UNCERTAIN : PME_EXACT);
		if (cases[i].reason)
			assert_string_equal(s->reason, cases[i].reason);
		assert_int_equal(pme_layer_dm.down(&stack, &t.dm, range, &down), 0);
		assert_int_equal(down.count, cases[i].down);
		pme_stack_done(&stack);
		table_free(&t);
	}
}

static void the_log_device_holds_no_data(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0};
	struct pme_range range = {0, 4096};
	struct table t;

	table_start(&t);
	table_add(&t, 64, "mirror", strdup("disk 2 259:2 16 2 259:0 8 259:1 100"));
	assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[2], range, &up), 0);
	check_end(&up, PME_OWNER_VOLUME_METADATA, range, "mirror log of vg0/data");
	table_free(&t);
}

/* Regions of 16 sectors of a log in memory: in order, unless something went wrong. */
static const struct {
	const char *params, *status;
	size_t leg;
	uint64_t at; /* sector of the line */
	size_t copies;
	const char *detail; /* the bytes are not used */
	const char *reason;
	size_t down;
} growing[] = {
	{"core 1 16 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 AA 1 core", 0, 31, 1, NULL, NULL, 2},
	{"core 1 16 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 AA 1 core", 1, 31, 1, NULL, NULL, 2},
	{"core 1 16 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 AA 1 core", 0, 32, 0, NULL, NULL, 1},
	{"core 1 16 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 AA 1 core", 1, 32, 0,
	 "leg of vg0/data to which these bytes are not copied yet", NULL, 1},
	{"core 2 16 sync 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 AA 1 core", 0, 32, 0, NULL,
	 NULL, 1},
	{"core 2 16 nosync 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 AA 1 core", 0, 32, 0, NULL,
	 "vg0/data is being synchronized: nobody knows which legs hold these bytes", 2},
	{"core 1 16 2 259:0 8 259:1 100", "2 259:0 259:1 2/4 1 SA 1 core", 0, 32, 0, NULL,
	 "vg0/data is being synchronized: nobody knows which legs hold these bytes", 2},
	{"core 1 16 2 259:0 8 259:1 100", "2 259:0 259:1 4/4 1 AA 1 core", 1, 63, 1, NULL, NULL, 2},
};

static void a_log_in_memory_is_copied_in_order(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(growing); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
		struct pme_topo topo = {0};
		struct pme_stack stack = {.topo = &topo};
		struct pme_range range = {SECTORS((growing[i].leg ? 100 : 8) + growing[i].at), 512};
		const struct pme_step *s;
		struct table t;

		status = growing[i].status;
		table_start(&t);
		table_add(&t, 64, "mirror", strdup(growing[i].params));
		assert_int_equal(
			pme_layer_dm.up(&stack, &t.dm, &t.lowers[growing[i].leg], range, &up), 0);
		assert_int_equal(up.count, 1);
		s = &up.items[0];
		assert_int_equal(s->copies ? s->copies->count : 0, growing[i].copies);
		assert_int_equal(s->certainty, growing[i].reason ? PME_UNCERTAIN : PME_EXACT);
		if (growing[i].reason)
			assert_string_equal(s->reason, growing[i].reason);
		if (growing[i].detail)
			check_end(&up, PME_OWNER_UNUSED, range, growing[i].detail);
		else
			assert_int_equal(s->to_start, SECTORS(growing[i].at));
		range.start = SECTORS(growing[i].at);
		assert_int_equal(pme_layer_dm.down(&stack, &t.dm, range, &down), 0);
		assert_int_equal(down.count, growing[i].down);
		assert_ptr_equal(down.items[0].to, &t.lowers[0]);
		pme_stack_done(&stack);
		table_free(&t);
	}
}

static void a_range_is_cut_where_the_copy_ends(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0}, down = {0};
	struct pme_topo topo = {0};
	struct pme_stack stack = {.topo = &topo};
	struct table t;

	status = "2 259:0 259:1 2/4 1 AA 1 core";
	table_start(&t);
	table_add(&t, 64, "mirror", strdup("core 1 16 2 259:0 8 259:1 100"));
	assert_int_equal(pme_layer_dm.up(&stack, &t.dm, &t.lowers[1],
					 (struct pme_range){SECTORS(100), SECTORS(64)}, &up),
			 0);
	assert_int_equal(up.count, 2);
	assert_int_equal(up.items[0].from.length, SECTORS(32));
	assert_non_null(up.items[0].copies);
	assert_int_equal(up.items[1].from.start, SECTORS(132));
	assert_int_equal(up.items[1].from.length, SECTORS(32));
	assert_null(up.items[1].to);
	assert_int_equal(
		pme_layer_dm.down(&stack, &t.dm, (struct pme_range){0, SECTORS(64)}, &down), 0);
	assert_int_equal(down.count, 3);
	assert_int_equal(down.items[1].to_start, SECTORS(100));
	assert_int_equal(down.items[2].from.start, SECTORS(32));
	pme_stack_done(&stack);
	table_free(&t);
}

static const char *const malformed[] = {
	"",
	"core",
	"core 1 16",
	"core 1 16 2 259:0 0",
	"core 1 16 0",
	"disk 1 259:2 2 259:0 0 259:1 0",
	"core 0 2 259:0 0 259:1 0",
	"disk 2 x 16 2 259:0 0 259:1 0",
	"core 18446744073709551615 16 2 259:0 0 259:1 0",
	"core 1 16 2 259:0 0 259:0 0",
	"core 1 16 18446744073709551615 259:0 0 259:1 0",
};

static void malformed_lines_are_unknown(void **state)
{
	check_malformed("mirror", malformed, PME_ARRAY_SIZE(malformed), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_says_what_is_a_copy),
		cmocka_unit_test(a_log_in_memory_is_copied_in_order),
		cmocka_unit_test(a_range_is_cut_where_the_copy_ends),
		cmocka_unit_test(the_log_device_holds_no_data),
		cmocka_unit_test(malformed_lines_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
