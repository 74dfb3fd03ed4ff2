/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs beside the loop; see process.h.
 *
 * Each is a child of ours (child.h), or one of the launcher that we have a connection to (order.h).
 *
 * The surprise: a connection that breaks says nothing of the process.  The launcher's end kills its
 * children, but not one that hangs in the kernel: that is seen by its pidfd.
 */
#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "daemon.h"
#include "remote.h"

#define MSEC 1000ULL
#define GRACE_USEC (1000 * MSEC)   /* for output of what it left behind */
#define STUCK_USEC (5000 * MSEC)   /* SIGKILL takes effect within this, or it is in state D */
#define INSIDE_USEC (60000 * MSEC) /* the same, of the last one that is in a filesystem */
#define ACCURACY_USEC (10 * MSEC)
#define READ_STEP 65536

struct stream {
	sd_event_source *source;
	int fd; /* -1: ended */
	char *buf;
	size_t len, alloc, max;
	bool cut;
};

struct pmed_process {
	struct pmed_process *next;
	sd_event *loop;
	struct pmed_child child; /* ours */
	int connection;		 /* to the launcher of one that is not; else -1 */
	int pidfd;		 /* of one that is not, when it began; else -1 */
	sd_event_source *end, *timer;
	struct stream out, err;
	uint64_t started, patience; /* µs */
	bool has_ended, killed, told;
	struct pmed_result result;
	void (*done)(void *arg, const struct pmed_result *result);
	void (*ended)(void *arg);
	void *arg;
};

/* All that run, and how many of them are stuck: children belong to the process, not to an object.
 */
static struct pmed_process *running;
static size_t stuck;

static void stream_close(struct stream *stream)
{
	stream->source = sd_event_source_disable_unref(stream->source);
	pme_close_fd(&stream->fd);
	stream->fd = -1;
}

static void unlink_process(struct pmed_process *process)
{
	struct pmed_process **at = &running;

	while (*at && *at != process)
		at = &(*at)->next;
	if (*at)
		*at = process->next;
}

static void free_process(struct pmed_process *process)
{
	unlink_process(process);
	stream_close(&process->out);
	stream_close(&process->err);
	sd_event_source_disable_unref(process->end);
	sd_event_source_disable_unref(process->timer);
	pmed_child_done(&process->child);
	pme_close_fd(&process->connection); /* the launcher kills what is left of it */
	pme_close_fd(&process->pidfd);
	free(process->out.buf);
	free(process->err.buf);
	sd_event_unref(process->loop);
	free(process);
}

static void kill_group(const struct pmed_process *process)
{
	if (process->child.pid > 0)
		pmed_child_kill(&process->child);
	if (process->connection >= 0)
		shutdown(process->connection, SHUT_WR);
	if (process->pidfd >= 0 && process->connection < 0)
		pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
}

