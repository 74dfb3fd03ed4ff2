/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of daemon/jobs.c and job.c: jobs with a shell script for pmemctl, and instead of the
 * state, the keeper and the sinks what only counts.  Whatever a test does, two jobs at one region
 * fail it.
 */
#ifndef PME_TESTS_JOBS_WORLD_H
#define PME_TESTS_JOBS_WORLD_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "../daemon/source.h" /* not that of lib/ */
#include "check.h"
#include "job.h"
#include "jobs.h"
#include "keeper.h"
#include "sink.h"
#include "state.h"
#include "store.h"
#include "watch.h"

#define LIMIT_USEC 60000000ULL
#define REGIONS 3

struct world {
	struct pmed d;
	char dir[32];
	char program[64];
	unsigned int scans[REGIONS], snapshots[REGIONS], inventories, told, rows, again;
	char last_told[512];
	char heard[512]; /* types of events, in the order in which sinks got them */
	bool failed;	 /* the state was told so, last */
	bool present[REGIONS], findings[REGIONS];
	bool shown[REGIONS]; /* to sinks, last */
	bool news;	     /* every scan has a finding that is new */
	bool offended;	     /* two jobs at one region, or more than allowed */
};

static struct world *world;

static inline size_t number_of(const char *region)
{
	assert_int_equal(strlen(region), 7);
	return (size_t)(region[6] - '0');
}

int pmed_news_new(struct pmed_news *ret)
{
	ret->events = pme_json_array();
	ret->changes = pme_json_array();
	return 0;
}

void pmed_news_done(struct pmed_news *news)
{
	json_object_put(news->events);
	json_object_put(news->changes);
}

int pmed_state_scanned(struct pmed_state *state, const char *region, struct json_object *doc,
		       int64_t now, int64_t *last_id, struct pmed_news *news)
{
	world->scans[number_of(region)]++;
	if (world->news)
		pme_json_append(news->events,
				pme_event_new(1, PME_EVENT_FINDING_ADDED, PME_EVENT_ERROR, "x"));
	return 0;
}

int pmed_state_inventory(struct pmed_state *state, struct json_object *doc, int64_t now,
			 int64_t *last_id, struct pmed_news *news)
{
	world->inventories++;
	return 0;
}

int pmed_state_snapshot(struct pmed_state *state, const char *region, struct json_object *doc,
			int64_t now, int64_t *last_id, struct pmed_news *news)
{
	world->snapshots[number_of(region)]++;
	return 0;
}

int pmed_state_job(struct pmed_state *state, const char *job, const char *region, const char *why,
		   int64_t now, int64_t *last_id, struct pmed_news *news)
{
	if (!why && world->failed)
		pme_json_append(news->events, pme_event_new(2, PME_EVENT_COVERAGE_COMPLETE,
							    PME_EVENT_NOTICE, "x"));
	world->failed = why != NULL;
	if (!why)
		return 0;
	world->told++;
	snprintf(world->last_told, sizeof(world->last_told), "%s %s: %s", job,
		 region ? region : "-", why);
	return 0;
}

int pmed_state_regions(const struct pmed_state *state, bool only_with_findings, const char ***ret,
		       size_t *ret_count)
{
	static const char *const names[REGIONS] = {"region0", "region1", "region2"};
	const char **found = calloc(REGIONS, sizeof(*found));
	size_t count = 0;

	assert_non_null(found);
	for (size_t i = 0; i < REGIONS; i++)
		if (world->present[i] && (!only_with_findings || world->findings[i]))
			found[count++] = names[i];
	*ret = found;
	*ret_count = count;
	return 0;
}

void pmed_keeper_keep(struct pmed *d, struct json_object *changes)
{
	world->rows += (unsigned int)pme_json_count(changes);
	json_object_put(changes);
}

void pmed_keeper_event(struct pmed *d, struct json_object *event)
{
}

void pmed_sinks_deliver(struct pmed *d, struct json_object *event)
{
	size_t used = strlen(world->heard);

	snprintf(world->heard + used, sizeof(world->heard) - used, "%s ",
		 pme_json_get_text(event, "type"));
}

