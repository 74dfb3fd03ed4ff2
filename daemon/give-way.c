/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers that end for an unmount; see give-way.h.
 *
 * The surprise: the last one that is inside takes the filesystem down when it ends, which may write
 * for a while.  And after umount(8) nothing says any more what the filesystem was, but its device
 * is still there, or nobody is in its way.  One that stands on no region ends nothing.
 */
#include "give-way.h"

#include "bases.h"
#include "job.h"

#define TIMES_MAX 5 /* in a row */

/* The inventory looks at no filesystem. */
static bool is_inside(const struct pmed_job *job)
{
	return job->kind != PMED_JOB_INVENTORY && job->process && !job->schedule.blocked &&
	       !job->gives_way && job->gave_way < TIMES_MAX;
}

bool pmed_may_give_way(const struct pmed *d)
{
	const struct pmed_jobs *jobs = d->jobs;

	for (size_t i = 0; jobs && i < jobs->count; i++)
		for (size_t j = 0; j < PMED_JOB_KINDS; j++)
			if (is_inside(&jobs->places[i]->jobs[j]))
				return true;
	return false;
}

static void end_jobs(struct pmed_place *place)
{
	for (size_t i = 0; i < PMED_JOB_KINDS; i++) {
		struct pmed_job *job = &place->jobs[i];

		if (!is_inside(job))
			continue;
		job->gives_way = true;
		pmed_process_kill_inside(job->process);
	}
}

static void note(void *arg, const char *region)
{
	*(bool *)arg = true;
}

/* Not only those of its regions: copies of what is lost may be looked for anywhere. */
void pmed_give_way(struct pmed *d, unsigned int major, unsigned int minor)
{
	bool on_region = false;

	if (!pmed_may_give_way(d))
		return;
	if (pmed_bases(&d->os, major, minor, note, &on_region) == 0 && !on_region)
		return;
	for (size_t i = 0; i < d->jobs->count; i++)
		end_jobs(d->jobs->places[i]);
}
