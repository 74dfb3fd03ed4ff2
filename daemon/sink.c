/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving events to sinks, and keeping account of it; see sink.h.
 *
 * A sink that begins to fail is an event itself, for the other sinks: once, until it works again.
 * The surprise: failing at such an event makes no further one, or two sinks that fail in turn would
 * tell each other for ever.
 */
#include "sink.h"

#include <string.h>

#include "keeper.h"
#include "sink-gate.h"
#include "sink-repeat.h"

#define MSEC 1000

struct pmed_sinks {
	struct pmed_sink sinks[PMED_SINKS_MAX];
	size_t count;
	struct pmed_repeat *repeat;
	sd_event_source *timer;			/* when a count of suppressed events is due */
	int64_t failed_ids[PMED_SINKS_MAX * 2]; /* of the last such events */
	size_t next_failed;
};

static bool text_set(char **text, const char *value)
{
	free(*text);
	*text = value ? pme_printf("%s", value) : NULL;
	return *text || !value;
}

/* The outcome as a row for the store. */
static void record(struct pmed_sink *sink, const char *part, int64_t id, const char *why)
{
	struct json_object *changes, *change, *row;

	if (id == 0)
		return;
	changes = pme_json_array();
	change = pme_json_object();
	row = pme_json_object();
	pme_json_set(row, "event", pme_json_int(id));
	pme_json_owned_text(row, "sink",
			    part ? pme_printf("%s/%s", sink->kind->name, part)
				 : pme_printf("%s", sink->kind->name));
	pme_json_set(row, "time", pme_json_int(pmed_now()));
	pme_json_set(row, "error", why ? pme_json_lossy(why) : NULL);
	pme_json_text(change, "table", "outcomes");
	pme_json_set(change, "row", row);
	pme_json_append(changes, change);
	pmed_keeper_keep(sink->daemon, changes);
}

static void tell_failure(struct pmed_sink *sink, const char *why)
{
	_cleanup_free_ char *text = pme_printf("Events do not reach %s: %s", sink->kind->name, why);
	struct pmed_sinks *sinks = sink->daemon->sinks;
	int64_t id = pmed_event_id(sink->daemon);
	struct json_object *event, *detail;

	event = pme_event_new(id, PME_EVENT_SINK_FAILED, PME_EVENT_WARNING, text ? text : why);
	detail = pme_json_object();
	pme_json_text(detail, "sink", sink->kind->name);
	pme_json_set(detail, "reason", pme_json_lossy(why));
	pme_json_set(event, "detail", detail);
	pme_json_text(event, "advice",
		      "see pmemctl.conf(5); `pmemctl events` has what was not told");
	sinks->failed_ids[sinks->next_failed] = id;
	sinks->next_failed = (sinks->next_failed + 1) % PME_ARRAY_SIZE(sinks->failed_ids);
	pmed_tell(sink->daemon, event);
}

/* Does the event with this id itself say that a sink failed? */
static bool tells_failure(const struct pmed_sinks *sinks, int64_t id)
{
	for (size_t i = 0; id != 0 && i < PME_ARRAY_SIZE(sinks->failed_ids); i++)
		if (sinks->failed_ids[i] == id)
			return true;
	return false;
}

/* True when it begins to fail. */
static bool set_state(struct pmed_sink *sink, const char *part, const char *fault)
{
	_cleanup_free_ char *why = NULL;
	bool begins;

	pmed_sink_fault_set(sink, part ? part : "", fault, &why);
	if (!why && fault) /* no memory */
		why = strdup(fault);
	begins = (why || fault) && !sink->failing;
	if (begins)
		pmed_log(PME_EVENT_WARNING, "%s: %s", sink->kind->name, why ? why : fault);
	else if (!why && !fault && sink->failing)
		pmed_log(PME_EVENT_NOTICE, "%s: works again", sink->kind->name);
	sink->failing = why || fault;
	text_set(&sink->reason, why);
	return begins;
}

void pmed_sink_state(struct pmed_sink *sink, const char *why)
{
	if (set_state(sink, NULL, why))
		tell_failure(sink, why);
}

void pmed_sink_parts(struct pmed_sink *sink, char *const *parts, size_t count)
{
	for (size_t i = sink->n_faults; i-- > 0;) {
		_cleanup_free_ char *part = strdup(sink->faults[i].part);
		size_t at = 0;

		while (part && at < count && strcmp(parts[at], part) != 0)
			at++;
		if (part && *part && at == count)
			set_state(sink, part, NULL);
	}
}

