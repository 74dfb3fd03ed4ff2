/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One session for each connection, with at most one worker; see launcher.h.
 *
 * Whatever a connection says after its order, and its end, means: kill.  What has ended is reaped
 * when the connection ends, not before.
 */
#include "launcher.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon.h"
#include "remote.h"

#define SESSIONS_MAX 256 /* pmemctld has at most one for each region that hangs, and a few */

struct session {
	struct session *next;
	struct pmed_launcher *launcher;
	int connection;
	sd_event_source *talk, *end;
	struct pmed_child child;
	bool hung_up, has_ended;
};

struct pmed_launcher {
	sd_event *loop;
	sd_event_source *source;
	const char *program;
	struct session *sessions;
	size_t count;
};

static void end_session(struct session *session)
{
	struct session **at = &session->launcher->sessions;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	session->launcher->count--;
	sd_event_source_disable_unref(session->talk);
	sd_event_source_disable_unref(session->end);
	pmed_child_done(&session->child);
	pme_close_fd(&session->connection);
	free(session);
}

/* Nobody waits for it any more, or it is to be killed; what hangs is kept until it ends. */
static void hang_up(struct session *session)
{
	session->hung_up = true;
	session->talk = sd_event_source_disable_unref(session->talk);
	if (session->has_ended)
		end_session(session);
	else
		pmed_child_kill(&session->child);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct session *session = arg;
	struct pmed_report report = {.kind = PMED_REPORT_ENDED};
	int r;

	session->end = sd_event_source_disable_unref(session->end);
	session->has_ended = true;
	report.end = pmed_child_look(&session->child);
	r = pmed_message_send(session->connection, &report, sizeof(report), NULL, 0);
	if (r < 0 || session->hung_up)
		end_session(session);
	return 0;
}

static int start_worker(struct session *session, const struct pmed_order *order,
			const int fds[PMED_ORDER_FDS])
{
	struct pmed_launcher *launcher = session->launcher;
	char *argv[PMED_ORDER_ARGS + 2] = {(char *)launcher->program};
	struct pmed_child_args args = {.argv = argv,
				       .envp = pmed_worker_environment,
				       .in = fds[0],
				       .out = fds[1],
				       .err = fds[2],
				       .memory = order->memory};
	struct pmed_report report = {.kind = PMED_REPORT_BEGAN};
	int r;

	for (size_t i = 0; order->args[i]; i++)
		argv[i + 1] = (char *)order->args[i];
	r = pmed_child_start(&args, &session->child);
	if (r == 0)
		r = sd_event_add_io(launcher->loop, &session->end, session->child.pidfd, EPOLLIN,
				    on_end, session);
	if (r < 0)
		return r;
	report.pid = session->child.pid;
	return pmed_message_send(session->connection, &report, sizeof(report),
				 &session->child.pidfd, 1);
}

static int take_order(struct session *session)
{
	char text[PMED_ORDER_MAX];
	int fds[PMED_ORDER_FDS] = {-1, -1, -1};
	struct pmed_order order;
	size_t count;
	ssize_t n = pmed_message_receive(session->connection, text, sizeof(text), fds, &count);
	int r = n < 0 ? (int)n : n == 0 ? -ECONNRESET : 0;

	if (r == 0)
		r = count == PMED_ORDER_FDS ? pmed_order_parse(text, (size_t)n, &order) : -EINVAL;
	if (r == 0)
		r = start_worker(session, &order, fds);
	for (size_t i = 0; i < count; i++)
		pme_close_fd(&fds[i]);
	return r;
}

static int on_talk(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct session *session = arg;
	struct pmed_report report = {.kind = PMED_REPORT_ENDED, .end = {.exit_code = -1}};
	int r;

	if (session->child.pid > 0) {
		hang_up(session);
		return 0;
	}
	r = take_order(session);
	if (r >= 0 || r == -EAGAIN)
		return 0;
	if (session->end) { /* it began, and nobody could be told */
		hang_up(session);
		return 0;
	}
	if (r != -ECONNRESET) {
		pmed_log(PME_EVENT_WARNING, "a worker cannot be started: %s", strerror(-r));
		report.end.error = r;
		pmed_message_send(session->connection, &report, sizeof(report), NULL, 0);
	}
	end_session(session);
	return 0;
}

static int add_session(struct pmed_launcher *launcher, int connection)
{
	struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	session->launcher = launcher;
	session->child = PMED_NO_CHILD;
	r = sd_event_add_io(launcher->loop, &session->talk, connection, EPOLLIN, on_talk, session);
	if (r < 0) {
		free(session);
		return r;
	}
	session->connection = connection;
	session->next = launcher->sessions;
	launcher->sessions = session;
	launcher->count++;
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct pmed_launcher *launcher = arg;
	_cleanup_close_ int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	if (connection < 0)
		return 0; /* it went away again, or comes again */
	r = pmed_message_check_peer(connection);
	if (r == 0 && launcher->count == SESSIONS_MAX)
		r = -EBUSY;
	if (r == 0)
		r = add_session(launcher, connection);
	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "a connection is refused: %s", strerror(-r));
	else
		pme_take_fd(&connection);
	return 0;
}

int pmed_launcher_new(sd_event *loop, int listen, const char *program, struct pmed_launcher **ret)
{
	struct pmed_launcher *launcher = calloc(1, sizeof(*launcher));
	int r;

	if (!launcher)
		return -ENOMEM;
	launcher->program = program;
	r = sd_event_add_io(loop, &launcher->source, listen, EPOLLIN, on_connection, launcher);
	if (r < 0) {
		free(launcher);
		return r;
	}
	launcher->loop = sd_event_ref(loop);
	*ret = launcher;
	return 0;
}

struct pmed_launcher *pmed_launcher_free(struct pmed_launcher *launcher)
{
	if (!launcher)
		return NULL;
	while (launcher->sessions)
		end_session(launcher->sessions);
	sd_event_source_disable_unref(launcher->source);
	sd_event_unref(launcher->loop);
	free(launcher);
	return NULL;
}
