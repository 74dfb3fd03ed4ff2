/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: what `pmemctl list` says of them, what comes, goes and changes.
 *
 * A device is known by its identity, not its name.  One that is not in the list is gone only when
 * the list was made without trouble about it, its namespace or its region: libndctl may have
 * failed.
 */
#include "state-private.h"

#include <string.h>

struct pmed_device *pmed_device_find(const struct pmed_state *state, const char *identity)
{
	for (size_t i = 0; i < state->n_devices; i++)
		if (strcmp(state->devices[i]->identity, identity) == 0)
			return state->devices[i];
	return NULL;
}

const char *pmed_device_name(const struct pmed_device *device)
{
	const char *name = pmed_text(device->about, "name");

	return name ? name : "?";
}

const char *pmed_device_region(const struct pmed_device *device)
{
	return pmed_text(device->about, "region");
}

void pmed_device_free(struct pmed_device *device)
{
	for (size_t i = 0; i < device->n_findings; i++)
		pmed_finding_done(&device->findings[i]);
	free(device->findings);
	free(device->identity);
	free(device->uuid);
	json_object_put(device->about);
	json_object_put(device->standing);
	free(device);
}

struct pmed_device *pmed_device_add(struct pmed_state *state, const char *identity)
{
	struct pmed_device *device = calloc(1, sizeof(*device));

	if (device)
		device->identity = strdup(identity);
	if (!device || !device->identity ||
	    pme_grow(&state->devices, &state->alloc_devices, state->n_devices,
		     sizeof(*state->devices)) < 0) {
		if (device)
			pmed_device_free(device);
		return NULL;
	}
	state->devices[state->n_devices++] = device;
	return device;
}

struct json_object *pmed_device_about(struct json_object *entry, const char *identity)
{
	struct json_object *about = pme_json_object(), *dimms = pme_json_array();
	struct json_object *names = pmed_array(entry, "dimms");
	const char *name = pmed_text(entry, "device");

	for (size_t i = 0; i < pme_json_count(names); i++)
		pme_json_append(dimms, json_object_get(pme_json_at(names, i)));
	pme_json_text(about, "name", name ? name : pmed_text(entry, "name"));
	pme_json_text(about, "namespace", pmed_text(entry, "namespace"));
	pme_json_text(about, "mode", pmed_text(entry, "mode"));
	pme_json_text(about, "region", pmed_text(entry, "region"));
	pme_json_set(about, "dimms", dimms);
	pme_json_text(about, "identity", identity);
	return about;
}

struct json_object *pmed_device_row(const struct pmed_device *device)
{
	static const char *const shared[] = {"name", "namespace", "mode", "region", "dimms"};
	struct json_object *row = pme_json_object();

	pme_json_text(row, "identity", device->identity);
	for (size_t i = 0; i < PME_ARRAY_SIZE(shared); i++)
		pme_json_set(row, shared[i],
			     json_object_get(pme_json_get(device->about, shared[i])));
	pme_json_text(row, "uuid", device->uuid);
	pme_json_number(row, "size", device->size);
	pme_json_set(row, "present", pme_json_int(device->present));
	pme_json_set(row, "first_seen", pme_json_int(device->first_seen));
	pme_json_set(row, "last_seen", pme_json_int(device->last_seen));
	pme_json_set(row, "last_scan", pme_json_int(device->last_scan));
	pme_json_set(row, "whole", pme_json_int(device->whole));
	pme_json_set(row, "standing", json_object_get(device->standing));
	return row;
}

bool pmed_is_subject(struct json_object *doc, const char *name)
{
	struct json_object *messages = pmed_array(doc, "messages");

	for (size_t i = 0; name && i < pme_json_count(messages); i++)
		if (strcmp(pmed_text(pme_json_at(messages, i), "subject"), name) == 0)
			return true;
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_region(struct json_object *about)
{
	const char *name = pmed_text(about, "name");

	return name && same_text(name, pmed_text(about, "region"));
}

/* "mode was fsdax, is sector" behind what is there. */
static int say_change(char **words, const char *what, const char *was, const char *is)
{
	_cleanup_free_ char *before = *words;

	*words = pme_printf("%s%s%s was %s, is %s", before ? before : "", before ? "; " : "", what,
			    was ? was : "none", is ? is : "none");
	return *words ? 0 : -ENOMEM;
}

/* What of the device is not as it was: *@ret NULL when nothing. */
static int find_changes(const struct pmed_device *device, struct json_object *about,
			const char *uuid, uint64_t size, char **ret)
{
	static const char *const keys[] = {"name", "namespace", "mode", "region"};
	struct json_object *was = pme_json_get(device->about, "dimms");
	struct json_object *is = pme_json_get(about, "dimms");
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(keys); i++)
		if (!same_text(pmed_text(device->about, keys[i]), pmed_text(about, keys[i])))
			r = say_change(ret, keys[i], pmed_text(device->about, keys[i]),
				       pmed_text(about, keys[i]));
	if (r == 0 && !same_text(device->uuid, uuid))
		r = say_change(ret, "uuid", device->uuid, uuid);
	if (r == 0 && device->size != size) {
		_cleanup_free_ char *a = pmed_bytes(device->size), *b = pmed_bytes(size);

		r = say_change(ret, "size", a, b);
	}
	/* Of others it is the DIMM of byte 0, if the platform tells. */
	if (r == 0 && is_region(about) && !json_object_equal(was, is))
		r = say_change(ret, "DIMMs", json_object_to_json_string(was),
			       json_object_to_json_string(is));
	return r;
}

static void findings_are(struct pmed_turn *turn, const struct pmed_device *device, const char *what)
{
	for (size_t i = 0; i < device->n_findings; i++)
		pmed_finding_is(turn, device, &device->findings[i], what);
}

