/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair: findings -> plan -> steps that are carried out, by the repair contract.
 *
 * A plan is made of steps.  A step is one run of filesystem blocks with bad bytes in it, with all
 * files that share them and the donor of their bytes: it is done for all of them or for none.
 * Planning changes nothing; applying records each act in the journal (repair-journal.h) before it
 * is done.
 */
#ifndef PME_REPAIR_H
#define PME_REPAIR_H

#include "donor-reach.h"
#include "donor.h"
#include "repair-rewrite.h"
#include "scan.h"

/* How good bytes get into a file. */
enum pme_repair_how {
	PME_HOW_COMMIT, /* XFS_IOC_COMMIT_RANGE: atomic, under running writers */
	PME_HOW_CLONE,	/* FICLONERANGE, under a write lease, the bad blocks parked before */
	PME_HOW_PLACE,	/* written over where they are, under a write lease: repair-place.h */
};
const char *pme_repair_how_name(enum pme_repair_how how); /* "commit-range", "clone-range", … */

struct pme_repair_args {
	char *const *targets; /* selectors and files; none: everything */
	size_t n_targets;
	char *const *ranges; /* as of scan: blocks to be treated as bad */
	char *const *lists;
	size_t n_ranges, n_lists;
	uint64_t block_size;
	const char *from; /* a file with the bytes, or NULL */
	bool accept_unproven, give_up_zero;
	bool in_place; /* also where there is no other way than to write over bad blocks */
};

/* One file that has the blocks of a step. */
struct pme_repair_target {
	const struct pme_file *file; /* borrowed from the scan */
	uint64_t start;		     /* byte of the file */
	enum pme_repair_how how;
	char *refusal; /* why it cannot be repaired; or NULL */
};

enum pme_repair_outcome {
	PME_STEP_PLANNED,
	PME_STEP_REFUSED,  /* nothing was tried: see refusal */
	PME_STEP_REPAIRED, /* done, and verified */
	PME_STEP_CHANGED,  /* somebody wrote meanwhile: nothing was changed, plan again */
	PME_STEP_GIVEN_UP, /* done, and verified: zeros where nobody had the bytes */
	PME_STEP_FAILED,   /* see error; nothing was changed, or the journal knows what */
};

struct pme_repair_step {
	const struct pme_reached_fs *fs; /* borrowed from the scan */
	struct pme_range device;	 /* bytes of fs->dev: whole blocks */
	struct pme_range_list bad;	 /* the bad bytes of them */
	struct pme_repair_target *targets;
	size_t n_targets, alloc_targets;
	struct pme_donor donor;
	size_t donor_target; /* the donor counts in bytes of the file of this target */
	bool zero;	     /* given up (--give-up zero): what does not read becomes zeros */
	char *no_proof;	     /* what each kind of donor said that has no proof; or NULL */
	char *refusal;	     /* why nothing will be done (what stays lost, and why); or NULL */
	enum pme_repair_outcome outcome;
	char *error; /* of applying, or NULL */
};

/* The files that the user named; none: everything is meant. */
struct pme_repair_name {
	dev_t devno;
	uint64_t inode;
	int64_t ctime; /* ns, before the scan: where bytes without proof may be used */
	int error;     /* of looking at it then: nothing is known; or 0 */
	int lost;      /* -errno: what was written to it did not get to the media */
};
struct pme_repair_named {
	struct pme_repair_name *items;
	size_t count, alloc;
};

struct pme_repair_plan {
	struct pme_scan scan;
	struct pme_repair_named named;
	struct pme_repair_step *steps;
	size_t n_steps, alloc_steps;
	struct pme_rewrites rewrites; /* what layers write anew themselves */
	struct pme_saved_cache saved; /* versions that donors are of */
};

/*
 * Scan and plan: 0, or -errno of what stopped it, said in @log (-EINVAL: usage).  Findings that are
 * no file data get no step; the document says of each why not (metadata is never patched).
 */
int pme_repair_plan(const struct pme_os *os, const struct pme_repair_args *args,
		    struct pme_log *log, struct pme_repair_plan *ret);
void pme_repair_plan_done(struct pme_repair_plan *plan);

/*
 * A target of a step, open with @flags of open(2), and what is wanted of it.  Donors of the step
 * are asked with the one of step->donor_target.  0 or -errno (-ESTALE: it is not that file any
 * more); close it in any case.
 */
struct pme_repair_access {
	struct pme_reach reach;
	int fd;
	struct pme_want want;
};
int pme_repair_access_open(const struct pme_os *os, const struct pme_repair_args *args,
			   struct pme_repair_plan *plan, const struct pme_repair_step *step,
			   const struct pme_repair_target *target, int flags,
			   struct pme_repair_access *ret);
void pme_repair_access_close(struct pme_repair_access *access);
/* What is wanted of it for another step of the same file, as its target @target. */
void pme_repair_access_aim(struct pme_repair_access *access, const struct pme_repair_step *step,
			   const struct pme_repair_target *target);

struct pme_repair_journal;

/*
 * Carry out all steps that can be; each gets its outcome.  0, or -errno of what stopped all of it
 * (the journal cannot be written), said in @log.
 */
int pme_repair_apply(const struct pme_os *os, const struct pme_repair_args *args,
		     struct pme_repair_plan *plan, struct pme_repair_journal *journal,
		     struct pme_log *log);

/* Members "plan" and "summary" of a document. */
void pme_repair_json(const struct pme_repair_plan *plan, struct json_object *doc);
void pme_repair_json_empty(struct json_object *doc);

#endif
