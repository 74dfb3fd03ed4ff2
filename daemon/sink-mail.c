/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events by mail: each one is a run of mail.command with the interface of sendmail(8).
 *
 * A machine without sendmail keeps the sink: each event says that it could not be sent.
 */
#include "sink-mail.h"

#include <string.h>
#include <sys/utsname.h>

#include "sink-program.h"

#define DEADLINE_MSEC 60000

struct mail {
	char *to, *from, *command;
	uint64_t severity;
	struct utsname host;
	struct pmed_program *program;
};

static struct mail *mail_free(struct mail *mail)
{
	if (!mail)
		return NULL;
	pmed_program_free(mail->program);
	free(mail->to);
	free(mail->from);
	free(mail->command);
	free(mail);
	return NULL;
}

static int mail_start(struct pmed_sink *sink, char **ret_reason)
{
	const struct pme_conf *conf = &sink->daemon->conf;
	const char *argv[] = {conf->mail.command, "-t", "-i", NULL};
	const struct pmed_program_args args = {
		.sink = sink, .argv = argv, .deadline = DEADLINE_MSEC};
	struct mail *mail;
	int r = -ENOMEM;

	if (!*conf->mail.to)
		return 0;
	mail = calloc(1, sizeof(*mail));
	if (!mail)
		return -ENOMEM;
	mail->to = strdup(conf->mail.to);
	mail->from = strdup(conf->mail.from);
	mail->command = strdup(conf->mail.command);
	mail->severity = conf->mail.severity;
	uname(&mail->host);
	if (mail->to && mail->from && mail->command)
		r = pmed_program_new(&args, &mail->program);
	if (r < 0) {
		mail_free(mail);
		return r;
	}
	sink->own = mail;
	return 1;
}

static bool mail_wants(const struct pmed_sink *sink, enum pme_event_severity severity)
{
	const struct mail *mail = sink->own;

	return severity <= mail->severity;
}

static int mail_deliver(struct pmed_sink *sink, struct json_object *event, const char *json)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
					  NULL};
	struct mail *mail = sink->own;
	const struct pmed_mail message = {
		.to = mail->to, .from = mail->from, .host = mail->host.nodename};
	_cleanup_free_ char *text = pmed_mail_text(&message, event);

	if (!text)
		return -ENOMEM;
	return pmed_program_put(mail->program, (int64_t)pme_json_get_number(event, "id"), env,
				text);
}

static bool mail_stale(const struct pmed_sink *sink)
{
	const struct pme_conf *conf = &sink->daemon->conf;
	const struct mail *mail = sink->own;

	return strcmp(conf->mail.to, mail->to) != 0 || strcmp(conf->mail.from, mail->from) != 0 ||
	       strcmp(conf->mail.command, mail->command) != 0 ||
	       conf->mail.severity != mail->severity;
}

/* What waits keeps its text, and goes to whom it was written. */
static int mail_reload(struct pmed_sink *sink)
{
	const struct pme_conf *conf = &sink->daemon->conf;
	const char *argv[] = {conf->mail.command, "-t", "-i", NULL};
	_cleanup_free_ char *to = strdup(conf->mail.to), *from = strdup(conf->mail.from);
	_cleanup_free_ char *command = strdup(conf->mail.command);
	struct mail *mail = sink->own;

	if (!*conf->mail.to)
		return -ENOENT;
	if (!to || !from || !command || pmed_program_set(mail->program, argv, DEADLINE_MSEC) < 0)
		return -ENOMEM;
	free(mail->to);
	free(mail->from);
	free(mail->command);
	mail->to = pme_take_ptr(to);
	mail->from = pme_take_ptr(from);
	mail->command = pme_take_ptr(command);
	mail->severity = conf->mail.severity;
	return 0;
}

static void mail_stop(struct pmed_sink *sink)
{
	mail_free(sink->own);
}

const struct pmed_sink_kind pmed_sink_mail = {
	.name = "mail",
	.limited = true,
	.start = mail_start,
	.wants = mail_wants,
	.deliver = mail_deliver,
	.stale = mail_stale,
	.reload = mail_reload,
	.stop = mail_stop,
};
