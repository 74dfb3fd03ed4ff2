/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers that a launcher starts: they begin and end as children of ours do (test-process.c); and
 * what a launcher does not do, whoever asks.
 */
#include "launcher-world.h"

static void test_ends(void **state)
{
	struct seen seen;

	run_script(*state, &seen, "echo $*; echo err >&2; exit 17");
	assert_int_equal(seen.result.error, 0);
	assert_int_equal(seen.result.exit_code, 17);
	assert_int_equal(seen.result.signal, 0);
	assert_false(seen.result.timed_out || seen.result.stuck || seen.result.cut);
	assert_string_equal(seen.out, "--json scan region7\n");
	assert_string_equal(seen.err, "err\n");
	run_script(*state, &seen, "kill -SEGV $$");
	assert_int_equal(seen.result.signal, SIGSEGV);
	assert_int_equal(seen.result.exit_code, -1);
	run_script(*state, &seen, "head -c 5000000 /dev/zero; exit 5");
	assert_true(seen.result.cut);
	assert_int_equal(seen.result.out_len, 1000);
	assert_int_equal(seen.result.exit_code, 5);
}

static void test_surroundings(void **state)
{
	struct seen seen;
	struct pmed_process_args args = worker(
		*state, &seen,
		"env | grep -v ^PWD= | grep -v ^_= | sort; ulimit -v; ls /proc/self/fd | wc -l;"
		"read -r _ _ _ _ pgid sid _ </proc/$$/stat;"
		"echo $((pgid - $$)) $((sid - $$)); wc -c");

	setenv("COLOUR", "blue", 1);
	args.memory = 512 << 20;
	args.input = "four";
	args.input_len = 4;
	run_args(*state, &seen, &args);
	assert_string_equal(seen.out, "LC_ALL=C.UTF-8\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
				      "524288\n4\n0 0\n4\n");
}

static void test_cannot_execute(void **state)
{
	struct world *w = *state;
	struct seen seen;

	assert_int_equal(chmod(w->program, 0644), 0);
	run_script(w, &seen, "exit 0");
	assert_int_equal(seen.result.error, -EACCES);
	unlink(w->program);
	run_script(w, &seen, "exit 0");
	assert_int_equal(seen.result.error, -ENOENT);
}

/* Also one that does not die with it. */
static void test_launcher_dies(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *script = pme_printf("echo $$; exec setpriv --pdeathsig clear sh -c "
						 "': >%s/ready; exec sleep 1000'",
						 w->tree.path);
	struct seen seen;
	struct pmed_process_args args = worker(w, &seen, script);
	struct pmed_process *process;

	assert_int_equal(pmed_process_start(w->loop, &args, &process), 0);
	while (pme_os_exists(&w->tree.os, "ready") != 1)
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	end_launcher(w);
	await_done(w, &seen);
	assert_int_equal(seen.result.error, -ECONNRESET);
	assert_false(seen.result.stuck);
	assert_dead(seen.out, LIMIT);
	seen = (struct seen){0};
	assert_int_equal(pmed_process_start(w->loop, &args, &process), -ECONNREFUSED);
	begin_launcher(w);
	run_script(w, &seen, "exit 3");
	assert_int_equal(seen.result.exit_code, 3);
}

/* A launcher that answers nothing: the deadline holds. */
static void test_launcher_hangs(void **state)
{
	struct world *w = *state;
	struct seen seen;
	struct pmed_process_args args = worker(w, &seen, "exit 0");

	args.deadline = 100;
	assert_int_equal(kill(w->launcher, SIGSTOP), 0);
	run_args(w, &seen, &args);
	kill(w->launcher, SIGCONT);
	assert_true(seen.result.timed_out);
	assert_false(seen.result.stuck);
	assert_int_equal(seen.result.error, -ETIMEDOUT);
}

