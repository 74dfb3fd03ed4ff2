/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of planning that are files of their own.
 */
#ifndef PME_REPAIR_PLAN_H
#define PME_REPAIR_PLAN_H

#include "repair-check.h"

/* A file that steps have as a target, open while they are planned. */
struct pme_repair_opened {
	const struct pme_file *file; /* borrowed from the scan */
	struct pme_repair_access access;
	int error;     /* of opening it, or 0 */
	bool checked;  /* @refusal is known */
	char *refusal; /* why no step of it can be done, or NULL */
	bool flushed;
	int flush_error;
};

/* Those that were asked for last, of one filesystem. */
#define PME_REPAIR_OPENED_MAX 64
struct pme_repair_openeds {
	struct pme_repair_opened *items[PME_REPAIR_OPENED_MAX];
	size_t count, next; /* the next one to be replaced */
};
void pme_repair_openeds_done(struct pme_repair_openeds *openeds);
/*
 * The file of @target, what is wanted of it being that of @step: 0 and *@ret, with the error of
 * opening it, until the next call; -ENOMEM.
 */
int pme_repair_open(struct pme_repair_openeds *openeds, const struct pme_os *os,
		    const struct pme_repair_args *args, struct pme_repair_plan *plan,
		    const struct pme_repair_step *step, const struct pme_repair_target *target,
		    struct pme_repair_opened **ret);

/* What the planning of steps of one filesystem has in common. */
struct pme_repair_budget {
	const struct pme_repair_site *site;
	struct pme_repair_openeds *opened;
	uint64_t used; /* of the free bytes */
};

/* What is known of @file as one of them; NULL: it was not named. */
struct pme_repair_name *pme_repair_name_of(const struct pme_repair_named *named,
					   const struct pme_file *file);

/* Are all bad bytes behind the end of every file, as far as is known?  Then nothing is lost. */
bool pme_repair_is_behind_end(const struct pme_repair_step *step);

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
