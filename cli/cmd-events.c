/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl events: what the watch has told, from its store.
 *
 * The surprise: --follow has no end, so it has no document either: with --json each event is a
 * document of its own, on one line.
 */
#include <poll.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "event.h"
#include "store.h"
#include "text.h"

#define FOLLOW_MS 500	/* between two looks */
#define FOLLOW_FIRST 10 /* what is shown of the past without --since and --limit */
#define DEV "/dev/"

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int usage(struct cli *cli, const char *subject, const char *text)
{
	pme_log_add(&cli->log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

static int take_times(struct cli *cli, struct pme_event_filter *filter)
{
	static const char expected[] = "not a time: expected \"2026-01-02 03:04\", an RFC 3339 "
				       "time, or how long ago (\"2h\", "
				       "\"90min\")";

	if (cli->since && pme_time_asked_parse(cli->since, now(), &filter->since) < 0)
		return usage(cli, cli->since, expected);
	if (cli->until && pme_time_asked_parse(cli->until, now(), &filter->until) < 0)
		return usage(cli, cli->until, expected);
	return 0;
}

static int take_filter(struct cli *cli, struct pme_event_filter *filter)
{
	enum pme_event_severity severity;
	enum pme_event_type type;

	*filter = (struct pme_event_filter){.type = -1};
	if (cli->n_args > 0)
		filter->device = strncmp(cli->args[0], DEV, strlen(DEV)) == 0
					 ? cli->args[0] + strlen(DEV)
					 : cli->args[0];
	if (cli->type) {
		if (pme_event_type_parse(cli->type, &type) < 0)
			return usage(cli, cli->type, "no such type of event: see pmemctl(8)");
		filter->type = (int)type;
	}
	if (cli->severity) {
		if (pme_event_severity_parse(cli->severity, &severity) < 0)
			return usage(cli, cli->severity,
				     "not a severity: expected critical, error, warning, notice or "
				     "info");
		filter->severity = severity;
	}
	if (cli->limit && (pme_parse_u64(cli->limit, strlen(cli->limit), &filter->limit) < 0 ||
			   filter->limit == 0))
		return usage(cli, cli->limit, "not a number of events");
	if (cli->follow && cli->until)
		return usage(cli, "--until", "makes no sense with --follow");
	if (cli->follow && !cli->limit && !cli->since)
		filter->limit = FOLLOW_FIRST;
	return take_times(cli, filter);
}

static int say_error(struct cli *cli, const char *path, int error)
{
	switch (error) {
	case -ENOENT:
		pme_log_add(&cli->log, PME_ERROR, path,
			    "there is no record of events: pmemctld(8) writes it; whether it "
			    "runs, and can, is what `pmemctl status` says");
		break;
	case -EUCLEAN:
		pme_log_add(&cli->log, PME_ERROR, path,
			    "the record of events is damaged: pmemctld(8) moves it aside and makes "
			    "a new one");
		break;
	case -EPROTO:
		pme_log_add(&cli->log, PME_ERROR, path,
			    "the record of events was written by a newer version of pmemctl");
		break;
	default:
		pme_log_add(&cli->log, PME_ERROR, path, "cannot read the record of events: %s",
			    strerror(-error));
	}
	return error == -EINVAL ? -EIO : error;
}

static int append(void *arg, struct json_object *event)
{
	pme_json_append(arg, json_object_get(event));
	return 0;
}

static void put_holders(struct json_object *holders)
{
	for (size_t i = 0; i < pme_json_count(holders); i++) {
		struct json_object *holder = pme_json_at(holders, i);

		printf("    used by %llu ", (unsigned long long)pme_json_get_number(holder, "pid"));
		text_name(pme_json_get_text(holder, "command"));
		if (pme_json_get(holder, "unit")) {
			printf(" (");
			text_name(pme_json_get_text(holder, "unit"));
			printf(")");
		}
		printf("\n");
	}
}

static void put_more(const struct cli *cli, struct json_object *event)
{
	struct json_object *files = pme_json_get(event, "files");

	for (size_t i = 0; i < pme_json_count(files); i++) {
		printf("    ");
		text_verdict(cli, pme_json_get_text(pme_json_at(files, i), "verdict"));
		printf("  ");
		text_path(pme_json_at(files, i));
		printf("\n");
	}
	put_holders(pme_json_get(event, "holders"));
	if (pme_json_get(event, "advice")) {
		printf("    ");
		text_name(pme_json_get_text(event, "advice"));
		printf("\n");
	}
}

static void put_event(const struct cli *cli, struct json_object *event)
{
	text_name(pme_json_get_text(event, "time"));
	printf("  %-8s  %-19s  ", pme_json_get_text(event, "severity"),
	       pme_json_get_text(event, "type"));
	text_name(pme_json_get_text(event, "text"));
	printf("\n");
	if (cli->verbose)
		put_more(cli, event);
}

struct following {
	struct cli *cli;
	int64_t last;
};

static int follow_event(void *arg, struct json_object *event)
{
	struct following *following = arg;

	following->last = json_object_get_int64(pme_json_get(event, "id"));
	if (following->cli->json)
		printf("%s\n", json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN));
	else if (!following->cli->quiet)
		put_event(following->cli, event);
	return 0;
}

/* The reader is gone: nobody is left to be told. */
static bool is_alone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return fflush(stdout) != 0 || (poll(&out, 1, FOLLOW_MS) > 0 && out.revents != 0);
}