/* @known: it was there before.  Of others that is not known: idle ones are forgotten when they go.
 */
static void tell_online(struct pmed_turn *turn, struct pmed_device *device, bool known)
{
	const char *mode = pmed_text(device->about, "mode");
	const char *ns = pmed_text(device->about, "namespace");
	struct json_object *event =
		pmed_event(turn, PME_EVENT_DEVICE_ONLINE, PME_EVENT_NOTICE, device,
			   pme_printf("%s%s%s%s%s%s %s", pmed_device_name(device), ns ? " (" : "",
				      ns ? ns : "", ns && mode ? ", " : "", ns && mode ? mode : "",
				      ns ? ")" : "", known ? "is back" : "has come"));

	pmed_incident_join(turn, event, device->identity, pmed_cause_offline, true);
	pmed_event_tell(turn, event);
	findings_are(turn, device, "present");
}

static void tell_changed(struct pmed_turn *turn, struct pmed_device *device, const char *changes)
{
	pmed_event_tell(turn, pmed_event(turn, PME_EVENT_DEVICE_CHANGED, PME_EVENT_NOTICE, device,
					 pme_printf("%s has changed: %s", pmed_device_name(device),
						    changes)));
}

/* The entry is of @device: take over what it says. */
static int update(struct pmed_turn *turn, struct pmed_device *device, struct json_object *entry,
		  bool known)
{
	struct json_object *about = pmed_device_about(entry, device->identity);
	const char *uuid = pmed_text(entry, "uuid");
	_cleanup_free_ char *changes = NULL, *own = uuid ? strdup(uuid) : NULL;
	bool back = !device->present, row = !known || back;
	int r = 0;

	if (known)
		r = find_changes(device, about, uuid, pmed_number(entry, "size"), &changes);
	if (r < 0 || (uuid && !own)) {
		json_object_put(about);
		return -ENOMEM;
	}
	if (!known || changes) {
		json_object_put(device->about);
		device->about = json_object_get(about);
		free(device->uuid);
		device->uuid = pme_take_ptr(own);
		device->size = pmed_number(entry, "size");
		row = true;
	}
	json_object_put(about);
	device->present = true;
	device->last_seen = turn->now;
	device->list = pmed_text(entry, "list");
	if (back && (known || turn->state->baseline))
		tell_online(turn, device, known);
	if (changes)
		tell_changed(turn, device, changes);
	if (row)
		pmed_change(turn, "devices", pmed_device_row(device));
	return 0;
}

/*
 * It has no identity now, and a device of this name had one: it is that, but its findings have
 * other ids, so nothing of it can be compared.
 */
static struct pmed_device *unidentified(const struct pmed_state *state, struct json_object *doc,
					struct json_object *entry)
{
	const char *name = pmed_text(entry, "device");

	if (strncmp(pmed_text(entry, "identity"), "name:", 5) != 0 ||
	    !(pmed_is_subject(doc, name) || pmed_is_subject(doc, pmed_text(entry, "namespace"))))
		return NULL;
	for (size_t i = 0; i < state->n_devices; i++)
		if (state->devices[i]->present && !state->devices[i]->list &&
		    strncmp(state->devices[i]->identity, "name:", 5) != 0 &&
		    strcmp(pmed_device_name(state->devices[i]), name) == 0)
			return state->devices[i];
	return NULL;
}

static int see(struct pmed_turn *turn, struct json_object *doc, struct json_object *entry)
{
	const char *identity = pmed_text(entry, "identity");
	struct pmed_device *device = unidentified(turn->state, doc, entry);
	_cleanup_free_ char *other = NULL;
	bool known, second = false;

	if (device) {
		device->list = "unreadable";
		device->doubtful = true;
		device->last_seen = turn->now;
		return 0;
	}
	/* Two of one identity (a copy of a namespace, say): the second one has its name, too, and
	 * is that one in whatever order they come. */
	other = pme_printf("%s@%s", identity, pmed_text(entry, "device"));
	if (!other)
		return -ENOMEM;
	device = pmed_device_find(turn->state, other);
	if (!device) {
		device = pmed_device_find(turn->state, identity);
		second = device && device->list;
		device = second ? NULL : device;
	}
	if (device && device->list)
		return 0;
	known = device != NULL;
	if (!known) {
		device = pmed_device_add(turn->state, second ? other : identity);
		if (!device)
			return -ENOMEM;
		device->first_seen = turn->now;
	}
	return update(turn, device, entry, known);
}

/* What the list of its region came to, in the same document. */
static const char *region_list(struct json_object *entries, const char *region)
{
	for (size_t i = 0; region && i < pme_json_count(entries); i++)
		if (strcmp(pmed_text(pme_json_at(entries, i), "device"), region) == 0)
			return pmed_text(pme_json_at(entries, i), "list");
	return NULL;
}

int pmed_devices_seen(struct pmed_turn *turn, struct json_object *doc)
{
	struct json_object *entries = pmed_array(doc, "devices");
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(entries); i++)
		r = see(turn, doc, pme_json_at(entries, i));
	for (size_t i = 0; i < turn->state->n_devices; i++) {
		struct pmed_device *device = turn->state->devices[i];

		if (device->list)
			device->region_list = region_list(entries, pmed_device_region(device));
		if (r == 0 && device->list)
			r = pmed_coverage_absent(turn, device, NULL);
	}
	return r;
}

void pmed_devices_unsee(struct pmed_state *state)
{
	for (size_t i = 0; i < state->n_devices; i++) {
		state->devices[i]->list = state->devices[i]->region_list = NULL;
		state->devices[i]->doubtful = false;
	}
}
