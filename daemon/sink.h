/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where events go: journal, hooks, mail, metrics, D-Bus.  A sink is a row of the table in
 * sink-kinds.c.
 *
 * sink.c gives each event to each sink that wants it, not the same twice (sink-repeat.h), not more
 * than the configured rate (sink-gate.h; then one more says how many were suppressed), and records
 * the outcome.  A sink that fails does not disturb the others; they are told so once, when it
 * begins to fail.
 */
#ifndef PMED_SINK_H
#define PMED_SINK_H

#include "daemon.h"

struct pmed_sink;
struct pmed_gate;

struct pmed_sink_kind {
	const char *name; /* "journal" */
	bool limited;	  /* the rate limit is for it */
	/* 1 it works, 0 it is switched off, -errno: it cannot work; *ret_reason says why
	 * (allocated).  What it needs of the configuration is copied. */
	int (*start)(struct pmed_sink *sink, char **ret_reason);
	/* Is it an event for this sink?  NULL: all are. */
	bool (*wants)(const struct pmed_sink *sink, enum pme_event_severity severity);
	/* @event is borrowed, @text is its JSON.  0: pmed_sink_outcome() follows, or has come;
	 * -errno: it failed.  NULL: events are not for it. */
	int (*deliver)(struct pmed_sink *sink, struct json_object *event, const char *text);
	/* The state of the watch has changed; may be NULL. */
	void (*refresh)(struct pmed_sink *sink);
	/* Does the configuration say something else than what it was started with?  Switching on
	 * and off is part of it. */
	bool (*stale)(const struct pmed_sink *sink);
	/* Take over a configuration that does not switch it off, and keep what waits: 0, -errno:
	 * nothing was taken over.  NULL: it is stopped and started anew. */
	int (*reload)(struct pmed_sink *sink);
	void (*stop)(struct pmed_sink *sink); /* frees sink->own; no outcome after this */
};

/* What one of its parts ("" is the sink itself) failed at, last; kept until it works. */
struct pmed_sink_fault {
	char *part, *why;
};

struct pmed_sink {
	const struct pmed_sink_kind *kind;
	struct pmed *daemon;
	void *own;    /* of the kind */
	bool on;      /* switched on, and started */
	char *reason; /* why it does not work now, or a part of it; NULL: no trouble */
	struct pmed_sink_fault *faults;
	size_t n_faults, alloc_faults;
	uint64_t delivered, failed, suppressed;
	struct pmed_gate *gate; /* of sink.c; NULL: not limited */
	unsigned int bit;	/* in masks of sinks */
	bool failing;
	const char *dropped; /* while it is stopped: what becomes of events that wait */
	/* During deliver(): names ("hooks/50-page-me") of those that have the event from the run
	 * before; borrowed, NULL: none. */
	struct json_object *told;
};

/* All kinds, NULL behind the last; at most PMED_SINKS_MAX. */
#define PMED_SINKS_MAX 8
extern const struct pmed_sink_kind *const pmed_sink_kinds[];

/*
 * The end of a delivery.  @why: NULL when it was delivered.  @part: a sink that hands an event to
 * several takers reports each ("50-page-me" of the hooks), or NULL.  @event_id 0: what was handed
 * over was no event (a file of metrics).
 */
void pmed_sink_outcome(struct pmed_sink *sink, const char *part, int64_t event_id, const char *why);
/* The end of one that waited when the sink was stopped: nobody gets it, and nobody is told. */
void pmed_sink_drop(struct pmed_sink *sink, const char *part, int64_t event_id);
/* It cannot work now (@why), or works again (NULL), without an event at hand. */
void pmed_sink_state(struct pmed_sink *sink, const char *why);
/* These are all parts that it has now: what others failed at is past. */
void pmed_sink_parts(struct pmed_sink *sink, char *const *parts, size_t count);

/* sink-faults.c: one part works or does not; *@ret is what the sink fails at now, or NULL. */
void pmed_sink_fault_set(struct pmed_sink *sink, const char *part, const char *why, char **ret);
void pmed_sink_faults_drop(struct pmed_sink *sink);
/* Its row of member "sinks". */
struct json_object *pmed_sink_json(const struct pmed_sink *sink);

int pmed_sinks_start(struct pmed *d);
/*
 * "untold" of pme_store_load(): events of the run before this one that ended before all sinks had
 * them.  Those that have no outcome yet get them now.
 */
void pmed_sinks_again(struct pmed *d, struct json_object *untold);
/* By the new configuration; sinks that stay the same stay. */
int pmed_sinks_reload(struct pmed *d);
void pmed_sinks_stop(struct pmed *d);
/*
 * Before the end: "5 events for hooks, 2 for mail" that were too many and of which no count was
 * told, and will not be; allocated, NULL: none.
 */
char *pmed_sinks_suppressed(struct pmed *d);
void pmed_sinks_deliver(struct pmed *d, struct json_object *event);
/* The state has changed: metrics and D-Bus properties. */
void pmed_sinks_refresh(struct pmed *d);
/* Member "sinks" of the watch document. */
void pmed_sinks_json(const struct pmed *d, struct json_object *doc);

extern const struct pmed_sink_kind pmed_sink_journal, pmed_sink_hooks, pmed_sink_mail,
	pmed_sink_metrics, pmed_sink_dbus;

#endif
