/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of workers that a launcher starts.  The launcher is a process of its own with a made-up
 * pmemctl, which runs the script that the test wrote.  Link with --wrap=kill.
 */
#ifndef PME_TESTS_LAUNCHER_WORLD_H
#define PME_TESTS_LAUNCHER_WORLD_H

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
#include "process-seen.h"
#include "remote.h"
#include "tree.h"

struct world {
	struct tree tree;
	sd_event *loop;
	char *program, *socket;
	pid_t launcher;
};

static bool *spare; /* shared with launchers: what they want to kill is not */

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
	return spare && *spare ? 0 : __real_kill(pid, sig);
}

static inline void run_launcher(int listen, const char *program)
{
	struct pmed_launcher *launcher;
	sd_event *loop;

	if (sd_event_new(&loop) < 0 || pmed_launcher_new(loop, listen, program, &launcher) < 0)
		_exit(1);
	_exit(sd_event_loop(loop) < 0);
}

static inline void begin_launcher(struct world *w)
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

static inline void end_launcher(struct world *w)
{
	assert_int_equal(__real_kill(w->launcher, SIGKILL), 0);
	assert_int_equal(waitpid(w->launcher, NULL, 0), w->launcher);
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

/* What runs @script when it is ordered. */
static inline struct pmed_process_args worker(struct world *w, struct seen *seen,
					      const char *script)
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

static inline void await_done(struct world *w, const struct seen *seen)
{
	while (!seen->done)
		assert_true(sd_event_run(w->loop, LIMIT * 1000) > 0);
	assert_int_equal(seen->done, 1);
}

static inline void run_args(struct world *w, struct seen *seen,
			    const struct pmed_process_args *args)
{
	struct pmed_process *process;

	assert_int_equal(pmed_process_start(w->loop, args, &process), 0);
	await_done(w, seen);
}

static inline void run_script(struct world *w, struct seen *seen, const char *script)
{
	struct pmed_process_args args = worker(w, seen, script);

	run_args(w, seen, &args);
}

#endif
