/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings of the devices of one scan: which are new, changed, gone.
 *
 * The surprise: what is not in a list is not gone for that.  A list may be cut off, full, or not
 * readable; so a finding is gone when every list that said so was read whole and says so no more.
 * And the same bad bytes can come back as other ranges, when the kernel merges or splits entries,
 * or on another device: those of a disk are the region's while the disk is disabled.  Then the old
 * finding is gone, but nobody is told that its bytes are good; nor that those of the region are
 * new.
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

static bool address_of(struct json_object *json, struct pme_range range, uint64_t *ret)
{
	struct json_object *address = pme_json_get(json, "physical_address");
	uint64_t end;

	if (!json_object_is_type(address, json_type_int) || json_object_get_int64(address) < 0)
		return false;
	*ret = json_object_get_uint64(address);
	return pme_add(*ret, range.length, &end) == 0;
}

static struct pme_range range_of(struct json_object *json)
{
	struct json_object *range = pme_json_get(json, "range");

	return (struct pme_range){pmed_number(range, "start"), pmed_number(range, "length")};
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
	finding->range = range_of(json);
	finding->has_address = address_of(json, finding->range, &finding->address);
	finding->verdict = pmed_verdict(pmed_text(json, "verdict"));
	finding->known_by = pmed_known_by(json);
	finding->digest = digest;
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

int pmed_findings_count_files(struct pmed_device *device)
{
	_cleanup_(pmed_names_done) struct pmed_names names = {0};
	_cleanup_free_ struct json_object **jsons = calloc(device->n_findings + 1, sizeof(*jsons));
	int r = jsons ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < device->n_findings; i++) {
		jsons[i] = pmed_finding_json(&device->findings[i]);
		r = jsons[i] ? pmed_names_of(jsons[i], &names) : -ENOMEM;
	}
	if (r == 0) {
		pmed_names_sort(&names);
		device->files = names.count;
	}
	for (size_t i = 0; jsons && i < device->n_findings; i++)
		json_object_put(jsons[i]);
	return r;
}

static int see_finding(struct pmed_device *device, struct json_object *json, int64_t now)
{
	struct pmed_finding *finding = pmed_finding_find(device, pmed_text(json, "id"));
	uint64_t before = finding ? finding->digest : 0;
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
	}
	finding->last_seen = now;
	finding->fresh = json;
	return 0;
}

static bool is_complete(const char *list)
{
	return list && strcmp(list, "complete") == 0;
}

/* Did every list that had it say whole that it has it no more? */
static bool is_taken_back(const struct pmed_device *device, const struct pmed_finding *finding)
{
	bool none = device->list && strcmp(device->list, "none") == 0;
	bool region = is_complete(device->region_list);

	if (none)
		return region;
	if ((finding->known_by & PMED_BY_REGION) && !region)
		return false;
	return is_complete(device->list) || finding->known_by == PMED_BY_REGION;
}

/* Bytes of @finding that are neither in @own, by place, nor in @physical, by address. */
static int bytes_beside(const struct pmed_finding *finding, const struct pme_range_list *own,
			const struct pme_range_list *physical, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0}, left = {0};
	int r = pme_range_list_subtract(finding->range, own, &rest);

	for (size_t i = 0; r >= 0 && i < rest.count; i++) {
		struct pme_range piece = rest.items[i];

		if (!finding->has_address) {
			r = pme_range_list_add(&left, piece.start, piece.length);
			continue;
		}
		piece.start = finding->address + (piece.start - finding->range.start);
		r = pme_range_list_subtract(piece, physical, &left);
	}
	*ret = pme_range_list_bytes(&left);
	return r < 0 ? r : 0;
}

/* Physical addresses of all findings of a document, on whatever device. */
static int addresses_in(struct json_object *findings, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(findings); i++) {
		struct pme_range range = range_of(pme_json_at(findings, i));
		uint64_t address;

		if (address_of(pme_json_at(findings, i), range, &address))
			r = pme_range_list_add(ret, address, range.length);
	}
	pme_range_list_normalize(ret);
	return r;
}

/* The same of the findings of devices of @region that the document does not have. */
static int addresses_away(const struct pmed_state *state, const char *region,
			  struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; i < state->n_devices; i++) {
		const struct pmed_device *device = state->devices[i];
		const char *of = pmed_device_region(device);

		if (device->list || !of || strcmp(of, region) != 0)
			continue;
		for (size_t f = 0; r == 0 && f < device->n_findings; f++)
			if (device->findings[f].has_address)
				r = pme_range_list_add(ret, device->findings[f].address,
						       device->findings[f].range.length);
	}
	pme_range_list_normalize(ret);
	return r;
}

static int mark_gone(struct pmed_device *device, const struct pme_range_list *bad)
{
	_cleanup_(pme_range_list_done) struct pme_range_list own = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (device->findings[i].fresh)
			r = pme_range_list_add(&own, device->findings[i].range.start,
					       device->findings[i].range.length);
	pme_range_list_normalize(&own);
	for (size_t i = 0; r == 0 && i < device->n_findings; i++) {
		struct pmed_finding *finding = &device->findings[i];
		uint64_t good;

		if (finding->fresh || !is_taken_back(device, finding))
			continue;
		finding->mark = PMED_GONE;
		r = bytes_beside(finding, &own, bad, &good);
		finding->bytes = good == 0			? PMED_STILL_BAD
				 : good < finding->range.length ? PMED_PARTLY_BAD
								: PMED_PLAIN;
	}
	return r;
}

/* New on a region, but people were told of these bytes when their disk was there. */
static int mark_known(const struct pmed_state *state, struct pmed_device *device)
{
	static const struct pme_range_list none = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list away = {0};
	const char *region = pmed_device_region(device);
	int r;

	if (!region || strcmp(region, pmed_device_name(device)) != 0)
		return 0;
	r = addresses_away(state, region, &away);
	for (size_t i = 0; r == 0 && i < device->n_findings; i++) {
		uint64_t news;

		if (device->findings[i].mark != PMED_ADDED)
			continue;
		r = bytes_beside(&device->findings[i], &none, &away, &news);
		if (r == 0 && news == 0)
			device->findings[i].bytes = PMED_KNOWN_AWAY;
	}
	return r;
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
		if (finding->mark != PMED_SAME)
			pmed_change(turn, "findings",
				    pmed_finding_row(turn->state, device, finding));
		else if (finding->fresh)
			pmed_change(turn, "findings", key_row(device, finding));
		finding->mark = PMED_SAME;
		finding->bytes = PMED_PLAIN;
		finding->fresh = NULL;
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
		r = mark_gone(device, bad);
	if (r == 0)
		r = mark_known(turn->state, device);
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
	r = addresses_in(pmed_array(doc, "findings"), &bad);
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
