/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places of devices, and sets of them that give some bytes back: what layers and filesystems say of
 * redundancy.  Whether a place can be read is judged elsewhere (copies.h).
 */
#ifndef PME_PLACE_H
#define PME_PLACE_H

#include "topo.h"

/* As many bytes of @dev as the step, or owner, is long. */
struct pme_place {
	const struct pme_dev *dev;
	uint64_t start;
};

/*
 * Any @need of the places together give the bytes back: 1 of the other legs of a mirror, all others
 * of a stripe with one parity, all but one of them with two.
 */
struct pme_copies {
	const char *what; /* "another leg", "the rest of the stripe": static */
	size_t need, count;
	struct pme_place places[];
};

/* A zeroed list of @count places; NULL without memory. */
struct pme_copies *pme_copies_new(const char *what, size_t need, size_t count);

#endif
