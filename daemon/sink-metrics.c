/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of metrics for the textfile collector of node_exporter.
 *
 * Written at most once a second when something has changed, and at least once a minute, as it says
 * itself how old it is.  The loop makes the text, a lane writes it; who reads sees the old file or
 * the new one.  At the end it is removed: metrics of a watch that does not run any more would look
 * like health.
 */
#include <string.h>

#include "lane.h"
#include "metrics.h"
#include "sink.h"

#define USEC_PER_SEC 1000000ULL
#define AT_LEAST (60 * USEC_PER_SEC)
#define STOP_MSEC 500

struct metrics {
	struct pmed_sink *sink;
	const struct pme_os *os;
	struct pmed_lane *lane;
	sd_event_source *timer;
	char *file;
	uint64_t written, due; /* CLOCK_BOOTTIME */
};

struct text {
	char *data;
	size_t len;
};

static void text_free(struct text *text)
{
	if (text)
		free(text->data);
	free(text);
}

static const char *below_root(const char *path)
{
	return path + strspn(path, "/");
}

/* In the lane. */
static int write_file(void *context, void *item)
{
	const struct metrics *metrics = context;
	const struct text *text = item;

	return pme_os_replace_file(metrics->os, below_root(metrics->file), text->data, text->len,
				   0644);
}

static void written(void *context, void *item, int result)
{
	struct metrics *metrics = context;
	_cleanup_free_ char *why = NULL;

	text_free(item);
	if (result < 0)
		why = pme_printf("cannot write %s: %s", metrics->file, strerror(-result));
	pmed_sink_outcome(metrics->sink, NULL, 0,
			  result == 0 ? NULL
			  : why	      ? why
				      : strerror(-result));
}

static struct text *make_text(const struct metrics *metrics)
{
	struct json_object *watch = pmed_watch_json(metrics->sink->daemon);
	struct text *text = calloc(1, sizeof(*text));
	FILE *out = text ? open_memstream(&text->data, &text->len) : NULL;
	int r = out && watch ? pme_metrics_write(watch, pmed_now(), PME_METRICS_PROMETHEUS, out)
			     : -ENOMEM;

	if (out && fclose(out) != 0)
		r = -ENOMEM;
	json_object_put(watch);
	if (r == 0)
		return text;
	text_free(text);
	return NULL;
}

static void set_timer(struct metrics *metrics, uint64_t due)
{
	metrics->due = due;
	sd_event_source_set_time(metrics->timer, due);
	sd_event_source_set_enabled(metrics->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct metrics *metrics = arg;
	struct text *text = make_text(metrics);

	metrics->written = pmed_clock();
	set_timer(metrics, metrics->written + AT_LEAST);
	if (!text) {
		pmed_sink_outcome(metrics->sink, NULL, 0, strerror(ENOMEM));
	} else if (pmed_lane_put(metrics->lane, text) < 0) {
		text_free(text);
		pmed_sink_outcome(metrics->sink, NULL, 0, "the file is still being written");
	}
	return 0;
}

static void metrics_refresh(struct pmed_sink *sink)
{
	struct metrics *metrics = sink->own;
	uint64_t due = pme_max(pmed_clock(), metrics->written + USEC_PER_SEC);

	if (due < metrics->due)
		set_timer(metrics, due);
}

static bool metrics_stale(const struct pmed_sink *sink)
{
	const struct metrics *metrics = sink->own;

	return strcmp(metrics->file, sink->daemon->conf.metrics.file) != 0;
}

static void metrics_stop(struct pmed_sink *sink)
{
	struct metrics *metrics = sink->own;

	if (!metrics)
		return;
	sd_event_source_disable_unref(metrics->timer);
	if (pmed_lane_free(metrics->lane, STOP_MSEC) < 0)
		return; /* the thread that hangs still uses it */
	pme_os_remove_file(metrics->os, below_root(metrics->file));
	free(metrics->file);
	free(metrics);
}

static int metrics_start(struct pmed_sink *sink, char **ret_reason)
{
	struct pmed_lane_args args = {
		.name = "metrics", .max_items = 2, .work = write_file, .done = written};
	struct pmed *d = sink->daemon;
	struct metrics *metrics;
	int r;

	if (!*d->conf.metrics.file)
		return 0;
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return -ENOMEM;
	metrics->sink = sink;
	metrics->os = &d->os;
	metrics->file = strdup(d->conf.metrics.file);
	metrics->due = pmed_clock();
	args.context = metrics;
	r = metrics->file ? pmed_lane_new(d->loop, &args, &metrics->lane) : -ENOMEM;
	if (r >= 0)
		r = sd_event_add_time(d->loop, &metrics->timer, CLOCK_BOOTTIME, metrics->due, 0,
				      on_timer, metrics);
	if (r < 0) {
		*ret_reason = pme_printf("cannot start: %s", strerror(-r));
		pmed_lane_free(metrics->lane, STOP_MSEC);
		free(metrics->file);
		free(metrics);
		return r;
	}
	sink->own = metrics;
	return 1;
}

const struct pmed_sink_kind pmed_sink_metrics = {
	.name = "metrics",
	.start = metrics_start,
	.refresh = metrics_refresh,
	.stale = metrics_stale,
	.stop = metrics_stop,
};
