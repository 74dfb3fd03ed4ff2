/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses what the findings reach: holders of files and of devices that programs use raw, and swap
 * files.
 */
#ifndef PME_HELD_H
#define PME_HELD_H

#include "finding.h"
#include "log.h"

/*
 * Look for holders, once: of all files that filesystems named, of devdax devices and of devices on
 * which nothing was found.  0 or -errno; what cannot be seen is said in @log.
 */
int pme_held_find(const struct pme_topo *topo, const struct pme_tops *tops,
		  struct pme_findings *findings, struct pme_log *log);

/* Give the claim of @top, which is no filesystem's, its holders; 0 or -ENOMEM. */
int pme_held_claim(const struct pme_findings *findings, struct pme_claim *claim,
		   const struct pme_top *top);

/* Blocks of an active swap file are swap, whatever the filesystem calls them.  0 or -ENOMEM. */
int pme_held_note_swap(const struct pme_topo *topo, struct pme_claim *claim);

#endif
