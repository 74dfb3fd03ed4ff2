/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what pmemctld and its launcher say to each other.
 *
 * Parsers: order
 */
#include "fuzz.h"
#include "order.h"

/* What is taken can be said again, and means the same. */
static void check_order(const char *text, size_t size)
{
	struct pmed_order order, again;
	char said[PMED_ORDER_MAX];
	ssize_t n;

	if (pmed_order_parse(text, size, &order) < 0)
		return;
	n = pmed_order_make(order.args, order.memory, said);
	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(pmed_order_parse(said, (size_t)n, &again) == 0);
	FUZZ_CHECK(again.memory == order.memory);
	for (size_t i = 0; i <= PMED_ORDER_ARGS; i++) {
		FUZZ_CHECK(!order.args[i] == !again.args[i]);
		FUZZ_CHECK(!order.args[i] || strcmp(order.args[i], again.args[i]) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	struct pmed_report report;

	check_order(copy, size);
	if (pmed_report_parse(copy, size, true, &report) == 0)
		FUZZ_CHECK(report.kind == PMED_REPORT_BEGAN && report.pid > 1);
	if (pmed_report_parse(copy, size, false, &report) == 0)
		FUZZ_CHECK(report.kind == PMED_REPORT_ENDED && report.end.error <= 0);
	return 0;
}
