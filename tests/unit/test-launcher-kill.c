/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers that a launcher starts are ended as children of ours are (test-process.c), whenever that
 * is, and with what they began.
 */
#include "launcher-world.h"

/* One that sleeps: its number.  It has begun, and nobody here knows. */
static char *begin_unheard(struct world *w, struct seen *seen, struct pmed_process **ret)
{
	_cleanup_free_ char *script = pme_printf("echo $$ >%s/pid.new; mv %s/pid.new %s/pid;"
						 "exec sleep 1000",
						 w->tree.path, w->tree.path, w->tree.path);
	struct pmed_process_args args = worker(w, seen, script);
	char *pid = NULL;

	assert_int_equal(pmed_process_start(w->loop, &args, ret), 0);
	while (pme_os_read_line(&w->tree.os, &pid, "pid") < 0)
		usleep(10000);
	return pid;
}

static void test_is_killed_with_its_group(void **state)
{
	struct seen seen;
	struct pmed_process_args args =
		worker(*state, &seen, "trap '' TERM; sleep 1000 & echo $!; wait");

	args.deadline = 5000;
	run_args(*state, &seen, &args);
	assert_true(seen.result.timed_out);
	assert_false(seen.result.stuck);
	assert_int_equal(seen.result.signal, SIGKILL);
	assert_dead(seen.out, LIMIT);
	run_script(*state, &seen, "sleep 1000 & echo $!; exit 4"); /* keeps the output open */
	assert_int_equal(seen.result.exit_code, 4);
	assert_true(seen.result.cut);
	assert_dead(seen.out, LIMIT);
	run_script(*state, &seen, "sleep 1000 >/dev/null 2>&1 & echo $!; exit 4");
	assert_false(seen.result.cut);
	assert_dead(seen.out, LIMIT);
}

static void test_guard_lives_on(void **state)
{
	struct seen seen;
	struct pmed_process_args args = worker(
		*state, &seen, "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.3; echo $!; wait");

	args.deadline = 8000;
	run_args(*state, &seen, &args);
	assert_true(seen.result.timed_out);
	assert_lives_on(seen.out, LIMIT);
}

static void test_forgotten(void **state)
{
	struct world *w = *state;
	struct seen seen;
	struct pmed_process *process;
	_cleanup_free_ char *pid = begin_unheard(w, &seen, &process);

	pmed_process_forget(process);
	pmed_process_end_all(LIMIT);
	assert_dead(pid, LIMIT);
	assert_int_equal(seen.done, 0);
}

static void test_stuck(void **state)
{
	struct world *w = *state;
	struct seen seen;
	struct pmed_process_args args = worker(w, &seen, "echo $$; exec sleep 1000");

	args.deadline = 5000; /* it has begun by then */
	*spare = true;
	run_args(w, &seen, &args);
	*spare = false;
	assert_true(seen.result.stuck && seen.result.timed_out);
	assert_int_equal(pmed_process_stuck(), 1);
	assert_int_equal(seen.ended, 0);
	kill(printed_process(seen.out), SIGKILL);
	while (!seen.ended)
		assert_true(sd_event_run(w->loop, LIMIT * 1000) > 0);
	assert_int_equal(pmed_process_stuck(), 0);
	assert_int_equal(seen.done, 1);
}

/* Killed when nobody knows here that it began: it does not hang. */
static void test_killed_as_it_begins(void **state)
{
	struct world *w = *state;
	struct seen seen;
	struct pmed_process *process;
	_cleanup_free_ char *pid = begin_unheard(w, &seen, &process);

	*spare = true; /* it takes a while to end */
	pmed_process_kill(process);
	for (unsigned int i = 0; i < 20 && !seen.done; i++)
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	__real_kill(printed_process(pid), SIGKILL);
	await_done(w, &seen);
	assert_false(seen.result.stuck);
	assert_true(seen.result.signal == SIGKILL || seen.result.error == -ECANCELED);
}

/* One that is to take a filesystem down as it ends has more time. */
static void test_killed_inside(void **state)
{
	struct world *w = *state;
	struct seen seen;
	_cleanup_free_ char *script = pme_printf(": >%s/ready; exec sleep 1000", w->tree.path);
	struct pmed_process_args args = worker(w, &seen, script);
	struct pmed_process *process;
	uint64_t end;

	assert_int_equal(pmed_process_start(w->loop, &args, &process), 0);
	while (pme_os_exists(&w->tree.os, "ready") != 1)
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	for (unsigned int i = 0; i < 5; i++) /* the launcher has said so before */
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	*spare = true;
	pmed_process_kill_inside(process);
	for (end = pmed_clock() + 6000000; pmed_clock() < end;)
		assert_true(sd_event_run(w->loop, 100000) >= 0);
	assert_int_equal(seen.done, 0);
	*spare = false;
	end_launcher(w); /* whose children end with it */
	begin_launcher(w);
	await_done(w, &seen);
	assert_false(seen.result.stuck);
}

static void test_killed_before_it_begins(void **state)
{
	struct world *w = *state;
	struct seen seen;
	struct pmed_process_args args = worker(w, &seen, "exit 0");
	struct pmed_process *process;

	assert_int_equal(kill(w->launcher, SIGSTOP), 0);
	assert_int_equal(pmed_process_start(w->loop, &args, &process), 0);
	pmed_process_kill(process);
	await_done(w, &seen);
	kill(w->launcher, SIGCONT);
	assert_int_equal(seen.result.error, -ECANCELED);
	assert_false(seen.result.timed_out || seen.result.stuck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_killed_with_its_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guard_lives_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_as_it_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_before_it_begins, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
