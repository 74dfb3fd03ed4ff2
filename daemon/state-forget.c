/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that are gone: an idle one is forgotten at once, and one whose bad bytes are other
 * namespaces' now; one with findings, or that something stood on, when it was not seen for as long
 * as history is kept.  So is one of which it is never certain that it is gone.
 *
 * The surprise: a namespace that is destroyed, or whose mode is changed, is never said to be: it is
 * only not there any more, as if its DIMM had been pulled.  Without an end, its incidents would be
 * open for ever, and each change of a mode would cost memory.
 */
#include "state-private.h"

#include <string.h>

/* With limits for those that are changed all the time, and for what is known of them. */
#define GONE_MAX 512
#define GONE_FINDINGS_MAX 16384
#define USEC_PER_HOUR 3600000000LL

static struct pmed_incident *offline_of(const struct pmed_state *state,
					const struct pmed_device *device)
{
	return pmed_incident_find(state, device->identity, pmed_cause_offline);
}

/* Nothing hangs on it any more. */
static bool is_idle(const struct pmed_state *state, const struct pmed_device *device)
{
	return device->n_findings == 0 && !offline_of(state, device) &&
	       !pmed_incident_find(state, device->identity, pmed_cause_findings);
}

/* When it went, or was not seen for the first time: a machine may have been off for long. */
static int64_t gone_since(const struct pmed_state *state, const struct pmed_device *device)
{
	const struct pmed_incident *incident = offline_of(state, device);

	if (!incident)
		incident = pmed_coverage_absence(state, device);
	return incident ? incident->opened : device->last_seen;
}

static char *age_text(int64_t usec)
{
	long long hours = usec / USEC_PER_HOUR;

	return hours >= 48 ? pme_printf("%lld days", hours / 24) : pme_printf("%lld h", hours);
}

/* Its findings, all at once. */
static int forget_findings(struct pmed_turn *turn, struct pmed_device *device)
{
	_cleanup_free_ struct pmed_finding **all = calloc(device->n_findings + 1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < device->n_findings; i++) {
		all[i] = &device->findings[i];
		all[i]->bytes = PMED_FORGOTTEN;
	}
	r = pmed_event_findings(turn, PME_EVENT_FINDING_GONE, device, all, device->n_findings);
	for (size_t i = 0; i < device->n_findings; i++)
		pmed_finding_is(turn, device, all[i], "gone");
	return r;
}

/* "was not seen for 3 h"; or it was destroyed, or has another mode. */
static char *why_forgotten(const struct pmed_turn *turn, const struct pmed_device *device,
			   bool supplanted)
{
	_cleanup_free_ char *age = age_text(turn->now - gone_since(turn->state, device));

	if (supplanted)
		return strdup("is gone for good: its bad bytes are in other namespaces now");
	return age ? pme_printf("was not seen for %s, and is forgotten", age) : NULL;
}

/* People are told: it was an open matter. */
static int tell_forgotten(struct pmed_turn *turn, struct pmed_device *device, bool supplanted)
{
	_cleanup_free_ char *why = why_forgotten(turn, device, supplanted);
	const char *ns = pmed_text(device->about, "namespace");
	struct json_object *event;
	int r = why ? forget_findings(turn, device) : -ENOMEM;

	if (r < 0)
		return r;
	if (device->present) {
		device->present = false;
		pmed_change(turn, "devices", pmed_device_row(device));
	}
	event = pmed_event(turn, PME_EVENT_DEVICE_CHANGED, PME_EVENT_NOTICE, device,
			   pme_printf("%s%s%s%s %s", pmed_device_name(device), ns ? " (" : "",
				      ns ? ns : "", ns ? ")" : "", why));
	pmed_incident_join(turn, event, device->identity, pmed_cause_offline, true);
	pmed_incident_join(turn, NULL, device->identity, pmed_cause_findings, true);
	pmed_event_tell(turn, event);
	return pmed_coverage_moot(turn, device);
}

/* Those with open matters that are not seen. */
struct gone {
	struct pmed_device *oldest, *laden; /* the oldest one with findings; NULL: there is none */
	size_t count, n_laden, findings;
};

static bool is_older(const struct pmed_state *state, const struct pmed_device *device,
		     const struct pmed_device *other)
{
	return !other || gone_since(state, device) < gone_since(state, other);
}

static struct gone find_gone(const struct pmed_turn *turn)
{
	const struct pmed_state *state = turn->state;
	struct gone gone = {0};

	for (size_t i = 0; i < state->n_devices; i++) {
		struct pmed_device *device = state->devices[i];

		if (device->present && device->last_seen == turn->now)
			continue;
		gone.count++;
		if (is_older(state, device, gone.oldest))
			gone.oldest = device;
		if (device->n_findings == 0)
			continue;
		gone.n_laden++;
		gone.findings += device->n_findings;
		if (is_older(state, device, gone.laden))
			gone.laden = device;
	}
	return gone;
}

static void forget(struct pmed_state *state, struct pmed_device *device)
{
	size_t kept = 0;

	for (size_t i = 0; i < state->n_devices; i++)
		if (state->devices[i] != device)
			state->devices[kept++] = state->devices[i];
	state->n_devices = kept;
	pmed_device_free(device);
}

static bool is_old(const struct pmed_turn *turn, const struct pmed_device *device)
{
	int64_t age = turn->now - gone_since(turn->state, device);

	return turn->state->remember > 0 && age >= turn->state->remember;
}

/* The next one to be forgotten, or NULL.  What the last one with findings has is kept. */
static struct pmed_device *next_to_forget(const struct pmed_turn *turn)
{
	struct gone gone = find_gone(turn);

	if (gone.oldest && (gone.count > GONE_MAX || is_old(turn, gone.oldest)))
		return gone.oldest;
	return gone.n_laden > 1 && gone.findings > GONE_FINDINGS_MAX ? gone.laden : NULL;
}

static int forget_supplanted(struct pmed_turn *turn)
{
	_cleanup_(pmed_sites_done) struct pmed_sites sites = {0};
	struct pmed_state *state = turn->state;
	int r = pmed_sites_read(state, &sites);

	for (size_t i = state->n_devices; r == 0 && i-- > 0;) {
		struct pmed_device *device = state->devices[i];

		if (!pmed_is_supplanted(&sites, device))
			continue;
		r = tell_forgotten(turn, device, true);
		if (r == 0)
			forget(state, device);
	}
	return r;
}

int pmed_forget(struct pmed_turn *turn)
{
	struct pmed_state *state = turn->state;
	struct pmed_device *device;
	int r = forget_supplanted(turn);

	if (r < 0)
		return r;
	for (size_t i = state->n_devices; i-- > 0;)
		if (!state->devices[i]->present && is_idle(state, state->devices[i]))
			forget(state, state->devices[i]);
	while ((device = next_to_forget(turn))) {
		r = tell_forgotten(turn, device, false);
		if (r < 0)
			return r;
		forget(state, device);
	}
	return 0;
}
