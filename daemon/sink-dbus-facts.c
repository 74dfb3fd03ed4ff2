/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the properties on the system bus say, computed from members of the watch document.
 *
 * "healthy" is said only when all that is there was looked at, and nothing was found.
 */
#include "sink-dbus.h"

#include <string.h>

#include "jobs.h"
#include "state.h"

struct json_object *pmed_dbus_doc(struct pmed *d)
{
	struct json_object *doc = pme_json_object();

	if (!doc)
		return NULL;
	pmed_jobs_json(d, doc);
	pmed_state_json(d->state, doc);
	return doc;
}

static bool is_text(struct json_object *object, const char *key, const char *text)
{
	return strcmp(pme_json_get_text(object, key), text) == 0;
}

/* Is a device gone (and was in use)?  Incidents of other causes are in the numbers. */
static bool is_offline(struct json_object *doc, bool in_use)
{
	struct json_object *incidents = pme_json_get(doc, "incidents");

	for (size_t i = 0; i < pme_json_count(incidents); i++) {
		struct json_object *incident = pme_json_at(incidents, i);

		if (is_text(incident, "cause", "offline") &&
		    (!in_use || is_text(incident, "severity", "critical")))
			return true;
	}
	return false;
}

/* The same order as the headline of `pmemctl status`. */
static const char *state_of(struct json_object *doc, const char *coverage)
{
	struct json_object *counts = pme_json_get(doc, "findings");

	if (pme_json_get_number(counts, "lost") ||
	    pme_json_get_number(counts, "metadata-at-risk") || is_offline(doc, true))
		return "faulted";
	if (pme_json_get_number(counts, "unknown"))
		return "unknown";
	if (pme_json_get_number(counts, "recoverable") || pme_json_get_number(counts, "harmless") ||
	    is_offline(doc, false))
		return "degraded";
	return strcmp(coverage, "complete") == 0 ? "healthy" : "unknown";
}

static bool jobs_fail(struct json_object *jobs)
{
	struct json_object *regions = pme_json_get(jobs, "regions");

	if (pme_json_get(pme_json_get(jobs, "inventory"), "reason") ||
	    pme_json_count(pme_json_get(jobs, "stuck")) > 0)
		return true;
	for (size_t i = 0; i < pme_json_count(regions); i++) {
		struct json_object *region = pme_json_at(regions, i);

		if (pme_json_get(pme_json_get(region, "scan"), "reason"))
			return true;
	}
	return false;
}

static const char *coverage_of(struct json_object *doc)
{
	struct json_object *jobs = pme_json_get(doc, "jobs"),
			   *devices = pme_json_get(doc, "devices");

	if (!pme_json_get(pme_json_get(jobs, "inventory"), "last_success"))
		return "unknown";
	if (jobs_fail(jobs))
		return "incomplete";
	for (size_t i = 0; i < pme_json_count(devices); i++) {
		struct json_object *device = pme_json_at(devices, i);

		if (pme_json_get_bool(device, "present") &&
		    !is_text(device, "coverage", "complete"))
			return "incomplete";
	}
	return "complete";
}

static uint64_t time_of(struct json_object *object, const char *key)
{
	int64_t time;

	return pme_time_parse(pme_json_get_text(object, key), &time) == 0 && time > 0
		       ? (uint64_t)time
		       : 0;
}

/* The oldest last look at what is present; of the inventory when nothing is. */
static uint64_t last_scan_of(struct json_object *doc)
{
	struct json_object *devices = pme_json_get(doc, "devices");
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < pme_json_count(devices); i++)
		if (pme_json_get_bool(pme_json_at(devices, i), "present"))
			oldest = pme_min(oldest, time_of(pme_json_at(devices, i), "last_scan"));
	if (oldest != UINT64_MAX)
		return oldest;
	return time_of(pme_json_get(pme_json_get(doc, "jobs"), "inventory"), "last_success");
}

void pmed_dbus_facts(struct json_object *doc, struct pmed_dbus_facts *ret)
{
	static const char *const verdicts[] = {"lost", "recoverable", "metadata-at-risk", "unknown",
					       "harmless"};
	struct json_object *devices = pme_json_get(doc, "devices");
	uint64_t findings = 0;

	*ret = (struct pmed_dbus_facts){.state = "unknown", .coverage = "unknown"};
	if (!doc)
		return;
	ret->coverage = coverage_of(doc);
	ret->state = state_of(doc, ret->coverage);
	ret->last_scan = last_scan_of(doc);
	for (size_t i = 0; i < pme_json_count(devices); i++)
		ret->bad_bytes += pme_json_get_number(pme_json_at(devices, i), "bad_bytes");
	for (size_t i = 0; i < PME_ARRAY_SIZE(verdicts); i++)
		findings += pme_json_get_number(pme_json_get(doc, "findings"), verdicts[i]);
	ret->findings = (uint32_t)pme_min(findings, UINT32_MAX);
}

const char *pmed_dbus_region(struct json_object *doc, const char *name)
{
	struct json_object *devices = pme_json_get(doc, "devices");

	for (size_t i = 0; *name && i < pme_json_count(devices); i++) {
		struct json_object *device = pme_json_at(devices, i);
		const char *region = pme_json_get_text(device, "region");

		if (*region && (strcmp(region, name) == 0 || is_text(device, "name", name) ||
				is_text(device, "namespace", name)))
			return region;
	}
	return NULL;
}