void pmed_sink_outcome(struct pmed_sink *sink, const char *part, int64_t event_id, const char *why)
{
	struct pmed_sinks *sinks = sink->daemon->sinks;

	if (why)
		sink->failed++;
	else
		sink->delivered++;
	record(sink, part, event_id, why);
	if (why && event_id != 0)
		pmed_repeat_untold(sinks->repeat, event_id, 1U << sink->bit);
	if (set_state(sink, part, why) && !tells_failure(sinks, event_id))
		tell_failure(sink, sink->reason ? sink->reason : why);
}

void pmed_sink_drop(struct pmed_sink *sink, const char *part, int64_t event_id)
{
	sink->failed++;
	record(sink, part, event_id, sink->dropped ? sink->dropped : "dropped");
	if (event_id != 0)
		pmed_repeat_untold(sink->daemon->sinks->repeat, event_id, 1U << sink->bit);
}

/* Give one event to one sink, whatever its rate. */
static void hand_over(struct pmed_sink *sink, struct json_object *event, const char *text)
{
	int64_t id = (int64_t)pme_json_get_number(event, "id");
	int r;

	pmed_repeat_told(sink->daemon->sinks->repeat, id, 1U << sink->bit);
	r = sink->kind->deliver(sink, event, text);
	if (r < 0)
		pmed_sink_outcome(sink, NULL, id, strerror(-r));
}

