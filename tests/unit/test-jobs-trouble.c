/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs that fail, hang, cannot start or give way: what fails is told once and tried again.
 */
#include "give-way.h"
#include "jobs-world.h"

/* Links of sysfs for a disk 259:1 of region1, one 8:0 of nothing, and a loop device. */
static void make_disks(void)
{
	static const char *const links[][2] = {
		{"8:0", "../../devices/pci/ata1/block/sda"},
		{"259:1", "../../devices/LNX/ndbus0/region1/pfn1.0/block/pmem1"},
		{"7:0", "../../devices/virtual/block/loop0"},
	};

	assert_int_equal(mkdirat(world->d.os.root, "sys/dev", 0755), 0);
	assert_int_equal(mkdirat(world->d.os.root, "sys/dev/block", 0755), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(links); i++) {
		_cleanup_free_ char *path = pme_printf("sys/dev/block/%s", links[i][0]);

		assert_int_equal(symlinkat(links[i][1], world->d.os.root, path), 0);
	}
}

static void await_file(const char *name)
{
	while (pme_os_exists(&world->d.os, name) == 0)
		assert_true(sd_event_run(world->d.loop, 10000) >= 0);
	pme_os_remove_file(&world->d.os, name);
}

/* Who unmounts gets the device; the job runs again, and nothing failed. */
static void test_gives_way(void **state)
{
	start();
	forget_counts();
	make_disks();
	assert_false(pmed_may_give_way(&world->d));
	set_worker("mv $D/worker.next $D/worker; touch $D/begun-$2; exec sleep 1000");
	assert_int_equal(renameat(world->d.os.root, "worker", world->d.os.root, "worker.slow"), 0);
	set_worker(WORKS);
	assert_int_equal(renameat(world->d.os.root, "worker", world->d.os.root, "worker.next"), 0);
	assert_int_equal(renameat(world->d.os.root, "worker.slow", world->d.os.root, "worker"), 0);
	pmed_hint(&world->d, PMED_HINT_REGION, "region1");
	await_file("begun-region1");
	assert_true(pmed_may_give_way(&world->d));
	pmed_give_way(&world->d, 8, 0);
	pmed_give_way(&world->d, 259, 7);
	assert_true(pmed_may_give_way(&world->d)); /* those are none of its devices */
	pmed_give_way(&world->d, 259, 1);
	assert_false(pmed_may_give_way(&world->d));
	run_until_idle();
	assert_int_equal(world->scans[1], 1);
	assert_int_equal(world->told, 0);
	assert_int_equal(world->d.jobs->failed, 0);
	assert_int_equal(world->d.jobs->gave_way, 1);
}

/* Not for ever: then it runs to its end. */
static void test_gives_way_enough(void **state)
{
	unsigned int times = 0;

	start();
	forget_counts();
	make_disks();
	set_worker("touch $D/begun; while [ ! -e $D/go ]; do sleep 0.02; done; " WORKS);
	pmed_hint(&world->d, PMED_HINT_REGION, "region1");
	for (await_file("begun"); pmed_may_give_way(&world->d); await_file("begun")) {
		pmed_give_way(&world->d, 7, 0); /* nobody knows what that stands on */
		assert_true(++times < 100);
	}
	write_file("go", "", 0644);
	run_until_idle();
	assert_int_equal(world->scans[1], 1);
	assert_int_equal(world->d.jobs->gave_way, times);
	assert_in_range(times, 1, 20);
	assert_int_equal(world->d.jobs->failed, 0);
}

static void test_failures(void **state)
{
	start();
	forget_counts();
	set_worker("[ $1 = list ] && { " WORKS
		   "; exit; }; echo x >>$D/tries; [ $(wc -l <$D/tries) -gt 3 ] && " WORKS
		   " || { echo 'no luck' >&2; exit 4; }");
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	while (world->scans[0] == 0)
		step();
	assert_int_equal(world->told, 1);
	assert_string_equal(world->last_told,
			    "scan region0: the worker failed (exit status 4): no luck");
	assert_true(world->d.jobs->failed >= 3);
	assert_non_null(world->d.jobs->last_failure);
}

/* Each reason is given to the state once, in a row. */
static void test_fails_otherwise(void **state)
{
	start();
	forget_counts();
	set_worker("[ $1 = list ] && { " WORKS
		   "; exit; }; echo x >>$D/others; [ $(wc -l <$D/others) -gt 4 ] && " WORKS
		   " || { echo $(($(wc -l <$D/others) / 3)) lucks >&2; exit 4; }");
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	while (world->scans[0] == 0)
		step();
	assert_int_equal(world->told, 2);
	assert_string_equal(world->last_told,
			    "scan region0: the worker failed (exit status 4): 1 lucks");
}

static void test_cannot_start(void **state)
{
	world->d.program = "/nonexistent/pmemctl";
	assert_int_equal(pmed_jobs_start(&world->d), 0);
	while (world->d.jobs->failed < 3 || world->scans[0])
		step();
	assert_in_range(world->told, 1, 1 + 2 * REGIONS);
	assert_int_equal(world->inventories, 0);
	world->d.program = world->program;
	while (world->inventories == 0)
		step();
}

/* A region that goes while its worker looks for it is no failure of the watch. */
static void test_gone(void **state)
{
	start();
	forget_counts();
	set_worker("case $1 in list) " WORKS " ;; *) echo gone >&2; exit 8 ;; esac");
	assert_int_equal(unlinkat(world->d.os.root, "sys/bus/nd/devices/region0", AT_REMOVEDIR), 0);
	world->present[0] = false;
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	run_until_idle();
	assert_int_equal(world->told, 0);
	assert_true(world->inventories >= 1); /* one for each failure, until one met it at rest */
	assert_int_equal(world->d.jobs->count, REGIONS); /* with the inventory */
	world->present[0] = true;
	make_region(0);
	set_worker(WORKS);
	pmed_hint(&world->d, PMED_HINT_INVENTORY, NULL);
	run_until_idle();
	assert_int_equal(world->scans[0], 1);
}

/* All regions of a bus at once, with jobs that failed: sinks that look while people are told so. */
static void test_all_gone(void **state)
{
	start();
	forget_counts();
	set_worker("case $1 in list) " WORKS " ;; *) echo gone >&2; exit 8 ;; esac");
	world->d.conf.jobs.retry = world->d.conf.jobs.retry_max = 3600000;
	for (size_t i = 0; i < REGIONS; i++) {
		_cleanup_free_ char *name = pme_printf("region%zu", i);

		pmed_hint(&world->d, PMED_HINT_REGION, name);
	}
	while (world->told < REGIONS)
		step();
	for (size_t i = 0; i < REGIONS; i++)
		world->present[i] = false;
	pmed_hint(&world->d, PMED_HINT_INVENTORY, NULL);
	while (world->d.jobs->count > 1)
		step();
	for (size_t i = 0; i < REGIONS; i++)
		assert_false(world->shown[i]);
}

static void test_deadline(void **state)
{
	start();
	forget_counts();
	world->d.conf.jobs.deadline = 100;
	set_worker("[ -e $D/second ] && { " WORKS "; exit; }; touch $D/second; sleep 1000");
	pmed_hint(&world->d, PMED_HINT_REGION, "region0");
	while (world->told == 0)
		step();
	assert_non_null(strstr(world->last_told, "did not end within"));
	assert_int_equal(world->d.jobs->timed_out, 1);
	world->d.conf.jobs.deadline = 30000;
	while (world->scans[0] == 0)
		step();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gives_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gives_way_enough, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fails_otherwise, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cannot_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
