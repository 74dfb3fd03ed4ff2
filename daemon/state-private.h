/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of state.c share; see state.h.
 *
 * The surprise: a finding is kept as text.  A store full of findings is thousands of them, and as
 * trees of json-c objects they would be ten times as large.
 */
#ifndef PMED_STATE_PRIVATE_H
#define PMED_STATE_PRIVATE_H

#include "claim.h"
#include "state.h"
#include "store.h"

/* More than this in one document is no document of ours: a machine has a few hundred devices, and
 * a list of bad blocks 512 entries (8192 with pages of 64 KiB). */
#define PMED_DEVICES_MAX 4096
#define PMED_FINDINGS_MAX 65536
#define PMED_EVENT_FINDINGS 512 /* of one event; more are further events */
#define PMED_EVENT_FILES 1000
#define PMED_EVENT_HOLDERS 1000
#define PMED_REASONS 4 /* of one gap that are remembered */

/* Who said last that it is bad: only they can take it back. */
#define PMED_BY_BADBLOCKS 1U /* the list of the disk */
#define PMED_BY_REGION 2U

struct pmed_finding {
	char *id;
	struct pme_range range;
	enum pme_verdict verdict;
	unsigned int known_by; /* PMED_BY_* */
	uint64_t digest;       /* of its verdict and of what it meets */
	uint64_t devices;      /* of their names */
	char *text;	       /* as the scan showed it */
	uint64_t address;      /* physical, of its first byte, if known */
	bool has_address;
	int64_t first_seen, last_seen;
	/* While a document is looked at: */
	struct json_object *fresh; /* the same there; borrowed */
	bool renamed;		   /* its devices have other names there */
	enum { PMED_SAME, PMED_ADDED, PMED_CHANGED, PMED_GONE } mark;
	/* What there is to say of it: added, its bytes are known of a device that is not seen now,
	 * or all of it is known of other findings; gone, but some or all of its bytes are bad
	 * still, as other ranges, here or elsewhere; or its device is forgotten. */
	enum {
		PMED_PLAIN,
		PMED_KNOWN_AWAY,
		PMED_KNOWN_PART,
		PMED_PARTLY_BAD,
		PMED_STILL_BAD,
		PMED_FORGOTTEN
	} bytes;
};

/* What `pmemctl list` says of a device; it is known by its identity. */
struct pmed_device {
	char *identity;
	struct json_object *about; /* "device" of its events */
	char *uuid;
	uint64_t size;
	bool present;
	int64_t first_seen, last_seen, last_scan; /* 0: never */
	bool whole;				  /* the last scan saw everything */
	struct json_object *standing;		  /* what the last snapshot found on it, or NULL */
	int64_t looked;				  /* when that was; 0: in an earlier run */
	struct pmed_finding *findings;
	size_t n_findings, alloc_findings;
	uint64_t files; /* that lose something by them */
	/* While a document is looked at: */
	const char *list;	 /* state of its list there, or NULL: it is not in it */
	const char *region_list; /* and that of its region's */
	bool doubtful;		 /* it could not be identified: nothing of it is compared */
};

/* A reason that people were told, by a number, and when. */
struct pmed_told {
	uint64_t reason; /* 0: none */
	int64_t time;
};

struct pmed_incident {
	int64_t id;    /* of the event that opened it */
	char *subject; /* identity of a device; of coverage: what failed */
	const char *cause;
	int64_t opened;
	int severity;
	char *text;
	struct pmed_told told[PMED_REASONS]; /* in this run, of coverage; the newest one first */
};

struct pmed_state {
	struct pmed_device **devices;
	size_t n_devices, alloc_devices;
	struct pmed_incident *incidents; /* open ones */
	size_t n_incidents, alloc_incidents;
	int64_t remember; /* µs; 0: for ever */
	bool baseline;	  /* an inventory was seen, or loaded: what is new now has come */
};

/* One call of the public functions. */
struct pmed_turn {
	struct pmed_state *state;
	int64_t now;
	int64_t *last_id;
	struct pmed_news *news;
};

