/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings with the time when they were first seen, and what does not work of the watch; see
 * history.h.
 */
#include "history.h"

#include <string.h>
#include <time.h>

#include "event.h"
#include "metrics.h"
#include "store.h"
#include "text.h"

#define SHOWN 10 /* without -v */

static const char *string_of(struct json_object *object, const char *key)
{
	struct json_object *value = pme_json_get(object, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* The document of a daemon that runs, or NULL. */
static struct json_object *read_watch(const struct cli *cli)
{
	_cleanup_free_ char *text = NULL, *command = NULL;
	struct json_object *watch;
	uint64_t pid;
	size_t len;

	if (pme_os_read_file(cli->os, PME_WATCH_FILE, PME_WATCH_MAX, &text, &len) < 0 ||
	    pme_watch_parse(text, len, &watch) < 0)
		return NULL;
	pid = pme_json_get_number(watch, "pid");
	if (pid > 0 &&
	    pme_os_read_line(cli->os, &command, "proc/%llu/comm", (unsigned long long)pid) == 0 &&
	    strcmp(command, "pmemctld") == 0)
		return watch;
	json_object_put(watch);
	return NULL;
}

static void add_trouble(struct json_object *troubles, const char *part, const char *name,
			const char *reason)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "part", part);
	pme_json_text(object, "name", name);
	pme_json_text(object, "reason", reason);
	pme_json_append(troubles, object);
}

static bool is_false(struct json_object *object, const char *key)
{
	struct json_object *value = pme_json_get(object, key);

	return json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
}

