/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Incidents: one for each device and cause, open until its findings are gone, the device is back,
 * or the look at it succeeds again.
 */
#include "state-private.h"

#include <string.h>

const char pmed_cause_findings[] = "findings", pmed_cause_offline[] = "offline",
	   pmed_cause_coverage[] = "coverage";

struct pmed_incident *pmed_incident_find(const struct pmed_state *state, const char *subject,
					 const char *cause)
{
	for (size_t i = 0; i < state->n_incidents; i++)
		if (state->incidents[i].cause == cause &&
		    strcmp(state->incidents[i].subject, subject) == 0)
			return &state->incidents[i];
	return NULL;
}

struct json_object *pmed_incident_row(const struct pmed_incident *incident, int64_t closed)
{
	struct json_object *row = pme_json_object();

	pme_json_set(row, "id", pme_json_int(incident->id));
	pme_json_text(row, "device", incident->subject);
	pme_json_text(row, "cause", incident->cause);
	pme_json_set(row, "opened", pme_json_int(incident->opened));
	pme_json_set(row, "closed", closed ? pme_json_int(closed) : NULL);
	pme_json_set(row, "severity", pme_json_int(incident->severity));
	pme_json_text(row, "text", incident->text);
	return row;
}

static int add(struct pmed_state *state, struct pmed_incident incident, const char *subject,
	       const char *text)
{
	incident.subject = strdup(subject);
	incident.text = strdup(text);
	if (!incident.subject || !incident.text ||
	    pme_grow(&state->incidents, &state->alloc_incidents, state->n_incidents,
		     sizeof(*state->incidents)) < 0) {
		pmed_incident_done(&incident);
		return -ENOMEM;
	}
	state->incidents[state->n_incidents++] = incident;
	return 0;
}

static int severity_in(struct json_object *event)
{
	enum pme_event_severity severity = PME_EVENT_NOTICE;

	pme_event_severity_parse(pme_json_get_text(event, "severity"), &severity);
	return (int)severity;
}

int pmed_incident_open(struct pmed_turn *turn, struct json_object *event, const char *subject,
		       const char *cause)
{
	struct pmed_incident *incident = pmed_incident_find(turn->state, subject, cause);
	int severity = severity_in(event);
	int r = 0;

	if (!incident) {
		r = add(turn->state,
			(struct pmed_incident){.id = *turn->last_id,
					       .cause = cause,
					       .opened = turn->now,
					       .severity = severity},
			subject, pme_json_get_text(event, "text"));
		incident = r == 0 ? &turn->state->incidents[turn->state->n_incidents - 1] : NULL;
	}
	if (!incident)
		return r;
	if (severity < incident->severity)
		incident->severity = severity;
	pme_json_set(event, "incident", pme_json_int(incident->id));
	pmed_change(turn, "incidents", pmed_incident_row(incident, 0));
	return 0;
}

void pmed_incident_say(struct pmed_turn *turn, struct pmed_incident *incident, char *text)
{
	free(incident->text);
	incident->text = text;
	pmed_change(turn, "incidents", pmed_incident_row(incident, 0));
}

void pmed_incident_join(struct pmed_turn *turn, struct json_object *event, const char *subject,
			const char *cause, bool close)
{
	struct pmed_state *state = turn->state;
	struct pmed_incident *incident = pmed_incident_find(state, subject, cause);

	if (!incident)
		return;
	if (event)
		pme_json_set(event, "incident", pme_json_int(incident->id));
	if (!close)
		return;
	pmed_change(turn, "incidents", pmed_incident_row(incident, turn->now));
	pmed_incident_done(incident);
	*incident = state->incidents[--state->n_incidents];
}

int pmed_incident_load(struct pmed_state *state, struct json_object *row)
{
	static const char *const causes[] = {pmed_cause_findings, pmed_cause_offline,
					     pmed_cause_coverage};
	const char *subject = pmed_text(row, "device"), *cause = pmed_text(row, "cause");
	const char *text = pmed_text(row, "text");

	if (!subject || !cause || pmed_number(row, "id") == 0)
		return -EINVAL;
	for (size_t i = 0; i < PME_ARRAY_SIZE(causes); i++) {
		struct pmed_incident incident = {.id = (int64_t)pmed_number(row, "id"),
						 .cause = causes[i],
						 .opened = (int64_t)pmed_number(row, "opened"),
						 .severity = (int)pmed_number(row, "severity")};

		if (strcmp(causes[i], cause) != 0)
			continue;
		if (pmed_incident_find(state, subject, causes[i]))
			return -EINVAL;
		return add(state, incident, subject, text ? text : "");
	}
	return -EINVAL;
}

void pmed_incident_done(struct pmed_incident *incident)
{
	free(incident->subject);
	free(incident->text);
}
