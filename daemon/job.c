/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One job; see job.h.
 *
 * A job that fails is an event, so is one that fails for another reason, or works again: what the
 * state is told.  The log has every failure with a new reason.
 */
#include "job.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>

#include "answer.h"
#include "keeper.h"
#include "state.h"
#include "store.h"
#include "workers.h"

/* A big answer was taken apart: what it needed goes back to the system. */
#define TRIM_SIZE ((size_t)1 << 18)

static const struct kind {
	const char *name, *command, *format;
} kinds[] = {
	[PMED_JOB_INVENTORY] = {"inventory", "list", "pmemctl.list"},
	[PMED_JOB_SCAN] = {"scan", "scan", "pmemctl.scan"},
	[PMED_JOB_SNAPSHOT] = {"snapshot", "simulate", "pmemctl.simulate"},
};
_Static_assert(PME_ARRAY_SIZE(kinds) == PMED_JOB_KINDS, "a row for each kind");

const char *pmed_job_name(enum pmed_job_kind kind)
{
	return kinds[kind].name;
}

/* NULL for the inventory. */
static const char *region_of(const struct pmed_job *job)
{
	return job->kind == PMED_JOB_INVENTORY ? NULL : job->place->name;
}

void pmed_job_tell(struct pmed_job *job, const char *why)
{
	struct pmed *d = job->place->daemon;
	struct pmed_news news;
	int r = pmed_news_new(&news);

	if (r == 0)
		r = pmed_state_job(d->state, pmed_job_name(job->kind), region_of(job), why,
				   pmed_now(), &d->last_event, &news);
	if (r == 0) {
		job->told = true;
		pmed_publish(d, &news);
	}
	if (r < 0)
		pmed_log(PME_EVENT_ERROR, "%s %s: cannot be told: %s", pmed_job_name(job->kind),
			 job->place->name, strerror(-r));
	pmed_news_done(&news);
}

static void record(struct pmed_job *job)
{
	struct json_object *changes = pme_json_array(), *row = pme_json_object();

	pme_json_set(row, "id", pme_json_int(job->began));
	pme_json_text(row, "job", pmed_job_name(job->kind));
	pme_json_text(row, "region", region_of(job));
	pme_json_set(row, "ended", pme_json_int(pmed_now()));
	pme_json_text(row, "error", job->reason);
	pme_json_append(changes, pme_store_change("jobs", row));
	pmed_keeper_keep(job->place->daemon, changes);
}

static void remember_failure(struct pmed_job *job)
{
	struct pmed_jobs *jobs = job->place->daemon->jobs;
	struct json_object *failure = pme_json_object();

	pme_json_text(failure, "job", pmed_job_name(job->kind));
	pme_json_text(failure, "region", region_of(job));
	pme_json_owned_text(failure, "time", pme_time_text(pmed_now()));
	pme_json_text(failure, "reason", job->reason);
	json_object_put(jobs->last_failure);
	jobs->last_failure = failure;
}

/* It may have gone while the worker looked for it: the inventory will say so, and nothing failed.
 */
static bool is_gone(const struct pmed_job *job)
{
	_cleanup_free_ char *path = NULL;

	if (job->kind == PMED_JOB_INVENTORY)
		return false;
	path = pme_printf("sys/bus/nd/devices/%s", job->place->name);
	return path && pme_os_exists(&job->place->daemon->os, path) == 0;
}

/* Takes @why. */
static void fail(struct pmed_job *job, char *why)
{
	bool same = job->reason && why && strcmp(job->reason, why) == 0;

	free(job->reason);
	job->reason = why ? why : strdup("no memory");
	job->failed = true;
	if (job->kind == PMED_JOB_SCAN && job->own_cause)
		job->place->own_cause = true;
	job->place->daemon->jobs->failed++;
	if (!same)
		pmed_log(PME_EVENT_WARNING, "%s %s: %s", pmed_job_name(job->kind),
			 region_of(job) ? region_of(job) : "of all devices",
			 job->reason ? job->reason : "no memory");
	remember_failure(job);
	if ((!same || !job->told) && !is_gone(job))
		pmed_job_tell(job, job->reason ? job->reason : "no memory");
}

static void work_again(struct pmed_job *job)
{
	bool failed = job->reason != NULL;

	job->place->daemon->jobs->succeeded++;
	job->last_success = pmed_now();
	free(job->reason);
	job->reason = NULL;
	if (failed)
		pmed_log(PME_EVENT_NOTICE, "%s %s: works again", pmed_job_name(job->kind),
			 region_of(job) ? region_of(job) : "of all devices");
	if (failed || !job->told) /* an earlier run of the daemon may have told that it failed */
		pmed_job_tell(job, NULL);
}

