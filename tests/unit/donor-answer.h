/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of kinds of donors: what one answered, until the next question.
 */
#ifndef PME_TESTS_DONOR_ANSWER_H
#define PME_TESTS_DONOR_ANSWER_H

#include "donor.h"

struct answer {
	struct pme_donor donor;
	char *reason;
};

static inline void answer_forget(struct answer *answer)
{
	pme_donor_done(&answer->donor);
	free(answer->reason);
	answer->reason = NULL;
}

/* As the table asks. */
static inline int answer_ask(struct answer *answer, const struct pme_donor_kind *kind,
			     const struct pme_want *want, struct pme_log *log)
{
	answer_forget(answer);
	answer->donor.kind = kind;
	return kind->find(want, log, &answer->donor, &answer->reason);
}

#endif
