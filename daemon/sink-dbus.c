/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch on the system bus: the connection, and events as signals.
 *
 * Nothing here waits: libsystemd connects, says hello and asks for the name within the loop.  A bus
 * that is not there, goes away or refuses is tried again after a delay that doubles.  Events that
 * come while it still connects are told behind the request for the name, and count as delivered
 * when the name is given.
 *
 * The surprise: nothing is dropped within a callback of the connection itself; that only sets the
 * timer, which drops the connection before it makes a new one.
 */
#include "sink-dbus.h"

#include <string.h>

#include "watch.h"

#define USEC_PER_SEC 1000000ULL
#define DELAY_FIRST (5 * USEC_PER_SEC)
#define DELAY_MOST (300 * USEC_PER_SEC)
#define ACCURACY (USEC_PER_SEC / 10)
/* What may wait for a bus that does not read. */
#define QUEUED_MAX (2 * PMED_DBUS_TEXT_MAX)
#define ADDRESS "unix:path=/run/dbus/system_bus_socket"

static const char *address(void)
{
	const char *given = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");

	return given && *given ? given : ADDRESS;
}

bool pmed_dbus_room(struct pmed_dbus *dbus, size_t size)
{
	uint64_t messages;

	if (sd_bus_get_n_queued_write(dbus->bus, &messages) < 0)
		return false;
	if (messages == 0)
		dbus->queued = 0;
	if (dbus->queued > 0 && dbus->queued + size > QUEUED_MAX)
		return false;
	dbus->queued += size;
	return true;
}

static void drop_bus(struct pmed_dbus *dbus)
{
	pmed_dbus_object_drop(dbus);
	dbus->bus = sd_bus_close_unref(dbus->bus);
	dbus->named = false;
	dbus->queued = 0;
}

/* What became of the events that waited. */
static void settle_waiting(struct pmed_dbus *dbus, const char *why)
{
	int64_t ids[PMED_DBUS_WAITING];
	size_t count = dbus->n_waiting;

	memcpy(ids, dbus->waiting, count * sizeof(ids[0]));
	dbus->n_waiting = 0; /* an outcome may be told as an event, here, too */
	for (size_t i = 0; i < count; i++)
		pmed_sink_outcome(dbus->sink, NULL, ids[i], why);
}

static void plan_retry(struct pmed_dbus *dbus)
{
	sd_event_source_set_time(dbus->timer, pmed_clock() + dbus->delay);
	sd_event_source_set_enabled(dbus->timer, SD_EVENT_ONESHOT);
	dbus->delay = pme_min(2 * dbus->delay, DELAY_MOST);
}

/* Not on the bus, for the reason @why (taken). */
static void set_down(struct pmed_dbus *dbus, char *why)
{
	free(dbus->why);
	dbus->why = why ? why : strdup(strerror(ENOMEM));
	dbus->named = false;
	plan_retry(dbus);
}

static void tell_down(struct pmed_dbus *dbus)
{
	const char *why = dbus->why ? dbus->why : strerror(ENOMEM);

	settle_waiting(dbus, why);
	pmed_sink_state(dbus->sink, why);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct pmed_dbus *dbus = userdata;

	if (dbus->why)
		return 0; /* said already */
	set_down(dbus, pme_printf(dbus->named ? "%s: the bus has closed the connection"
					      : "%s: the bus does not accept the connection",
				  address()));
	tell_down(dbus);
	return 0;
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct pmed_dbus *dbus = userdata;
	const sd_bus_error *refused = sd_bus_message_get_error(reply);
	uint32_t result = 0;

	if (dbus->why)
		return 0;
	if (!refused && sd_bus_message_read(reply, "u", &result) >= 0 &&
	    (result == 1 || result == 4)) { /* owner now, or owner already */
		dbus->named = true;
		dbus->delay = DELAY_FIRST;
		settle_waiting(dbus, NULL);
		pmed_sink_state(dbus->sink, NULL);
		pmed_watch_changed(dbus->sink->daemon);
		return 0;
	}
	set_down(dbus,
		 pme_printf("%s: the bus does not give the name " PMED_DBUS_NAME ": %s", address(),
			    refused ? refused->message : "another process has it"));
	tell_down(dbus);
	return 0;
}