static int give_to_state(struct pmed_job *job, struct json_object *doc, struct pmed_news *news)
{
	struct pmed *d = job->place->daemon;

	switch (job->kind) {
	case PMED_JOB_INVENTORY:
		return pmed_state_inventory(d->state, doc, pmed_now(), &d->last_event, news);
	case PMED_JOB_SCAN:
		return pmed_state_scanned(d->state, job->place->name, doc, pmed_now(),
					  &d->last_event, news);
	case PMED_JOB_SNAPSHOT:
		return pmed_state_snapshot(d->state, job->place->name, doc, pmed_now(),
					   &d->last_event, news);
	}
	return -EINVAL;
}

static void learn(struct pmed_job *job, struct json_object *doc)
{
	struct pmed_news news;
	int r = pmed_news_new(&news);

	if (r == 0)
		r = give_to_state(job, doc, &news);
	if (r == 0) {
		pmed_jobs_learned(job, strcmp(pme_json_get_text(doc, "coverage"), "complete") == 0,
				  news.events);
		pmed_publish(job->place->daemon, &news);
		work_again(job); /* behind what it learned: ids are in the order of telling */
	} else {
		fail(job, r == -EINVAL ? pme_printf("the worker's document is not what `pmemctl "
						    "--json %s` prints",
						    kinds[job->kind].command)
				       : pme_printf("what the worker says cannot be kept: %s",
						    strerror(-r)));
	}
	pmed_news_done(&news);
}

/* It did not fail; what it was to find out is still to be found out. */
static void give_way(struct pmed_job *job)
{
	job->again = true;
	job->gave_way++;
	job->place->daemon->jobs->gave_way++;
	if (job->kind == PMED_JOB_SCAN && job->own_cause)
		job->place->own_cause = true;
	pmed_log(PME_EVENT_INFO, "%s %s: ended for an unmount, and runs again",
		 pmed_job_name(job->kind), job->place->name);
}

/* It may have ended by itself, in time; or not have begun yet. */
static bool gave_way(const struct pmed_job *job, const struct pmed_result *result)
{
	return job->gives_way && !result->timed_out &&
	       (result->signal == SIGKILL || result->error == -ECANCELED);
}

static void end(struct pmed_job *job, const struct pmed_result *result)
{
	struct json_object *doc = NULL;
	char *why = NULL;

	job->gave_way = 0;
	if (pmed_answer_read(result, kinds[job->kind].format, &doc, &why) == 0)
		learn(job, doc);
	else
		fail(job, why);
	json_object_put(doc);
	record(job);
}

static void on_done(void *arg, const struct pmed_result *result)
{
	struct pmed_job *job = arg;
	struct pmed_jobs *jobs = job->place->daemon->jobs;

	if (!result->stuck)
		job->process = NULL;
	jobs->running--;
	jobs->timed_out += result->timed_out;
	if (gave_way(job, result))
		give_way(job);
	else
		end(job, result);
	if (result->stuck)
		pmed_schedule_block(&job->schedule);
	if (result->out_len > TRIM_SIZE)
		malloc_trim(0);
	pmed_jobs_ended(job);
}

/* It hung, and has ended after all. */
static void on_ended(void *arg)
{
	struct pmed_job *job = arg;

	job->process = NULL;
	pmed_schedule_unblock(&job->schedule, pmed_clock());
	pmed_hint(job->place->daemon, PMED_HINT_INVENTORY, NULL);
}

void pmed_job_begin(struct pmed_job *job)
{
	struct pmed *d = job->place->daemon;
	char *argv[] = {(char *)d->program, (char *)"--json", (char *)kinds[job->kind].command,
			(char *)region_of(job), NULL};
	struct pmed_process_args args = pmed_worker_args(d);
	int r;

	args.argv = argv;
	args.done = on_done;
	args.ended = on_ended;
	args.arg = job;
	pmed_schedule_started(&job->schedule);
	job->failed = job->gives_way = job->again = false;
	job->began = d->jobs->last_began = pme_event_next_id(d->jobs->last_began, pmed_now());
	if (job->kind == PMED_JOB_SCAN) {
		job->own_cause = job->place->own_cause;
		job->place->own_cause = false;
	}
	d->jobs->started++;
	d->jobs->running++;
	r = pmed_process_start(d->loop, &args, &job->process);
	if (r == 0)
		return;
	d->jobs->running--;
	fail(job, pme_printf("the worker cannot be started: %s", strerror(-r)));
	pmed_jobs_ended(job);
}
