/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of DIMMs: samples, and what of them is news.  Pure: no files, no clock, no loop.
 */
#ifndef PMED_DIMMS_H
#define PMED_DIMMS_H

#include "conf.h"
#include "state.h"

#define PMED_DIMMS_MAX 1024 /* more are not kept */

struct pmed_dimm;
struct pmed_dimms {
	struct pmed_dimm *items;
	size_t count, alloc;
};

/*
 * Learn member "health" of the document of `pmemctl list --health --json`: events for what has
 * changed for worse or better, and rows for the table "health".  DIMMs that it does not have are
 * gone: that is news, too.  0; -EINVAL: it is no such array; -ENOMEM.  @last_id: see
 * pme_event_next_id().
 */
int pmed_dimms_learn(struct pmed_dimms *dimms, const struct pme_conf *conf,
		     struct json_object *health, int64_t now, int64_t *last_id,
		     struct pmed_news *news);
/* The health could not be asked: what was known is no longer shown as that of now. */
void pmed_dimms_fail(struct pmed_dimms *dimms, const char *why);
/*
 * Before the first document: what an earlier run knew, rows "health" of pme_store_load().  Yields
 * no events, but those that come of comparing: a dirty shutdown since.  0, -ENOMEM.
 */
int pmed_dimms_load(struct pmed_dimms *dimms, const struct pme_conf *conf,
		    struct json_object *rows);
void pmed_dimms_done(struct pmed_dimms *dimms);

/* Member "dimms" of the watch document: the last sample of each.  New reference. */
struct json_object *pmed_health_json(const struct pmed_dimms *dimms);

#endif
