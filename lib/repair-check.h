/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be repaired, and why: known before anything is touched.
 */
#ifndef PME_REPAIR_CHECK_H
#define PME_REPAIR_CHECK_H

#include "repair.h"

/* A filesystem, as far as it concerns repairing. */
struct pme_repair_site {
	uint64_t block;		 /* bytes */
	uint64_t free;		 /* bytes that files could get */
	enum pme_repair_how how; /* what it and the kernel have */
	bool project_quota;
	char *refusal; /* why nothing there can be repaired; or NULL */
};

/*
 * Look at the filesystem that @reach leads into; @error: what pme_reach_open() said.  0 or -ENOMEM.
 */
int pme_repair_site_look(const struct pme_fs *fs, const struct pme_reach *reach, int error,
			 struct pme_repair_site *ret);
void pme_repair_site_done(struct pme_repair_site *site);

/*
 * Why the open file @fd (negative: what open said) cannot be a target: *@ret (allocated), or NULL
 * when it can.  0 or -ENOMEM.
 */
int pme_repair_target_check(const struct pme_topo *topo, const struct pme_repair_site *site,
			    const struct pme_repair_target *target, int fd, char **ret);

/* Room that is left alone: for block maps and reverse maps of what is switched in. */
#define PME_REPAIR_RESERVE (2U << 20)

#endif
