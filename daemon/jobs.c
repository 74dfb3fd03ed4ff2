/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which job runs when; see jobs.h.  What one job is, is in job.c.
 *
 * The surprise: a change at one region makes the others that have findings due, because a mirror
 * has legs in several; but what is looked at for that reason alone passes nothing on, or two
 * regions would keep each other busy for ever.
 */
#include "jobs.h"

#include <string.h>

#include "job.h"
#include "order.h"
#include "repairs.h"
#include "source.h"
#include "state.h"
#include "watch.h"

#define MSEC 1000ULL
#define ACCURACY_USEC 1000
/* Mounts and tables change in bursts that nobody waits for: what stands on a device can wait. */
#define STACK_SETTLE_USEC (5000 * MSEC)
/* What could not be seen may only have been on its way: looked at again soon, and then later and
 * later. */
#define GAP_USEC (10000 * MSEC)
/* Regions; a machine has one for each interleave set. */
#define PLACES_MAX 1024

static struct pmed_retry retry_of(const struct pmed *d)
{
	return (struct pmed_retry){d->conf.jobs.retry * MSEC, d->conf.jobs.retry_max * MSEC};
}

static uint64_t settle_of(const struct pmed *d)
{
	return d->conf.watch.settle * MSEC;
}

static struct pmed_schedule *schedule_of(struct pmed_place *place, enum pmed_job_kind kind)
{
	return &place->jobs[kind].schedule;
}

static bool is_busy(const struct pmed_place *place)
{
	for (size_t i = 0; i < PMED_JOB_KINDS; i++)
		if (place->jobs[i].process)
			return true;
	return false;
}

static uint64_t due_of(const struct pmed_place *place, enum pmed_job_kind kind)
{
	return is_busy(place) ? PMED_NEVER : pmed_schedule_due(&place->jobs[kind].schedule);
}

static struct pmed_place *find_place(struct pmed_jobs *jobs, const char *region)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (strcmp(jobs->places[i]->name, region) == 0)
			return jobs->places[i];
	return NULL;
}

static struct pmed_place *new_place(struct pmed *d, const char *name)
{
	struct pmed_place *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	place->daemon = d;
	place->name = strdup(name);
	if (!place->name) {
		free(place);
		return NULL;
	}
	for (size_t i = 0; i < PMED_JOB_KINDS; i++) {
		place->jobs[i].kind = (enum pmed_job_kind)i;
		place->jobs[i].place = place;
		pmed_schedule_init(&place->jobs[i].schedule);
	}
	return place;
}

static void free_place(struct pmed_place *place)
{
	for (size_t i = 0; i < PMED_JOB_KINDS; i++) {
		if (place->jobs[i].process)
			pmed_process_forget(place->jobs[i].process);
		free(place->jobs[i].reason);
	}
	free(place->name);
	free(place);
}

/* NULL: no memory, or too many. */
static struct pmed_place *add_place(struct pmed *d, const char *region)
{
	struct pmed_jobs *jobs = d->jobs;
	struct pmed_place *place;

	if (jobs->count >= PLACES_MAX ||
	    pme_grow(&jobs->places, &jobs->alloc, jobs->count, sizeof(*jobs->places)) < 0)
		return NULL;
	place = new_place(d, region);
	if (place)
		jobs->places[jobs->count++] = place;
	return place;
}

/* The first of @kind that is due, and since when. */
static struct pmed_place *first_of(struct pmed_jobs *jobs, enum pmed_job_kind kind,
				   uint64_t *ret_due)
{
	struct pmed_place *first = NULL;

	*ret_due = PMED_NEVER;
	for (size_t i = 0; i < jobs->count; i++) {
		uint64_t due = due_of(jobs->places[i], kind);

		if (due < *ret_due) {
			*ret_due = due;
			first = jobs->places[i];
		}
	}
	return first;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg);

