/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that are not in the inventory any more: offline, which is not corrupt.  What stood on
 * them is what the last snapshot saw.  Where a message may be the reason that a device is not
 * there, it stays as it was, and people are told so.
 */
#include "state-private.h"

#include <string.h>

bool pmed_device_stands(const struct pmed_device *device)
{
	return pme_json_count(pmed_array(device->standing, "mounts")) > 0 ||
	       pme_json_count(pmed_array(device->standing, "devices")) > 0 ||
	       pme_json_count(pmed_array(device->standing, "holders")) > 0;
}

/* "a, b and 3 more" */
static char *join(struct json_object *array)
{
	size_t count = pme_json_count(array), shown = count > 4 ? 3 : count;
	char *text = strdup("");

	for (size_t i = 0; text && i < shown; i++) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s%s%s", before, i ? ", " : "",
				  json_object_get_string(pme_json_at(array, i)));
	}
	if (text && shown < count) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s and %zu more", before, count - shown);
	}
	return text;
}

/* How old that knowledge is, for people. */
static char *age_text(const struct pmed_device *device, int64_t now)
{
	if (!pmed_device_stands(device))
		return strdup("");
	if (device->looked == 0 || device->looked > now)
		return strdup(", last looked at before the watch began");
	return pme_printf(", last looked at %lld s before",
			  (long long)((now - device->looked) / 1000000));
}

/* What stood on it, for people: "; mounted at /srv; 3 processes used it". */
static char *standing_text(const struct pmed_device *device)
{
	struct json_object *mounts = pmed_array(device->standing, "mounts");
	struct json_object *volumes = pmed_array(device->standing, "volumes");
	size_t holders = pme_json_count(pmed_array(device->standing, "holders"));
	_cleanup_free_ char *at = join(mounts), *lost = join(volumes), *used = NULL;

	used = holders ? pme_printf("; %zu process%s used it", holders, holders == 1 ? "" : "es")
		       : strdup("");
	if (!at || !lost || !used)
		return NULL;
	return pme_printf("%s%s%s%s%s", *at ? ": it was mounted at " : "", at,
			  *lost ? "; without one of their devices are now " : "", lost, used);
}

static void set_standing(struct json_object *event, const struct pmed_device *device)
{
	static const char *const keys[] = {"mounts", "devices", "volumes"};
	struct json_object *detail = pme_json_get(event, "detail");
	struct json_object *holders = pmed_array(device->standing, "holders");

	for (size_t i = 0; i < PME_ARRAY_SIZE(keys); i++) {
		struct json_object *array = pmed_array(device->standing, keys[i]);

		pme_json_set(detail, keys[i], array ? json_object_get(array) : pme_json_array());
	}
	pme_json_number(detail, "findings", device->n_findings);
	if (holders)
		pme_json_set(event, "holders", json_object_get(holders));
}

static int go_offline(struct pmed_turn *turn, struct pmed_device *device)
{
	bool stands = pmed_device_stands(device);
	_cleanup_free_ char *standing = standing_text(device), *age = age_text(device, turn->now);
	const char *ns = pmed_text(device->about, "namespace");
	struct json_object *event;
	int r = 0;

	if (!standing || !age)
		return -ENOMEM;
	event = pmed_event(turn, PME_EVENT_DEVICE_OFFLINE,
			   stands ? PME_EVENT_CRITICAL : PME_EVENT_NOTICE, device,
			   pme_printf("%s%s%s%s is gone%s%s", pmed_device_name(device),
				      ns ? " (" : "", ns ? ns : "", ns ? ")" : "", age, standing));
	device->present = false;
	pme_json_text(event, "advice",
		      stands ? "its data is out of reach, not known to be lost: bring it back (see "
			       "`ndctl list -i`) before anything is repaired or restored"
			     : "nothing was seen on it when it was there");
	set_standing(event, device);
	if (stands || device->n_findings > 0)
		r = pmed_incident_open(turn, event, device->identity, pmed_cause_offline);
	pmed_event_tell(turn, event);
	for (size_t i = 0; i < device->n_findings; i++)
		pmed_finding_is(turn, device, &device->findings[i], "offline");
	pmed_change(turn, "devices", pmed_device_row(device));
	return r;
}

