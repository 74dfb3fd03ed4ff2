/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs beside the loop: how they end, how they are ended, and that nothing is left of them.
 */
#include "process-seen.h"

#include <dirent.h>

#include "daemon.h"

#define DYING 10000 /* ms: more than any of them needs */

static bool spare;

/* A process that cannot be killed. */
int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
	return spare ? 0 : __real_kill(pid, sig);
}

static char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				    (char *)"COLOUR=blue", NULL};

static struct pmed_process_args shell(struct seen *seen, char *script, char **argv)
{
	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)"-c";
	argv[2] = script;
	argv[3] = NULL;
	*seen = (struct seen){0};
	return (struct pmed_process_args){.argv = argv,
					  .envp = environment,
					  .deadline = LIMIT,
					  .max_out = 1000,
					  .max_err = 1000,
					  .done = on_done,
					  .ended = on_ended,
					  .arg = seen};
}

static void step(sd_event *loop)
{
	assert_true(sd_event_run(loop, LIMIT * 1000) > 0);
}

static void run_args(sd_event *loop, struct seen *seen, const struct pmed_process_args *args)
{
	struct pmed_process *process;

	assert_int_equal(pmed_process_start(loop, args, &process), 0);
	while (!seen->done)
		step(loop);
	assert_int_equal(seen->done, 1);
}

static void run_shell(void **state, struct seen *seen, const char *script)
{
	char *argv[4];
	struct pmed_process_args args = shell(seen, (char *)script, argv);

	run_args(*state, seen, &args);
}

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int set_up(void **state)
{
	return sd_event_new((sd_event **)state) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	pmed_process_end_all(LIMIT);
	sd_event_unref(*state);
	return 0;
}

static void test_exit(void **state)
{
	struct seen seen;

	run_shell(state, &seen, "echo out; echo err >&2; exit 17");
	assert_int_equal(seen.result.error, 0);
	assert_int_equal(seen.result.exit_code, 17);
	assert_int_equal(seen.result.signal, 0);
	assert_false(seen.result.timed_out || seen.result.stuck || seen.result.cut);
	assert_string_equal(seen.out, "out\n");
	assert_string_equal(seen.err, "err\n");
	assert_true(seen.result.usec > 0);
	run_shell(state, &seen, "exit 0");
	assert_int_equal(seen.result.exit_code, 0);
	assert_string_equal(seen.out, "");
}

static void test_signal(void **state)
{
	struct seen seen;

	run_shell(state, &seen, "kill -SEGV $$");
	assert_int_equal(seen.result.signal, SIGSEGV);
	assert_int_equal(seen.result.exit_code, -1);
}

static void test_surroundings(void **state)
{
	struct seen seen;
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGPIPE, SIG_IGN);
	run_shell(state, &seen, "echo $COLOUR; ulimit -c; ls /proc/self/fd | wc -l");
	assert_string_equal(seen.out, "blue\n0\n4\n"); /* the fourth is that of ls */
	run_shell(state, &seen,
		  "read -r _ _ _ _ pgid sid _ </proc/$$/stat; "
		  "echo $((pgid - $$)) $((sid - $$))");
	assert_string_equal(seen.out, "0 0\n");
	/* two numbers are those of the C library, who started the test may have them ignored */
	run_shell(state, &seen,
		  "sed -n 's/^Sig\\(Blk\\|Ign\\):.//p' /proc/$$/status | "
		  "while read -r mask; do echo $((0x$mask & ~0x180000000)); done");
	assert_string_equal(seen.out, "0\n0\n");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_input(void **state)
{
	static char input[300000];
	struct seen seen;
	char *argv[4], script[] = "wc -c; head -c 1 /proc/self/fd/0";
	struct pmed_process_args args = shell(&seen, script, argv);

	memset(input, 'x', sizeof(input));
	args.input = input;
	args.input_len = sizeof(input);
	run_args(*state, &seen, &args);
	assert_string_equal(seen.out, "300000\nx");
	argv[2] = (char *)"exec <&-; exit 3"; /* closes it early */
	seen = (struct seen){0};
	run_args(*state, &seen, &args);
	assert_int_equal(seen.result.exit_code, 3);
	argv[2] = (char *)"echo more >&0; echo $?"; /* cannot change it */
	seen = (struct seen){0};
	run_args(*state, &seen, &args);
	assert_string_not_equal(seen.out, "0\n");
}

static void test_flood(void **state)
{
	struct seen seen;
	char *argv[4], script[] = "head -c 5000000 /dev/zero; head -c 999 /dev/zero >&2; exit 5";
	struct pmed_process_args args = shell(&seen, script, argv);

	run_args(*state, &seen, &args);
	assert_true(seen.result.cut);
	assert_int_equal(seen.result.out_len, 1000);
	assert_int_equal(seen.result.err_len, 999);
	assert_int_equal(seen.result.exit_code, 5);
}

