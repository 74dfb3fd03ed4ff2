/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the watch knows, as a whole; see state.h.
 */
#include "state-private.h"

#include <string.h>

int pmed_news_new(struct pmed_news *ret)
{
	*ret = (struct pmed_news){.events = pme_json_array(), .changes = pme_json_array()};
	if (ret->events && ret->changes)
		return 0;
	pmed_news_done(ret);
	return -ENOMEM;
}

void pmed_news_done(struct pmed_news *news)
{
	json_object_put(news->events);
	json_object_put(news->changes);
	*news = (struct pmed_news){0};
}

int pmed_state_new(struct pmed_state **ret)
{
	struct pmed_state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	*ret = state;
	return 0;
}

static void empty(struct pmed_state *state)
{
	for (size_t i = 0; i < state->n_devices; i++)
		pmed_device_free(state->devices[i]);
	for (size_t i = 0; i < state->n_incidents; i++)
		pmed_incident_done(&state->incidents[i]);
	free(state->devices);
	free(state->incidents);
	*state = (struct pmed_state){.remember = state->remember};
}

void pmed_state_remember(struct pmed_state *state, int64_t usec)
{
	state->remember = usec;
}

struct pmed_state *pmed_state_free(struct pmed_state *state)
{
	if (state)
		empty(state);
	free(state);
	return NULL;
}

static int load_device(struct pmed_state *state, struct json_object *row)
{
	const char *identity = pmed_text(row, "identity"), *uuid = pmed_text(row, "uuid");
	struct json_object *standing = pme_json_get(row, "standing");
	struct pmed_device *device;

	if (!identity || !*identity || !pmed_text(row, "name") ||
	    state->n_devices >= PMED_DEVICES_MAX || pmed_device_find(state, identity))
		return -EINVAL;
	device = pmed_device_add(state, identity);
	if (!device)
		return -ENOMEM;
	device->about = pmed_device_about(row, identity);
	device->uuid = uuid ? strdup(uuid) : NULL;
	device->size = pmed_number(row, "size");
	device->present = pmed_number(row, "present") != 0;
	device->first_seen = (int64_t)pmed_number(row, "first_seen");
	device->last_seen = (int64_t)pmed_number(row, "last_seen");
	device->last_scan = (int64_t)pmed_number(row, "last_scan");
	device->whole = pmed_number(row, "whole") != 0;
	if (json_object_is_type(standing, json_type_object))
		device->standing = json_object_get(standing);
	return 0;
}

/* The text of a finding, if it is one of the device that the row names. */
static struct json_object *finding_in(struct json_object *row, struct pmed_device *device)
{
	const char *text = json_object_get_string(pme_json_get(row, "finding"));
	struct json_object *json = text ? json_tokener_parse(text) : NULL;
	struct json_object *one = pme_json_array(), *devices = pme_json_array();
	struct json_object *entry = pme_json_object();
	const char *name = pmed_text(json, "device");
	bool good;

	/* Its device may have had another name when it was written. */
	pme_json_text(entry, "device", name ? name : pmed_device_name(device));
	pme_json_append(devices, entry);
	pme_json_append(one, json_object_get(json));
	good = json && pmed_findings_ok(one, devices);
	json_object_put(one);
	json_object_put(devices);
	if (good)
		return json;
	json_object_put(json);
	return NULL;
}

static int load_finding(struct pmed_state *state, struct json_object *row)
{
	const char *identity = pmed_text(row, "device"), *id = pmed_text(row, "id");
	struct pmed_device *device = identity ? pmed_device_find(state, identity) : NULL;
	struct pmed_finding finding = {.first_seen = (int64_t)pmed_number(row, "first_seen"),
				       .last_seen = (int64_t)pmed_number(row, "last_seen")};
	struct json_object *json;
	int r;

	if (!device || !id || device->n_findings >= PMED_FINDINGS_MAX ||
	    pmed_finding_find(device, id))
		return -EINVAL;
	json = finding_in(row, device);
	if (!json || strcmp(pmed_text(json, "id"), id) != 0) {
		json_object_put(json);
		return -EINVAL;
	}
	r = pme_grow(&device->findings, &device->alloc_findings, device->n_findings,
		     sizeof(*device->findings));
	if (r == 0)
		r = pmed_finding_set(&finding, json);
	json_object_put(json);
	if (r == 0)
		device->findings[device->n_findings++] = finding;
	return r;
}