/* As the bus does: properties are made of what is there at this moment. */
void pmed_sinks_refresh(struct pmed *d)
{
	struct json_object *doc = pme_json_object(), *regions;

	pmed_jobs_json(d, doc);
	regions = pme_json_get(pme_json_get(doc, "jobs"), "regions");
	for (size_t i = 0; i < REGIONS; i++)
		world->shown[i] = false;
	for (size_t i = 0; i < pme_json_count(regions); i++)
		world->shown[number_of(pme_json_get_text(pme_json_at(regions, i), "name"))] = true;
	json_object_put(doc);
}

void pmed_sources_again(struct pmed *d)
{
	world->again++;
}

/* After every job: what runs is within the limits. */
void pmed_watch_changed(struct pmed *d)
{
	size_t running = 0;

	for (size_t i = 0; d->jobs && i < d->jobs->count; i++) {
		size_t here = 0;

		for (size_t j = 0; j < PMED_JOB_KINDS; j++)
			here += d->jobs->places[i]->jobs[j].process != NULL;
		running += here;
		if (here > 1)
			world->offended = true;
	}
	if (running > d->conf.jobs.parallel)
		world->offended = true;
}

static inline void write_file(const char *name, const char *text, mode_t mode)
{
	int fd = openat(world->d.os.root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* @script gets the command as $1 and the region as $2; D is the directory of the test. */
static inline void set_worker(const char *script)
{
	_cleanup_free_ char *text =
		pme_printf("#!/bin/sh\nD=%s\nanswer() { echo \"{\\\"format\\\": "
			   "\\\"pmemctl.$1\\\", \\\"coverage\\\": \\\"${2-complete}\\\"}\"; }\n"
			   "shift\n%s\n",
			   world->dir, script);

	assert_non_null(text);
	write_file("worker.new", text, 0755);
	assert_int_equal(renameat(world->d.os.root, "worker.new", world->d.os.root, "worker"), 0);
}

#define WORKS "answer $1"
#define SEES_A_PART "answer $1 incomplete"

static inline void make_region(size_t i)
{
	char path[64];

	snprintf(path, sizeof(path), "sys/bus/nd/devices/region%zu", i);
	assert_int_equal(mkdirat(world->d.os.root, path, 0755), 0);
	world->present[i] = true;
}

static inline int set_up(void **state)
{
	static const char *const dirs[] = {"sys", "sys/bus", "sys/bus/nd", "sys/bus/nd/devices"};

	world = calloc(1, sizeof(*world));
	assert_non_null(world);
	snprintf(world->dir, sizeof(world->dir), "/tmp/test-jobs-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	snprintf(world->program, sizeof(world->program), "%s/worker", world->dir);
	assert_int_equal(pme_os_open_root(world->dir, &world->d.os), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(world->d.os.root, dirs[i], 0755), 0);
	for (size_t i = 0; i < REGIONS; i++)
		make_region(i);
	assert_true(sd_event_new(&world->d.loop) >= 0);
	world->d.program = world->program;
	world->d.conf.watch.settle = 20;
	world->d.conf.watch.snapshot = 3600000;
	world->d.conf.jobs.parallel = 2;
	world->d.conf.jobs.deadline = 30000;
	world->d.conf.jobs.retry = 30;
	world->d.conf.jobs.retry_max = 100;
	set_worker(WORKS);
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int tear_down(void **state)
{
	assert_false(world->offended);
	pmed_jobs_stop(&world->d);
	pmed_process_end_all(10000);
	sd_event_unref(world->d.loop);
	pme_os_close(&world->d.os);
	nftw(world->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(world);
	return 0;
}

static inline void step(void)
{
	assert_true(sd_event_run(world->d.loop, LIMIT_USEC) > 0);
}

static inline bool is_idle(void)
{
	for (size_t i = 0; i < world->d.jobs->count; i++)
		for (size_t j = 0; j < PMED_JOB_KINDS; j++) {
			const struct pmed_job *job = &world->d.jobs->places[i]->jobs[j];

			if (job->process || job->schedule.hint != PMED_NEVER)
				return false;
			if (job->schedule.by < pmed_clock() + 60000000)
				return false;
		}
	return true;
}

static inline void run_until_idle(void)
{
	do {
		step();
	} while (!is_idle());
}

static inline void start(void)
{
	assert_int_equal(pmed_jobs_start(&world->d), 0);
	run_until_idle();
}

static inline void forget_counts(void)
{
	memset(world->scans, 0, sizeof(world->scans));
	memset(world->snapshots, 0, sizeof(world->snapshots));
	world->inventories = world->told = world->rows = world->again = 0;
}

#endif
