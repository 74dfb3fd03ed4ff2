/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings of the devices of one scan: which are new (state-known.c), changed, gone (state-gone.c).
 */
#include "state-facts.h"

#include <string.h>

void pmed_finding_done(struct pmed_finding *finding)
{
	free(finding->id);
	free(finding->text);
	*finding = (struct pmed_finding){0};
}

struct pmed_finding *pmed_finding_find(const struct pmed_device *device, const char *id)
{
	for (size_t i = 0; i < device->n_findings; i++)
		if (strcmp(device->findings[i].id, id) == 0)
			return &device->findings[i];
	return NULL;
}

/* @json is checked. */
int pmed_finding_set(struct pmed_finding *finding, struct json_object *json)
{
	const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	_cleanup_free_ char *own = text ? strdup(text) : NULL;
	uint64_t digest, files;
	char *id = finding->id ? finding->id : strdup(pmed_text(json, "id"));

	if (!own || !id || pmed_facts(json, &digest, &files) < 0) {
		if (!finding->id)
			free(id);
		return -ENOMEM;
	}
	finding->id = id;
	finding->range = pmed_range_of(json);
	finding->has_address = pmed_address_of(json, finding->range, &finding->address);
	finding->verdict = pmed_verdict(pmed_text(json, "verdict"));
	finding->known_by = pmed_known_by(json);
	finding->digest = digest;
	finding->devices = pmed_facts_devices(json);
	free(finding->text);
	finding->text = pme_take_ptr(own);
	return 0;
}

struct json_object *pmed_finding_json(const struct pmed_finding *finding)
{
	return json_tokener_parse(finding->text);
}

static struct json_object *key_row(const struct pmed_device *device,
				   const struct pmed_finding *finding)
{
	struct json_object *row = pme_json_object();

	pme_json_text(row, "id", finding->id);
	pme_json_text(row, "device", device->identity);
	pme_json_set(row, "last_seen", pme_json_int(finding->last_seen));
	return row;
}

struct json_object *pmed_finding_row(const struct pmed_state *state,
				     const struct pmed_device *device,
				     const struct pmed_finding *finding)
{
	const struct pmed_incident *incident =
		pmed_incident_find(state, device->identity, pmed_cause_findings);
	struct json_object *row = key_row(device, finding);

	pme_json_text(row, "name", pmed_device_name(device));
	pme_json_number(row, "start", finding->range.start);
	pme_json_number(row, "length", finding->range.length);
	pme_json_text(row, "verdict", pme_verdict_name(finding->verdict));
	pme_json_text(row, "state", device->present ? "present" : "offline");
	pme_json_set(row, "first_seen", pme_json_int(finding->first_seen));
	pme_json_set(row, "gone", NULL);
	pme_json_set(row, "incident", incident ? pme_json_int(incident->id) : NULL);
	pme_json_text(row, "finding", finding->text);
	return row;
}

void pmed_finding_is(struct pmed_turn *turn, const struct pmed_device *device,
		     const struct pmed_finding *finding, const char *what)
{
	struct json_object *row = key_row(device, finding);

	pme_json_text(row, "state", what);
	if (strcmp(what, "gone") == 0)
		pme_json_set(row, "gone", pme_json_int(turn->now));
	pmed_change(turn, "findings", row);
}

/* Add the files of one finding; its names end with it. */
static int add_files(const struct pmed_finding *finding, struct pmed_names *names)
{
	struct json_object *json = pmed_finding_json(finding);
	int r = json ? pmed_names_of(json, names) : -ENOMEM;

	names->count = 0;
	json_object_put(json);
	return r;
}

int pmed_findings_count_files(struct pmed_device *device)
{
	_cleanup_(pmed_names_done) struct pmed_names names = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		r = add_files(&device->findings[i], &names);
	pmed_names_sort(&names);
	if (r == 0)
		device->files = names.n_files;
	return r;
}

static int see_finding(struct pmed_device *device, struct json_object *json, int64_t now)
{
	struct pmed_finding *finding = pmed_finding_find(device, pmed_text(json, "id"));
	uint64_t before = finding ? finding->digest : 0, devices = finding ? finding->devices : 0;
	int r;

	if (!finding) {
		struct pmed_finding new = {.first_seen = now, .mark = PMED_ADDED};

		if (pme_grow(&device->findings, &device->alloc_findings, device->n_findings,
			     sizeof(*device->findings)) < 0)
			return -ENOMEM;
		r = pmed_finding_set(&new, json);
		if (r < 0)
			return r;
		finding = &device->findings[device->n_findings++];
		*finding = new;
	} else {
		r = pmed_finding_set(finding, json);
		if (r < 0)
			return r;
		finding->mark = finding->digest == before ? PMED_SAME : PMED_CHANGED;
		finding->renamed = finding->devices != devices;
	}
	finding->last_seen = now;
	finding->fresh = json;
	return 0;
}