extern const char pmed_cause_findings[], pmed_cause_offline[], pmed_cause_coverage[];

/* state-check.c: values of documents from outside; NULL and 0 for what is not of that type. */
const char *pmed_text(struct json_object *object, const char *key);
uint64_t pmed_number(struct json_object *object, const char *key);
struct json_object *pmed_array(struct json_object *object, const char *key);
/* Is it a document of @format, and everything in it that is used of the right kind? */
bool pmed_is_document(struct json_object *doc, const char *format);
bool pmed_devices_ok(struct json_object *devices);
bool pmed_findings_ok(struct json_object *findings, struct json_object *devices);
/* The verdict with this name; unknown for a word that is not known. */
enum pme_verdict pmed_verdict(const char *name);
unsigned int pmed_known_by(struct json_object *finding);

/* state-devices.c */
struct pmed_device *pmed_device_find(const struct pmed_state *state, const char *identity);
const char *pmed_device_name(const struct pmed_device *device);
const char *pmed_device_region(const struct pmed_device *device); /* or NULL */
bool pmed_device_stands(const struct pmed_device *device);	  /* was anything on it? */
/* A new one that is not present; NULL without memory. */
struct pmed_device *pmed_device_add(struct pmed_state *state, const char *identity);
void pmed_device_free(struct pmed_device *device);
/* "device" of events from an entry of a list.  NULL without memory. */
struct json_object *pmed_device_about(struct json_object *entry, const char *identity);
/* The devices of a document become known; come back, or change; device->list and such are set. */
int pmed_devices_seen(struct pmed_turn *turn, struct json_object *doc);
void pmed_devices_unsee(struct pmed_state *state);
/* Does a message of @doc name any of these (or NULL)? */
bool pmed_is_subject(struct json_object *doc, const char *name);
struct json_object *pmed_device_row(const struct pmed_device *device);

/* state-findings.c */
struct pmed_finding *pmed_finding_find(const struct pmed_device *device, const char *id);
/* From its JSON: 0, -EINVAL, -ENOMEM. */
int pmed_finding_set(struct pmed_finding *finding, struct json_object *json);
void pmed_finding_done(struct pmed_finding *finding);
/* The JSON of it; new reference. */
struct json_object *pmed_finding_json(const struct pmed_finding *finding);
struct json_object *pmed_finding_row(const struct pmed_state *state,
				     const struct pmed_device *device,
				     const struct pmed_finding *finding);
/* Only its key and that it is "present", "offline" or "gone". */
void pmed_finding_is(struct pmed_turn *turn, const struct pmed_device *device,
		     const struct pmed_finding *finding, const char *what);
/* Count the files of all findings of @device anew. */
int pmed_findings_count_files(struct pmed_device *device);

/* state-gone.c */
struct pme_range pmed_range_of(struct json_object *finding);
bool pmed_address_of(struct json_object *finding, struct pme_range range, uint64_t *ret);
/* Append the physical addresses of all @findings of a document, on whatever device. */
int pmed_addresses_in(struct json_object *findings, struct pme_range_list *ret);
/* Mark what @device has and a scan says is gone; @bad: addresses of all findings of the scan. */
int pmed_mark_gone(struct pmed_device *device, const struct pme_range_list *bad);
/* New on a region, but people were told of these bytes when their disk was there: mark them so. */
int pmed_mark_known(const struct pmed_state *state, struct pmed_device *device);

/* Physical addresses of findings, normalized; those of regions are of what no namespace shows. */
struct pmed_sites {
	struct pme_range_list namespaces, regions; /* that are there */
	struct pme_range_list lost_away; /* of devices that are gone, of what is neither harmless
					    nor unknown */
};
int pmed_sites_read(const struct pmed_state *state, struct pmed_sites *ret); /* 0, -errno */
void pmed_sites_done(struct pmed_sites *sites);
/*
 * In sums, bad bytes count once.  Those of a device that is gone count at the namespace that has
 * them now; between it and its region, what is known worse counts, else the region.
 */