static void arm(struct pmed *d, uint64_t due)
{
	struct pmed_jobs *jobs = d->jobs;
	int r = 0;

	if (due == PMED_NEVER) {
		if (jobs->timer)
			sd_event_source_set_enabled(jobs->timer, SD_EVENT_OFF);
		return;
	}
	if (!jobs->timer)
		r = sd_event_add_time(d->loop, &jobs->timer, CLOCK_BOOTTIME, due, ACCURACY_USEC,
				      on_timer, d);
	else
		r = sd_event_source_set_time(jobs->timer, due);
	if (r >= 0)
		r = sd_event_source_set_enabled(jobs->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		pmed_log(PME_EVENT_ERROR, "jobs: cannot set a timer: %s", strerror(-r));
}

/* Snapshots, which are many and can wait, leave a place to others where there are several. */
static bool may_begin(const struct pmed *d, enum pmed_job_kind kind)
{
	uint64_t most = d->conf.jobs.parallel;

	return d->jobs->running < (kind == PMED_JOB_SNAPSHOT && most > 1 ? most - 1 : most);
}

/* Begin all that is due, those of the first kind first. */
static void begin_due(struct pmed *d)
{
	struct pmed_jobs *jobs = d->jobs;
	struct pmed_place *place;
	uint64_t due;

	for (size_t i = 0; i < PMED_JOB_KINDS; i++)
		while (may_begin(d, (enum pmed_job_kind)i) &&
		       (place = first_of(jobs, (enum pmed_job_kind)i, &due)) && due <= pmed_clock())
			pmed_job_begin(&place->jobs[i]);
}

/* A job that cannot even begin ends within this: then it is not begun a second time. */
static void run_due(struct pmed *d)
{
	struct pmed_jobs *jobs = d->jobs;
	uint64_t next = PMED_NEVER, due;

	if (jobs->beginning)
		return;
	jobs->beginning = true;
	begin_due(d);
	jobs->beginning = false;
	for (size_t i = 0; i < PMED_JOB_KINDS; i++) {
		if (!may_begin(d, (enum pmed_job_kind)i))
			continue;
		first_of(jobs, (enum pmed_job_kind)i, &due);
		next = pme_min(next, due);
	}
	arm(d, next);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	run_due(arg);
	return 0;
}

static uint64_t stack_settle_of(const struct pmed *d)
{
	return pme_max(STACK_SETTLE_USEC, settle_of(d));
}

static void hint_stack(struct pmed *d, uint64_t now)
{
	struct pmed_jobs *jobs = d->jobs;

	for (size_t i = 1; i < jobs->count; i++)
		pmed_schedule_hint(schedule_of(jobs->places[i], PMED_JOB_SNAPSHOT), now,
				   stack_settle_of(d));
}

/* Those that have findings, but for @but (may be NULL). */
static void hint_findings(struct pmed *d, const struct pmed_place *but, uint64_t now,
			  uint64_t settle)
{
	_cleanup_free_ const char **names = NULL;
	size_t count = 0;

	if (pmed_state_regions(d->state, true, &names, &count) < 0) {
		pmed_log(PME_EVENT_WARNING, "jobs: no memory to look at all findings again");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct pmed_place *place = find_place(d->jobs, names[i]);

		if (place && place != but)
			pmed_schedule_hint(schedule_of(place, PMED_JOB_SCAN), now, settle);
	}
}

static void hint_place(struct pmed *d, struct pmed_place *place, uint64_t now)
{
	place->own_cause = true;
	pmed_schedule_hint(schedule_of(place, PMED_JOB_SCAN), now, settle_of(d));
}

static void hint_region(struct pmed *d, const char *name, uint64_t now)
{
	struct pmed_place *place;

	if (!pmed_is_region(name))
		return;
	place = find_place(d->jobs, name);
	if (!place) {
		place = add_place(d, name);
		pmed_schedule_hint(schedule_of(d->jobs->places[0], PMED_JOB_INVENTORY), now,
				   settle_of(d));
	}
	if (place)
		hint_place(d, place, now);
	else
		pmed_log(PME_EVENT_ERROR, "%s: cannot be watched: no memory, or too many regions",
			 name);
}

void pmed_hint(struct pmed *d, enum pmed_hint what, const char *name)
{
	uint64_t now = pmed_clock();

	if (!d->jobs)
		return;
	switch (what) {
	case PMED_HINT_REGION:
		hint_region(d, name, now);
		break;
	case PMED_HINT_EVERYTHING:
		for (size_t i = 1; i < d->jobs->count; i++)
			hint_place(d, d->jobs->places[i], now);
		hint_stack(d, now);
		__attribute__((fallthrough));
	case PMED_HINT_INVENTORY:
		pmed_schedule_hint(schedule_of(d->jobs->places[0], PMED_JOB_INVENTORY), now,
				   settle_of(d));
		break;
	case PMED_HINT_STACK:
		hint_stack(d, now);
		hint_findings(d, NULL, now, stack_settle_of(d));
		break;
	}
	run_due(d);
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Without memory to tell: yes. */
static bool has_findings(struct pmed *d, const struct pmed_place *place)
{
	_cleanup_free_ const char **names = NULL;
	size_t count = 0;

	return pmed_state_regions(d->state, true, &names, &count) < 0 ||
	       has_name(names, count, place->name);
}

/* A region that is new: looked at at once, and what stands on it after that. */
static void welcome(struct pmed *d, const char *name, uint64_t now)
{
	struct pmed_place *place = find_place(d->jobs, name);

	if (!place)
		place = add_place(d, name);
	if (!place || place->welcomed)
		return;
	place->welcomed = place->own_cause = true;
	pmed_schedule_by(schedule_of(place, PMED_JOB_SCAN), now);
	pmed_schedule_by(schedule_of(place, PMED_JOB_SNAPSHOT), now);
}

/* What failed at a region that is gone is no gap in what is watched.  It is taken out first: who is
 * told so looks at all places. */
static void part_from(struct pmed_jobs *jobs, size_t at)
{
	struct pmed_place *place = jobs->places[at];

	jobs->count--;
	memmove(&jobs->places[at], &jobs->places[at + 1],
		(jobs->count - at) * sizeof(*jobs->places));
	for (size_t i = 0; i < PMED_JOB_KINDS; i++)
		if (place->jobs[i].reason)
			pmed_job_tell(&place->jobs[i], NULL);
	free_place(place);
}

static void sync_places(struct pmed *d, bool all_known)
{
	struct pmed_jobs *jobs = d->jobs;
	_cleanup_free_ const char **names = NULL;
	size_t count = 0;

	if (pmed_state_regions(d->state, false, &names, &count) < 0) {
		pmed_log(PME_EVENT_ERROR, "jobs: no memory to learn which regions there are");
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (pmed_is_region(names[i]))
			welcome(d, names[i], pmed_clock());
	for (size_t i = jobs->count; all_known && i-- > 1;)
		if (!is_busy(jobs->places[i]) && !has_name(names, count, jobs->places[i]->name))
			part_from(jobs, i);
}

/* Regions of devices that came, went or changed. */
static void hint_by_news(struct pmed *d, struct json_object *events, uint64_t now)
{
	for (size_t i = 0; i < pme_json_count(events); i++) {
		struct json_object *device = pme_json_get(pme_json_at(events, i), "device");
		struct pmed_place *place;

		if (!device)
			continue;
		place = find_place(d->jobs, pme_json_get_text(device, "region"));
		if (place && place != d->jobs->places[0])
			hint_place(d, place, now);
		hint_stack(d, now);
	}
}

static bool tells_findings(struct json_object *events)
{
	for (size_t i = 0; i < pme_json_count(events); i++)
		if (strncmp(pme_json_get_text(pme_json_at(events, i), "type"), "finding-", 8) == 0)
			return true;
	return false;
}

/* A scan of @job that was not whole. */
static uint64_t gap_delay(const struct pmed *d, struct pmed_job *job)
{
	uint64_t most = d->conf.watch.snapshot * MSEC, delay = GAP_USEC << job->gaps;

	if (delay >= most)
		return most;
	job->gaps++;
	return delay;
}

void pmed_jobs_learned(struct pmed_job *job, bool whole, struct json_object *events)
{
	struct pmed_place *place = job->place;
	struct pmed *d = place->daemon;
	uint64_t now = pmed_clock();

	switch (job->kind) {
	case PMED_JOB_INVENTORY:
		hint_by_news(d, events, now);
		break;
	case PMED_JOB_SCAN:
		if (job->own_cause && tells_findings(events))
			hint_findings(d, place, now, settle_of(d));
		if (tells_findings(events))
			pmed_repairs_hint(d);
		/* A file that is deleted, or a member that fails, changes no list. */
		if (has_findings(d, place))
			pmed_schedule_by(&job->schedule, now + d->conf.watch.snapshot * MSEC);
		if (whole)
			job->gaps = 0;
		else
			pmed_schedule_by(&job->schedule, now + gap_delay(d, job));
		break;
	case PMED_JOB_SNAPSHOT:
		pmed_schedule_by(&job->schedule, now + d->conf.watch.snapshot * MSEC);
		break;
	}
}

void pmed_jobs_ended(struct pmed_job *job)
{
	struct pmed *d = job->place->daemon;
	bool inventory = job->kind == PMED_JOB_INVENTORY;

	if (job->again)
		pmed_schedule_again(&job->schedule, pmed_clock(), settle_of(d));
	else if (job->failed)
		pmed_schedule_failed(&job->schedule, pmed_clock(), retry_of(d));
	else
		pmed_schedule_worked(&job->schedule);
	/* A region may be gone: the inventory knows, and then it is no failure that lasts. */
	if (job->failed && !inventory)
		pmed_schedule_hint(schedule_of(d->jobs->places[0], PMED_JOB_INVENTORY),
				   pmed_clock(), settle_of(d));
	if (inventory) {
		bool known = !job->failed;

		sync_places(d, known);
		if (known)
			pmed_sources_again(d);
	}
	run_due(d);
	pmed_watch_changed(d);
}

int pmed_jobs_start(struct pmed *d)
{
	struct pmed_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	d->jobs = jobs;
	if (!add_place(d, "")) {
		pmed_jobs_stop(d);
		return -ENOMEM;
	}
	pmed_schedule_by(schedule_of(jobs->places[0], PMED_JOB_INVENTORY), 0);
	run_due(d);
	return 0;
}

/* What waits for a long time waits no longer than the new configuration says. */
static void shorten(struct pmed_schedule *schedule, uint64_t now, const struct pmed *d)
{
	if (schedule->by == PMED_NEVER)
		return;
	pmed_schedule_by(schedule, now + (schedule->failures > 0 ? d->conf.jobs.retry_max
								 : d->conf.watch.snapshot) *
						   MSEC);
}

void pmed_jobs_reload(struct pmed *d)
{
	uint64_t now = pmed_clock();

	for (size_t i = 0; i < d->jobs->count; i++)
		for (size_t j = 0; j < PMED_JOB_KINDS; j++)
			shorten(schedule_of(d->jobs->places[i], (enum pmed_job_kind)j), now, d);
	run_due(d);
}

void pmed_jobs_stop(struct pmed *d)
{
	struct pmed_jobs *jobs = d->jobs;

	if (!jobs)
		return;
	for (size_t i = 0; i < jobs->count; i++)
		free_place(jobs->places[i]);
	free(jobs->places);
	json_object_put(jobs->last_failure);
	sd_event_source_disable_unref(jobs->timer);
	free(jobs);
	d->jobs = NULL;
}
