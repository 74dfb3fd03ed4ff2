/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/doctor-kernel.c, doctor-devices.c: each rule about the kernel, buses, lists, modes and DIMMs
 * each way, from facts of machines that never were; and what is read of a made-up root.
 */
#include "doctor-rows.h"
#include "tree.h"

static const struct pme_kernel_facts good_kernel = {
	.release = "6.12.117+deb12-amd64",
	.applies = true,
	.has_nfit = true,
	.handles_failure = PME_YES,
	.recovery = 1,
	.machine_checks = PME_YES,
	.traces = PME_YES,
	.trace_failure = PME_YES,
	.trace_cxl = PME_YES,
};

static enum pme_result of_kernel(struct pme_kernel_facts kernel, enum pme_check_id id)
{
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};

	pme_judge_kernel(&kernel, &checks);
	pme_judge_memory_failure(&kernel, &checks);
	pme_judge_machine_checks(&kernel, &checks);
	pme_judge_traces(&kernel, &checks);
	assert_int_equal(checks.count, 4);
	return result_of(&checks, id);
}

#define KERNEL(id, ...)                                       \
	({                                                    \
		struct pme_kernel_facts kernel = good_kernel; \
		__VA_ARGS__;                                  \
		of_kernel(kernel, id);                        \
	})

static void test_kernel(void **state)
{
	static const struct {
		const char *release;
		enum pme_result result;
	} releases[] = {
		{"6.1.0-53-amd64", PME_RESULT_ADVICE},
		{"6.9", PME_RESULT_ADVICE},
		{"6.10.0", PME_RESULT_OK},
		{"6.12.117+deb12-amd64", PME_RESULT_OK},
		{"7.0-rc1", PME_RESULT_OK},
		{"5.10.1", PME_RESULT_ADVICE},
		{"six", PME_RESULT_UNKNOWN},
		{"", PME_RESULT_UNKNOWN},
		{"6", PME_RESULT_UNKNOWN},
		{"6.", PME_RESULT_UNKNOWN},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(releases); i++)
		assert_int_equal(KERNEL(PME_CHECK_KERNEL, kernel.release = releases[i].release),
				 releases[i].result);
	assert_int_equal(KERNEL(PME_CHECK_KERNEL, kernel.applies = false), PME_RESULT_NONE);
}