bool pmed_counts_elsewhere(const struct pmed_sites *sites, const struct pmed_device *device,
			   const struct pmed_finding *finding);
/* Have other namespaces the bytes of all its findings?  Then it is gone for good. */
bool pmed_is_supplanted(const struct pmed_sites *sites, const struct pmed_device *device);

/* state-known.c: new on @device, but people were told all of it: mark that. */
int pmed_mark_parts(struct pmed_device *device);

/* state-forget.c: devices that are gone, and that nobody has to know of any more. */
int pmed_forget(struct pmed_turn *turn);

/* state-events.c */
/* A new event about @device (NULL: none).  @text: allocated, is taken; NULL: no memory. */
struct json_object *pmed_event(struct pmed_turn *turn, enum pme_event_type type,
			       enum pme_event_severity severity, const struct pmed_device *device,
			       char *text);
/* It is news; takes it. */
void pmed_event_tell(struct pmed_turn *turn, struct json_object *event);
/* Events of one type for these findings of @device: 0, -ENOMEM. */
int pmed_event_findings(struct pmed_turn *turn, enum pme_event_type type,
			const struct pmed_device *device, struct pmed_finding *const *findings,
			size_t count);
/* "8 KiB", allocated. */
char *pmed_bytes(uint64_t bytes);

/* state-incidents.c */
struct pmed_incident *pmed_incident_find(const struct pmed_state *state, const char *subject,
					 const char *cause);
/* The open one, or a new one that @event opens; sets its "incident". */
int pmed_incident_open(struct pmed_turn *turn, struct json_object *event, const char *subject,
		       const char *cause);
/* @event is part of it, and the last one when @close; without one nothing happens. */
void pmed_incident_join(struct pmed_turn *turn, struct json_object *event, const char *subject,
			const char *cause, bool close);
/* It says @text now, which is taken. */
void pmed_incident_say(struct pmed_turn *turn, struct pmed_incident *incident, char *text);
int pmed_incident_load(struct pmed_state *state, struct json_object *row);
struct json_object *pmed_incident_row(const struct pmed_incident *incident, int64_t closed);
void pmed_incident_done(struct pmed_incident *incident);

/* state-coverage.c: something (@key) cannot be seen, or can again (@why NULL); told once, and again
 * for each other reason. */
int pmed_coverage(struct pmed_turn *turn, const char *key, const char *region, const char *what,
		  const char *why);
/* The same by the messages of a document. */
int pmed_coverage_of(struct pmed_turn *turn, const char *region, struct json_object *doc);

/* Why it is not certain that @device, which is not seen, is gone (NULL: it is seen); told once. */
int pmed_coverage_absent(struct pmed_turn *turn, const struct pmed_device *device, const char *why);
/* The open incident that this opened, or NULL. */
const struct pmed_incident *pmed_coverage_absence(const struct pmed_state *state,
						  const struct pmed_device *device);
/* Lists of bad blocks that a scan could not read, or can again: each by itself. */
int pmed_coverage_lists(struct pmed_turn *turn);
/* It is gone: what could not be seen of it is no gap any more. */
int pmed_coverage_moot(struct pmed_turn *turn, const struct pmed_device *device);
/* The same for regions that no device has any more. */
int pmed_coverage_of_gone(struct pmed_turn *turn);

/* state-reason.c */
#define PMED_NOT_COMPLETE " is not complete: " /* in the text of a gap, before the reason */
/* What the messages of @doc say, the same in whatever order they are; NULL without memory. */
char *pmed_reason_of(struct json_object *doc);
/* Was this not told of the gap, neither last nor within the hour?  Then it counts as told now. */
bool pmed_reason_is_news(struct pmed_incident *incident, const char *why, int64_t now);

/* A change for the store; takes @row. */
void pmed_change(struct pmed_turn *turn, const char *table, struct json_object *row);

#endif
