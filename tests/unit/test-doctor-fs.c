/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/doctor-fs.c, doctor-keep.c: each rule about filesystems and what is protected on them each
 * way, from facts of machines that never were.
 */
#include "doctor-rows.h"

static const struct pme_fs_facts good_fs = {
	.mount = "/srv",
	.type = "xfs",
	.device = "pmem0",
	.release = "6.12.1",
	.ground = PME_GROUND_PMEM,
	.mode = PME_MODE_FSDAX,
	.dax = true,
	.rmap = PME_YES,
	.parents = PME_YES,
	.reflink = PME_YES,
	.exchange = PME_YES,
	.parked = 0,
	.left_over = 0,
	.protected = 1,
};

static enum pme_result of_fs(struct pme_fs_facts fs, enum pme_check_id id)
{
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};

	pme_judge_filesystem(&fs, &checks);
	pme_judge_quarantine(&fs, &checks);
	pme_judge_staging(&fs, &checks);
	pme_judge_protected(&fs, &checks);
	return result_of(&checks, id);
}

#define FS(id, ...)                               \
	({                                        \
		struct pme_fs_facts fs = good_fs; \
		__VA_ARGS__;                      \
		of_fs(fs, id);                    \
	})

static void test_notice(void **state)
{
	const enum pme_check_id id = PME_CHECK_FAILURE_NOTICE;

	assert_int_equal(FS(id, ), PME_RESULT_OK);
	assert_int_equal(FS(id, fs.rmap = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(FS(id, fs.rmap = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(FS(id, fs.ground = PME_GROUND_STACKED), PME_RESULT_ADVICE);
	assert_int_equal(FS(id, fs.ground = PME_GROUND_OTHER), PME_RESULT_NONE);
	assert_int_equal(FS(id, fs.mode = PME_MODE_RAW), PME_RESULT_NONE);
	assert_int_equal(FS(id, fs.type = "ext4"), PME_RESULT_ADVICE);
}

static void test_dax(void **state)
{
	const enum pme_check_id id = PME_CHECK_DAX;

	assert_int_equal(FS(id, ), PME_RESULT_OK);
	assert_int_equal(FS(id, fs.release = "6.1.187"), PME_RESULT_ADVICE);
	assert_int_equal(FS(id, fs.release = "6.1.187"; fs.reflink = PME_NO), PME_RESULT_OK);
	assert_int_equal(FS(id, fs.release = "6.1.187"; fs.dax = false), PME_RESULT_NONE);
	assert_int_equal(FS(id, fs.reflink = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(FS(id, fs.type = "ext4"; fs.release = "6.1.187"), PME_RESULT_OK);
}

static void test_features(void **state)
{
	assert_int_equal(FS(PME_CHECK_OWNERS, ), PME_RESULT_OK);
	assert_int_equal(FS(PME_CHECK_OWNERS, fs.rmap = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_OWNERS, fs.rmap = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(FS(PME_CHECK_NAMES, fs.parents = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_NAMES, fs.parents = PME_NO; fs.release = "6.9.1"),
			 PME_RESULT_NONE);
	assert_int_equal(FS(PME_CHECK_REFLINK, fs.reflink = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_REFLINK, fs.type = "ext4"), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_REFLINK, fs.type = "btrfs"), PME_RESULT_NONE);
	assert_int_equal(FS(PME_CHECK_EXCHANGE, ), PME_RESULT_OK);
	assert_int_equal(FS(PME_CHECK_EXCHANGE, fs.exchange = PME_NO), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_EXCHANGE, fs.exchange = PME_NO; fs.release = "6.1.1"),
			 PME_RESULT_NONE);
	assert_int_equal(FS(PME_CHECK_EXCHANGE, fs.exchange = PME_NOT_KNOWN), PME_RESULT_UNKNOWN);
}

static void test_vault(void **state)
{
	assert_int_equal(FS(PME_CHECK_QUARANTINE, ), PME_RESULT_OK);
	assert_int_equal(FS(PME_CHECK_QUARANTINE, fs.parked = 2), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_QUARANTINE, fs.parked = PME_UNKNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(FS(PME_CHECK_STAGING, ), PME_RESULT_OK);
	assert_int_equal(FS(PME_CHECK_STAGING, fs.left_over = 1), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_STAGING, fs.left_over = PME_UNKNOWN), PME_RESULT_UNKNOWN);
	assert_int_equal(FS(PME_CHECK_PROTECTED, ), PME_RESULT_OK);
	assert_int_equal(FS(PME_CHECK_PROTECTED, fs.protected = 0), PME_RESULT_ADVICE);
	assert_int_equal(FS(PME_CHECK_PROTECTED, fs.protected = 0; fs.type = "vfat"),
			 PME_RESULT_NONE);
	assert_int_equal(FS(PME_CHECK_PROTECTED, fs.protected = 0; fs.ground = PME_GROUND_OTHER),
			 PME_RESULT_NONE);
	assert_int_equal(FS(PME_CHECK_PROTECTED, fs.protected = PME_UNKNOWN), PME_RESULT_UNKNOWN);
}

static const struct pme_protection_state good_state = {
	.generation = 3,
	.synced = NOW - DAY / 24,
	.whole = true,
	.verified = NOW - DAY,
};

static enum pme_result of_protection(struct pme_protection_facts p,
				     const struct pme_protection_state *state, enum pme_check_id id)
{
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};

	p.path = "/srv/db";
	p.replica = "/replica";
	p.id = "0123456789abcdef";
	p.now = NOW;
	p.state = state;
	p.error = -EINVAL;
	pme_judge_protection(&p, &checks);
	assert_int_equal(checks.count, 4);
	return result_of(&checks, id);
}

#define STATE(id, period, ...)                                                         \
	({                                                                             \
		struct pme_protection_state s = good_state;                            \
		__VA_ARGS__;                                                           \
		of_protection((struct pme_protection_facts){.every = period}, &s, id); \
	})

static void test_sync(void **state)
{
	const enum pme_check_id id = PME_CHECK_SYNC;

	assert_int_equal(STATE(id, 3600, ), PME_RESULT_OK);
	assert_int_equal(STATE(id, 3600, s.synced = NOW - DAY), PME_RESULT_PROBLEM);
	assert_int_equal(STATE(id, 86400, s.synced = NOW - DAY), PME_RESULT_OK);
	assert_int_equal(STATE(id, 0, s.synced = NOW - DAY), PME_RESULT_OK);
	assert_int_equal(STATE(id, 0, s.synced = NOW - 8 * DAY), PME_RESULT_ADVICE);
	assert_int_equal(STATE(id, 3600, s.whole = false), PME_RESULT_ADVICE);
	assert_int_equal(STATE(id, 3600, s.synced = 0), PME_RESULT_PROBLEM);
	assert_int_equal(STATE(id, 3600, s.synced = NOW + 1), PME_RESULT_PROBLEM);
	assert_int_equal(of_protection((struct pme_protection_facts){0}, NULL, id),
			 PME_RESULT_UNKNOWN);
}

static void test_verify(void **state)
{
	const enum pme_check_id id = PME_CHECK_VERIFY;

	assert_int_equal(STATE(id, 0, ), PME_RESULT_OK);
	assert_int_equal(STATE(id, 0, s.verified = NOW - 31 * DAY), PME_RESULT_ADVICE);
	assert_int_equal(STATE(id, 0, s.verified = 0), PME_RESULT_ADVICE);
	assert_int_equal(STATE(id, 0, s.verified = NOW + DAY), PME_RESULT_ADVICE);
	assert_int_equal(STATE(id, 0, s.damaged = 1), PME_RESULT_PROBLEM);
	assert_int_equal(STATE(id, 0, s.synced = 0), PME_RESULT_NONE);
	assert_int_equal(of_protection((struct pme_protection_facts){0}, NULL, id),
			 PME_RESULT_UNKNOWN);
}

static void test_timer_and_replica(void **state)
{
	static const enum pme_result of_apart[] = {
		[PME_APART_YES] = PME_RESULT_OK,	  [PME_APART_DIMM] = PME_RESULT_PROBLEM,
		[PME_APART_REGION] = PME_RESULT_PROBLEM,  [PME_APART_DEVICE] = PME_RESULT_PROBLEM,
		[PME_APART_UNKNOWN] = PME_RESULT_UNKNOWN,
	};
	struct pme_protection_facts p = {0};

	assert_int_equal(of_protection(p, &good_state, PME_CHECK_TIMER), PME_RESULT_ADVICE);
	p.every = 3600;
	assert_int_equal(of_protection(p, &good_state, PME_CHECK_TIMER), PME_RESULT_UNKNOWN);
	p.timer = PME_NO;
	assert_int_equal(of_protection(p, &good_state, PME_CHECK_TIMER), PME_RESULT_PROBLEM);
	p.timer = PME_YES;
	assert_int_equal(of_protection(p, &good_state, PME_CHECK_TIMER), PME_RESULT_OK);
	for (size_t i = 0; i < PME_ARRAY_SIZE(of_apart); i++) {
		p.apart = i;
		assert_int_equal(of_protection(p, &good_state, PME_CHECK_REPLICA), of_apart[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notice),
		cmocka_unit_test(test_dax),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_vault),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_timer_and_replica),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
