/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that share work: how many they become, how they end, and that nothing is done twice. */
#include "check.h"

#include <time.h>
#include <unistd.h>

#include "crew.h"

#define ITEMS 200000
#define SECONDS_MAX 60

struct items {
	_Atomic size_t next;
	_Atomic unsigned char taken[ITEMS];
	_Atomic unsigned workers;
};

static int take_items(struct pme_crew *crew, void *arg)
{
	struct items *items = arg;
	size_t i;
	int r = 0;

	items->workers++;
	while (r == 0 && (i = items->next++) < ITEMS) {
		items->taken[i]++;
		r = pme_crew_step(crew, 1);
	}
	return r;
}

static void test_each_once(void **state)
{
	struct items *items = calloc(1, sizeof(*items));
	struct pme_progress progress = {0};
	struct pme_crew crew = {.work = take_items, .arg = items, .progress = &progress};

	(void)state;
	pme_progress_start(&progress, UINT64_MAX);
	assert_int_equal(pme_crew_run(&crew), 0);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(items->taken[i], 1);
	assert_int_equal(items->workers, crew.n_threads);
	assert_int_equal(crew.done, ITEMS);
	free(items);
}

/* Work without an end, but for an error of one of them. */
static int fail_once(struct pme_crew *crew, void *arg)
{
	_Atomic size_t *next = arg;
	int r = 0;

	while (r == 0)
		r = ++*next == ITEMS ? -EIO : pme_crew_step(crew, 1);
	return r;
}

static void test_error(void **state)
{
	_Atomic size_t next = 0;
	struct pme_crew crew = {.work = fail_once, .arg = &next};

	(void)state;
	assert_int_equal(pme_crew_run(&crew), -EIO);
	assert_true(next >= ITEMS);
}

static int take_number(void *arg, size_t i)
{
	_Atomic unsigned char *taken = arg;

	taken[i]++;
	return i == 1000 ? -EIO : 0;
}

/* Each number below the count once, whatever the count. */
static void test_each(void **state)
{
	static const size_t counts[] = {0, 1, 2, 15, 16, 17, 31, 33, 999, 1000};

	(void)state;
	for (size_t k = 0; k < PME_ARRAY_SIZE(counts); k++) {
		_Atomic unsigned char taken[1001] = {0};

		assert_int_equal(pme_crew_each(counts[k], take_number, taken, NULL), 0);
		for (size_t i = 0; i < PME_ARRAY_SIZE(taken); i++)
			assert_int_equal(taken[i], i < counts[k]);
	}
}

static void test_each_error(void **state)
{
	_Atomic unsigned char taken[2000] = {0};

	(void)state;
	assert_int_equal(pme_crew_each(2000, take_number, taken, NULL), -EIO);
	assert_int_equal(taken[1000], 1);
}

static void nap(void)
{
	const struct timespec time = {.tv_nsec = 2000000};

	nanosleep(&time, NULL);
}

/* Asleep, like one who waits for a disk, until there are as many as can be. */
static int wait_for_all(struct pme_crew *crew, void *arg)
{
	_Atomic unsigned *workers = arg;
	int r = 0;

	++*workers;
	while (r == 0 && *workers < PME_CREW_MAX) {
		nap();
		r = pme_crew_step(crew, 0);
	}
	return r;
}

/* Work that lasts until there are as many as can be. */
static void run_with_all(int (*work)(struct pme_crew *crew, void *arg), _Atomic unsigned *arg)
{
	struct pme_progress progress = {0};
	struct pme_crew crew = {.work = work, .arg = arg, .progress = &progress};

	pme_progress_start(&progress, SECONDS_MAX * PME_SECOND);
	assert_int_equal(pme_crew_run(&crew), 0);
	assert_int_equal(crew.n_threads, PME_CREW_MAX);
}

static void test_more_for_a_slow_disk(void **state)
{
	_Atomic unsigned workers = 0;

	(void)state;
	run_with_all(wait_for_all, &workers);
	assert_int_equal(workers, PME_CREW_MAX);
}

