/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-md-check.c: a check that ends, one that a signal ends, and one that was left behind.
 */
#include <signal.h>

#include "repair-md-check.h"
#include "rewrite-machine.h"

static const struct pme_range nothing;

static struct pme_rewrite_run run_of(struct machine *m, struct pme_rewrite *rewrite)
{
	return (struct pme_rewrite_run){
		.os = &m->tree.os,
		.topo = m->snap.topo,
		.journal = m->journal,
		.log = &m->snap.log,
		.rewrite = rewrite,
	};
}

static size_t unfinished(struct machine *m)
{
	struct json_object *repairs = NULL;
	size_t count;

	assert_int_equal(pme_repair_unfinished(m->journal, 0, &repairs), 0);
	count = json_object_array_length(repairs);
	json_object_put(repairs);
	return count;
}

static void test_check(void **state)
{
	struct machine *m = *state;
	struct pme_rewrite rewrite = rewrite_of(m);
	struct pme_rewrite_run run = run_of(m, &rewrite);

	/* somebody had limited it: that is how it has to be afterwards */
	set(m, "sync_min", "1024");
	set(m, "sync_max", "2048");
	set(m, "sync_completed", "24 / 2048");
	assert_int_equal(pme_md_check(&run, nothing, false), 0);
	check_attr(m, "sync_action", "idle");
	check_attr(m, "sync_min", "1024");
	check_attr(m, "sync_max", "2048");
	assert_int_equal(rewrite.mismatches, 8 * 512);
	assert_null(rewrite.error);
	/* it began, with all that is needed to set it back */
	assert_int_equal(unfinished(m), 1);
	assert_int_not_equal(rewrite.id, 0);
}

static void test_check_interrupted(void **state)
{
	struct machine *m = *state;
	struct pme_rewrite rewrite = rewrite_of(m);
	struct pme_rewrite_run run = run_of(m, &rewrite);
	sigset_t ends, before;

	set(m, "sync_completed", "16 / 2048");
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	assert_int_equal(sigprocmask(SIG_BLOCK, &ends, &before), 0);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(pme_md_check(&run, nothing, false), -EINTR);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	assert_true(run.interrupted);
	check_attr(m, "sync_action", "idle");
	check_attr(m, "sync_min", "0");
	check_attr(m, "sync_max", "max");
	assert_non_null(strstr(rewrite.error, "interrupted"));
	free(rewrite.error);
}

/* Another part first: md came to the end of both. */
static void test_check_two_parts(void **state)
{
	struct machine *m = *state;
	struct pme_rewrite rewrite = rewrite_of(m);
	struct pme_rewrite_run run = run_of(m, &rewrite);
	struct pme_range before = {SECTORS(1024), SECTORS(64)};

	set(m, "sync_completed", "1088 / 2048");
	assert_int_equal(pme_md_check(&run, before, false), 0);
	check_attr(m, "sync_action", "idle");
	check_attr(m, "sync_min", "0");
	check_attr(m, "sync_max", "max");
}

/* What cannot be set back later is not begun. */
static void test_check_odd_limits(void **state)
{
	static const char *const odd[] = {"", "-1", "maximum", "8 8", "99999999999999999999999"};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(odd); i++) {
		struct pme_rewrite rewrite = rewrite_of(m);
		struct pme_rewrite_run run = run_of(m, &rewrite);

		set(m, "sync_max", odd[i]);
		assert_int_equal(pme_md_check(&run, nothing, false), -EAGAIN);
		check_attr(m, "sync_action", "idle");
		check_attr(m, "sync_min", "0");
		free(rewrite.error);
	}
	assert_int_equal(unfinished(m), 0);
}

/* ---- left behind ---- */

static struct json_object *left(const char *uuid, const char *min, const char *max)
{
	struct json_object *layer = json_object_new_object();

	json_object_object_add(layer, "name", json_object_new_string("md0"));
	json_object_object_add(layer, "uuid", json_object_new_string(uuid));
	json_object_object_add(layer, "sync_min", json_object_new_string(min));
	json_object_object_add(layer, "sync_max", json_object_new_string(max));
	json_object_object_add(layer, "start_sect", json_object_new_int(16));
	json_object_object_add(layer, "end_sect", json_object_new_int(24));
	json_object_object_add(layer, "first_start_sect", json_object_new_int(1024));
	json_object_object_add(layer, "first_end_sect", json_object_new_int(1088));
	return layer;
}

static void check_resumed(struct machine *m, struct json_object *layer, int expected,
			  const char *part)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(pme_md_resume(m->snap.topo, layer, &text), expected);
	if (part) {
		assert_non_null(text);
		assert_non_null(strstr(text, part));
	}
	json_object_put(layer);
}

static void test_resume(void **state)
{
	struct machine *m = *state;

	/* killed while md waits at the end */
	set(m, "sync_min", "16");
	set(m, "sync_max", "24");
	set(m, "sync_action", "check");
	check_resumed(m, left("0:1:2:3", "0", "max"), 0, "as they were");
	check_attr(m, "sync_action", "idle");
	check_attr(m, "sync_min", "0");
	check_attr(m, "sync_max", "max");
	/* between the two limits */
	set(m, "sync_min", "16");
	check_resumed(m, left("0:1:2:3", "8", "max"), 0, "as they were");
	check_attr(m, "sync_min", "8");
	/* while md was at the part before it */
	set(m, "sync_min", "1024");
	set(m, "sync_max", "1088");
	set(m, "sync_action", "check");
	check_resumed(m, left("0:1:2:3", "0", "max"), 0, "as they were");
	check_attr(m, "sync_action", "idle");
	check_attr(m, "sync_max", "max");
	/* somebody else has set others since, and checks */
	set(m, "sync_min", "512");
	set(m, "sync_max", "2048");
	set(m, "sync_action", "check");
	check_resumed(m, left("0:1:2:3", "0", "max"), 0, "nothing had to be");
	check_attr(m, "sync_action", "check");
	check_attr(m, "sync_min", "512");
	check_attr(m, "sync_max", "2048");
	/* another array has its name now */
	set(m, "sync_min", "16");
	set(m, "sync_max", "24");
	check_resumed(m, left("9:9:9:9", "0", "max"), 0, "is not there");
	check_attr(m, "sync_max", "24");
	/* hostile */
	check_resumed(m, left("0:1:2:3", "0", "8\nfoo"), -EUCLEAN, NULL);
	check_resumed(m, left("0:1:2:3", "", "max"), -EUCLEAN, NULL);
	check_attr(m, "sync_max", "24");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_two_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_odd_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
