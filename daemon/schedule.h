/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When something is to be done: the arithmetic, without loop and clock.
 *
 * Hints make it due when it was quiet for a settle time; more of them move that, but never beyond
 * twice the settle time after the first.  What runs is not due; hints meanwhile make it due behind
 * it.  What failed is tried again after a delay that doubles with each failure; hints may shorten
 * that, but not below the first delay.  Times are microseconds of one clock that never goes back.
 */
#ifndef PMED_SCHEDULE_H
#define PMED_SCHEDULE_H

#include "base.h"

#define PMED_NEVER UINT64_MAX

struct pmed_schedule {
	uint64_t hint;	       /* due because of hints */
	uint64_t cap;	       /* beyond which they do not move it */
	uint64_t by;	       /* due whatever is heard: a retry, or a regular look */
	uint64_t floor;	       /* hints do not make it due before: it failed a moment ago */
	unsigned int failures; /* in a row */
	bool running;
	bool blocked; /* what ran hangs and cannot be ended: nothing new until it does */
};

struct pmed_retry {
	uint64_t first, most; /* µs */
};

void pmed_schedule_init(struct pmed_schedule *schedule);
void pmed_schedule_hint(struct pmed_schedule *schedule, uint64_t now, uint64_t settle);
/* Due at @when at the latest. */
void pmed_schedule_by(struct pmed_schedule *schedule, uint64_t when);
/* PMED_NEVER: not before something happens to it. */
uint64_t pmed_schedule_due(const struct pmed_schedule *schedule);

void pmed_schedule_started(struct pmed_schedule *schedule);
void pmed_schedule_worked(struct pmed_schedule *schedule);
void pmed_schedule_failed(struct pmed_schedule *schedule, uint64_t now, struct pmed_retry retry);
/* It neither worked nor failed, and is still to be done. */
void pmed_schedule_again(struct pmed_schedule *schedule, uint64_t now, uint64_t settle);
/* It failed and hangs; and then, that it ended: due at once. */
void pmed_schedule_block(struct pmed_schedule *schedule);
void pmed_schedule_unblock(struct pmed_schedule *schedule, uint64_t now);

#endif