static int tell_marked(struct pmed_turn *turn, struct pmed_device *device, int mark, int bytes,
		       enum pme_event_type type)
{
	_cleanup_free_ struct pmed_finding **some = calloc(device->n_findings + 1, sizeof(*some));
	size_t count = 0;

	if (!some)
		return -ENOMEM;
	for (size_t i = 0; i < device->n_findings; i++)
		if ((int)device->findings[i].mark == mark &&
		    (int)device->findings[i].bytes == bytes)
			some[count++] = &device->findings[i];
	return pmed_event_findings(turn, type, device, some, count);
}

static int tell_all(struct pmed_turn *turn, struct pmed_device *device)
{
	static const struct {
		int mark, bytes;
		enum pme_event_type type;
	} order[] = {
		{PMED_ADDED, PMED_PLAIN, PME_EVENT_FINDING_ADDED},
		{PMED_ADDED, PMED_KNOWN_AWAY, PME_EVENT_FINDING_ADDED},
		{PMED_ADDED, PMED_KNOWN_PART, PME_EVENT_FINDING_ADDED},
		{PMED_CHANGED, PMED_PLAIN, PME_EVENT_FINDING_CHANGED},
		{PMED_GONE, PMED_STILL_BAD, PME_EVENT_FINDING_GONE},
		{PMED_GONE, PMED_PARTLY_BAD, PME_EVENT_FINDING_GONE},
		{PMED_GONE, PMED_PLAIN, PME_EVENT_FINDING_GONE},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(order); i++)
		r = tell_marked(turn, device, order[i].mark, order[i].bytes, order[i].type);
	return r;
}

/* Rows for all, and those that are gone are forgotten; marks are taken off. */
static void settle(struct pmed_turn *turn, struct pmed_device *device)
{
	size_t kept = 0;

	for (size_t i = 0; i < device->n_findings; i++) {
		struct pmed_finding *finding = &device->findings[i];

		if (finding->mark == PMED_GONE) {
			pmed_finding_is(turn, device, finding, "gone");
			pmed_finding_done(finding);
			continue;
		}
		if (finding->mark != PMED_SAME || finding->renamed)
			pmed_change(turn, "findings",
				    pmed_finding_row(turn->state, device, finding));
		else if (finding->fresh)
			pmed_change(turn, "findings", key_row(device, finding));
		finding->mark = PMED_SAME;
		finding->bytes = PMED_PLAIN;
		finding->fresh = NULL;
		finding->renamed = false;
		device->findings[kept++] = *finding;
	}
	device->n_findings = kept;
}

static bool is_quiet(const struct pmed_device *device)
{
	for (size_t i = 0; i < device->n_findings; i++)
		if (device->findings[i].mark != PMED_SAME)
			return false;
	return true;
}

static int scan_device(struct pmed_turn *turn, struct pmed_device *device, struct json_object *doc,
		       const struct pme_range_list *bad)
{
	struct json_object *findings = pmed_array(doc, "findings");
	bool quiet;
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(findings); i++) {
		struct json_object *json = pme_json_at(findings, i);

		if (strcmp(pmed_text(json, "device"), pmed_device_name(device)) == 0)
			r = see_finding(device, json, turn->now);
	}
	if (r == 0)
		r = pmed_mark_gone(device, bad);
	if (r == 0)
		r = pmed_mark_known(turn->state, device);
	if (r == 0)
		r = pmed_mark_parts(device);
	if (r == 0)
		r = tell_all(turn, device);
	quiet = is_quiet(device);
	settle(turn, device);
	if (device->n_findings == 0)
		pmed_incident_join(turn, NULL, device->identity, pmed_cause_findings, true);
	if (r == 0 && !quiet)
		r = pmed_findings_count_files(device);
	device->last_scan = turn->now;
	device->whole = strcmp(pmed_text(doc, "coverage"), "complete") == 0;
	pmed_change(turn, "devices", pmed_device_row(device));
	return r;
}

int pmed_state_scanned(struct pmed_state *state, const char *region, struct json_object *doc,
		       int64_t now, int64_t *last_id, struct pmed_news *news)
{
	struct pmed_turn turn = {.state = state, .now = now, .last_id = last_id, .news = news};
	_cleanup_(pme_range_list_done) struct pme_range_list bad = {0};
	struct json_object *devices = pmed_array(doc, "devices");
	int r;

	if (!pmed_is_document(doc, "pmemctl.scan") || !pmed_devices_ok(devices) ||
	    !pmed_findings_ok(pmed_array(doc, "findings"), devices))
		return -EINVAL;
	r = pmed_addresses_in(pmed_array(doc, "findings"), &bad);
	if (r == 0)
		r = pmed_devices_seen(&turn, doc);
	for (size_t i = 0; r == 0 && i < state->n_devices; i++)
		if (state->devices[i]->list && !state->devices[i]->doubtful)
			r = scan_device(&turn, state->devices[i], doc, &bad);
	if (r == 0)
		r = pmed_coverage_lists(&turn);
	pmed_devices_unsee(state);
	return r < 0 ? r : pmed_coverage_of(&turn, region, doc);
}
