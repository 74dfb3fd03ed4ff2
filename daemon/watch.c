/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the watch shows of itself; see watch.h.
 */
#include "watch.h"

#include <string.h>

#include "dimms.h"
#include "jobs.h"
#include "keeper.h"
#include "lane.h"
#include "scrub.h"
#include "sink.h"
#include "source.h"
#include "state.h"

#define USEC_PER_SEC 1000000ULL
#define AT_MOST_USEC USEC_PER_SEC /* between two */
#define AT_LEAST_USEC (60 * USEC_PER_SEC)
#define END_MS 200 /* the file is in memory */
#define TEXT_MAX ((size_t)16 << 20)

struct pmed_watch {
	struct pmed *daemon;
	struct pmed_lane *lane;
	sd_event_source *timer;
	uint64_t written, due; /* CLOCK_BOOTTIME */
	bool failing, stopping;
};

struct item {
	const struct pme_os *os;
	size_t len;
	char text[];
};

static void set_members(struct pmed *d, struct json_object *doc)
{
	struct json_object *version = pme_json_array();

	pme_json_append(version, pme_json_int(1));
	pme_json_append(version, pme_json_int(0));
	pme_json_text(doc, "format", "pmemctl.watch");
	pme_json_set(doc, "format_version", version);
	pme_json_owned_text(doc, "time", pme_time_text(pmed_now()));
	pme_json_owned_text(doc, "started", pme_time_text(d->started));
	pme_json_set(doc, "pid", pme_json_int(getpid()));
	pme_json_text(doc, "version", PACKAGE_VERSION);
	pme_json_set(doc, "program", pme_json_lossy(d->program));
}

/* A device that is not there any more has none: its region's name may be another one's now. */
static void set_scrubs(const struct pmed *d, struct json_object *devices)
{
	for (size_t i = 0; i < pme_json_count(devices); i++) {
		struct json_object *device = pme_json_at(devices, i);
		struct json_object *region = pme_json_get(device, "region");
		bool has = pme_json_get_bool(device, "present") &&
			   json_object_is_type(region, json_type_string);

		pme_json_set(device, "scrub",
			     has ? pmed_scrub_json(d, json_object_get_string(region)) : NULL);
	}
}

struct json_object *pmed_watch_json(struct pmed *d)
{
	struct json_object *doc = pme_json_object();

	if (!doc)
		return NULL;
	set_members(d, doc);
	pmed_sources_json(d, doc);
	pmed_sinks_json(d, doc);
	pmed_jobs_json(d, doc);
	pmed_keeper_json(d, doc);
	pmed_state_json(d->state, doc);
	set_scrubs(d, pme_json_get(doc, "devices"));
	pme_json_set(doc, "dimms", pmed_health_json(d->dimms));
	return doc;
}

static int on_work(void *context, void *arg)
{
	const struct item *item = arg;

	return pme_os_replace_file(item->os, PMED_WATCH_FILE, item->text, item->len, 0644);
}

static void on_done(void *context, void *arg, int result)
{
	struct pmed_watch *watch = context;
	bool failing = result < 0;

	free(arg);
	if (watch->stopping)
		return;
	if (failing && !watch->failing)
		pmed_log(PME_EVENT_WARNING, "/%s: cannot be written: %s", PMED_WATCH_FILE,
			 strerror(-result));
	watch->failing = failing;
}

static struct item *make_item(struct pmed *d)
{
	struct json_object *doc = pmed_watch_json(d);
	const char *text = NULL;
	struct item *item = NULL;
	size_t len = 0;

	if (doc)
		text = json_object_to_json_string_length(
			doc, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (text && len < TEXT_MAX)
		item = malloc(sizeof(*item) + len + 1);
	if (item) {
		*item = (struct item){.os = &d->os, .len = len + 1};
		memcpy(item->text, text, len);
		item->text[len] = '\n';
	}
	json_object_put(doc);
	return item;
}

static void set_timer(struct pmed_watch *watch, uint64_t due)
{
	int r = sd_event_source_set_time(watch->timer, due);

	if (r >= 0)
		r = sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		pmed_log(PME_EVENT_ERROR, "watch: cannot set a timer: %s", strerror(-r));
	else
		watch->due = due;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct pmed_watch *watch = arg;
	struct item *item = make_item(watch->daemon);
	uint64_t now = pmed_clock();

	watch->written = now;
	if (!item)
		pmed_log(PME_EVENT_ERROR, "/%s: cannot be made: no memory, or too long",
			 PMED_WATCH_FILE);
	else if (pmed_lane_put(watch->lane, item) < 0)
		free(item); /* the one before is still being written: that one hangs */
	set_timer(watch, now + AT_LEAST_USEC);
	return 0;
}

void pmed_watch_changed(struct pmed *d)
{
	struct pmed_watch *watch = d->watch;
	uint64_t due;

	if (!watch)
		return;
	due = pme_max(watch->written + AT_MOST_USEC, pmed_clock());
	if (due < watch->due)
		set_timer(watch, due);
}

int pmed_watch_start(struct pmed *d)
{
	struct pmed_watch *watch = calloc(1, sizeof(*watch));
	struct pmed_lane_args args = {
		.name = "pmemctld-watch", .max_items = 2, .work = on_work, .done = on_done};
	int r;

	if (!watch)
		return -ENOMEM;
	watch->daemon = d;
	args.context = watch;
	r = pmed_lane_new(d->loop, &args, &watch->lane);
	if (r >= 0)
		r = sd_event_add_time(d->loop, &watch->timer, CLOCK_BOOTTIME, pmed_clock(), 0,
				      on_timer, watch);
	if (r < 0) {
		pmed_lane_free(watch->lane, END_MS);
		free(watch);
		return r;
	}
	d->watch = watch;
	return 0;
}

void pmed_watch_stop(struct pmed *d)
{
	struct pmed_watch *watch = d->watch;

	if (!watch)
		return;
	d->watch = NULL;
	watch->stopping = true;
	sd_event_source_disable_unref(watch->timer);
	if (pmed_lane_free(watch->lane, END_MS) < 0)
		return; /* it hangs with it */
	pme_os_remove_file(&d->os, PMED_WATCH_FILE);
	free(watch);
}
