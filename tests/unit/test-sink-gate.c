/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/sink-gate.c: what passes, what is counted, and when the count is due.
 */
#include "check.h"
#include "sink-gate.h"

#define ADDED PME_EVENT_FINDING_ADDED
#define GONE PME_EVENT_FINDING_GONE

static size_t pass_many(struct pmed_gate *gate, enum pme_event_type type, size_t count,
			uint64_t now)
{
	size_t passed = 0;

	for (size_t i = 0; i < count; i++)
		passed += pmed_gate_pass(gate, type, PME_EVENT_NOTICE, now);
	return passed;
}

static void a_burst_passes_and_the_rest_is_counted(void **state)
{
	struct pmed_gate gate = {.burst = 3, .interval = 100};
	struct pmed_gate_type counted;
	enum pme_event_type type;

	assert_int_equal(pass_many(&gate, ADDED, 10, 1000), 3);
	assert_int_equal(pmed_gate_due(&gate), 1100);
	assert_false(pmed_gate_take(&gate, 1099, &type, &counted));
	assert_true(pmed_gate_take(&gate, 1100, &type, &counted));
	assert_int_equal(type, ADDED);
	assert_int_equal(counted.suppressed, 7);
	assert_int_equal(counted.worst, PME_EVENT_NOTICE);
	assert_false(pmed_gate_take(&gate, 1100, &type, &counted));
	assert_int_equal(pmed_gate_due(&gate), 0);
	assert_int_equal(pass_many(&gate, ADDED, 10, 1101), 3);
}

static void types_do_not_share_a_burst(void **state)
{
	struct pmed_gate gate = {.burst = 2, .interval = 100};

	assert_int_equal(pass_many(&gate, ADDED, 5, 1000), 2);
	assert_int_equal(pass_many(&gate, GONE, 5, 1010), 2);
	assert_int_equal(pmed_gate_due(&gate), 1100);
}

static void an_interval_without_excess_ends_by_itself(void **state)
{
	struct pmed_gate gate = {.burst = 2, .interval = 100};

	assert_int_equal(pass_many(&gate, ADDED, 2, 1000), 2);
	assert_int_equal(pmed_gate_due(&gate), 0);
	assert_int_equal(pass_many(&gate, ADDED, 2, 1100), 2);
}

/* Whoever reads a count must never have seen a later event before it. */
static void nothing_passes_before_the_count_is_told(void **state)
{
	struct pmed_gate gate = {.burst = 1, .interval = 100};
	struct pmed_gate_type counted;
	enum pme_event_type type;

	assert_int_equal(pass_many(&gate, ADDED, 2, 1000), 1);
	assert_int_equal(pass_many(&gate, ADDED, 2, 5000), 0);
	assert_true(pmed_gate_take(&gate, 5000, &type, &counted));
	assert_int_equal(counted.suppressed, 3);
}

static void the_worst_of_the_suppressed_counts(void **state)
{
	struct pmed_gate gate = {.burst = 1, .interval = 100};
	struct pmed_gate_type counted;
	enum pme_event_type type;

	assert_true(pmed_gate_pass(&gate, ADDED, PME_EVENT_CRITICAL, 0));
	assert_false(pmed_gate_pass(&gate, ADDED, PME_EVENT_INFO, 0));
	assert_false(pmed_gate_pass(&gate, ADDED, PME_EVENT_ERROR, 0));
	assert_false(pmed_gate_pass(&gate, ADDED, PME_EVENT_NOTICE, 0));
	assert_true(pmed_gate_take(&gate, 100, &type, &counted));
	assert_int_equal(counted.worst, PME_EVENT_ERROR);
}

/* Twenty notices must not hide a loss; but each severity is let through once only. */
static void what_is_worse_than_all_before_it_passes(void **state)
{
	struct pmed_gate gate = {.burst = 20, .interval = 100};
	struct pmed_gate_type counted;
	enum pme_event_type type;

	assert_int_equal(pass_many(&gate, ADDED, 25, 1000), 20);
	assert_true(pmed_gate_pass(&gate, ADDED, PME_EVENT_ERROR, 1001));
	assert_false(pmed_gate_pass(&gate, ADDED, PME_EVENT_ERROR, 1002));
	assert_true(pmed_gate_pass(&gate, ADDED, PME_EVENT_CRITICAL, 1003));
	assert_false(pmed_gate_pass(&gate, ADDED, PME_EVENT_CRITICAL, 1004));
	assert_false(pmed_gate_pass(&gate, ADDED, PME_EVENT_ERROR, 1005));
	assert_true(pmed_gate_take(&gate, 1100, &type, &counted));
	assert_int_equal(counted.suppressed, 8);
	assert_int_equal(counted.worst, PME_EVENT_CRITICAL);
	assert_int_equal(pass_many(&gate, ADDED, 25, 1101), 20);
	assert_true(pmed_gate_pass(&gate, ADDED, PME_EVENT_CRITICAL, 1102));
}

static void limits_that_do_not_fit(void **state)
{
	struct pmed_gate none = {.burst = 0, .interval = 100};
	struct pmed_gate ever = {.burst = 1, .interval = UINT64_MAX};

	assert_int_equal(pass_many(&none, ADDED, 1000, 0), 1000);
	assert_int_equal(pass_many(&ever, ADDED, 2, 1000), 1);
	assert_int_equal(pmed_gate_due(&ever), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_passes_and_the_rest_is_counted),
		cmocka_unit_test(types_do_not_share_a_burst),
		cmocka_unit_test(an_interval_without_excess_ends_by_itself),
		cmocka_unit_test(nothing_passes_before_the_count_is_told),
		cmocka_unit_test(the_worst_of_the_suppressed_counts),
		cmocka_unit_test(what_is_worse_than_all_before_it_passes),
		cmocka_unit_test(limits_that_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
