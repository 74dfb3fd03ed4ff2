/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a run is, and when it has to end: long loops say where they are, whoever started the run
 * shows it, and ends them when the time that was given is over.
 *
 * One object per invocation; loops get it with the log (pme_log.progress) or with what they work
 * on, and NULL is fine everywhere: then nothing is told and nothing ends.  Loops that confirm what
 * was found are short and are never cut off.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef PME_PROGRESS_H
#define PME_PROGRESS_H

#include "base.h"

/* What is done; the words are those of pmemctl-json(7). */
enum pme_phase {
	PME_PHASE_OWNERS,  /* who owns the bytes */
	PME_PHASE_NAMES,   /* how the files are called */
	PME_PHASE_HOLDERS, /* who has them open or mapped */
	PME_PHASE_USES,	   /* what the files are */
	PME_PHASE_DONORS,  /* where good bytes are */
	PME_PHASE_SYNC,
	PME_PHASE_VERIFY,
	PME_PHASE_SCRUB,
	PME_PHASE_REPAIR,
	PME_PHASE_COPIES, /* what they would give back */
};
const char *pme_phase_name(enum pme_phase phase); /* "owners" */
const char *pme_phase_text(enum pme_phase phase); /* "looking for owners" */

/* What is counted. */
enum pme_unit {
	PME_UNIT_RANGES,
	PME_UNIT_INODES,
	PME_UNIT_GROUPS, /* of inodes, of ext4 */
	PME_UNIT_FILES,
	PME_UNIT_ENTRIES, /* of directories */
	PME_UNIT_PROCESSES,
	PME_UNIT_BYTES,
	PME_UNIT_SCRUBS, /* that have ended: of one that runs nothing is known */
};
const char *pme_unit_name(enum pme_unit unit); /* "ranges" */

#define PME_SECOND 1000000000ULL
/* It is told no more often than this. */
#define PME_PROGRESS_PAUSE (PME_SECOND / 10)

struct pme_progress {
	/* Called when it is time to; NULL: nobody wants to know. */
	void (*tell)(void *arg, const struct pme_progress *progress);
	void *arg;
	uint64_t begun;
	uint64_t end; /* when the time is over; 0: never */

	/* Of the phase that runs: */
	enum pme_phase phase;
	enum pme_unit unit;
	const char *subject; /* which thing; borrowed */
	uint64_t done;
	uint64_t total; /* 0: not known */
	bool estimated; /* @total is: the phase may end before or after it */
	uint64_t now, phase_begun;
	uint64_t told; /* when it was last told; 0: never */
};

/* The clock starts here; @time: nanoseconds that are given, UINT64_MAX: no end. */
void pme_progress_start(struct pme_progress *progress, uint64_t time);

/* The thing that the next phases are about; borrowed until there is another. */
void pme_progress_about(struct pme_progress *progress, const char *subject);
/* A new phase, of the thing that is set; @total 0: not known.  Nothing is told yet. */
void pme_progress_phase(struct pme_progress *progress, enum pme_phase phase, enum pme_unit unit,
			uint64_t total);
/* The total that is set is an estimate. */
void pme_progress_estimate(struct pme_progress *progress);

/* @done of the phase: 0; -ETIME when the time is over, and from then on always. */
int pme_progress_at(struct pme_progress *progress, uint64_t done);
bool pme_progress_over(const struct pme_progress *progress);

/* For messages: -ETIME in words that name the option, else strerror(3). */
const char *pme_progress_error(int error);

/* How much is done, of 1000; -1 when the total is not known, or an estimate that was too low. */
int pme_progress_permille(const struct pme_progress *progress);
/* How long it may still take if it goes on like this; UINT64_MAX: not known. */
uint64_t pme_progress_left(const struct pme_progress *progress);

#endif