/* The threads that there are as soon as there is more than one. */
static int note_first(struct pme_crew *crew, void *arg)
{
	unsigned *count = arg;
	int r = 0;

	while (r == 0 && pthread_equal(pthread_self(), crew->first) && crew->n_threads == 1) {
		r = pme_crew_step(crew, 0);
		*count = crew->n_threads;
	}
	return r;
}

/* Who comes after one that waited for the disk; and who comes after that one. */
static void test_next_one_for_a_slow_disk(void **state)
{
	unsigned processors = (unsigned)pme_min((uint64_t)sysconf(_SC_NPROCESSORS_ONLN), 8);
	_Atomic unsigned workers = 0;
	unsigned counts[3] = {0};

	(void)state;
	run_with_all(wait_for_all, &workers);
	for (size_t i = 0; processors > 1 && i < PME_ARRAY_SIZE(counts); i++) {
		struct pme_crew crew = {.work = note_first, .arg = &counts[i]};

		assert_int_equal(pme_crew_run(&crew), 0);
	}
	assert_true(processors == 1 || counts[0] >= PME_CREW_MAX / 2);
	assert_true(counts[1] < PME_CREW_MAX / 2 && counts[2] < PME_CREW_MAX / 2);
}

/* How many processors each thread may use. */
static int note_processors(struct pme_crew *crew, void *arg)
{
	_Atomic unsigned *different = arg;
	cpu_set_t mine;
	int r;

	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	*different += !CPU_EQUAL(&mine, &crew->processors);
	do {
		nap();
		r = pme_crew_step(crew, 0);
	} while (r == 0 && crew->n_threads < PME_CREW_MAX);
	return r;
}

/* Where a thread begins is not where it has to stay. */
static void test_free_to_go_anywhere(void **state)
{
	_Atomic unsigned different = 0;

	(void)state;
	run_with_all(note_processors, &different);
	assert_int_equal(different, 0);
}

/* A process that may use one processor only. */
static void test_one_processor(void **state)
{
	_Atomic unsigned char taken[2000] = {0};
	cpu_set_t all, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pme_crew_each(1000, take_number, taken, NULL), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(taken[i], 1);
}

static int wait_for_ever(struct pme_crew *crew, void *arg)
{
	bool *is_open = arg;

	pthread_mutex_lock(&crew->lock);
	while (!*is_open && atomic_load(&crew->error) == 0)
		pme_crew_wait(crew);
	pthread_mutex_unlock(&crew->lock);
	return 0;
}

/* Nobody has anything to do, and the time ends it. */
static void test_deadline(void **state)
{
	bool is_open = false;
	struct pme_progress progress = {0};
	struct pme_crew crew = {.work = wait_for_ever, .arg = &is_open, .progress = &progress};

	(void)state;
	pme_progress_start(&progress, PME_SECOND / 10);
	assert_int_equal(pme_crew_run(&crew), -ETIME);
	assert_true(pme_progress_over(&progress));
}

/* One opens the door when another waits there, and calls it. */
static int open_or_wait(struct pme_crew *crew, void *arg)
{
	bool *is_open = arg;
	int r = 0;

	if (!pthread_equal(pthread_self(), crew->first))
		return wait_for_ever(crew, arg);
	while (r == 0 && !pme_crew_is_idle(crew)) {
		nap();
		r = pme_crew_step(crew, 0);
	}
	pthread_mutex_lock(&crew->lock);
	*is_open = true;
	pme_crew_call_all(crew);
	pthread_mutex_unlock(&crew->lock);
	return r;
}

static void test_call(void **state)
{
	bool is_open = false;
	struct pme_progress progress = {0};
	struct pme_crew crew = {.work = open_or_wait, .arg = &is_open, .progress = &progress};

	(void)state;
	pme_progress_start(&progress, SECONDS_MAX * PME_SECOND);
	assert_int_equal(pme_crew_run(&crew), 0);
	assert_in_range(crew.n_threads, 2, PME_CREW_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_each_error),
		cmocka_unit_test(test_more_for_a_slow_disk),
		cmocka_unit_test(test_next_one_for_a_slow_disk),
		cmocka_unit_test(test_free_to_go_anywhere),
		cmocka_unit_test(test_one_processor),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
