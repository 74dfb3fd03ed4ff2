/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * If these devices failed as a whole: which devices above them would fail with them, and which go
 * on because another copy stands elsewhere?
 *
 * Judged by the snapshot, and by the status of redundant dm targets; nothing is read from media.  A
 * device that loses a part of its bytes fails.  What is not known to survive or fail is unknown,
 * with its reason: a copy that was never made, or a layer whose ways are not understood.
 */
#ifndef PME_FATE_H
#define PME_FATE_H

#include "topo.h"

enum pme_fate { PME_SURVIVES, PME_FATE_UNKNOWN, PME_FAILS };

struct pme_fate_of {
	enum pme_fate fate;
	bool reached; /* it is one of those that fail, or stands on one */
	bool judged;  /* private to fate.c */
	char *reason; /* why, of one that is reached; owned; may be NULL */
};

struct pme_fates {
	const struct pme_topo *topo;
	struct pme_fate_of *items; /* one for each of topo->devs */
};

/* Judge every device when all of @failing fail: 0 or -ENOMEM.  @ret must be freed in each case. */
int pme_fates_judge(const struct pme_topo *topo, const struct pme_dev *const *failing,
		    size_t n_failing, struct pme_fates *ret);
void pme_fates_done(struct pme_fates *fates);
const struct pme_fate_of *pme_fates_of(const struct pme_fates *fates, const struct pme_dev *dev);

/* For fate-dm.c: what happens to one line of a table.  A reason is allocated or NULL. */
struct pme_fate_answer {
	enum pme_fate fate;
	char *reason;
};
int pme_fate_dm_line(const struct pme_fates *fates, const struct pme_dev *dev,
		     const struct pme_dm_line *line, struct pme_fate_answer *ret);
/* Set the answer; takes @reason, NULL is -ENOMEM. */
int pme_fate_answer(struct pme_fate_answer *ret, enum pme_fate fate, char *reason);

#endif