static const char *text_of(struct json_object *event)
{
	return json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* "12 more events of type finding-added suppressed in 60 s": for one sink only. */
static void tell_count(struct pmed_sink *sink, enum pme_event_type type,
		       const struct pmed_gate_type *counted)
{
	_cleanup_free_ char *text = pme_printf(
		"%llu more event%s of type %s suppressed for %s within %llu s",
		(unsigned long long)counted->suppressed, counted->suppressed == 1 ? "" : "s",
		pme_event_type_name(type), sink->kind->name,
		(unsigned long long)(sink->gate->interval / (1000 * MSEC)));
	struct json_object *event, *detail = pme_json_object();
	const char *json;

	event = pme_event_new(pmed_event_id(sink->daemon), type, counted->worst, text ? text : "");
	pme_json_number(detail, "suppressed", counted->suppressed);
	pme_json_set(event, "detail", detail);
	pme_json_text(event, "advice", "run `pmemctl events`, or `pmemctl status -v`");
	json = text_of(event);
	if (json)
		hand_over(sink, event, json);
	json_object_put(event);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg);

/* Arm the timer for the count that is due first. */
static void plan(struct pmed *d)
{
	struct pmed_sinks *sinks = d->sinks;
	uint64_t first = 0;

	for (size_t i = 0; i < sinks->count; i++) {
		const struct pmed_sink *sink = &sinks->sinks[i];
		uint64_t due = sink->on && sink->gate ? pmed_gate_due(sink->gate) : 0;

		if (due != 0 && (first == 0 || due < first))
			first = due;
	}
	if (first == 0)
		return;
	if (!sinks->timer) {
		int r = sd_event_add_time(d->loop, &sinks->timer, CLOCK_BOOTTIME, first, 0,
					  on_timer, d);

		if (r < 0)
			pmed_log(PME_EVENT_ERROR, "sinks: cannot make a timer: %s", strerror(-r));
		return;
	}
	sd_event_source_set_time(sinks->timer, first);
	sd_event_source_set_enabled(sinks->timer, SD_EVENT_ONESHOT);
}

/* Counts that are due at @now. */
static void tell_counts(struct pmed_sinks *sinks, uint64_t now)
{
	enum pme_event_type type;
	struct pmed_gate_type counted;

	for (size_t i = 0; i < sinks->count; i++) {
		struct pmed_sink *sink = &sinks->sinks[i];

		while (sink->on && sink->gate && pmed_gate_take(sink->gate, now, &type, &counted))
			tell_count(sink, type, &counted);
	}
}

char *pmed_sinks_suppressed(struct pmed *d)
{
	char *text = NULL;

	for (size_t i = 0; d->sinks && i < d->sinks->count; i++) {
		struct pmed_sink *sink = &d->sinks->sinks[i];
		uint64_t count = sink->gate ? pmed_gate_take_all(sink->gate) : 0;
		char *longer;

		if (count == 0)
			continue;
		longer = pme_printf("%s%s%llu event%s for %s", text ? text : "", text ? ", " : "",
				    (unsigned long long)count, count == 1 ? "" : "s",
				    sink->kind->name);
		free(text);
		text = longer;
	}
	return text;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct pmed *d = arg;

	tell_counts(d->sinks, pmed_clock());
	plan(d);
	return 0;
}

/* A sink-failed event is for the others. */
static bool is_about(struct json_object *event, const struct pmed_sink *sink)
{
	return strcmp(pme_json_get_text(event, "type"),
		      pme_event_type_name(PME_EVENT_SINK_FAILED)) == 0 &&
	       strcmp(pme_json_get_text(pme_json_get(event, "detail"), "sink"), sink->kind->name) ==
		       0;
}

static void suppress(struct pmed_sink *sink, struct json_object *event, const char *why)
{
	sink->suppressed++;
	record(sink, NULL, (int64_t)pme_json_get_number(event, "id"), why);
}

static void deliver_one(struct pmed_sink *sink, struct json_object *event, const char *text,
			unsigned int told)
{
	enum pme_event_severity severity = PME_EVENT_CRITICAL;
	enum pme_event_type type;

	if (!sink->on || !sink->kind->deliver || is_about(event, sink))
		return;
	pme_event_severity_parse(pme_json_get_text(event, "severity"), &severity);
	if (sink->kind->wants && !sink->kind->wants(sink, severity))
		return;
	if (told & 1U << sink->bit) {
		suppress(sink, event, "suppressed: it was told already");
		return;
	}
	if (sink->gate && pme_event_type_parse(pme_json_get_text(event, "type"), &type) == 0 &&
	    !pmed_gate_pass(sink->gate, type, severity, pmed_clock())) {
		suppress(sink, event, "suppressed: too many");
		return;
	}
	hand_over(sink, event, text);
}

void pmed_sinks_deliver(struct pmed *d, struct json_object *event)
{
	struct pmed_sinks *sinks = d->sinks;
	unsigned int told = 0;
	const char *text;

	if (!sinks)
		return;
	if (pmed_repeat_look(sinks->repeat, event, pmed_clock(), &told) == -EALREADY)
		return;
	text = text_of(event);
	if (!text) {
		pmed_log(PME_EVENT_CRITICAL, "no memory to tell an event: %s",
			 pme_json_get_text(event, "text"));
		return;
	}
	for (size_t i = 0; i < sinks->count; i++)
		deliver_one(&sinks->sinks[i], event, text, told);
	plan(d);
}

/* Which of them are among the names "journal", "hooks/50-page-me"? */
static unsigned int mask_of(const struct pmed_sinks *sinks, struct json_object *names)
{
	unsigned int mask = 0;

	for (size_t n = 0; n < pme_json_count(names); n++) {
		const char *name = json_object_get_string(pme_json_at(names, n));

		for (size_t i = 0; name && i < sinks->count; i++) {
			size_t len = strlen(sinks->sinks[i].kind->name);

			if (strncmp(name, sinks->sinks[i].kind->name, len) == 0 &&
			    (name[len] == '\0' || name[len] == '/'))
				mask |= 1U << i;
		}
	}
	return mask;
}

void pmed_sinks_again(struct pmed *d, struct json_object *untold)
{
	struct pmed_sinks *sinks = d->sinks;

	for (size_t i = 0; i < pme_json_count(untold); i++) {
		struct json_object *row = pme_json_at(untold, i);
		struct json_object *event = pme_json_get(row, "event");
		/* Where one part has it and another one does not, the sink knows by "told". */
		unsigned int know = mask_of(sinks, pme_json_get(row, "sinks")) &
				    ~mask_of(sinks, pme_json_get(row, "dropped"));
		unsigned int told = 0;
		const char *text = text_of(event);

		if (!text || pmed_repeat_look(sinks->repeat, event, pmed_clock(), &told) < 0)
			continue;
		pmed_repeat_told(sinks->repeat, (int64_t)pme_json_get_number(event, "id"), know);
		for (size_t s = 0; s < sinks->count; s++) {
			sinks->sinks[s].told = pme_json_get(row, "sinks");
			if (!(know & 1U << s))
				deliver_one(&sinks->sinks[s], event, text, told);
			sinks->sinks[s].told = NULL;
		}
	}
	plan(d);
}

void pmed_sinks_refresh(struct pmed *d)
{
	for (size_t i = 0; d->sinks && i < d->sinks->count; i++) {
		struct pmed_sink *sink = &d->sinks->sinks[i];

		if (sink->on && sink->kind->refresh)
			sink->kind->refresh(sink);
	}
}

static void set_rate(struct pmed_sink *sink)
{
	const struct pmed *d = sink->daemon;

	if (!sink->gate)
		return;
	sink->gate->burst = d->conf.rate.burst;
	if (pme_mul(d->conf.rate.interval, MSEC, &sink->gate->interval) < 0)
		sink->gate->interval = UINT64_MAX;
}

/* The others hear of a failure when all are started: tell_failures(). */
static void start_one(struct pmed_sink *sink)
{
	_cleanup_free_ char *reason = NULL;
	int r = sink->kind->start(sink, &reason);

	sink->on = r > 0;
	if (r < 0)
		set_state(sink, NULL, reason ? reason : strerror(-r));
	else if (r == 0)
		text_set(&sink->reason, reason);
}

static void tell_failures(struct pmed_sinks *sinks)
{
	for (size_t i = 0; i < sinks->count; i++) {
		struct pmed_sink *sink = &sinks->sinks[i];

		if (!sink->on && sink->failing && sink->reason)
			tell_failure(sink, sink->reason);
	}
}

static void stop_one(struct pmed_sink *sink, const char *dropped)
{
	sink->dropped = dropped;
	if (sink->on || sink->own)
		sink->kind->stop(sink);
	sink->own = NULL;
	sink->on = false;
	sink->failing = false;
	pmed_sink_faults_drop(sink);
	text_set(&sink->reason, NULL);
}

static int add_sink(struct pmed *d, const struct pmed_sink_kind *kind)
{
	struct pmed_sinks *sinks = d->sinks;
	struct pmed_sink *sink = &sinks->sinks[sinks->count];

	*sink = (struct pmed_sink){.kind = kind, .daemon = d, .bit = (unsigned int)sinks->count};
	if (kind->limited) {
		sink->gate = calloc(1, sizeof(*sink->gate));
		if (!sink->gate)
			return -ENOMEM;
		set_rate(sink);
	}
	sinks->count++;
	return 0;
}

int pmed_sinks_start(struct pmed *d)
{
	int r = 0;

	d->sinks = calloc(1, sizeof(*d->sinks));
	if (!d->sinks)
		return -ENOMEM;
	r = pmed_repeat_new(&d->sinks->repeat);
	for (size_t i = 0; r == 0 && pmed_sink_kinds[i]; i++)
		r = i < PMED_SINKS_MAX ? add_sink(d, pmed_sink_kinds[i]) : -E2BIG;
	if (r < 0) {
		pmed_sinks_stop(d);
		return r;
	}
	for (size_t i = 0; i < d->sinks->count; i++)
		start_one(&d->sinks->sinks[i]);
	tell_failures(d->sinks);
	return 0;
}

int pmed_sinks_reload(struct pmed *d)
{
	for (size_t i = 0; i < d->sinks->count; i++) {
		struct pmed_sink *sink = &d->sinks->sinks[i];

		set_rate(sink);
		if (sink->on && sink->kind->stale && !sink->kind->stale(sink))
			continue;
		if (sink->on && sink->kind->reload && sink->kind->reload(sink) == 0)
			continue;
		stop_one(sink, "dropped: reloaded");
		start_one(sink);
	}
	tell_failures(d->sinks);
	plan(d);
	return 0;
}

void pmed_sinks_stop(struct pmed *d)
{
	struct pmed_sinks *sinks = d->sinks;

	if (!sinks)
		return;
	for (size_t i = 0; i < sinks->count; i++) {
		struct pmed_sink *sink = &sinks->sinks[i];

		stop_one(sink, "dropped: the watch ended");
		free(sink->gate);
		free(sink->reason);
		free(sink->faults);
	}
	sd_event_source_disable_unref(sinks->timer);
	pmed_repeat_free(sinks->repeat);
	free(sinks);
	d->sinks = NULL;
}

void pmed_sinks_json(const struct pmed *d, struct json_object *doc)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; d->sinks && i < d->sinks->count; i++)
		pme_json_append(array, pmed_sink_json(&d->sinks->sinks[i]));
	pme_json_set(doc, "sinks", array);
}
