/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/order.c: what is asked of a launcher and what it answers; cut off, too long, or nothing
 * that anybody may ask for.
 */
#include "check.h"
#include "order.h"

static void test_order(void **state)
{
	const char *args[] = {"--json", "scan", "region12", NULL};
	const char *health[] = {"--json", "list", "--health", NULL};
	const char *more[] = {"--json", "scan", "region12", "region13", NULL};
	const char *less[] = {"--json", "scan", NULL};
	char text[PMED_ORDER_MAX];
	struct pmed_order order;
	ssize_t n = pmed_order_make(args, 123, text);

	assert_true(n > 0);
	assert_int_equal(pmed_order_parse(text, (size_t)n, &order), 0);
	assert_int_equal(order.memory, 123);
	for (size_t i = 0; args[i]; i++)
		assert_string_equal(order.args[i], args[i]);
	assert_null(order.args[3]);
	for (ssize_t i = 0; i < n; i++)
		assert_true(pmed_order_parse(text, (size_t)i, &order) < 0);
	assert_true(pmed_order_make(health, UINT64_MAX, text) > 0);
	assert_int_equal(pmed_order_make(more, 0, text), -EPERM);
	assert_int_equal(pmed_order_make(less, 0, text), -EPERM);
	assert_int_equal(pmed_order_make(less + 2, 0, text), -EPERM);
	assert_true(pmed_is_region("region0"));
	assert_false(pmed_is_region("region"));
	assert_false(pmed_is_region("region-1"));
	assert_false(pmed_is_region("region00000000000000000000000000001"));
}

static void test_report(void **state)
{
	struct pmed_report report = {.kind = PMED_REPORT_BEGAN, .pid = 12}, again;

	assert_int_equal(pmed_report_parse(&report, sizeof(report), true, &again), 0);
	assert_int_equal(pmed_report_parse(&report, sizeof(report), false, &again), -EPROTO);
	assert_int_equal(pmed_report_parse(&report, sizeof(report) - 1, true, &again), -EPROTO);
	report.pid = 1;
	assert_int_equal(pmed_report_parse(&report, sizeof(report), true, &again), -EPROTO);
	report = (struct pmed_report){.kind = PMED_REPORT_ENDED, .end = {.exit_code = 255}};
	assert_int_equal(pmed_report_parse(&report, sizeof(report), false, &again), 0);
	assert_int_equal(pmed_report_parse(&report, sizeof(report), true, &again), -EPROTO);
	report.end.exit_code = 256;
	assert_int_equal(pmed_report_parse(&report, sizeof(report), false, &again), -EPROTO);
	report.end = (struct pmed_end){.error = 1};
	assert_int_equal(pmed_report_parse(&report, sizeof(report), false, &again), -EPROTO);
	report = (struct pmed_report){.kind = 3};
	assert_int_equal(pmed_report_parse(&report, sizeof(report), false, &again), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
