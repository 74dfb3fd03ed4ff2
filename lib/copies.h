/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Can the other copies of some bytes be read?  Judged by the known bad ranges of the stack: a place
 * is followed down to the bottom, through legs and parity, and every device on the way is looked
 * up. Nothing is read from media here.
 */
#ifndef PME_COPIES_H
#define PME_COPIES_H

#include "layer.h"

/* Bytes that no readable place gives back, and those of which nobody knows; disjoint, normalized.
 */
struct pme_missing {
	struct pme_range_list bad, doubt;
};
void pme_missing_done(struct pme_missing *missing);

/* What of @range of @dev cannot be read.  0 or -ENOMEM, -E2BIG. */
int pme_missing_of(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		   struct pme_missing *ret);

/* What of @from (the bytes of a step) its @copies do not give back.  0 or -ENOMEM, -E2BIG. */
int pme_copies_missing(struct pme_stack *stack, const struct pme_copies *copies,
		       struct pme_range from, struct pme_missing *ret);

/* "another leg has them: pmem1 bytes 4096 to 8191", for bytes @skip of the step on. */
char *pme_copies_text(const struct pme_copies *copies, uint64_t skip, uint64_t length);

#endif
