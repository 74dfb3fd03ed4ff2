/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: what was found, when, and what became of it; SQLite, one file.
 *
 * One writer (pmemctld, in a thread of its own: any call may block), any number of readers (pmemctl
 * events, pmemctl status).  It is a record and never the truth of the moment: the watch goes on
 * without it.  Times are microseconds of CLOCK_REALTIME.  Functions return 0 or -errno: -EBUSY,
 * -ENOSPC, -EIO, -EUCLEAN (damaged), -EPROTO (written by a newer version), -ENOMEM.
 */
#ifndef PME_STORE_H
#define PME_STORE_H

#include "doc.h"

#define PME_STORE_VERSION 2

struct pme_store;

/*
 * Open for writing, made when missing, older versions migrated.  A damaged one (also one of noise)
 * is moved aside to PATH.damaged-TIME, one of a newer version to PATH.newer-TIME; *@ret_moved is
 * then that name (allocated), also when the new one could not be made, else NULL.
 */
int pme_store_open(const char *path, int64_t now, struct pme_store **ret, char **ret_moved);
/* The same for one that turned out to be damaged later: it is moved aside unseen. */
int pme_store_replace(const char *path, int64_t now, struct pme_store **ret, char **ret_moved);
/*
 * The same for a record that must not be lost: nothing is moved aside (-EUCLEAN damaged, -EPROTO
 * newer), and each change is on the disk when it is made.  *@ret is set also when it failed, unless
 * without memory: pme_store_error() says why; close it.
 */
int pme_store_open_durable(const char *path, struct pme_store **ret);
/* Was what is now at @moved set aside because a newer version wrote it? */
bool pme_store_was_newer(const char *moved);
/* For reading; -ENOENT when there is none. */
int pme_store_open_read(const char *path, struct pme_store **ret);
struct pme_store *pme_store_close(struct pme_store *store); /* NULL is fine; returns NULL */

/*
 * SQLite believes what it has in memory, whatever became of the file: -ENOENT, it was taken away;
 * -EUCLEAN, something else was written into it.
 */
int pme_store_look(struct pme_store *store);

/* What SQLite says of the last error; borrowed. */
const char *pme_store_error(const struct pme_store *store);

/*
 * Apply changes, all or none.  @changes is a JSON array; each has "table" and "row".  Columns that
 * a row does not have stay as they are; a column that the table does not have is -EINVAL;
 * first_seen of what is there, and not gone, never becomes later.  Columns,
 * the key first (texts, but for times, which are µs; objects and arrays are kept as their text):
 *
 *   devices    identity, name, namespace, mode, region, uuid, dimms, size, present, first_seen,
 *              last_seen, last_scan, whole, standing
 *   findings   id, device (an identity), name, start, length, verdict, state ("present", "offline",
 *              "gone"), first_seen, last_seen, gone, incident, finding (as `pmemctl scan` shows it)
 *   incidents  id, device, cause ("findings", "offline", "coverage"), opened, closed, severity,
 * text events     the row is the event itself, as in event.h jobs       id (when it began), job,
 * region, ended, error (null: it worked) health     dimm, time, sample outcomes   event, sink,
 * time, error (null: delivered) whole      {"time": …}: what follows is all that there is: what is
 * not in it is gone or closed
 *
 * It touches nothing but the store and @changes, so it may run in a thread of its own when the
 * array was parsed there.
 */
int pme_store_apply(struct pme_store *store, struct json_object *changes);
/* One such change; takes @row. */
struct json_object *pme_store_change(const char *table, struct json_object *row);

/* Forget events, closed incidents, gone findings, jobs and samples from before @before, all but
 * @max_events, and of samples older than a week all but one for each DIMM and day. */
int pme_store_expire(struct pme_store *store, int64_t now, int64_t before, uint64_t max_events);

/* What the watch knew when it last ran: {"devices": […], "findings": […], "incidents": […]}, rows
 * that are not gone or closed, and "health": […], the last sample of each DIMM; and
 * "untold": [{"event", "sinks"}], the last events, oldest first, each with the sinks (and parts:
 * "hooks/50-page-me") that have an outcome of it, unless it was dropped at the end. */
int pme_store_load(struct pme_store *store, struct json_object **ret);

/* Events, oldest first. */
struct pme_event_filter {
	int64_t since, until;  /* half open; 0: no limit */
	int64_t after;	       /* only ids greater than this one */
	const char *device;    /* its name, identity, namespace, region or DIMM; NULL: all */
	int type;	       /* enum pme_event_type, or -1 */
	unsigned int severity; /* this and what is worse; 0: all */
	uint64_t limit;	       /* the newest so many; 0: all */
};
/* @each gets one event at a time; a negative result of it ends the reading and is returned. */
int pme_store_events(struct pme_store *store, const struct pme_event_filter *filter,
		     int (*each)(void *arg, struct json_object *event), void *arg);

/* When was finding @id first seen?  0 and the time, -ENOENT. */
int pme_store_first_seen(struct pme_store *store, const char *id, int64_t *ret);

#endif