static int load_rows(struct pmed_state *state, struct json_object *rows,
		     int (*load)(struct pmed_state *state, struct json_object *row))
{
	/* A row that makes no sense is as if it were not there: the next scan says it anew. */
	for (size_t i = 0; i < pme_json_count(rows); i++)
		if (load(state, pme_json_at(rows, i)) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

int pmed_state_load(struct pmed_state *state, struct json_object *rows)
{
	int r;

	if (!pmed_array(rows, "devices") || !pmed_array(rows, "findings") ||
	    !pmed_array(rows, "incidents"))
		return -EINVAL;
	empty(state);
	r = load_rows(state, pmed_array(rows, "devices"), load_device);
	if (r == 0)
		r = load_rows(state, pmed_array(rows, "findings"), load_finding);
	if (r == 0)
		r = load_rows(state, pmed_array(rows, "incidents"), pmed_incident_load);
	for (size_t i = 0; r == 0 && i < state->n_devices; i++)
		r = pmed_findings_count_files(state->devices[i]);
	state->baseline = state->n_devices > 0;
	return r;
}

struct json_object *pmed_state_rows(const struct pmed_state *state, int64_t now)
{
	struct pmed_news news = {.changes = pme_json_array()};
	struct pmed_turn turn = {.now = now, .news = &news};
	struct json_object *whole = pme_json_object();

	pme_json_set(whole, "time", pme_json_int(now));
	pmed_change(&turn, "whole", whole);
	for (size_t i = 0; i < state->n_devices; i++) {
		const struct pmed_device *device = state->devices[i];

		pmed_change(&turn, "devices", pmed_device_row(device));
		for (size_t f = 0; f < device->n_findings; f++)
			pmed_change(&turn, "findings",
				    pmed_finding_row(state, device, &device->findings[f]));
	}
	for (size_t i = 0; i < state->n_incidents; i++)
		pmed_change(&turn, "incidents", pmed_incident_row(&state->incidents[i], 0));
	return news.changes;
}

static bool has_findings_in(const struct pmed_state *state, const char *region)
{
	for (size_t i = 0; i < state->n_devices; i++) {
		const char *of = pmed_device_region(state->devices[i]);

		if (of && strcmp(of, region) == 0 && state->devices[i]->n_findings > 0)
			return true;
	}
	return false;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

int pmed_state_regions(const struct pmed_state *state, bool only_with_findings, const char ***ret,
		       size_t *ret_count)
{
	const char **names = calloc(state->n_devices + 1, sizeof(*names));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_devices; i++) {
		const char *region = pmed_device_region(state->devices[i]);

		if (region && state->devices[i]->present && !has_name(names, count, region) &&
		    (!only_with_findings || has_findings_in(state, region)))
			names[count++] = region;
	}
	*ret = names;
	*ret_count = count;
	return 0;
}

/* Bytes of the array below, without its end. */
static size_t findings_len(const struct pmed_state *state)
{
	size_t len = 2, count = 0;

	for (size_t i = 0; i < state->n_devices; i++)
		for (size_t f = 0; f < state->devices[i]->n_findings; f++)
			len += strlen(state->devices[i]->findings[f].text) + (count++ > 0);
	return len;
}

int pmed_state_findings_text(const struct pmed_state *state, size_t max, char **ret,
			     size_t *ret_len)
{
	size_t len = findings_len(state);
	char *text, *to;

	*ret_len = len;
	if (len > max)
		return -E2BIG;
	text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	to = text;
	*to++ = '[';
	for (size_t i = 0; i < state->n_devices; i++) {
		for (size_t f = 0; f < state->devices[i]->n_findings; f++) {
			const char *one = state->devices[i]->findings[f].text;
			size_t size = strlen(one);

			if (to > text + 1)
				*to++ = ',';
			memcpy(to, one, size);
			to += size;
		}
	}
	*to++ = ']';
	*to = '\0';
	*ret = text;
	return 0;
}