static int set_up(struct pmed_dbus *dbus)
{
	sd_event *loop = dbus->sink->daemon->loop;
	int r = sd_bus_new(&dbus->bus);

	if (r >= 0)
		r = sd_bus_set_address(dbus->bus, address());
	if (r >= 0)
		r = sd_bus_set_bus_client(dbus->bus, true);
	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(dbus->bus, false);
	if (r >= 0)
		r = pmed_dbus_object_add(dbus);
	if (r >= 0)
		r = sd_bus_start(dbus->bus);
	/* Made by libsystemd itself: the bus is not asked for it. */
	if (r >= 0)
		r = sd_bus_match_signal_async(dbus->bus, NULL, "org.freedesktop.DBus.Local",
					      "/org/freedesktop/DBus/Local",
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, dbus);
	if (r >= 0)
		r = sd_bus_attach_event(dbus->bus, loop, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_request_name_async(dbus->bus, NULL, PMED_DBUS_NAME, 0, on_name, dbus);
	return r;
}

/* 0, or -errno: then it is said in dbus->why, and tried again. */
static int connect_bus(struct pmed_dbus *dbus)
{
	int r;

	drop_bus(dbus);
	free(dbus->why);
	dbus->why = NULL;
	r = set_up(dbus);
	if (r >= 0)
		return 0;
	drop_bus(dbus);
	set_down(dbus, pme_printf("%s: cannot connect: %s", address(), strerror(-r)));
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct pmed_dbus *dbus = arg;

	if (connect_bus(dbus) < 0)
		tell_down(dbus);
	return 0;
}

static const char *signal_of(struct json_object *event, bool *ret_findings)
{
	enum pme_event_type type;

	*ret_findings = false;
	if (pme_event_type_parse(pme_json_get_text(event, "type"), &type) < 0)
		return NULL;
	*ret_findings = type == PME_EVENT_FINDING_ADDED || type == PME_EVENT_FINDING_CHANGED ||
			type == PME_EVENT_FINDING_GONE;
	switch ((int)type) {
	case PME_EVENT_FINDING_ADDED:
		return "FindingAdded";
	case PME_EVENT_FINDING_CHANGED:
		return "FindingChanged";
	case PME_EVENT_FINDING_GONE:
		return "FindingGone";
	case PME_EVENT_DEVICE_OFFLINE:
		return "DeviceOffline";
	case PME_EVENT_DEVICE_ONLINE:
		return "DeviceOnline";
	case PME_EVENT_HEALTH:
		return "HealthChanged";
	default:
		return NULL;
	}
}

/* The name by which people know it: of the disk, else of what there is. */
static const char *device_of(struct json_object *event)
{
	static const char *const names[] = {"name", "namespace", "region"};
	struct json_object *device = pme_json_get(event, "device");

	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++)
		if (*pme_json_get_text(device, names[i]))
			return pme_json_get_text(device, names[i]);
	return "";
}

