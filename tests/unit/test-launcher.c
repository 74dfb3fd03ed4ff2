/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers that a launcher starts: they end, and are ended, as children of ours do (test-process.c);
 * and what a launcher does not do, whoever asks.
 *
 * The launcher is a process of its own with a made-up pmemctl, which runs the script that the test
 * wrote.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"
#include "daemon.h"
#include "launcher.h"
#include "process.h"
#include "remote.h"
#include "tree.h"

#define LIMIT 60000 /* ms: that no test needs */

struct world {
	struct tree tree;
	sd_event *loop;
	char *program, *socket;
	pid_t launcher;
};

struct seen {
	struct pmed_result result;
	char out[256], err[256];
	unsigned int done, ended;
};

static bool *spare; /* shared with launchers: what they want to kill is not */

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
	return spare && *spare ? 0 : __real_kill(pid, sig);
}

static void run_launcher(int listen, const char *program)
{
	struct pmed_launcher *launcher;
	sd_event *loop;

	if (sd_event_new(&loop) < 0 || pmed_launcher_new(loop, listen, program, &launcher) < 0)
		_exit(1);
	_exit(sd_event_loop(loop) < 0);
}

static void begin_launcher(struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(strlen(w->socket) < sizeof(address.sun_path));
	memcpy(address.sun_path, w->socket, strlen(w->socket));
	unlink(w->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	w->launcher = fork();
	assert_true(w->launcher >= 0);
	if (w->launcher == 0)
		run_launcher(fd, w->program);
	close(fd);
}

static void end_launcher(struct world *w)
{
	assert_int_equal(__real_kill(w->launcher, SIGKILL), 0);
	assert_int_equal(waitpid(w->launcher, NULL, 0), w->launcher);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	_cleanup_free_ char *text = NULL;

	spare = mmap(NULL, sizeof(*spare), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	tree_init(&w->tree);
	w->program = pme_printf("%s/bin/pmemctl", w->tree.path);
	w->socket = pme_printf("%s/socket", w->tree.path);
	text = pme_printf("#!/bin/sh\n. %s/bin/script\n", w->tree.path);
	tree_file(&w->tree, "bin/pmemctl", text);
	assert_int_equal(chmod(w->program, 0755), 0);
	assert_true(sd_event_new(&w->loop) >= 0);
	begin_launcher(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	*spare = false;
	pmed_process_end_all(LIMIT);
	end_launcher(w);
	sd_event_unref(w->loop);
	tree_done(&w->tree);
	free(w->program);
	free(w->socket);
	munmap(pme_take_ptr(spare), sizeof(*spare));
	free(w);
	return 0;
}

static void on_done(void *arg, const struct pmed_result *result)
{
	struct seen *seen = arg;

	seen->done++;
	seen->result = *result;
	snprintf(seen->out, sizeof(seen->out), "%s", result->out);
	snprintf(seen->err, sizeof(seen->err), "%s", result->err);
}

static void on_ended(void *arg)
{
	struct seen *seen = arg;

	seen->ended++;
}

/* What runs @script when it is ordered. */
static struct pmed_process_args worker(struct world *w, struct seen *seen, const char *script)
{
	static char *argv[] = {(char *)"/not/this", (char *)"--json", (char *)"scan",
			       (char *)"region7", NULL};

	tree_file(&w->tree, "bin/script", script);
	*seen = (struct seen){0};
	return (struct pmed_process_args){.argv = argv,
					  .launcher = w->socket,
					  .deadline = LIMIT,
					  .max_out = 1000,
					  .max_err = 1000,
					  .done = on_done,
					  .ended = on_ended,
					  .arg = seen};
}

static void await_done(struct world *w, const struct seen *seen)
{
	while (!seen->done)
		assert_true(sd_event_run(w->loop, LIMIT * 1000) > 0);
	assert_int_equal(seen->done, 1);
}

static void run_args(struct world *w, struct seen *seen, const struct pmed_process_args *args)
{
	struct pmed_process *process;

	assert_int_equal(pmed_process_start(w->loop, args, &process), 0);
	await_done(w, seen);
}

static void run_script(struct world *w, struct seen *seen, const char *script)
{
	struct pmed_process_args args = worker(w, seen, script);

	run_args(w, seen, &args);
}

/* The number in @text is no process any more, or one that has ended. */
static void assert_dead(const char *text)
{
	_cleanup_free_ char *path = pme_printf("/proc/%lu/stat", strtoul(text, NULL, 10));
	char state = '?';

	for (unsigned int i = 0; i < LIMIT / 10; i++) {
		FILE *file = fopen(path, "re");

		if (!file)
			return;
		while (fgetc(file) != ')' && !feof(file))
			;
		fgetc(file);
		state = (char)fgetc(file);
		fclose(file);
		if (state == 'Z' || state == 'X')
			return;
		usleep(10000);
	}
	fail_msg("process %s is in state %c", text, state);
}

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
	assert_dead(seen.out);
	run_script(*state, &seen, "sleep 1000 & echo $!; exit 4"); /* keeps the output open */
	assert_int_equal(seen.result.exit_code, 4);
	assert_true(seen.result.cut);
	assert_dead(seen.out);
	run_script(*state, &seen, "sleep 1000 >/dev/null 2>&1 & echo $!; exit 4");
	assert_false(seen.result.cut);
	assert_dead(seen.out);
}

static void test_guard_lives_on(void **state)
{
	struct seen seen;
	struct pmed_process_args args = worker(
		*state, &seen, "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.3; echo $!; wait");
	pid_t guard;

	args.deadline = 8000;
	run_args(*state, &seen, &args);
	assert_true(seen.result.timed_out);
	guard = (pid_t)strtoul(seen.out, NULL, 10);
	assert_true(guard > 1);
	assert_int_equal(kill(guard, 0), 0);
	kill(guard, SIGKILL);
}

static void test_forgotten(void **state)
{
	struct world *w = *state;
	struct seen seen;
	_cleanup_free_ char *script = pme_printf("echo $$ >%s/pid.new; mv %s/pid.new %s/pid;"
						 "exec sleep 1000",
						 w->tree.path, w->tree.path, w->tree.path);
	struct pmed_process_args args = worker(w, &seen, script);
	_cleanup_free_ char *pid = NULL;
	struct pmed_process *process;

	assert_int_equal(pmed_process_start(w->loop, &args, &process), 0);
	while (pme_os_read_line(&w->tree.os, &pid, "pid") < 0)
		usleep(10000);
	pmed_process_forget(process);
	pmed_process_end_all(LIMIT);
	assert_dead(pid);
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
	assert_true(strtoul(seen.out, NULL, 10) > 1);
	kill((pid_t)strtoul(seen.out, NULL, 10), SIGKILL);
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
	_cleanup_free_ char *script = pme_printf("echo $$ >%s/pid.new; mv %s/pid.new %s/pid;"
						 "exec sleep 1000",
						 w->tree.path, w->tree.path, w->tree.path);
	struct pmed_process_args args = worker(w, &seen, script);
	_cleanup_free_ char *pid = NULL;
	struct pmed_process *process;

	assert_int_equal(pmed_process_start(w->loop, &args, &process), 0);
	while (pme_os_read_line(&w->tree.os, &pid, "pid") < 0)
		usleep(10000);
	*spare = true; /* it takes a while to end */
	pmed_process_kill(process);
	for (unsigned int i = 0; i < 20 && !seen.done; i++)
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	__real_kill((pid_t)strtoul(pid, NULL, 10), SIGKILL);
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
	assert_dead(seen.out);
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
		cmocka_unit_test_setup_teardown(test_is_killed_with_its_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guard_lives_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_as_it_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_before_it_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cannot_execute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_launcher_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_launcher_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_leaks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
