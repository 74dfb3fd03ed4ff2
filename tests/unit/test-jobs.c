/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs: who runs when, never two at a region, and news that make others due.
 */
#include "jobs-world.h"

static void test_start(void **state)
{
	start();
	assert_int_equal(world->inventories, 1);
	assert_int_equal(world->again, 1);
	for (size_t i = 0; i < REGIONS; i++) {
		assert_int_equal(world->scans[i], 1);
		assert_int_equal(world->snapshots[i], 1);
	}
	assert_int_equal(world->rows, 7);
	assert_int_equal(world->told, 0);
}

static void test_hints(void **state)
{
	start();
	forget_counts();
	for (unsigned int i = 0; i < 10000; i++) {
		pmed_hint(&world->d, PMED_HINT_REGION, "region1");
		pmed_hint(&world->d, PMED_HINT_REGION, i % 2 ? "region2" : "pmem0");
	}
	pmed_hint(&world->d, PMED_HINT_REGION, NULL);
	pmed_hint(&world->d, PMED_HINT_REGION, "region");
	pmed_hint(&world->d, PMED_HINT_REGION, "region1/../../x");
	run_until_idle();
	assert_int_equal(world->scans[0], 0);
	assert_in_range(world->scans[1], 1, 2); /* two, when saying it took longer than the cap */
	assert_in_range(world->scans[2], 1, 2);
	assert_int_equal(world->inventories, 0);
	pmed_hint(&world->d, PMED_HINT_EVERYTHING, NULL);
	run_until_idle();
	assert_int_equal(world->scans[0], 1);
	assert_int_equal(world->inventories, 1);
	assert_int_equal(world->snapshots[0], 1);
}

/* A hint while its job runs: once more, behind it. */
static void test_hint_meanwhile(void **state)
{
	start();
	forget_counts();
	set_worker("touch $D/begun; while [ ! -e $D/go ]; do sleep 0.02; done; " WORKS);
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	while (pme_os_exists(&world->d.os, "begun") == 0)
		assert_true(sd_event_run(world->d.loop, 10000) >= 0);
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	write_file("go", "", 0644);
	run_until_idle();
	assert_int_equal(world->scans[0], 2);
}

/* Events are told in the order of their numbers: what was learned, then that it works again. */
static void test_order(void **state)
{
	start();
	forget_counts();
	set_worker("[ $1 = list ] && { " WORKS "; exit; }; [ -e $D/second ] && { " WORKS
		   "; exit; }; touch $D/second; exit 4");
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	while (world->told == 0)
		step();
	world->news = true;
	while (world->failed)
		step();
	assert_string_equal(world->heard, "finding-added coverage-complete ");
}

/* What waits for an hour by the old configuration does not by a new one. */
static void test_reload(void **state)
{
	start();
	world->findings[0] = true;
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	run_until_idle();
	forget_counts();
	world->d.conf.watch.snapshot = 20;
	pmed_jobs_reload(&world->d);
	while (world->scans[0] == 0)
		step();
	world->d.conf.watch.snapshot = 3600000;
	run_until_idle();
	world->d.conf.jobs.retry = world->d.conf.jobs.retry_max = 3600000;
	set_worker("[ $1 = list ] && { " WORKS "; exit; }; exit 4");
	pmed_hint(&world->d, PMED_HINT_REGION, "region1");
	while (world->told == 0)
		step();
	forget_counts();
	set_worker(WORKS);
	world->d.conf.jobs.retry_max = 20;
	pmed_jobs_reload(&world->d);
	while (world->scans[1] == 0)
		step();
}

/* News at one region: the others that have findings, once, and not for ever. */
static void test_ripple(void **state)
{
	start();
	forget_counts();
	world->news = true;
	world->findings[0] = world->findings[1] = true;
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	run_until_idle();
	assert_int_equal(world->scans[0], 1);
	assert_int_equal(world->scans[1], 1);
	assert_int_equal(world->scans[2], 0);
}

/* The delay until the scan of @region that is not whole is done again, in s. */
static uint64_t delay_of_gap(size_t region)
{
	const struct pmed_job *job = &world->d.jobs->places[region + 1]->jobs[PMED_JOB_SCAN];
	unsigned int before = world->scans[region];

	pmed_hint(&world->d, PMED_HINT_REGION, job->place->name);
	while (world->scans[region] == before || job->process)
		step();
	return job->schedule.by == PMED_NEVER
		       ? 0
		       : (job->schedule.by - pmed_clock() + 500000) / 1000000;
}

/* What was only on its way is seen soon; what stays unseen costs less and less. */
static void test_gaps(void **state)
{
	static const uint64_t delays[] = {10, 20, 40, 60, 60};

	start();
	world->d.conf.watch.snapshot = 60000;
	set_worker(SEES_A_PART);
	for (size_t i = 0; i < PME_ARRAY_SIZE(delays); i++)
		assert_in_range(delay_of_gap(1), delays[i] - 1, delays[i]);
	set_worker(WORKS);
	assert_int_equal(delay_of_gap(1), 0);
	set_worker(SEES_A_PART);
	assert_in_range(delay_of_gap(1), 9, 10);
	assert_int_equal(world->scans[0], 1);
}

static void test_document(void **state)
{
	struct json_object *doc = pme_json_object(), *jobs;

	start();
	pmed_jobs_json(&world->d, doc);
	jobs = pme_json_get(doc, "jobs");
	assert_int_equal(pme_json_get_number(jobs, "started"), 7);
	assert_int_equal(pme_json_get_number(jobs, "succeeded"), 7);
	assert_int_equal(pme_json_get_number(jobs, "failed"), 0);
	assert_int_equal(pme_json_count(pme_json_get(jobs, "regions")), REGIONS);
	assert_int_equal(pme_json_count(pme_json_get(jobs, "running")), 0);
	json_object_put(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hints, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hint_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ripple, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_document, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