static int append_findings(sd_bus_message *message, struct json_object *event)
{
	struct json_object *findings = pme_json_get(event, "findings");
	int r = sd_bus_message_open_container(message, 'a', "s");

	for (size_t i = 0; r >= 0 && i < pme_json_count(findings); i++)
		r = sd_bus_message_append(message, "s",
					  pme_json_get_text(pme_json_at(findings, i), "id"));
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int send_named(struct pmed_dbus *dbus, struct json_object *event, const char *text)
{
	sd_bus_message *message = NULL;
	bool with_findings;
	const char *name = signal_of(event, &with_findings);
	int r;

	if (!name)
		return 0;
	r = sd_bus_message_new_signal(dbus->bus, &message, PMED_DBUS_PATH, PMED_DBUS_NAME, name);
	if (r >= 0)
		r = sd_bus_message_append(message, "s", device_of(event));
	if (r >= 0 && with_findings)
		r = append_findings(message, event);
	if (r >= 0)
		r = sd_bus_message_append(message, "s", text);
	if (r >= 0)
		r = sd_bus_send(dbus->bus, message, NULL);
	sd_bus_message_unref(message);
	return r;
}

static int dbus_deliver(struct pmed_sink *sink, struct json_object *event, const char *text)
{
	struct pmed_dbus *dbus = sink->own;
	int64_t id = (int64_t)pme_json_get_number(event, "id");
	size_t len = strlen(text);
	int r;

	if (dbus->why) {
		pmed_sink_outcome(sink, NULL, id, dbus->why);
		return 0;
	}
	if (len > PMED_DBUS_TEXT_MAX)
		return -EMSGSIZE;
	if ((!dbus->named && dbus->n_waiting == PMED_DBUS_WAITING) ||
	    !pmed_dbus_room(dbus, 2 * len)) {
		pmed_sink_outcome(sink, NULL, id, "the bus does not read what it is sent");
		return 0;
	}
	r = sd_bus_emit_signal(dbus->bus, PMED_DBUS_PATH, PMED_DBUS_NAME, "Event", "s", text);
	if (r >= 0)
		r = send_named(dbus, event, text);
	if (r < 0)
		return r;
	if (dbus->named)
		pmed_sink_outcome(sink, NULL, id, NULL);
	else
		dbus->waiting[dbus->n_waiting++] = id;
	return 0;
}

static void learn_facts(struct pmed_dbus *dbus, struct pmed_dbus_facts *ret)
{
	struct json_object *doc = pmed_dbus_doc(dbus->sink->daemon);

	pmed_dbus_facts(doc, ret);
	json_object_put(doc);
}

static void dbus_refresh(struct pmed_sink *sink)
{
	struct pmed_dbus *dbus = sink->own;
	const struct pmed_dbus_facts old = dbus->facts, *new = &dbus->facts;
	static char state[] = "State", bad_bytes[] = "BadBytes", findings[] = "Findings",
		    coverage[] = "Coverage", last_scan[] = "LastScan";
	char *names[6] = {NULL};
	size_t count = 0;
	int r;

	learn_facts(dbus, &dbus->facts);
	if (strcmp(old.state, new->state) != 0)
		names[count++] = state;
	if (old.bad_bytes != new->bad_bytes)
		names[count++] = bad_bytes;
	if (old.findings != new->findings)
		names[count++] = findings;
	if (strcmp(old.coverage, new->coverage) != 0)
		names[count++] = coverage;
	if (old.last_scan != new->last_scan)
		names[count++] = last_scan;
	if (count == 0 || !dbus->named)
		return;
	r = sd_bus_emit_properties_changed_strv(dbus->bus, PMED_DBUS_PATH, PMED_DBUS_NAME, names);
	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "dbus: cannot say that properties changed: %s",
			 strerror(-r));
}

static bool dbus_stale(const struct pmed_sink *sink)
{
	return !sink->daemon->conf.dbus.enabled;
}

static void dbus_stop(struct pmed_sink *sink)
{
	struct pmed_dbus *dbus = sink->own;

	if (!dbus)
		return;
	drop_bus(dbus);
	sd_event_source_disable_unref(dbus->timer);
	free(dbus->why);
	free(dbus);
}

static int dbus_start(struct pmed_sink *sink, char **ret_reason)
{
	struct pmed *d = sink->daemon;
	struct pmed_dbus *dbus;
	int r;

	if (!d->conf.dbus.enabled)
		return 0;
	dbus = calloc(1, sizeof(*dbus));
	if (!dbus)
		return -ENOMEM;
	dbus->sink = sink;
	dbus->version = PACKAGE_VERSION;
	dbus->delay = DELAY_FIRST;
	learn_facts(dbus, &dbus->facts);
	r = sd_event_add_time(d->loop, &dbus->timer, CLOCK_BOOTTIME, UINT64_MAX, ACCURACY, on_timer,
			      dbus);
	if (r >= 0)
		r = sd_event_source_set_enabled(dbus->timer, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(dbus->timer);
		free(dbus);
		return r;
	}
	sink->own = dbus;
	connect_bus(dbus); /* why it failed is said with the first event, or at the next try */
	return 1;
}

const struct pmed_sink_kind pmed_sink_dbus = {
	.name = "dbus",
	.start = dbus_start,
	.deliver = dbus_deliver,
	.refresh = dbus_refresh,
	.stale = dbus_stale,
	.stop = dbus_stop,
};
