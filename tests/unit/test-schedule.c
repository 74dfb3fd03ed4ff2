/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When jobs are due: cases, and random histories against a model that looks at all of one.
 */
#include "schedule.h"

#include "check.h"
#include "random.h"

#define SETTLE 10U
static const struct pmed_retry retry = {.first = 5, .most = 40};

static void test_hints(void **state)
{
	struct pmed_schedule s;

	pmed_schedule_init(&s);
	assert_true(pmed_schedule_due(&s) == PMED_NEVER);
	pmed_schedule_hint(&s, 100, SETTLE);
	assert_int_equal(pmed_schedule_due(&s), 110);
	pmed_schedule_hint(&s, 105, SETTLE);
	assert_int_equal(pmed_schedule_due(&s), 115);
	pmed_schedule_hint(&s, 114, SETTLE);
	assert_int_equal(pmed_schedule_due(&s), 120); /* not beyond twice the settle time */
	pmed_schedule_hint(&s, 119, 1000);	      /* nor by one that could wait longer */
	assert_int_equal(pmed_schedule_due(&s), 120);
	pmed_schedule_by(&s, 117);
	assert_int_equal(pmed_schedule_due(&s), 117);
	pmed_schedule_started(&s);
	assert_true(pmed_schedule_due(&s) == PMED_NEVER);
	pmed_schedule_hint(&s, 200, SETTLE);
	assert_true(pmed_schedule_due(&s) == PMED_NEVER);
	pmed_schedule_worked(&s);
	assert_int_equal(pmed_schedule_due(&s), 210);
}

static void test_again(void **state)
{
	struct pmed_schedule s;

	pmed_schedule_init(&s);
	pmed_schedule_by(&s, 0);
	pmed_schedule_started(&s);
	pmed_schedule_failed(&s, 50, retry);
	pmed_schedule_started(&s);
	pmed_schedule_again(&s, 100, SETTLE);
	assert_int_equal(pmed_schedule_due(&s), 110);
	assert_int_equal(s.failures, 1); /* neither one more, nor forgotten */
}

static void test_failures(void **state)
{
	static const uint64_t delays[] = {5, 10, 20, 40, 40, 40};
	struct pmed_schedule s;
	uint64_t now = 1000;

	pmed_schedule_init(&s);
	for (size_t i = 0; i < PME_ARRAY_SIZE(delays); i++) {
		pmed_schedule_started(&s);
		pmed_schedule_failed(&s, now, retry);
		assert_int_equal(s.failures, i + 1);
		assert_int_equal(pmed_schedule_due(&s), now + delays[i]);
		now += 100;
	}
	/* A hint may shorten the wait, but does not make it fail all the time. */
	pmed_schedule_hint(&s, now - 99, 1);
	assert_int_equal(pmed_schedule_due(&s), now - 95);
	pmed_schedule_started(&s);
	pmed_schedule_worked(&s);
	assert_int_equal(s.failures, 0);
	assert_true(pmed_schedule_due(&s) == PMED_NEVER);
	pmed_schedule_hint(&s, 5000, SETTLE);
	assert_int_equal(pmed_schedule_due(&s), 5010);
}

static void test_stuck(void **state)
{
	struct pmed_schedule s;

	pmed_schedule_init(&s);
	pmed_schedule_started(&s);
	pmed_schedule_failed(&s, 10, retry);
	pmed_schedule_block(&s);
	pmed_schedule_hint(&s, 20, SETTLE);
	assert_true(pmed_schedule_due(&s) == PMED_NEVER);
	pmed_schedule_unblock(&s, 500);
	assert_int_equal(pmed_schedule_due(&s), 15);
}

static void test_limits(void **state)
{
	struct pmed_schedule s;

	pmed_schedule_init(&s);
	pmed_schedule_hint(&s, UINT64_MAX - 5, SETTLE);
	assert_true(pmed_schedule_due(&s) == PMED_NEVER);
	for (unsigned int i = 0; i < 100000; i++) {
		pmed_schedule_started(&s);
		pmed_schedule_failed(&s, 1, (struct pmed_retry){UINT64_MAX / 2, UINT64_MAX});
	}
	assert_true(pmed_schedule_due(&s) > UINT64_MAX / 2);
}

enum what { HINT, BY, START, WORKED, FAILED, KINDS };
struct entry {
	enum what what;
	uint64_t time;
};

/* The same from the whole history: what was heard since the last start, and how that ended. */
static uint64_t model(const struct entry *entries, size_t count)
{
	uint64_t hint = PMED_NEVER, first = PMED_NEVER, by = PMED_NEVER, floor = 0, delay;
	size_t start = 0, failures = 0;
	bool running = false;

	for (size_t i = 0; i < count; i++)
		if (entries[i].what == START)
			start = i;
	for (size_t i = start; i < count; i++) {
		if (entries[i].what == HINT) {
			first = pme_min(first, entries[i].time);
			hint = entries[i].time;
		}
		if (entries[i].what == BY)
			by = pme_min(by, entries[i].time);
	}
	for (size_t i = 0; i < count; i++) {
		running = entries[i].what == START || (running && entries[i].what < START);
		if (entries[i].what == WORKED)
			failures = 0;
		if (entries[i].what == WORKED)
			floor = 0;
		if (entries[i].what != FAILED)
			continue;
		delay = retry.first;
		for (size_t j = 0; j < failures && delay < retry.most; j++)
			delay *= 2;
		failures++;
		floor = entries[i].time + retry.first;
		if (i > start)
			by = pme_min(by, entries[i].time + pme_min(delay, retry.most));
	}
	if (running)
		return PMED_NEVER;
	if (first != PMED_NEVER)
		hint = pme_min(hint + SETTLE, first + 2 * (uint64_t)SETTLE);
	return pme_min(pme_max(hint, floor), by);
}

static void apply(struct pmed_schedule *s, const struct entry *entry)
{
	switch (entry->what) {
	case HINT:
		pmed_schedule_hint(s, entry->time, SETTLE);
		break;
	case BY:
		pmed_schedule_by(s, entry->time);
		break;
	case START:
		pmed_schedule_started(s);
		break;
	case WORKED:
		pmed_schedule_worked(s);
		break;
	case FAILED:
		pmed_schedule_failed(s, entry->time, retry);
		break;
	case KINDS:
		break;
	}
}

static void test_histories(void **state)
{
	struct rnd rnd = rnd_start();
	struct entry entries[40];

	for (unsigned int round = 0; round < 5000; round++) {
		struct pmed_schedule s;
		bool running = false;
		uint64_t now = 1000;

		pmed_schedule_init(&s);
		for (size_t n = 0; n < PME_ARRAY_SIZE(entries); n++) {
			enum what what = (enum what)rnd_below(&rnd, KINDS);

			if (running == (what == START) && what >= START)
				what = HINT;
			if (!running && what > START)
				what = START;
			running = what == START || (running && what < START);
			now += rnd_below(&rnd, 12);
			entries[n] = (struct entry){what, now + (what == BY ? 7 : 0)};
			apply(&s, &entries[n]);
			if (pmed_schedule_due(&s) != model(entries, n + 1))
				fail_msg("round %u, entry %zu: due %llu, the model says %llu",
					 round, n, (unsigned long long)pmed_schedule_due(&s),
					 (unsigned long long)model(entries, n + 1));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hints),  cmocka_unit_test(test_failures),
		cmocka_unit_test(test_again),  cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
