/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/log.c: what is kept, what is said once, and the flags of the exit status.
 */
#include "check.h"
#include "log.h"

static void severities_have_names(void **state)
{
	assert_string_equal(pme_severity_name(PME_ERROR), "error");
	assert_string_equal(pme_severity_name(PME_WARNING), "warning");
	assert_string_equal(pme_severity_name(PME_INFO), "info");
}

static void messages_are_kept_in_order(void **state)
{
	struct pme_log log = {0};

	pme_log_add(&log, PME_INFO, "pmem0", "%d bad ranges", 3);
	pme_log_add(&log, PME_WARNING, "pmem1", "%s", "100% sure");
	assert_int_equal(log.count, 2);
	assert_string_equal(log.messages[0].subject, "pmem0");
	assert_string_equal(log.messages[0].text, "3 bad ranges");
	assert_int_equal(log.messages[0].severity, PME_INFO);
	assert_string_equal(log.messages[1].text, "100% sure");
	assert_false(log.failed || log.incomplete || log.no_memory);
	pme_log_done(&log);
	assert_int_equal(log.count, 0);
	assert_null(log.messages);
}

static void an_error_fails_the_run(void **state)
{
	struct pme_log log = {0};

	pme_log_add(&log, PME_ERROR, "pmem0", "cannot read badblocks: %s", "Permission denied");
	assert_true(log.failed);
	assert_false(log.incomplete);
	pme_log_done(&log);
}

static void incomplete_is_a_warning(void **state)
{
	struct pme_log log = {0};

	pme_log_incomplete(&log, "pmem0", "list is cut off");
	assert_true(log.incomplete);
	assert_false(log.failed);
	assert_int_equal(log.messages[0].severity, PME_WARNING);
	pme_log_done(&log);
}

static void the_same_message_is_kept_once(void **state)
{
	struct pme_log log = {0};

	for (int i = 0; i < 3; i++) {
		pme_log_add(&log, PME_INFO, "a", "x");
		pme_log_add(&log, PME_INFO, "a", "y");
		pme_log_add(&log, PME_INFO, "b", "x");
	}
	assert_int_equal(log.count, 3);
	pme_log_done(&log);
}

/* Whoever reads the messages must find the error that the exit status speaks of. */
static void the_same_message_keeps_the_worst_severity(void **state)
{
	struct pme_log log = {0};

	pme_log_add(&log, PME_INFO, "pmem0", "cannot read badblocks");
	pme_log_incomplete(&log, "pmem0", "cannot read badblocks");
	assert_int_equal(log.messages[0].severity, PME_WARNING);
	pme_log_add(&log, PME_ERROR, "pmem0", "cannot read badblocks");
	pme_log_add(&log, PME_INFO, "pmem0", "cannot read badblocks");
	assert_int_equal(log.count, 1);
	assert_int_equal(log.messages[0].severity, PME_ERROR);
	assert_true(log.failed && log.incomplete);
	pme_log_done(&log);
}

static void done_is_fine_for_an_empty_log(void **state)
{
	struct pme_log log = {0};

	pme_log_done(&log);
	pme_log_done(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(severities_have_names),
		cmocka_unit_test(messages_are_kept_in_order),
		cmocka_unit_test(an_error_fails_the_run),
		cmocka_unit_test(incomplete_is_a_warning),
		cmocka_unit_test(the_same_message_is_kept_once),
		cmocka_unit_test(the_same_message_keeps_the_worst_severity),
		cmocka_unit_test(done_is_fine_for_an_empty_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