/* A process that is there may hang: it writes the document now and then, whatever happens. */
static void add_silence(struct json_object *troubles, struct json_object *watch)
{
	const char *time = string_of(watch, "time");
	_cleanup_free_ char *reason = pme_printf("says nothing since %s", time ? time : "ever");
	struct timespec ts;

	if (!watch)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (!pme_watch_alive(watch, (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000))
		add_trouble(troubles, "watch", "pmemctld", reason ? reason : "says nothing");
}

/* Sources that hear nothing; sinks that are wanted and do not work: one that is switched off has no
 * reason, one that could not start has. */
static void add_parts(struct json_object *troubles, struct json_object *watch)
{
	struct json_object *sources = pme_json_get(watch, "sources");
	struct json_object *sinks = pme_json_get(watch, "sinks");

	for (size_t i = 0; i < pme_json_count(sources); i++) {
		struct json_object *source = pme_json_at(sources, i);

		if (is_false(source, "available"))
			add_trouble(troubles, "source", string_of(source, "name"),
				    string_of(source, "reason"));
	}
	for (size_t i = 0; i < pme_json_count(sinks); i++) {
		struct json_object *sink = pme_json_at(sinks, i);

		if (string_of(sink, "reason"))
			add_trouble(troubles, "sink", string_of(sink, "name"),
				    string_of(sink, "reason"));
	}
}

static void add_job(struct json_object *troubles, struct json_object *job, const char *kind,
		    const char *region)
{
	_cleanup_free_ char *name =
		pme_printf("%s%s%s", kind, region ? " of " : "", region ? region : "");

	if (pme_json_get_number(job, "failures") > 0)
		add_trouble(troubles, "job", name, string_of(job, "reason"));
}

static void add_jobs(struct json_object *troubles, struct json_object *watch)
{
	static const char *const kinds[] = {"scan", "snapshot"};
	struct json_object *jobs = pme_json_get(watch, "jobs");
	struct json_object *regions = pme_json_get(jobs, "regions");

	add_job(troubles, pme_json_get(jobs, "inventory"), "inventory", NULL);
	add_job(troubles, pme_json_get(jobs, "repair"), "repair", NULL);
	for (size_t i = 0; i < pme_json_count(regions); i++)
		for (size_t k = 0; k < PME_ARRAY_SIZE(kinds); k++)
			add_job(troubles, pme_json_get(pme_json_at(regions, i), kinds[k]), kinds[k],
				string_of(pme_json_at(regions, i), "name"));
}

static struct json_object *scrubs_json(struct json_object *watch)
{
	struct json_object *devices = pme_json_get(watch, "devices"), *array = pme_json_array();

	for (size_t i = 0; i < pme_json_count(devices); i++) {
		struct json_object *scrub = pme_json_get(pme_json_at(devices, i), "scrub");
		struct json_object *object;

		if (!json_object_is_type(scrub, json_type_object))
			continue;
		object = pme_json_object();
		pme_json_text(object, "device", string_of(pme_json_at(devices, i), "name"));
		pme_json_text(object, "state", string_of(scrub, "state"));
		pme_json_text(object, "last", string_of(scrub, "last"));
		pme_json_append(array, object);
	}
	return array;
}

static struct json_object *watch_json(const struct cli *cli)
{
	struct json_object *watch = read_watch(cli), *object = pme_json_object();
	struct json_object *troubles = pme_json_array(), *store = pme_json_get(watch, "store");

	pme_json_bool(object, "running", watch != NULL);
	pme_json_text(object, "since", string_of(watch, "started"));
	pme_json_set(object, "scrubs", scrubs_json(watch));
	pme_json_set(object, "troubles", troubles);
	add_silence(troubles, watch);
	add_parts(troubles, watch);
	add_jobs(troubles, watch);
	if (is_false(store, "ok"))
		add_trouble(troubles, "store", string_of(store, "path"),
			    string_of(store, "reason"));
	json_object_put(watch);
	return object;
}

static struct json_object *first_seen_json(const struct cli *cli, struct json_object *findings)
{
	_cleanup_free_ char *path = cli_store_path(cli);
	struct json_object *array = pme_json_array();
	struct pme_store *store = NULL;

	if (!path || pme_json_count(findings) == 0 || pme_store_open_read(path, &store) < 0)
		return array;
	for (size_t i = 0; i < pme_json_count(findings); i++) {
		const char *id = pme_json_get_text(pme_json_at(findings, i), "id");
		struct json_object *object;
		int64_t time;
		int r = pme_store_first_seen(store, id, &time);

		if (r < 0 && r != -ENOENT)
			break;
		if (r < 0)
			continue;
		object = pme_json_object();
		pme_json_text(object, "id", id);
		pme_json_owned_text(object, "time", pme_time_text(time));
		pme_json_append(array, object);
	}
	pme_store_close(store);
	return array;
}

void history_json(const struct cli *cli, struct json_object *doc)
{
	pme_json_set(doc, "watch", watch_json(cli));
	pme_json_set(doc, "first_seen", first_seen_json(cli, pme_json_get(doc, "findings")));
}

void history_json_empty(struct json_object *doc)
{
	pme_json_set(doc, "watch", NULL);
	pme_json_set(doc, "first_seen", pme_json_array());
}

static void put_first_seen(const struct cli *cli, struct json_object *doc)
{
	struct json_object *seen = pme_json_get(doc, "first_seen");
	struct json_object *findings = pme_json_get(doc, "findings");
	size_t count = pme_json_count(seen), shown = 0;

	for (size_t i = 0, f = 0; i < count && (cli->verbose || shown < SHOWN); i++) {
		struct json_object *one = pme_json_at(seen, i), *range;
		const char *id = pme_json_get_text(one, "id");

		while (f < pme_json_count(findings) &&
		       strcmp(pme_json_get_text(pme_json_at(findings, f), "id"), id) != 0)
			f++; /* they are in the order of the findings */
		range = pme_json_get(pme_json_at(findings, f), "range");
		printf("%s", shown++ ? "          " : "    seen: ");
		printf("%s:%llu+%llu first seen ",
		       pme_json_get_text(pme_json_at(findings, f), "device"),
		       (unsigned long long)pme_json_get_number(range, "start"),
		       (unsigned long long)pme_json_get_number(range, "length"));
		printf("%s\n", pme_json_get_text(one, "time"));
	}
	if (shown < count)
		printf("          and %zu more: see -v\n", count - shown);
}

static void put_troubles(struct json_object *troubles)
{
	for (size_t i = 0; i < pme_json_count(troubles); i++) {
		struct json_object *trouble = pme_json_at(troubles, i);

		printf("%s%s ",
		       i ? "          " : "   watch: ", pme_json_get_text(trouble, "part"));
		text_name(pme_json_get_text(trouble, "name"));
		printf(" does not work: ");
		text_name(pme_json_get_text(trouble, "reason"));
		printf("\n");
	}
}

static void put_scrubs(struct json_object *scrubs)
{
	for (size_t i = 0; i < pme_json_count(scrubs); i++) {
		struct json_object *scrub = pme_json_at(scrubs, i);

		printf("   scrub: ");
		text_name(pme_json_get_text(scrub, "device"));
		printf(" ");
		text_name(pme_json_get_text(scrub, "state"));
		if (pme_json_get(scrub, "last")) {
			printf(", last ended ");
			text_name(pme_json_get_text(scrub, "last"));
		}
		printf("\n");
	}
}

void history_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *watch = pme_json_get(doc, "watch");
	struct json_object *troubles = pme_json_get(watch, "troubles");

	if (pme_json_get_bool(watch, "running")) {
		put_scrubs(pme_json_get(watch, "scrubs"));
		if (cli->verbose && pme_json_count(troubles) == 0)
			printf("   watch: pmemctld is running, and all of it works\n");
		put_troubles(troubles);
	} else if (cli->verbose) {
		printf("   watch: pmemctld is not running: nothing is being watched\n");
	}
	put_first_seen(cli, doc);
}
