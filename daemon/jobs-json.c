/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs in the watch document: what runs, what hangs, how often it went well, and why not.
 */
#include "job.h"
#include "jobs.h"
#include "repairs.h"

/* {"job", "region", "since"} */
static struct json_object *one_json(const struct pmed_job *job)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "job", pmed_job_name(job->kind));
	pme_json_text(object, "region", *job->place->name ? job->place->name : NULL);
	pme_json_time(object, "since", job->began);
	return object;
}

/* Those that run, or (@stuck) hang. */
static struct json_object *list_json(const struct pmed_jobs *jobs, bool stuck)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < jobs->count; i++)
		for (size_t j = 0; j < PMED_JOB_KINDS; j++) {
			const struct pmed_job *job = &jobs->places[i]->jobs[j];

			if (job->process && job->schedule.blocked == stuck)
				pme_json_append(array, one_json(job));
		}
	return array;
}

static size_t count_waiting(const struct pmed_jobs *jobs)
{
	size_t count = 0;

	for (size_t i = 0; i < jobs->count; i++)
		for (size_t j = 0; j < PMED_JOB_KINDS; j++)
			if (jobs->places[i]->jobs[j].schedule.hint != PMED_NEVER)
				count++;
	return count;
}

/* {"last_success", "failures", "reason"} */
static struct json_object *health_json(const struct pmed_job *job)
{
	struct json_object *object = pme_json_object();

	pme_json_time(object, "last_success", job->last_success);
	pme_json_number(object, "failures", job->schedule.failures);
	pme_json_text(object, "reason", job->reason);
	return object;
}

static struct json_object *regions_json(const struct pmed_jobs *jobs)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 1; i < jobs->count; i++) {
		struct json_object *object = pme_json_object();

		pme_json_text(object, "name", jobs->places[i]->name);
		for (size_t j = PMED_JOB_SCAN; j < PMED_JOB_KINDS; j++)
			pme_json_set(object, pmed_job_name((enum pmed_job_kind)j),
				     health_json(&jobs->places[i]->jobs[j]));
		pme_json_append(array, object);
	}
	return array;
}

void pmed_jobs_json(const struct pmed *d, struct json_object *doc)
{
	const struct pmed_jobs *jobs = d->jobs;
	struct json_object *object;

	if (!jobs) {
		pme_json_set(doc, "jobs", NULL);
		return;
	}
	object = pme_json_object();
	pme_json_text(object, "launcher", d->launcher);
	pme_json_set(object, "running", list_json(jobs, false));
	pme_json_set(object, "stuck", list_json(jobs, true));
	pme_json_number(object, "waiting", count_waiting(jobs));
	pme_json_number(object, "started", jobs->started);
	pme_json_number(object, "succeeded", jobs->succeeded);
	pme_json_number(object, "failed", jobs->failed);
	pme_json_number(object, "timed_out", jobs->timed_out);
	pme_json_number(object, "gave_way", jobs->gave_way);
	pme_json_set(object, "last_failure", json_object_get(jobs->last_failure));
	pme_json_set(object, "inventory", health_json(&jobs->places[0]->jobs[PMED_JOB_INVENTORY]));
	pme_json_set(object, "regions", regions_json(jobs));
	pme_json_set(object, "repair", pmed_repairs_json(d));
	pme_json_set(doc, "jobs", object);
}
