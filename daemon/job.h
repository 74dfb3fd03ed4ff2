/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One job: a worker that is started for a region or for the inventory, and what comes of it.
 *
 * Private to jobs.c, job.c, jobs-json.c and give-way.c.
 */
#ifndef PMED_JOB_H
#define PMED_JOB_H

#include "daemon.h"
#include "process.h"
#include "schedule.h"

/* The first comes first. */
enum pmed_job_kind { PMED_JOB_INVENTORY, PMED_JOB_SCAN, PMED_JOB_SNAPSHOT };
#define PMED_JOB_KINDS 3

struct pmed_place;

struct pmed_job {
	enum pmed_job_kind kind;
	struct pmed_place *place;
	struct pmed_schedule schedule;
	struct pmed_process *process; /* that runs, or hangs (schedule.blocked) */
	int64_t began;		      /* CLOCK_REALTIME, µs, and the key of its row in the store */
	int64_t last_success;	      /* 0: never */
	char *reason;		      /* why the last one failed; NULL: it worked */
	bool told;		      /* the state knows whether it works */
	bool failed;
	bool gives_way;	       /* it is killed for an unmount */
	bool again;	       /* and that was its end */
	unsigned int gave_way; /* in a row */
	unsigned int gaps;     /* scans in a row that were not whole; no more than delays need */
	bool own_cause;	       /* of the one that runs: see struct pmed_place */
};

/* A region, or the inventory: the first one, without name. */
struct pmed_place {
	struct pmed *daemon;
	char *name;
	struct pmed_job jobs[PMED_JOB_KINDS];
	bool own_cause; /* its next scan is due because of itself, not of what others learned */
	bool welcomed;
};

struct pmed_jobs {
	struct pmed_place **places;
	size_t count, alloc;
	size_t running; /* those that hang are not counted */
	sd_event_source *timer;
	bool beginning;
	int64_t last_began;
	uint64_t started, succeeded, failed, timed_out, gave_way;
	struct json_object *last_failure;
};

const char *pmed_job_name(enum pmed_job_kind kind);
/* Start its worker; the schedule must have it due. */
void pmed_job_begin(struct pmed_job *job);
/* Tell the state that it failed, or (@why NULL) works. */
void pmed_job_tell(struct pmed_job *job, const char *why);

/*
 * From job.c to jobs.c: the state learned @events by it (@whole: everything could be seen); and
 * then, in any case, it ended.
 */
void pmed_jobs_learned(struct pmed_job *job, bool whole, struct json_object *events);
void pmed_jobs_ended(struct pmed_job *job);

#endif
