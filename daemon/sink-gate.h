/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate limit of one sink: so many events of one type in an interval; what is more is counted,
 * and the count is told when the interval ends.  What is worse than all that passed in the interval
 * passes, too: many notices must not hide the loss that follows.  Arithmetic only: no loop, no
 * clock.
 *
 * Times are microseconds of any clock that only goes forward.
 */
#ifndef PMED_SINK_GATE_H
#define PMED_SINK_GATE_H

#include "event.h"

struct pmed_gate {
	uint64_t burst, interval; /* µs; burst 0: no limit */
	struct pmed_gate_type {
		uint64_t begun;	 /* of the interval; meaningless when nothing passed */
		uint64_t passed; /* in it */
		enum pme_event_severity passed_worst; /* of those */
		uint64_t suppressed;
		enum pme_event_severity worst; /* of those suppressed */
	} types[PME_EVENT_TYPES];
};

/* May an event pass now?  If not, it is counted. */
bool pmed_gate_pass(struct pmed_gate *gate, enum pme_event_type type,
		    enum pme_event_severity severity, uint64_t now);
/* When the next count has to be told; 0: there is none. */
uint64_t pmed_gate_due(const struct pmed_gate *gate);
/* A count that is due at @now: true, its type, and its values; it is then forgotten. */
bool pmed_gate_take(struct pmed_gate *gate, uint64_t now, enum pme_event_type *ret_type,
		    struct pmed_gate_type *ret);
/* The sum of all counts, due or not; they are then forgotten. */
uint64_t pmed_gate_take_all(struct pmed_gate *gate);

#endif