/* An answer is no worse for many words beside it. */
static void test_flood_of_errors(void **state)
{
	struct seen seen;

	run_shell(state, &seen, "echo good; head -c 5000000 /dev/zero >&2");
	assert_false(seen.result.cut);
	assert_string_equal(seen.out, "good\n");
	assert_int_equal(seen.result.exit_code, 0);
}

static void test_deadline(void **state)
{
	struct seen seen;
	char *argv[4], script[] = "trap '' TERM; yes; exit 1";
	struct pmed_process_args args = shell(&seen, script, argv);

	args.deadline = 100;
	run_args(*state, &seen, &args);
	assert_true(seen.result.timed_out);
	assert_false(seen.result.stuck);
	assert_int_equal(seen.result.signal, SIGKILL);
}

static void test_grandchildren(void **state)
{
	struct seen seen;

	/* keeps the output open */
	run_shell(state, &seen, "sleep 1000 & echo $!; exit 4");
	assert_int_equal(seen.result.exit_code, 4);
	assert_false(seen.result.timed_out);
	assert_true(seen.result.cut);
	assert_dead(seen.out, DYING);
	/* does not */
	run_shell(state, &seen, "sleep 1000 >/dev/null 2>&1 & echo $!; exit 4");
	assert_false(seen.result.cut);
	assert_dead(seen.out, DYING);
}

static void test_guard(void **state)
{
	struct seen seen;
	char *argv[4], script[] = "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.3; echo $!; sleep 9";
	struct pmed_process_args args = shell(&seen, script, argv);

	args.deadline = 8000;
	run_args(*state, &seen, &args);
	assert_true(seen.result.timed_out);
	assert_lives_on(seen.out, DYING);
}

static void test_cannot_execute(void **state)
{
	char *argv[] = {(char *)"/nonexistent/program", NULL};
	struct seen seen;
	struct pmed_process_args args = shell(&seen, NULL, (char *[4]){0});

	args.argv = argv;
	run_args(*state, &seen, &args);
	assert_int_equal(seen.result.error, -ENOENT);
	argv[0] = (char *)"/etc/passwd";
	seen = (struct seen){0};
	run_args(*state, &seen, &args);
	assert_int_equal(seen.result.error, -EACCES);
}

static void test_memory(void **state)
{
	struct seen seen;
	char *argv[4], script[] = "ulimit -v; ulimit -H -v";
	struct pmed_process_args args = shell(&seen, script, argv);

	args.memory = 256 << 20;
	run_args(*state, &seen, &args);
	assert_string_equal(seen.out, "262144\n262144\n");
}

static void test_kill_and_forget(void **state)
{
	struct seen seen, other;
	char *argv[4], script[] = "sleep 1000";
	struct pmed_process_args args = shell(&seen, script, argv);
	struct pmed_process *process, *forgotten;

	assert_int_equal(pmed_process_start(*state, &args, &process), 0);
	args.arg = &other;
	other = (struct seen){0};
	assert_int_equal(pmed_process_start(*state, &args, &forgotten), 0);
	pmed_process_forget(forgotten);
	pmed_process_kill(process);
	while (!seen.done)
		step(*state);
	assert_int_equal(seen.result.signal, SIGKILL);
	assert_false(seen.result.timed_out);
	pmed_process_end_all(LIMIT);
	assert_int_equal(other.done, 0);
}

static void test_stuck(void **state)
{
	struct seen seen;
	char *argv[4], script[] = "echo $$; exec sleep 1000";
	struct pmed_process_args args = shell(&seen, script, argv);

	args.deadline = 3000; /* it has begun by then */
	spare = true;
	run_args(*state, &seen, &args);
	spare = false;
	assert_true(seen.result.stuck && seen.result.timed_out);
	assert_int_equal(pmed_process_stuck(), 1);
	assert_int_equal(seen.ended, 0);
	kill(printed_process(seen.out), SIGKILL);
	while (!seen.ended)
		step(*state);
	assert_int_equal(pmed_process_stuck(), 0);
	assert_int_equal(seen.done, 1);
}

/* One that hangs does not hold up the end of the program. */
static void test_stuck_at_end(void **state)
{
	struct seen seen;
	char *argv[4], script[] = "echo $$; exec sleep 1000";
	struct pmed_process_args args = shell(&seen, script, argv);

	args.deadline = 3000; /* it has begun by then */
	spare = true;
	run_args(*state, &seen, &args);
	pmed_process_end_all(10);
	spare = false;
	assert_int_equal(pmed_process_stuck(), 0);
	assert_int_equal(seen.ended, 0);
	kill(printed_process(seen.out), SIGKILL);
}

static void test_no_leaks(void **state)
{
	struct seen seen;
	size_t before = 0;

	for (unsigned int i = 0; i < 200; i++) {
		run_shell(state, &seen, "exit 1");
		assert_int_equal(seen.result.exit_code, 1);
		if (i == 0)
			before = count_fds(); /* with the timers of the loop */
	}
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_surroundings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_input, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood_of_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_grandchildren, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cannot_execute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kill_and_forget, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck_at_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_leaks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