static int set_timer(struct pmed_process *process, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(process->timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(process->timer, SD_EVENT_ONESHOT);
}

static void take_streams(struct pmed_process *process)
{
	struct pmed_result *result = &process->result;

	result->cut = process->out.cut;
	result->out = process->out.buf;
	result->out_len = process->out.len;
	result->err = process->err.buf;
	result->err_len = process->err.len;
	result->out[result->out_len] = '\0';
	result->err[result->err_len] = '\0';
}

static void finish(struct pmed_process *process)
{
	process->out.cut = process->out.cut || process->out.fd >= 0;
	kill_group(process);
	take_streams(process);
	if (process->done)
		process->done(process->arg, &process->result);
	free_process(process);
}

/* It does not end: say so, and keep nothing but what sees its end. */
static void leave_behind(struct pmed_process *process)
{
	process->told = true;
	stuck++;
	process->result.stuck = true;
	process->result.exit_code = -1;
	process->result.usec = pmed_clock() - process->started;
	stream_close(&process->out);
	stream_close(&process->err);
	take_streams(process);
	if (process->done)
		process->done(process->arg, &process->result);
}

static void settle(struct pmed_process *process)
{
	if (process->out.fd < 0 && process->err.fd < 0)
		finish(process);
	else if (set_timer(process, GRACE_USEC) < 0)
		finish(process);
}

static void note_end(struct pmed_process *process, const struct pmed_end *end)
{
	process->end = sd_event_source_disable_unref(process->end);
	process->has_ended = true;
	if (!process->told) {
		process->result.error = end->error;
		process->result.exit_code = end->exit_code;
		process->result.signal = end->signal;
		process->result.usec = pmed_clock() - process->started;
		settle(process);
		return;
	}
	stuck--;
	kill_group(process);
	if (process->ended)
		process->ended(process->arg);
	free_process(process);
}

/* As far as we know; and the launcher forgets it when the connection is closed. */
static bool has_begun(const struct pmed_process *process)
{
	return process->child.pid > 0 || process->pidfd >= 0;
}

/* It was killed: now its end, or the time at which it is said to hang. */
static void await_death(struct pmed_process *process)
{
	/* at the end of the loop nobody waits any more */
	if (set_timer(process, has_begun(process) ? process->patience : 0) < 0 &&
	    sd_event_get_state(process->loop) != SD_EVENT_FINISHED)
		pmed_log(PME_EVENT_WARNING, "no timer for a process that was killed");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct pmed_process *process = arg;
	struct pmed_end never_began = {.error = process->result.timed_out ? -ETIMEDOUT : -ECANCELED,
				       .exit_code = -1};

	if (process->has_ended) {
		finish(process);
	} else if (process->killed && !has_begun(process)) {
		note_end(process, &never_began);
	} else if (process->killed) {
		leave_behind(process);
	} else {
		process->result.timed_out = true;
		pmed_process_kill(process);
	}
	return 0;
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct pmed_process *process = arg;
	struct pmed_end end = pmed_child_look(&process->child);

	note_end(process, &end);
	return 0;
}

static int on_lost_end(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	static const struct pmed_end unknown = {.error = -ECONNRESET, .exit_code = -1};

	note_end(arg, &unknown);
	return 0;
}

/* The launcher is gone, or does not keep to its word: what it began is watched without it. */
static void lose(struct pmed_process *process, int error)
{
	struct pmed_end end = {.error = error, .exit_code = -1};
	int r = 0;

	process->end = sd_event_source_disable_unref(process->end);
	pme_close_fd(&process->connection);
	process->connection = -1;
	if (process->pidfd >= 0)
		r = sd_event_add_io(process->loop, &process->end, process->pidfd, EPOLLIN,
				    on_lost_end, process);
	if (process->pidfd < 0 || r < 0)
		note_end(process, &end);
	else
		pmed_process_kill(process);
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct pmed_process *process = arg;
	struct pmed_report report;
	int pidfd = -1, r = pmed_remote_hear(process->connection, &report, &pidfd);

	if (r == -EAGAIN)
		return 0;
	if (r == 0 && report.kind == PMED_REPORT_ENDED) {
		note_end(process, &report.end);
	} else if (r == 0 && process->pidfd < 0) {
		process->pidfd = pidfd;
		if (process->killed) /* a moment ago, as one that never began */
			await_death(process);
	} else {
		pme_close_fd(&pidfd);
		lose(process, r < 0 ? r : -EPROTO);
	}
	return 0;
}

static int make_room(struct stream *stream, size_t more)
{
	size_t want = stream->len + more + 1;
	char *p;

	if (want <= stream->alloc)
		return 0;
	want = want < stream->alloc * 2 ? stream->alloc * 2 : want;
	p = realloc(stream->buf, want);
	if (!p)
		return -ENOMEM;
	stream->buf = p;
	stream->alloc = want;
	return 0;
}

static void keep(struct stream *stream, const char *data, size_t len)
{
	size_t room = stream->max - stream->len;

	if (len > room) {
		stream->cut = true;
		len = room;
	}
	if (len == 0)
		return;
	if (make_room(stream, len) < 0) {
		stream->cut = true;
		return;
	}
	memcpy(stream->buf + stream->len, data, len);
	stream->len += len;
}

static void hear(struct pmed_process *process, struct stream *stream)
{
	char data[READ_STEP];
	ssize_t n = read(stream->fd, data, sizeof(data));

	if (n > 0) {
		keep(stream, data, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stream_close(stream);
	if (process->has_ended && process->out.fd < 0 && process->err.fd < 0)
		finish(process);
}

static int on_out(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct pmed_process *process = arg;

	hear(process, &process->out);
	return 0;
}

static int on_err(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct pmed_process *process = arg;

	hear(process, &process->err);
	return 0;
}

/* Its end is closed by the caller; ours does not block. */
static int make_pipe(int *ret_ours, int *ret_its)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = fds[0];
	*ret_its = fds[1];
	return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int send_order(struct pmed_process *process, const struct pmed_process_args *args,
		      const int fds[PMED_ORDER_FDS])
{
	process->connection = pmed_remote_connect(args->launcher);
	return process->connection < 0
		       ? process->connection
		       : pmed_remote_order(process->connection, args->argv + 1, args->memory, fds);
}

static int start_it(struct pmed_process *process, const struct pmed_process_args *args)
{
	_cleanup_close_ int in = pmed_child_input(args->input, args->input_len), out = -1, err = -1;
	struct pmed_child_args child = {
		.argv = args->argv, .envp = args->envp, .memory = args->memory};
	int r = in < 0 ? in : make_pipe(&process->out.fd, &out);

	if (r == 0)
		r = make_pipe(&process->err.fd, &err);
	if (r < 0)
		return r;
	if (args->launcher)
		return send_order(process, args, (const int[]){in, out, err});
	child.in = in;
	child.out = out;
	child.err = err;
	return pmed_child_start(&child, &process->child);
}

static int watch(struct pmed_process *process, uint64_t deadline)
{
	bool ours = process->connection < 0;
	int r;

	r = sd_event_add_io(process->loop, &process->end,
			    ours ? process->child.pidfd : process->connection, EPOLLIN,
			    ours ? on_end : on_report, process);
	if (r >= 0)
		r = sd_event_add_io(process->loop, &process->out.source, process->out.fd, EPOLLIN,
				    on_out, process);
	if (r >= 0)
		r = sd_event_add_io(process->loop, &process->err.source, process->err.fd, EPOLLIN,
				    on_err, process);
	if (r >= 0)
		r = sd_event_add_time_relative(process->loop, &process->timer, CLOCK_MONOTONIC,
					       deadline * MSEC, ACCURACY_USEC, on_timer, process);
	return r < 0 ? r : 0;
}

static int make_buffers(struct pmed_process *process, const struct pmed_process_args *args)
{
	process->out.max = args->max_out;
	process->err.max = args->max_err;
	if (make_room(&process->out, 0) < 0 || make_room(&process->err, 0) < 0)
		return -ENOMEM;
	return 0;
}

int pmed_process_start(sd_event *loop, const struct pmed_process_args *args,
		       struct pmed_process **ret)
{
	struct pmed_process *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return -ENOMEM;
	*process = (struct pmed_process){.loop = sd_event_ref(loop),
					 .child = PMED_NO_CHILD,
					 .connection = -1,
					 .pidfd = -1,
					 .started = pmed_clock(),
					 .patience = STUCK_USEC};
	process->out.fd = process->err.fd = -1;
	process->done = args->done;
	process->ended = args->ended;
	process->arg = args->arg;
	r = make_buffers(process, args);
	if (r == 0)
		r = start_it(process, args);
	if (r == 0)
		r = watch(process, args->deadline);
	if (r < 0) {
		free_process(process);
		return r;
	}
	process->next = running;
	*ret = running = process;
	return 0;
}

void pmed_process_kill(struct pmed_process *process)
{
	kill_group(process);
	if (process->has_ended || process->killed)
		return;
	process->killed = true;
	await_death(process);
}

void pmed_process_kill_inside(struct pmed_process *process)
{
	process->patience = INSIDE_USEC;
	pmed_process_kill(process);
}

void pmed_process_forget(struct pmed_process *process)
{
	process->done = NULL;
	process->ended = NULL;
	pmed_process_kill(process);
}

size_t pmed_process_stuck(void)
{
	return stuck;
}

/* A launcher says that it began, and then that it ended. */
static bool is_over(const struct pmed_process *process)
{
	struct pmed_report report;
	int pidfd = -1, r;

	if (process->connection < 0)
		return true;
	r = pmed_remote_hear(process->connection, &report, &pidfd);
	pme_close_fd(&pidfd);
	return r == 0 ? report.kind == PMED_REPORT_ENDED : r != -EAGAIN;
}

static void await_end(struct pmed_process *process, uint64_t until)
{
	struct pollfd pollfd = {.events = POLLIN};
	uint64_t now = pmed_clock();

	pollfd.fd = process->child.pid > 0     ? process->child.pidfd
		    : process->connection >= 0 ? process->connection
					       : process->pidfd;
	while (poll(&pollfd, 1, now < until ? (int)((until - now) / MSEC) : 0) > 0 &&
	       !is_over(process))
		now = pmed_clock();
	stuck -= process->told;
	free_process(process);
}

void pmed_process_end_all(uint64_t ms)
{
	uint64_t until = pmed_clock() + ms * MSEC;

	for (struct pmed_process *process = running; process; process = process->next)
		pmed_process_forget(process);
	while (running)
		await_end(running, until);
}
