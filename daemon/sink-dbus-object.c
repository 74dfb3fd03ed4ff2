/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /org/pmemctl/Daemon1: methods and properties; pmemctld(8) describes them.
 *
 * The surprise: all methods are marked as unprivileged, also the one that is for root.  For the
 * others libsystemd itself would ask the bus who calls, and wait for the answer; here the answer is
 * an event like any other.  The policy file of the bus says the same, but may be another one.
 */
#include "sink-dbus.h"

#include <string.h>

#include "state.h"

static int reply_error(sd_bus_message *call, const char *name, const char *text)
{
	return sd_bus_reply_method_errorf(call, name, "%s", text);
}

/* @text may be NULL when @len is too much; @instead: what has the same then. */
static int reply_text(struct pmed_dbus *dbus, sd_bus_message *call, const char *text, size_t len,
		      const char *instead)
{
	if (len > PMED_DBUS_TEXT_MAX)
		return sd_bus_reply_method_errorf(
			call, SD_BUS_ERROR_LIMITS_EXCEEDED,
			"The answer (%zu bytes) is more than the %zu that "
			"are sent over the bus; see %s",
			len, PMED_DBUS_TEXT_MAX, instead);
	if (!text)
		return reply_error(call, SD_BUS_ERROR_NO_MEMORY, "no memory for the answer");
	if (!pmed_dbus_room(dbus, len))
		return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_LIMITS_EXCEEDED,
						  "Too many answers wait for the bus; see %s",
						  instead);
	return sd_bus_reply_method_return(call, "s", text);
}

/* Takes @json. */
static int reply_json(struct pmed_dbus *dbus, sd_bus_message *call, struct json_object *json,
		      const char *instead)
{
	const char *text = NULL;
	size_t len = 0;
	int r;

	if (json)
		text = json_object_to_json_string_length(
			json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	r = reply_text(dbus, call, text, len, instead);
	json_object_put(json);
	return r;
}

static int get_findings(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct pmed_dbus *dbus = userdata;
	_cleanup_free_ char *text = NULL;
	size_t len;

	pmed_state_findings_text(dbus->sink->daemon->state, PMED_DBUS_TEXT_MAX, &text, &len);
	return reply_text(dbus, call, text, len, "`pmemctl scan --json`");
}

static int get_watch(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct pmed_dbus *dbus = userdata;

	return reply_json(dbus, call, pmed_watch_json(dbus->sink->daemon),
			  "/run/pmemctl/watch.json, or `pmemctl scan --json`");
}

/* What root asks for. */
static int rescan(struct pmed_dbus *dbus, sd_bus_message *call)
{
	struct pmed *d = dbus->sink->daemon;
	_cleanup_free_ char *region = NULL;
	struct json_object *doc;
	const char *name, *found;
	int r = sd_bus_message_read(call, "s", &name);

	if (r < 0)
		return sd_bus_reply_method_errno(call, r, NULL);
	if (!*name) {
		pmed_hint(d, PMED_HINT_EVERYTHING, NULL);
		return sd_bus_reply_method_return(call, NULL);
	}
	doc = pmed_dbus_doc(d);
	found = doc ? pmed_dbus_region(doc, name) : NULL;
	region = found ? strdup(found) : NULL;
	json_object_put(doc);
	if (!doc || (found && !region))
		return reply_error(call, SD_BUS_ERROR_NO_MEMORY, "no memory to look for the name");
	if (!region)
		return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_INVALID_ARGS,
						  "%s: the watch knows no region, namespace or "
						  "device of this name",
						  name);
	pmed_hint(d, PMED_HINT_REGION, region);
	return sd_bus_reply_method_return(call, NULL);
}

static void drop_rescan(struct pmed_rescan *asked)
{
	asked->call = sd_bus_message_unref(asked->call);
	asked->slot = sd_bus_slot_unref(asked->slot);
}

/* The bus has said who asks. */
static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct pmed_rescan *asked = userdata;
	uint32_t uid;
	int r;

	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_read(reply, "u", &uid) < 0)
		r = reply_error(asked->call, SD_BUS_ERROR_ACCESS_DENIED,
				"The bus does not say who asks");
	else if (uid != 0)
		r = reply_error(asked->call, SD_BUS_ERROR_ACCESS_DENIED,
				"Only root may let the watch look again");
	else
		r = rescan(asked->dbus, asked->call);
	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "dbus: cannot answer Rescan: %s", strerror(-r));
	drop_rescan(asked);
	return 1;
}

static int on_rescan(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct pmed_dbus *dbus = userdata;
	struct pmed_rescan *asked = NULL;
	int r;

	for (size_t i = 0; i < PMED_DBUS_RESCANS && !asked; i++)
		if (!dbus->rescans[i].call)
			asked = &dbus->rescans[i];
	if (!asked)
		return reply_error(call, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many ask at once");
	r = sd_bus_call_method_async(dbus->bus, &asked->slot, "org.freedesktop.DBus",
				     "/org/freedesktop/DBus", "org.freedesktop.DBus",
				     "GetConnectionUnixUser", on_uid, asked, "s",
				     sd_bus_message_get_sender(call));
	if (r < 0)
		return r;
	asked->dbus = dbus;
	asked->call = sd_bus_message_ref(call);
	return 1;
}

#define PROPERTY(name, type, member)                                          \
	SD_BUS_PROPERTY(name, type, NULL, offsetof(struct pmed_dbus, member), \
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define FINDING_SIGNAL(name) \
	SD_BUS_SIGNAL_WITH_ARGS(name, SD_BUS_ARGS("s", device, "as", findings, "s", event), 0)
#define DEVICE_SIGNAL(name) SD_BUS_SIGNAL_WITH_ARGS(name, SD_BUS_ARGS("s", device, "s", event), 0)

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Version", "s", NULL, offsetof(struct pmed_dbus, version),
			SD_BUS_VTABLE_PROPERTY_CONST),
	PROPERTY("State", "s", facts.state),
	PROPERTY("BadBytes", "t", facts.bad_bytes),
	PROPERTY("Findings", "u", facts.findings),
	PROPERTY("Coverage", "s", facts.coverage),
	PROPERTY("LastScan", "t", facts.last_scan),
	SD_BUS_METHOD_WITH_ARGS("Rescan", SD_BUS_ARGS("s", selector), SD_BUS_NO_RESULT, on_rescan,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetFindings", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", findings),
				get_findings, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetWatch", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", watch), get_watch,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("Event", SD_BUS_ARGS("s", event), 0),
	FINDING_SIGNAL("FindingAdded"),
	FINDING_SIGNAL("FindingChanged"),
	FINDING_SIGNAL("FindingGone"),
	DEVICE_SIGNAL("DeviceOffline"),
	DEVICE_SIGNAL("DeviceOnline"),
	DEVICE_SIGNAL("HealthChanged"),
	SD_BUS_VTABLE_END,
};

int pmed_dbus_object_add(struct pmed_dbus *dbus)
{
	return sd_bus_add_object_vtable(dbus->bus, NULL, PMED_DBUS_PATH, PMED_DBUS_NAME, vtable,
					dbus);
}

void pmed_dbus_object_drop(struct pmed_dbus *dbus)
{
	for (size_t i = 0; i < PMED_DBUS_RESCANS; i++)
		drop_rescan(&dbus->rescans[i]);
}
