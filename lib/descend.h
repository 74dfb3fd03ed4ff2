/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a range of a device down to the devices at the bottom of the stack: the inverse of the
 * climb.
 */
#ifndef PME_DESCEND_H
#define PME_DESCEND_H

#include "climb.h"

/* One contiguous piece on one way down. */
struct pme_way {
	struct pme_hop *hops; /* from the bottom up; the last one is the device asked about */
	size_t n_hops;
	uint64_t length;
	char *reason; /* the way does not reach the bottom: why; else NULL */
	bool known;   /* with a reason: no device holds these bytes, and that is certain */
};

struct pme_ways {
	struct pme_way *items;
	size_t count, alloc;
};

/*
 * Append the ways down of @range of @dev.  Bytes that a layer does not map (or that it keeps in
 * more than one place) yield no, or several, ways; what is not understood yields one with a reason.
 */
int pme_descend(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		struct pme_ways *ret);
void pme_ways_done(struct pme_ways *ways);

#endif
