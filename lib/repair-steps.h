/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings -> steps: bad bytes of a filesystem become runs of its blocks with the same sharers.
 */
#ifndef PME_REPAIR_STEPS_H
#define PME_REPAIR_STEPS_H

#include "repair.h"

/* A step is not longer: it is held in memory, and done for all or for none. */
#define PME_REPAIR_STEP_MAX (1U << 20)

/*
 * Append the bytes of the device of @fs that are data of files for sure, and bad for sure, to
 * @ret_bad (normalized): 0 or -errno.
 */
int pme_repair_bad(const struct pme_findings *findings, const struct pme_reached_fs *fs,
		   struct pme_range_list *ret_bad);

/*
 * Append a step for each run of blocks of @block bytes that @bad meets and that the same files
 * share, each at bytes that follow each other.  Blocks that have other owners besides files get
 * their refusal.  0 or -errno.
 */
int pme_repair_steps_make(const struct pme_reached_fs *fs, const struct pme_range_list *bad,
			  uint64_t block, struct pme_repair_plan *plan);

/* Is @file one that the vault keeps bad blocks in, or half made repairs?  Nobody needs its bytes.
 */
bool pme_repair_is_parked(const struct pme_file *file);

void pme_repair_step_done(struct pme_repair_step *step);

#endif