static void test_memory_failure(void **state)
{
	const enum pme_check_id id = PME_CHECK_MEMORY_FAILURE;

	assert_int_equal(KERNEL(id, ), PME_RESULT_OK);
	assert_int_equal(KERNEL(id, kernel.handles_failure = PME_NO), PME_RESULT_PROBLEM);
	assert_int_equal(KERNEL(id, kernel.handles_failure = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(KERNEL(id, kernel.recovery = 0), PME_RESULT_PROBLEM);
	assert_int_equal(KERNEL(id, kernel.recovery = PME_UNKNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(KERNEL(id, kernel.applies = false), PME_RESULT_NONE);
}

static void test_machine_checks_and_traces(void **state)
{
	enum pme_check_id id = PME_CHECK_MACHINE_CHECKS;

	assert_int_equal(KERNEL(id, ), PME_RESULT_OK);
	assert_int_equal(KERNEL(id, kernel.machine_checks = PME_NO), PME_RESULT_PROBLEM);
	assert_int_equal(KERNEL(id, kernel.machine_checks = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(KERNEL(id, kernel.has_nfit = false), PME_RESULT_NONE);
	id = PME_CHECK_TRACES;
	assert_int_equal(KERNEL(id, ), PME_RESULT_OK);
	assert_int_equal(KERNEL(id, kernel.traces = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(KERNEL(id, kernel.traces = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(KERNEL(id, kernel.trace_failure = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(KERNEL(id, kernel.trace_failure = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(KERNEL(id, kernel.trace_cxl = PME_NO), PME_RESULT_OK);
	assert_int_equal(KERNEL(id, kernel.trace_cxl = PME_NO; kernel.has_cxl = true),
			 PME_RESULT_PROBLEM);
}

static void test_kernel_is_read(void **state)
{
	struct pme_kernel_facts kernel;
	struct tree tree;

	tree_init(&tree);
	pme_kernel_look(&tree.os, "6.12", &kernel);
	assert_int_equal(kernel.handles_failure, PME_NO);
	assert_int_equal(kernel.recovery, PME_UNKNOWN);
	assert_int_equal(kernel.machine_checks, PME_NOT_KNOWN);
	assert_int_equal(kernel.traces, PME_NO);
	pme_kernel_facts_done(&kernel);
	tree_file(&tree, "proc/sys/vm/memory_failure_recovery", "0\n");
	tree_file(&tree, "proc/sys/vm/memory_failure_early_kill", "1\n");
	tree_file(&tree, "proc/cmdline", "root=/dev/sda mce=off quiet\n");
	tree_dir(&tree, "sys/kernel/tracing/events/memory_failure/memory_failure_event");
	pme_kernel_look(&tree.os, "6.12", &kernel);
	assert_int_equal(kernel.handles_failure, PME_YES);
	assert_int_equal(kernel.recovery, 0);
	assert_int_equal(kernel.early_kill, 1);
	assert_int_equal(kernel.machine_checks, PME_NO);
	assert_int_equal(kernel.traces, PME_YES);
	assert_int_equal(kernel.trace_failure, PME_YES);
	assert_int_equal(kernel.trace_cxl, PME_NO);
	pme_kernel_facts_done(&kernel);
	tree_file(&tree, "proc/cmdline", "mce=offline nomce2\n");
	pme_kernel_look(&tree.os, "6.12", &kernel);
	assert_int_equal(kernel.machine_checks, PME_YES);
	pme_kernel_facts_done(&kernel);
	tree_done(&tree);
}

static enum pme_result of_bus(struct pme_bus_facts bus, enum pme_check_id id)
{
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};

	bus.name = "ndbus0";
	bus.provider = "ACPI.NFIT";
	pme_judge_scrub(&bus, &checks);
	pme_judge_rescrub(&bus, &checks);
	pme_judge_clear(&bus, &checks);
	assert_int_equal(checks.count, 3);
	return result_of(&checks, id);
}

#define BUS(id, ...) of_bus((struct pme_bus_facts){__VA_ARGS__}, id)

static void test_bus(void **state)
{
	enum pme_check_id id = PME_CHECK_SCRUB;

	assert_int_equal(BUS(id, .scrubs = PME_YES, .count = 1), PME_RESULT_OK);
	assert_int_equal(BUS(id, .scrubs = PME_YES, .busy = true), PME_RESULT_OK);
	assert_int_equal(BUS(id, .scrubs = PME_YES), PME_RESULT_ADVICE);
	assert_int_equal(BUS(id, .scrubs = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(BUS(id, .scrubs = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	id = PME_CHECK_RESCRUB;
	assert_int_equal(BUS(id, .scrubs = PME_YES, .rescrubs = PME_YES), PME_RESULT_OK);
	assert_int_equal(BUS(id, .scrubs = PME_YES, .rescrubs = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(BUS(id, .scrubs = PME_YES), PME_RESULT_UNKNOWN);
	assert_int_equal(BUS(id, .scrubs = PME_NOT_KNOWN, .rescrubs = PME_YES), PME_RESULT_UNKNOWN);
	assert_int_equal(BUS(id, .scrubs = PME_NO), PME_RESULT_NONE);
	id = PME_CHECK_CLEAR;
	assert_int_equal(BUS(id, .clears = PME_CLEAR_WORKS), PME_RESULT_OK);
	assert_int_equal(BUS(id, .clears = PME_CLEAR_FORGETS), PME_RESULT_ADVICE);
	assert_int_equal(BUS(id, .clears = PME_CLEAR_FAILS), PME_RESULT_ADVICE);
	assert_int_equal(BUS(id, .clears = PME_CLEAR_UNKNOWN), PME_RESULT_UNKNOWN);
}

static void test_lists_and_modes(void **state)
{
	static const enum pme_result of_reading[] = {
		[PME_READ_WHOLE] = PME_RESULT_OK,
		[PME_READ_CLIPPED] = PME_RESULT_PROBLEM,
		[PME_READ_FULL] = PME_RESULT_PROBLEM,
		[PME_READ_FAILED] = PME_RESULT_UNKNOWN,
	};
	static const enum pme_result of_mode[] = {
		[PME_MODE_FSDAX] = PME_RESULT_OK,	 [PME_MODE_DEVDAX] = PME_RESULT_OK,
		[PME_MODE_SECTOR] = PME_RESULT_OK,	 [PME_MODE_RAW] = PME_RESULT_ADVICE,
		[PME_MODE_UNKNOWN] = PME_RESULT_UNKNOWN,
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(of_reading); i++) {
		_cleanup_(pme_checks_done) struct pme_checks checks = {0};
		const struct pme_list_facts list = {"region0", i, 3, -EACCES};

		pme_judge_list(&list, &checks);
		assert_int_equal(result_of(&checks, PME_CHECK_LIST), of_reading[i]);
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(of_mode); i++) {
		_cleanup_(pme_checks_done) struct pme_checks used = {0}, idle = {0}, off = {0};
		struct pme_mode_facts ns = {"namespace0.0", "pmem0", i, true};

		pme_judge_mode(&ns, &used);
		assert_int_equal(result_of(&used, PME_CHECK_MODE), of_mode[i]);
		ns.used = false;
		pme_judge_mode(&ns, &idle);
		assert_int_equal(result_of(&idle, PME_CHECK_MODE),
				 i == PME_MODE_RAW ? PME_RESULT_NONE : of_mode[i]);
		ns.device = NULL;
		pme_judge_mode(&ns, &off);
		assert_int_equal(result_of(&off, PME_CHECK_MODE), PME_RESULT_NONE);
	}
}

static void test_dimm(void **state)
{
	static const struct {
		const char *flags, *health;
		int error;
		enum pme_result result;
	} cases[] = {
		{"", NULL, 0, PME_RESULT_OK},
		{"smart_notify", "ok", 0, PME_RESULT_OK},
		{"smart_event smart_notify", NULL, 0, PME_RESULT_ADVICE},
		{"not_armed", "ok", 0, PME_RESULT_PROBLEM},
		{"flush_fail save_fail", NULL, 0, PME_RESULT_PROBLEM},
		{"restore_fail", NULL, 0, PME_RESULT_PROBLEM},
		{"map_fail", NULL, 0, PME_RESULT_PROBLEM},
		{"not_armed_yet", NULL, 0, PME_RESULT_OK},
		{"", "fatal", 0, PME_RESULT_PROBLEM},
		{"", "critical", 0, PME_RESULT_PROBLEM},
		{"", "non-critical", 0, PME_RESULT_ADVICE},
		{NULL, NULL, -EACCES, PME_RESULT_UNKNOWN},
		{NULL, "ok", -EACCES, PME_RESULT_UNKNOWN},
		{NULL, "fatal", -EACCES, PME_RESULT_PROBLEM},
		{NULL, NULL, -ENOENT, PME_RESULT_NONE},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_checks_done) struct pme_checks checks = {0};
		const struct pme_dimm_facts dimm = {
			.name = "nmem0",
			.flags = cases[i].flags,
			.health = cases[i].health,
			.error = cases[i].error,
			.dirty_shutdowns = i,
		};

		pme_judge_dimm(&dimm, &checks);
		assert_int_equal(result_of(&checks, PME_CHECK_DIMM), cases[i].result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_memory_failure),
		cmocka_unit_test(test_machine_checks_and_traces),
		cmocka_unit_test(test_kernel_is_read),
		cmocka_unit_test(test_bus),
		cmocka_unit_test(test_lists_and_modes),
		cmocka_unit_test(test_dimm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
