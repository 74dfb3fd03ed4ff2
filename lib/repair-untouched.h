/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes without proof: nothing about them says that the lost ones were not written anew since the
 * plan was made, and what somebody has written is never taken from him.  So either
 *
 *   times    none of the files that were named was changed since before the scan: each was looked
 *            at, the clock that files are stamped with moved on, and it was flushed, so that
 *            stores through mappings fault, and count, too (the order of pme_remap_start()); or
 *   lists    the lists of the disks still have every bad byte: a write clears them, or fails.
 *            Only where a byte that is written lands on the disk that it was read from, and
 *            nowhere else; regions do not count, some are told of no clearing.
 */
#ifndef PME_REPAIR_UNTOUCHED_H
#define PME_REPAIR_UNTOUCHED_H

#include "repair-work.h"

/* The files @named, in the order of the arguments: as they are now, before the scan. */
void pme_repair_look_before(const struct pme_repair_args *args, struct pme_repair_named *named);

/*
 * Are the bad blocks of all @steps, parts of @work, what they were?  1; 0, then those of
 * *@ret_untouched steps are; -errno.  What was changed and is not on the media must have been
 * flushed.
 */
int pme_repair_untouched(struct pme_repair_plan *plan, struct pme_repair_step *const *steps,
			 const struct pme_work *work, size_t *ret_untouched);

/* What lists of the kernel have now, those of @sources (bits of enum pme_known_by): -errno. */
int pme_repair_lists(const struct pme_topo *topo, unsigned int sources, struct pme_stack *ret);

#endif
