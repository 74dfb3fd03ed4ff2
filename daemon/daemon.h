/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctld: one object that everything in the loop gets, and what sources may say to it.
 *
 * The loop decides when to look; looking is the work of `pmemctl … --json`, one process for each
 * job. Nothing in the loop may block: what may (the store, the journal, files) has a lane (lane.h),
 * and programs are processes (process.h).  Between jobs nothing is open on any device or mount;
 * sysfs files are no devices.
 */
#ifndef PMED_DAEMON_H
#define PMED_DAEMON_H

#include <systemd/sd-event.h>

#include "conf.h"
#include "event.h"

struct pmed {
	sd_event *loop;
	struct pme_os os;
	struct pme_conf conf;
	const char *program;  /* pmemctl, as path */
	bool own_program;     /* another than the installed one */
	const char *launcher; /* socket of what starts workers; NULL: they are our children */
	bool workers_found;   /* of workers.c */
	struct pmed_state *state;
	struct pmed_jobs *jobs;
	struct pmed_repairs *repairs;
	struct pmed_keeper *keeper;
	struct pmed_sources *sources;
	struct pmed_sinks *sinks;
	struct pmed_scrubs *scrubs; /* of source-scrub.c, or NULL */
	struct pmed_dimms *dimms;   /* of source-health.c, or NULL */
	struct json_object *health; /* rows of the store, until source-health.c takes them */
	struct json_object *untold; /* the same, until the sinks are there */
	struct pmed_watch *watch;
	int64_t started;    /* CLOCK_REALTIME, µs */
	int64_t last_event; /* id */
};

/* Hints: "look again at …".  Cheap, idempotent, may come thousands of times. */
enum pmed_hint {
	PMED_HINT_REGION,     /* its lists may have changed; @name: "region0" */
	PMED_HINT_INVENTORY,  /* devices may have come or gone */
	PMED_HINT_STACK,      /* tables or mounts changed: other files may stand on what is bad */
	PMED_HINT_EVERYTHING, /* something was missed */
};
void pmed_hint(struct pmed *d, enum pmed_hint what, const char *name);

/* An event that a source found out by itself; takes @event, NULL (no memory) is said in the log. */
void pmed_tell(struct pmed *d, struct json_object *event);
/* What the state learned goes to the store and the sinks; empties @news. */
struct pmed_news;
void pmed_publish(struct pmed *d, struct pmed_news *news);
/* Id for a new event, now. */
int64_t pmed_event_id(struct pmed *d);
/* Microseconds: of CLOCK_REALTIME, and of CLOCK_BOOTTIME for everything that waits. */
int64_t pmed_now(void);
uint64_t pmed_clock(void);

/* The loop's own log line (journal or standard error), for what is no event. */
void pmed_log(enum pme_event_severity severity, const char *fmt, ...) _printf_(2, 3);

/* What `pmemctl metrics` and `status` show of the watch: schema/pmemctl.watch.json.  New reference,
 * NULL without memory. */
struct json_object *pmed_watch_json(struct pmed *d);

#endif
