/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state in the watch document, which everybody may read: numbers, and names of devices.  No
 * names of files, and no messages that may hold some.
 */
#include "state-private.h"

#include <string.h>

static const enum pme_verdict verdicts[] = {PME_LOST, PME_RECOVERABLE, PME_METADATA_AT_RISK,
					    PME_VERDICT_UNKNOWN, PME_HARMLESS};

static uint64_t count_verdict(const struct pmed_sites *sites, const struct pmed_device *device,
			      enum pme_verdict verdict)
{
	uint64_t count = 0;

	for (size_t i = 0; i < device->n_findings; i++)
		count += device->findings[i].verdict == verdict &&
			 !pmed_counts_elsewhere(sites, device, &device->findings[i]);
	return count;
}

static struct json_object *counts_json(const struct pmed_sites *sites,
				       struct pmed_device *const *devices, size_t count)
{
	struct json_object *object = pme_json_object();

	for (size_t v = 0; v < PME_ARRAY_SIZE(verdicts); v++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < count; i++)
			sum += count_verdict(sites, devices[i], verdicts[v]);
		pme_json_number(object, pme_verdict_name(verdicts[v]), sum);
	}
	return object;
}

static struct json_object *device_json(const struct pmed_sites *sites, struct pmed_device *device)
{
	static const char *const shared[] = {"name",   "namespace", "mode",
					     "region", "identity",  "dimms"};
	struct json_object *object = pme_json_object();
	uint64_t bad = 0;

	for (size_t i = 0; i < device->n_findings; i++)
		if (!pmed_counts_elsewhere(sites, device, &device->findings[i]))
			bad += device->findings[i].range.length;
	for (size_t i = 0; i < PME_ARRAY_SIZE(shared); i++)
		pme_json_set(object, shared[i],
			     json_object_get(pme_json_get(device->about, shared[i])));
	pme_json_bool(object, "present", device->present);
	pme_json_number(object, "bad_bytes", bad);
	pme_json_set(object, "findings", counts_json(sites, &device, 1));
	pme_json_number(object, "files", device->files);
	pme_json_time(object, "last_scan", device->last_scan);
	pme_json_text(object, "coverage",
		      !device->last_scan ? NULL
		      : device->whole	 ? "complete"
					 : "incomplete");
	return object;
}

static struct json_object *incident_json(const struct pmed_state *state,
					 const struct pmed_incident *incident)
{
	const struct pmed_device *device = pmed_device_find(state, incident->subject);
	struct json_object *object = pme_json_object();

	pme_json_set(object, "id", pme_json_int(incident->id));
	pme_json_text(object, "cause", incident->cause);
	pme_json_text(object, "device", device ? pmed_device_name(device) : NULL);
	pme_json_text(object, "subject", incident->subject);
	pme_json_time(object, "opened", incident->opened);
	pme_json_text(object, "severity",
		      pme_event_severity_name((enum pme_event_severity)incident->severity));
	return object;
}

void pmed_state_json(const struct pmed_state *state, struct json_object *doc)
{
	_cleanup_(pmed_sites_done) struct pmed_sites sites = {0};
	struct json_object *devices = pme_json_array(), *incidents = pme_json_array();

	if (pmed_sites_read(state, &sites) < 0)
		pmed_sites_done(&sites); /* without memory, bytes count twice */
	for (size_t i = 0; i < state->n_devices; i++)
		pme_json_append(devices, device_json(&sites, state->devices[i]));
	for (size_t i = 0; i < state->n_incidents; i++)
		pme_json_append(incidents, incident_json(state, &state->incidents[i]));
	pme_json_set(doc, "devices", devices);
	pme_json_set(doc, "findings", counts_json(&sites, state->devices, state->n_devices));
	pme_json_set(doc, "incidents", incidents);
}