/* Subjects that are no device: what they say may be why a device is not there. */
static const char *const general[] = {"/sys", "/sys/bus/nd/devices", "libndctl", "scan"};

static const char *general_trouble(struct json_object *doc)
{
	struct json_object *messages = pmed_array(doc, "messages");

	for (size_t i = 0; i < PME_ARRAY_SIZE(general); i++)
		if (pmed_is_subject(doc, general[i]))
			return general[i];
	for (size_t i = 0; i < pme_json_count(messages); i++)
		if (strcmp(pmed_text(pme_json_at(messages, i), "severity"), "error") == 0)
			return pmed_text(pme_json_at(messages, i), "subject");
	return NULL;
}

/* The first message about @name that may be why it is not there, or NULL. */
static struct json_object *message_of(struct json_object *doc, const char *name)
{
	struct json_object *messages = pmed_array(doc, "messages");

	for (size_t i = 0; name && i < pme_json_count(messages); i++)
		if (strcmp(pmed_text(pme_json_at(messages, i), "subject"), name) == 0 &&
		    strcmp(pmed_text(pme_json_at(messages, i), "severity"), "info") != 0)
			return pme_json_at(messages, i);
	return NULL;
}

/* A list of bad blocks that is full or cut off says nothing of which namespaces there are. */
static bool is_about_its_list(struct json_object *doc, const char *region)
{
	struct json_object *entries = pmed_array(doc, "devices");

	for (size_t i = 0; region && i < pme_json_count(entries); i++) {
		const char *list = pmed_text(pme_json_at(entries, i), "list");

		if (strcmp(pmed_text(pme_json_at(entries, i), "device"), region) == 0)
			return strcmp(list, "full") == 0 || strcmp(list, "clipped") == 0;
	}
	return false;
}

/* The message that may be why @device is not in the list, or NULL. */
static struct json_object *doubt_about(struct json_object *doc, const struct pmed_device *device)
{
	const char *region = pmed_device_region(device);
	struct json_object *message = message_of(doc, pmed_device_name(device));

	if (!message)
		message = message_of(doc, pmed_text(device->about, "namespace"));
	if (!message && !is_about_its_list(doc, region))
		message = message_of(doc, region);
	return message;
}

/* It is not in the list: is it gone? */
static int miss(struct pmed_turn *turn, struct pmed_device *device, struct json_object *doc)
{
	struct json_object *doubt = doubt_about(doc, device);
	_cleanup_free_ char *why = NULL;
	int r;

	if (!doubt) {
		r = go_offline(turn, device);
		return r < 0 ? r : pmed_coverage_moot(turn, device);
	}
	why = pme_printf("it is not seen any more, but it is not certain that it is gone: %s: %s",
			 pmed_text(doubt, "subject"), pmed_text(doubt, "text"));
	return why ? pmed_coverage_absent(turn, device, why) : -ENOMEM;
}

int pmed_state_inventory(struct pmed_state *state, struct json_object *doc, int64_t now,
			 int64_t *last_id, struct pmed_news *news)
{
	struct pmed_turn turn = {.state = state, .now = now, .last_id = last_id, .news = news};
	const char *trouble;
	int r;

	if (!pmed_is_document(doc, "pmemctl.list") || !pmed_devices_ok(pmed_array(doc, "devices")))
		return -EINVAL;
	trouble = general_trouble(doc);
	r = pmed_devices_seen(&turn, doc);
	for (size_t i = 0; r == 0 && !trouble && i < state->n_devices; i++) {
		struct pmed_device *device = state->devices[i];

		if (device->present && !device->list)
			r = miss(&turn, device, doc);
	}
	pmed_devices_unsee(state);
	if (r == 0 && !trouble) {
		state->baseline = true;
		r = pmed_forget(&turn);
	}
	if (r == 0 && !trouble)
		r = pmed_coverage_of_gone(&turn);
	if (r == 0)
		r = pmed_coverage(&turn, "seen:inventory", NULL, "the list of devices", trouble);
	return r;
}
