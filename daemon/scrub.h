/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address range scrubs: what the watch keeps of what a bus says (ars.h).
 */
#ifndef PMED_SCRUB_H
#define PMED_SCRUB_H

#include "daemon.h"

/* One bus, as last seen.  Zeroed to begin with. */
struct pmed_scrub {
	bool known;	 /* it was read once */
	bool busy;	 /* one runs */
	uint64_t count;	 /* scrubs that have ended since the kernel was started */
	int64_t started; /* when the one that runs was first seen, µs; 0: none */
	int64_t last;	 /* when the last one was seen to end; 0: not since the watch started */
};

/* What has happened since the last look: bits. */
#define PMED_SCRUB_FINISHED 1
#define PMED_SCRUB_STARTED 2
unsigned int pmed_scrub_step(struct pmed_scrub *scrub, uint64_t count, bool busy, int64_t now);

/*
 * Member "scrub" of a device of the watch document, for the bus of @region: {"state": "idle" or
 * "active", "count", "last": time or null}; NULL when its bus does not scrub.  New reference.
 */
struct json_object *pmed_scrub_json(const struct pmed *d, const char *region);

#endif