/* What a launcher answers to @size bytes at @text and @n_fds descriptors: an error, 0: it began. */
static int answer_to(struct world *w, const char *text, size_t size, size_t n_fds)
{
	_cleanup_close_ int connection = pmed_remote_connect(w->socket), pidfd = -1;
	struct pollfd pollfd = {.fd = connection, .events = POLLIN};
	struct pmed_report report;
	int fds[] = {0, 1, 2};

	assert_true(connection >= 0);
	assert_int_equal(pmed_message_send(connection, text, size, fds, n_fds), 0);
	assert_int_equal(poll(&pollfd, 1, LIMIT), 1);
	assert_int_equal(pmed_remote_hear(connection, &report, &pidfd), 0);
	return report.kind == PMED_REPORT_BEGAN ? 0 : report.end.error;
}

static void test_refuses(void **state)
{
	static const char good[] = "1\0"
				   "0\0--json\0list",
			  other[] = "1\0"
				    "0\0--json\0repair",
			  path[] = "1\0"
				   "0\0--json\0scan\0region1/../..",
			  version[] = "2\0"
				      "0\0--json\0list",
			  memory[] = "1\0-1\0--json\0list",
			  much[] = "1\0"
				   "0\0--json\0list\0--health\0a\0b\0c";
	static const char long_one[PMED_ORDER_MAX + 1] = "1";
	struct world *w = *state;
	struct seen seen;
	struct pmed_process_args args = worker(w, &seen, "exit 0");
	char *argv[] = {(char *)"x", (char *)"--json", (char *)"clear", NULL};
	struct pmed_process *process;

	assert_int_equal(answer_to(w, good, sizeof(good), 3), 0);
	assert_int_equal(answer_to(w, good, sizeof(good), 2), -EINVAL);
	assert_int_equal(answer_to(w, good, sizeof(good), 0), -EINVAL);
	assert_int_equal(answer_to(w, good, sizeof(good) - 1, 3), -EINVAL);
	assert_int_equal(answer_to(w, other, sizeof(other), 3), -EPERM);
	assert_int_equal(answer_to(w, path, sizeof(path), 3), -EPERM);
	assert_int_equal(answer_to(w, version, sizeof(version), 3), -EINVAL);
	assert_int_equal(answer_to(w, memory, sizeof(memory), 3), -EINVAL);
	assert_int_equal(answer_to(w, much, sizeof(much), 3), -EINVAL);
	assert_int_equal(answer_to(w, long_one, sizeof(long_one), 3), -EPROTO);
	args.argv = argv; /* and we do not even ask */
	assert_int_equal(pmed_process_start(w->loop, &args, &process), -EPERM);
}

static size_t count_fds(struct world *w)
{
	struct pme_os os;
	char **names = NULL;
	size_t count = 0;

	assert_int_equal(pme_os_open_root("/", &os), 0);
	for (pid_t pid = getpid();; pid = w->launcher) {
		_cleanup_free_ char *path = pme_printf("proc/%d/fd", (int)pid);
		size_t more;

		assert_int_equal(pme_os_list(&os, path, &names, &more), 0);
		pme_os_free_names(names, more);
		count += more;
		if (pid == w->launcher)
			break;
	}
	pme_os_close(&os);
	return count;
}

/* It hears of our hanging up in its own time. */
static void test_no_leaks(void **state)
{
	struct world *w = *state;
	struct seen seen;
	size_t before;

	run_script(w, &seen, "exit 1");
	usleep(200000);
	before = count_fds(w);
	for (unsigned int i = 0; i < 100; i++) {
		run_script(w, &seen, "exit 1");
		assert_int_equal(seen.result.exit_code, 1);
	}
	for (unsigned int i = 0; count_fds(w) > before && i < LIMIT / 10; i++)
		usleep(10000);
	/* the first one may not have been forgotten then */
	assert_true(count_fds(w) <= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_surroundings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cannot_execute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_launcher_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_launcher_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_leaks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
