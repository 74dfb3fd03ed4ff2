/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/progress.c: when it is told, when the time is over, and what is said of the
 * rest.  The clock is the test's.
 */
#include <limits.h>
#include <time.h>

#include "check.h"
#include "progress.h"

static uint64_t now;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	assert_int_equal(id, CLOCK_MONOTONIC_COARSE);
	ret->tv_sec = (time_t)(now / PME_SECOND);
	ret->tv_nsec = (long)(now % PME_SECOND);
	return 0;
}

struct heard {
	size_t count;
	uint64_t done[64];
};

static void hear(void *arg, const struct pme_progress *progress)
{
	struct heard *heard = arg;

	assert_true(heard->count < PME_ARRAY_SIZE(heard->done));
	heard->done[heard->count++] = progress->done;
}

static void it_is_told_ten_times_a_second_at_most(void **state)
{
	struct heard heard = {0};
	struct pme_progress progress = {.tell = hear, .arg = &heard};

	now = 100 * PME_SECOND;
	pme_progress_start(&progress, UINT64_MAX);
	pme_progress_phase(&progress, PME_PHASE_NAMES, PME_UNIT_ENTRIES, 0);
	assert_int_equal(heard.count, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(pme_progress_at(&progress, i), 0);
		now += PME_SECOND / 500; /* two seconds in all */
	}
	assert_int_equal(heard.count, 20);
	for (size_t i = 0; i < heard.count; i++)
		assert_int_equal(heard.done[i], i * 50);
}

static void a_new_phase_does_not_make_it_told_more_often(void **state)
{
	struct heard heard = {0};
	struct pme_progress progress = {.tell = hear, .arg = &heard};

	now = 5;
	pme_progress_start(&progress, UINT64_MAX);
	for (uint64_t i = 0; i < 100; i++) {
		pme_progress_about(&progress, "x");
		pme_progress_phase(&progress, PME_PHASE_OWNERS, PME_UNIT_RANGES, 10);
		pme_progress_at(&progress, i);
	}
	assert_int_equal(heard.count, 1);
}

static void the_time_ends(void **state)
{
	struct pme_progress progress = {0};

	now = 7 * PME_SECOND;
	pme_progress_start(&progress, 3 * PME_SECOND);
	assert_int_equal(pme_progress_at(&progress, 1), 0);
	now = 10 * PME_SECOND - 1;
	assert_int_equal(pme_progress_at(&progress, 2), 0);
	assert_false(pme_progress_over(&progress));
	now = 10 * PME_SECOND;
	assert_true(pme_progress_over(&progress));
	assert_int_equal(pme_progress_at(&progress, 3), -ETIME);
	pme_progress_phase(&progress, PME_PHASE_HOLDERS, PME_UNIT_PROCESSES, 3);
	assert_int_equal(pme_progress_at(&progress, 0), -ETIME);
}

static void no_time_at_all_is_over_at_once(void **state)
{
	struct pme_progress progress = {0};

	for (uint64_t at = 0; at < 3; at++) {
		now = at;
		pme_progress_start(&progress, 0);
		now = at ? at : 1; /* 0 is no clock that runs */
		assert_true(pme_progress_over(&progress));
	}
}

static void no_deadline_never_ends(void **state)
{
	struct pme_progress progress = {0};

	now = 1;
	pme_progress_start(&progress, UINT64_MAX);
	now = INT64_MAX;
	assert_int_equal(pme_progress_at(&progress, UINT64_MAX), 0);
	assert_false(pme_progress_over(&progress));
}

static void nobody_has_to_want_it(void **state)
{
	pme_progress_about(NULL, "x");
	pme_progress_phase(NULL, PME_PHASE_SYNC, PME_UNIT_FILES, 1);
	pme_progress_estimate(NULL);
	assert_int_equal(pme_progress_at(NULL, 1), 0);
	assert_false(pme_progress_over(NULL));
}

static void shares(void **state)
{
	static const struct {
		uint64_t done, total;
		int permille;
	} cases[] = {
		{0, 0, -1}, /* nobody knows */
		{5, 0, -1},
		{0, 3, 0},
		{1, 3, 333},
		{3, 3, 1000},
		{4, 3, -1}, /* the estimate was too low */
		{UINT64_MAX, UINT64_MAX, 1000},
		{UINT64_MAX / 2, UINT64_MAX, 500},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		const struct pme_progress progress = {.done = cases[i].done,
						      .total = cases[i].total};

		assert_int_equal(pme_progress_permille(&progress), cases[i].permille);
	}
}

static void what_is_left(void **state)
{
	static const struct {
		uint64_t spent, done, total, left;
	} cases[] = {
		{PME_SECOND, 0, 100, UINT64_MAX},      /* nothing was done */
		{PME_SECOND - 1, 10, 100, UINT64_MAX}, /* too early to tell */
		{PME_SECOND, 10, 0, UINT64_MAX},       /* no total */
		{PME_SECOND, 101, 100, UINT64_MAX},	 {PME_SECOND, 10, 100, 9 * PME_SECOND},
		{4 * PME_SECOND, 80, 100, PME_SECOND},	 {2 * PME_SECOND, 100, 100, 0},
		{PME_SECOND, 1, UINT64_MAX, UINT64_MAX}, /* longer than anybody lives */
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		const struct pme_progress progress = {
			.done = cases[i].done,
			.total = cases[i].total,
			.phase_begun = 3,
			.now = 3 + cases[i].spent,
		};

		assert_int_equal(pme_progress_left(&progress), cases[i].left);
	}
}

static void the_end_of_the_time_has_words(void **state)
{
	assert_non_null(strstr(pme_progress_error(-ETIME), "--deadline"));
	assert_string_equal(pme_progress_error(-EIO), strerror(EIO));
}

static void words(void **state)
{
	for (int i = 0; i <= PME_PHASE_SCRUB; i++)
		assert_true(*pme_phase_name(i) && *pme_phase_text(i));
	assert_string_equal(pme_phase_name(PME_PHASE_USES), "uses");
	assert_string_equal(pme_unit_name(PME_UNIT_BYTES), "bytes");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_told_ten_times_a_second_at_most),
		cmocka_unit_test(a_new_phase_does_not_make_it_told_more_often),
		cmocka_unit_test(the_time_ends),
		cmocka_unit_test(no_time_at_all_is_over_at_once),
		cmocka_unit_test(no_deadline_never_ends),
		cmocka_unit_test(nobody_has_to_want_it),
		cmocka_unit_test(shares),
		cmocka_unit_test(what_is_left),
		cmocka_unit_test(the_end_of_the_time_has_words),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
