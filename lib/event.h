/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: what the watch tells people and programs, one JSON object each
 * (schema/pmemctl.event.json).
 *
 * Every sink and the store get the same object.  Times are microseconds of CLOCK_REALTIME; the id
 * of an event is its time, made greater than the id before it, so that ids need no store and sort
 * by time.
 */
#ifndef PME_EVENT_H
#define PME_EVENT_H

#include "doc.h"

enum pme_event_type {
	PME_EVENT_FINDING_ADDED,
	PME_EVENT_FINDING_CHANGED, /* verdict, or the files it meets */
	PME_EVENT_FINDING_GONE,
	PME_EVENT_DEVICE_OFFLINE, /* namespace, region or DIMM is gone; what was on it is offline */
	PME_EVENT_DEVICE_ONLINE,
	PME_EVENT_DEVICE_CHANGED, /* another mode, size or name */
	PME_EVENT_DAX_LOST,	  /* a filesystem with MAP_SYNC mappings cannot do DAX any more */
	PME_EVENT_SCRUB_STARTED,
	PME_EVENT_SCRUB_FINISHED,
	PME_EVENT_HEALTH,
	PME_EVENT_MEMORY_FAILURE,
	PME_EVENT_CXL,
	PME_EVENT_COVERAGE_INCOMPLETE, /* a job failed, hung, or could not see everything */
	PME_EVENT_COVERAGE_COMPLETE,
	PME_EVENT_WATCH_STARTED,
	PME_EVENT_WATCH_STOPPED,
	PME_EVENT_STORE_REPLACED, /* the store was damaged, moved aside, and made anew */
	PME_EVENT_SINK_FAILED,
	PME_EVENT_TYPES
};

/* Severities are those of syslog(3), of which these are used. */
enum pme_event_severity {
	PME_EVENT_CRITICAL = 2, /* data is lost, or a device is gone */
	PME_EVENT_ERROR = 3,
	PME_EVENT_WARNING = 4,
	PME_EVENT_NOTICE = 5,
	PME_EVENT_INFO = 6,
};

/* "finding-added", "critical"; NULL when there is none such. */
const char *pme_event_type_name(enum pme_event_type type);
const char *pme_event_severity_name(enum pme_event_severity severity);
/* The reverse: 0 or -EINVAL. */
int pme_event_type_parse(const char *name, enum pme_event_type *ret);
int pme_event_severity_parse(const char *name, enum pme_event_severity *ret);

/* The id of the next event: @now, or one more than @last. */
int64_t pme_event_next_id(int64_t last, int64_t now);

/* Microseconds as RFC 3339 text in UTC, allocated, and back: 0 or -EINVAL. */
char *pme_time_text(int64_t us);
int pme_time_parse(const char *text, int64_t *ret);
/* The same as a member; 0, there was none yet: null. */
void pme_json_time(struct json_object *object, const char *key, int64_t us);

/*
 * A time as people give it: RFC 3339 ("Z" or an offset), "2026-01-02", "2026-01-02 03:04[:05]"
 * (time of this machine's zone), or how long before @now: "2h".  0 or -EINVAL.
 */
int pme_time_asked_parse(const char *text, int64_t now, int64_t *ret);

/*
 * A new event with every member; those not given are null, 0 or empty arrays, to be replaced with
 * pme_json_set(): "incident", "device", "findings", "files", "holders", "bad_bytes", "lost_bytes",
 * "recoverable_bytes", "advice", "detail".  @text: one sentence for people, without a period.
 */
struct json_object *pme_event_new(int64_t id, enum pme_event_type type,
				  enum pme_event_severity severity, const char *text);

#endif
