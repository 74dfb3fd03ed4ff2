/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What could not be seen: told once, again when the reason is another one (state-reason.c), and
 * once when it can be seen again.
 */
#include "state-private.h"

#include <string.h>

static const struct pmed_device *region_device(const struct pmed_state *state, const char *region)
{
	for (size_t i = 0; region && i < state->n_devices; i++)
		if (strcmp(pmed_device_name(state->devices[i]), region) == 0)
			return state->devices[i];
	return NULL;
}

/* @key can be seen again, or is of no interest any more; takes @text. */
static void tell_closed(struct pmed_turn *turn, const char *key, const struct pmed_device *device,
			char *text)
{
	struct json_object *event =
		pmed_event(turn, PME_EVENT_COVERAGE_COMPLETE, PME_EVENT_NOTICE, device, text);

	pmed_incident_join(turn, event, key, pmed_cause_coverage, true);
	pmed_event_tell(turn, event);
}

static struct json_object *open_event(struct pmed_turn *turn, const struct pmed_device *device,
				      const char *text)
{
	struct json_object *event = pmed_event(turn, PME_EVENT_COVERAGE_INCOMPLETE,
					       PME_EVENT_WARNING, device, strdup(text));

	pme_json_text(event, "advice",
		      "errors that are there may not be seen until this works again; run `pmemctl "
		      "scan` to see what it says");
	return event;
}

/* It is known that this cannot be seen; is it known why?  Takes @text. */
static void cover_still(struct pmed_turn *turn, struct pmed_incident *incident,
			const struct pmed_device *device, char *text, const char *why)
{
	bool news = pmed_reason_is_news(incident, why, turn->now);
	_cleanup_free_ char *own = text;

	if (strcmp(incident->text, text) != 0)
		pmed_incident_say(turn, incident, pme_take_ptr(own));
	if (news) {
		struct json_object *event = open_event(turn, device, incident->text);

		pmed_incident_join(turn, event, incident->subject, pmed_cause_coverage, false);
		pmed_event_tell(turn, event);
	}
}

static int cover(struct pmed_turn *turn, const char *key, const struct pmed_device *device,
		 const char *what, const char *why)
{
	struct pmed_incident *open = pmed_incident_find(turn->state, key, pmed_cause_coverage);
	_cleanup_free_ char *text = NULL;
	struct json_object *event;
	int r;

	if (!why) {
		if (open)
			tell_closed(turn, key, device, pme_printf("%s is complete again", what));
		return 0;
	}
	text = pme_printf("%s" PMED_NOT_COMPLETE "%s", what, why);
	if (!text)
		return -ENOMEM;
	if (open) {
		cover_still(turn, open, device, pme_take_ptr(text), why);
		return 0;
	}
	event = open_event(turn, device, text);
	r = pmed_incident_open(turn, event, key, pmed_cause_coverage);
	pmed_event_tell(turn, event);
	return r;
}

int pmed_coverage(struct pmed_turn *turn, const char *key, const char *region, const char *what,
		  const char *why)
{
	return cover(turn, key, region_device(turn->state, region), what, why);
}

static char *absent_key(const struct pmed_device *device)
{
	return pme_printf("absent:%s", device->identity);
}

const struct pmed_incident *pmed_coverage_absence(const struct pmed_state *state,
						  const struct pmed_device *device)
{
	_cleanup_free_ char *key = absent_key(device);

	return key ? pmed_incident_find(state, key, pmed_cause_coverage) : NULL;
}

int pmed_coverage_absent(struct pmed_turn *turn, const struct pmed_device *device, const char *why)
{
	_cleanup_free_ char *key = absent_key(device);
	_cleanup_free_ char *what = pme_printf("what is known of %s", pmed_device_name(device));

	return key && what ? cover(turn, key, device, what, why) : -ENOMEM;
}

int pmed_coverage_lists(struct pmed_turn *turn)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < turn->state->n_devices; i++) {
		const struct pmed_device *device = turn->state->devices[i];
		_cleanup_free_ char *key = pme_printf("list:%s", device->identity);
		_cleanup_free_ char *what =
			pme_printf("the list of bad blocks of %s", pmed_device_name(device));

		if (!key || !what)
			return -ENOMEM;
		if (device->list && !device->doubtful)
			r = cover(turn, key, device, what,
				  strcmp(device->list, "unreadable") == 0 ? "it cannot be read"
									  : NULL);
	}
	return r;
}

int pmed_coverage_moot(struct pmed_turn *turn, const struct pmed_device *device)
{
	static const char *const kinds[] = {"absent", "list"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(kinds); i++) {
		_cleanup_free_ char *key = pme_printf("%s:%s", kinds[i], device->identity);

		if (!key)
			return -ENOMEM;
		if (pmed_incident_find(turn->state, key, pmed_cause_coverage))
			tell_closed(
				turn, key, device,
				pme_printf("%s is gone: what could not be seen of it is no gap now",
					   pmed_device_name(device)));
	}
	return 0;
}

/* "region1" of "seen:region1" and "job:scan:region1"; NULL for what is of no region. */
static const char *region_of(const char *key)
{
	const char *colon = strrchr(key, ':'), *digits;

	if (!colon || strncmp(colon + 1, "region", 6) != 0)
		return NULL;
	digits = colon + 7;
	return *digits && digits[strspn(digits, "0123456789")] == '\0' ? colon + 1 : NULL;
}

static bool is_there(const struct pmed_state *state, const char *region)
{
	for (size_t i = 0; i < state->n_devices; i++) {
		const char *of = pmed_device_region(state->devices[i]);

		if (state->devices[i]->present && of && strcmp(of, region) == 0)
			return true;
	}
	return false;
}

int pmed_coverage_of_gone(struct pmed_turn *turn)
{
	/* From the end: the last one takes the place of one that is closed. */
	for (size_t i = turn->state->n_incidents; i-- > 0;) {
		const struct pmed_incident *incident = &turn->state->incidents[i];
		const char *region = incident->cause == pmed_cause_coverage
					     ? region_of(incident->subject)
					     : NULL;
		_cleanup_free_ char *key = NULL;

		if (!region || is_there(turn->state, region))
			continue;
		key = strdup(incident->subject);
		if (!key)
			return -ENOMEM;
		tell_closed(turn, key, NULL,
			    pme_printf("%s is gone: what could not be seen of it is no gap now",
				       region));
	}
	return 0;
}

int pmed_coverage_of(struct pmed_turn *turn, const char *region, struct json_object *doc)
{
	_cleanup_free_ char *key = pme_printf("seen:%s", region), *why = NULL;
	_cleanup_free_ char *what = pme_printf("what is known of %s", region);

	if (!key || !what)
		return -ENOMEM;
	if (strcmp(pmed_text(doc, "coverage"), "complete") == 0)
		return pmed_coverage(turn, key, region, what, NULL);
	why = pmed_reason_of(doc);
	return why ? pmed_coverage(turn, key, region, what, why) : -ENOMEM;
}

int pmed_state_job(struct pmed_state *state, const char *job, const char *region, const char *why,
		   int64_t now, int64_t *last_id, struct pmed_news *news)
{
	struct pmed_turn turn = {.state = state, .now = now, .last_id = last_id, .news = news};
	_cleanup_free_ char *key =
		pme_printf("job:%s%s%s", job, region ? ":" : "", region ? region : "");
	_cleanup_free_ char *what =
		pme_printf("the %s%s%s", job, region ? " of " : "", region ? region : "");

	return key && what ? pmed_coverage(&turn, key, region, what, why) : -ENOMEM;
}
