/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A crew: threads that share one piece of work, which is mostly system calls.
 *
 * The caller's thread begins alone, since most work is over at once.  Work that lasts gets a thread
 * for each processor, and, while those wait for the disk, more and more.  A thread that cannot be
 * made is done without.
 */
#ifndef PME_CREW_H
#define PME_CREW_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "progress.h"

#define PME_CREW_MAX 32 /* threads; more did not make a cold disk faster */

struct pme_crew {
	/*
	 * What each thread does, until nothing is left or pme_crew_step() is not 0.  It may be
	 * called again in the same run, and finds nothing left then.  0 or -errno.
	 */
	int (*work)(struct pme_crew *crew, void *arg);
	void *arg;
	struct pme_progress *progress; /* borrowed, or NULL */
	pthread_mutex_t lock;	       /* for the work, too; never held for long */
	bool is_much;		       /* it will last: no need to see */

	/* Private: */
	cpu_set_t processors; /* that this process may use */
	pthread_cond_t change;
	unsigned n_threads; /* changed by the first thread only */
	_Atomic unsigned n_waiting;
	_Atomic uint64_t done;
	_Atomic int error;
	pthread_t first, others[PME_CREW_MAX - 1];
	uint64_t looked;      /* when the first thread looked around */
	uint64_t cpu, sleeps; /* of all threads until then */
};

/* Run @work of @crew, which is set up but for what is private.  0, or the first error. */
int pme_crew_run(struct pme_crew *crew);

/* @done more is done, of the phase that runs: 0, or why all have to end (-ETIME: no time left). */
int pme_crew_step(struct pme_crew *crew, uint64_t done);

/*
 * With the lock held: wait for a call, or a while.  Whoever waits is asleep because
 * there is no work, so that more threads would be of no use.
 */
void pme_crew_wait(struct pme_crew *crew);
/* With the lock held: wake one of those who wait, or all. */
void pme_crew_call_one(struct pme_crew *crew);
void pme_crew_call_all(struct pme_crew *crew);
/* Does anybody wait?  Without the lock it is a hint. */
bool pme_crew_is_idle(const struct pme_crew *crew);

/*
 * @one for each number below @count, each once, in any order and by several threads; @progress
 * (or NULL) counts them.  0, or the first error, after which some were not done.
 */
int pme_crew_each(size_t count, int (*one)(void *arg, size_t i), void *arg,
		  struct pme_progress *progress);

/* One piece of work, beside what the caller does meanwhile. */
struct pme_aside {
	void (*work)(void *arg);
	void *arg;

	/* Private: */
	cpu_set_t processors;
	pthread_t thread;
	bool is_running;
};

/* @aside is set up but for what is private, and stays where it is until its end. */
void pme_aside_begin(struct pme_aside *aside);
/* Wait for the work; do it now, if there was no thread for it. */
void pme_aside_end(struct pme_aside *aside);

#endif
