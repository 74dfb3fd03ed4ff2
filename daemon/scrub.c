/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to scrubs, step by step; see scrub.h.  Pure.
 */
#include "scrub.h"

/* A count that went down is another life of the bus: nothing is known of before. */
unsigned int pmed_scrub_step(struct pmed_scrub *scrub, uint64_t count, bool busy, int64_t now)
{
	unsigned int what = 0;

	if (scrub->known && count > scrub->count) {
		what |= PMED_SCRUB_FINISHED;
		scrub->last = now;
		scrub->started = 0;
	}
	if (busy && (!scrub->busy || !scrub->known || what)) {
		what |= PMED_SCRUB_STARTED;
		scrub->started = now;
	}
	if (!busy)
		scrub->started = 0;
	scrub->known = true;
	scrub->count = count;
	scrub->busy = busy;
	return what;
}