/* The store that is there now: the daemon may have replaced it. */
static int look_again(const char *path, struct pme_store **store)
{
	struct pme_store *new;
	int r;

	if (*store && pme_store_look(*store) == 0)
		return 0;
	r = pme_store_open_read(path, &new);
	if (r < 0)
		return r;
	pme_store_close(*store);
	*store = new;
	return 0;
}

static int follow(struct cli *cli, const char *path, struct pme_store **store,
		  struct pme_event_filter *filter)
{
	struct following following = {.cli = cli};
	int64_t begin = now();

	for (;;) {
		int r = pme_store_events(*store, filter, follow_event, &following);

		/* A store that is just replaced or locked is there again soon. */
		if (r < 0 && r != -EUCLEAN && r != -EBUSY)
			return r;
		filter->limit = 0;
		filter->after = following.last;
		if (following.last == 0) /* nothing was there: all that comes is new */
			filter->since = filter->since ? filter->since : begin;
		if (is_alone())
			return 0;
		look_again(path, store);
	}
}

static void empty_events(struct json_object *doc)
{
	pme_json_set(doc, "events", pme_json_array());
}

static int run_events(struct cli *cli, struct json_object *doc)
{
	_cleanup_free_ char *path = cli_store_path(cli);
	struct pme_store *store = NULL;
	struct pme_event_filter filter;
	int r = take_filter(cli, &filter);

	empty_events(doc);
	if (r < 0)
		return r;
	if (!path)
		return -ENOMEM;
	r = pme_store_open_read(path, &store);
	if (r == 0 && cli->follow)
		r = follow(cli, path, &store, &filter);
	else if (r == 0)
		r = pme_store_events(store, &filter, append, pme_json_get(doc, "events"));
	if (r == 0 && cli->follow) /* what there was to say is said */
		cli->quiet = true;
	pme_store_close(store);
	return r < 0 ? say_error(cli, path, r) : 0;
}

static void events_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *events = pme_json_get(doc, "events");

	for (size_t i = 0; i < pme_json_count(events); i++)
		put_event(cli, pme_json_at(events, i));
}

const struct cmd cmd_events = {
	.name = "events",
	.format = "pmemctl.events",
	.usage = "[SEL] [--since T] [--until T] [--type TYPE] [--severity S] [--limit N] "
		 "[--follow]",
	.summary = "what pmemctld has told: findings, devices, hardware, in the order of time",
	.help = "\nSEL: a device, namespace, region, DIMM or identity\n\n"
		"      --since T      from this time on: \"2026-01-02 03:04\", RFC 3339, or \"2h\" "
		"(ago)\n"
		"      --until T      up to this time, exclusive\n"
		"      --type TYPE    only events of this type: \"finding-added\"\n"
		"      --severity S   only this and what is worse: critical, error, warning, "
		"notice,\n"
		"                     info\n"
		"      --limit N      the newest N\n"
		"      --follow       go on with what comes; with --json one event a line\n",
	.options = CLI_EVENTS,
	.max_args = 1,
	.run = run_events,
	.empty = empty_events,
	.text = events_text,
};
