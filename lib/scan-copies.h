/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners of a filesystem that keeps copies itself: which bytes does a readable copy give back?
 */
#ifndef PME_SCAN_COPIES_H
#define PME_SCAN_COPIES_H

#include "copies.h"
#include "fs.h"

/*
 * Cut the owners that have copies into bytes that a readable one gives back (redundant), bytes that
 * none does, and bytes of which nobody knows.  They stay sorted.  0 or -ENOMEM, -E2BIG.
 */
int pme_scan_judge_copies(struct pme_stack *stack, struct pme_fs_result *result);

#endif
