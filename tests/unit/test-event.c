/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/event.c: times as text, of events and of who asks for them.
 */
#include "check.h"
#include "event.h"

#define SECOND 1000000LL
#define NOW (1800000000 * SECOND)

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: refused */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-02-28T00:00:00Z", 1772236800 * SECOND},
		{"2026-02-28T00:00:00.5Z", 1772236800 * SECOND + 500000},
		{"2028-02-29T00:00:00Z", 1835395200 * SECOND},
		{"2016-12-31T23:59:60Z", 1483228800 * SECOND}, /* it was one */
		{"2026-02-29T00:00:00Z", -1},
		{"2026-02-30T00:00:00Z", -1},
		{"2026-04-31T23:59:59Z", -1},
		{"2026-02-00T00:00:00Z", -1},
		{"2026-13-01T00:00:00Z", -1},
		{"2026-02-28T24:00:00Z", -1},
		{"1969-12-31T23:59:59Z", -1},
		{"2026-02-28T00:00:00.Z", -1},
		{"2026-02-28T00:00:00", -1},
		{"2026-02-28", -1},
		{"", -1},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		int64_t us = -1;

		assert_int_equal(pme_time_parse(cases[i].text, &us), cases[i].us < 0 ? -EINVAL : 0);
		assert_int_equal(us, cases[i].us);
	}
}

static void times_that_are_asked_for(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{"2h", NOW - 7200 * SECOND},
		{"2026-02-28", 1772236800 * SECOND},
		{"2026-02-28 01:00", 1772240400 * SECOND},
		{"2026-02-28T01:00:00Z", 1772240400 * SECOND},
		{"2026-02-28T03:00:00+02:00", 1772240400 * SECOND},
		{"2026-02-30", -1},
		{"2026-02-30 01:00", -1},
		{"2026-02-30T00:00:00Z", -1},
		{"2026-02-30T00:00:00+02:00", -1},
		{"2026-02-28T00:00:00+24:00", -1},
		{"yesterday", -1},
	};

	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		int64_t us = -1;
		int r = pme_time_asked_parse(cases[i].text, NOW, &us);

		assert_int_equal(r, cases[i].us < 0 ? -EINVAL : 0);
		if (r == 0)
			assert_int_equal(us, cases[i].us);
	}
}

static void a_time_reads_back_the_same(void **state)
{
	static const int64_t times[] = {0, 1, NOW, NOW + 999999};

	for (size_t i = 0; i < PME_ARRAY_SIZE(times); i++) {
		_cleanup_free_ char *text = pme_time_text(times[i]);
		int64_t us;

		assert_int_equal(pme_time_parse(text, &us), 0);
		assert_int_equal(us, times[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(times_that_are_asked_for),
		cmocka_unit_test(a_time_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
