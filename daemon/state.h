/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the watch knows: devices, findings, incidents.  Pure: no files, no clock, no loop.
 *
 * Learning something yields news: events for the sinks, and changed rows for the store.  What is
 * known is replaced by what a job says, never by a hint.  Times are microseconds of CLOCK_REALTIME.
 *
 * A finding is gone only when the list of its device was read whole and does not have it any more;
 * when the device itself is gone, it is offline.
 */
#ifndef PMED_STATE_H
#define PMED_STATE_H

#include "event.h"

struct pmed_state;

struct pmed_news {
	struct json_object *events;  /* array of events, in their order */
	struct json_object *changes; /* array for pme_store_apply(), those of the events included */
};
/* Empty; 0 or -ENOMEM. */
int pmed_news_new(struct pmed_news *ret);
void pmed_news_done(struct pmed_news *news);

int pmed_state_new(struct pmed_state **ret);
struct pmed_state *pmed_state_free(struct pmed_state *state);

/* What an earlier run knew: pme_store_load().  Yields no events. */
int pmed_state_load(struct pmed_state *state, struct json_object *rows);

/*
 * How long (µs; 0: for ever) what is not seen any more is remembered: a namespace that was
 * destroyed never comes back, and nobody can tell that it was.
 */
void pmed_state_remember(struct pmed_state *state, int64_t usec);

/*
 * The document of `pmemctl scan --json REGION`: findings that are new, changed and gone, of the
 * devices that it lists.  -EINVAL when it is no such document.  @last_id: see pme_event_next_id().
 */
int pmed_state_scanned(struct pmed_state *state, const char *region, struct json_object *doc,
		       int64_t now, int64_t *last_id, struct pmed_news *news);
/* The document of `pmemctl list --json`: devices that came, went, and changed. */
int pmed_state_inventory(struct pmed_state *state, struct json_object *doc, int64_t now,
			 int64_t *last_id, struct pmed_news *news);
/* The document of `pmemctl simulate --json`: what stands on the devices of @region. */
int pmed_state_snapshot(struct pmed_state *state, const char *region, struct json_object *doc,
			int64_t now, int64_t *last_id, struct pmed_news *news);
/* A job failed or worked again: @why is NULL when it worked. */
int pmed_state_job(struct pmed_state *state, const char *job, const char *region, const char *why,
		   int64_t now, int64_t *last_id, struct pmed_news *news);

/* Regions that are known and present; those with findings. Borrowed names; free the array. */
int pmed_state_regions(const struct pmed_state *state, bool only_with_findings, const char ***ret,
		       size_t *ret_count);

/* Everything as changes for a store that missed something: "whole" and all rows.  New reference. */
struct json_object *pmed_state_rows(const struct pmed_state *state, int64_t now);

/* Members "devices" (without "scrub"), "findings" (numbers by verdict), "incidents" of the watch
 * document. */
void pmed_state_json(const struct pmed_state *state, struct json_object *doc);
/*
 * All findings as last seen, as `pmemctl scan` shows them, for D-Bus: the text of a JSON array
 * (allocated) and its bytes.  0, -ENOMEM, or -E2BIG when it has more than @max, which is found
 * without making it; *@ret_len is set always.
 */
int pmed_state_findings_text(const struct pmed_state *state, size_t max, char **ret,
			     size_t *ret_len);

#endif
