/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of planning that are files of their own.
 */
#ifndef PME_REPAIR_PLAN_H
#define PME_REPAIR_PLAN_H

#include "repair-check.h"

/* Bytes that steps have taken of the free ones of one filesystem. */
struct pme_repair_budget {
	const struct pme_repair_site *site;
	uint64_t used;
};

/* Is @file among them? */
bool pme_repair_names(const struct pme_repair_named *named, const struct pme_file *file);

/*
 * Everything about one step that can be known without changing anything: targets that can be
 * opened, how, the donor, and why nothing will be done.  0 or -ENOMEM.
 */
int pme_repair_step_plan(const struct pme_os *os, const struct pme_repair_args *args,
			 struct pme_repair_plan *plan, struct pme_repair_step *step,
			 struct pme_repair_budget *budget, struct pme_log *log);

/* Paths for donors that are known by inode only.  0 or -ENOMEM. */
int pme_repair_name_donors(const struct pme_os *os, struct pme_repair_plan *plan);

/*
 * Why a claim has no step, and what to do; allocated, or NULL: it has one (or no memory, then
 * pme_json_lose() was called).
 */
char *pme_repair_advice(const struct pme_claim *claim);

#endif
