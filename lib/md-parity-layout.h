/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a stripe of raid4, raid5 and raid6 has its parity, and in which order its data.
 */
#ifndef PME_MD_PARITY_LAYOUT_H
#define PME_MD_PARITY_LAYOUT_H

#include "base.h"

struct pme_md_row {
	uint64_t disks;
	uint64_t p, q;	      /* slots of the parities; q is @disks when there is only one */
	uint64_t first, ring; /* data is dealt from slot @first on, round over @ring slots */
};

/* Row @stripe of an array of @disks members of @level (4, 5, 6); 0, or -EINVAL: no such layout. */
int pme_md_row_of(unsigned int level, uint64_t layout, uint64_t disks, uint64_t stripe,
		  struct pme_md_row *ret);
/* Which chunk of the row is on @slot, which is no parity. */
uint64_t pme_md_row_index(const struct pme_md_row *row, uint64_t slot);
/* On which slot chunk @index of the row is. */
uint64_t pme_md_row_slot(const struct pme_md_row *row, uint64_t index);

#endif
