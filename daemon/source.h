/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says by itself.  A source is a row of the table in source.c; it only gives hints
 * (pmed_hint()), or events of its own (pmed_tell()), and is allowed to miss something.
 */
#ifndef PMED_SOURCE_H
#define PMED_SOURCE_H

#include "daemon.h"

struct pmed_source;

struct pmed_source_kind {
	const char *name;  /* "badblocks" */
	const char *about; /* what it hears, for people */
	/* 0; -errno, with nothing left behind: not available here, *ret_reason says why
	 * (allocated).  Never fatal. */
	int (*start)(struct pmed_source *source, char **ret_reason);
	/* Devices came or went, or the configuration changed; may be NULL. */
	void (*again)(struct pmed_source *source);
	void (*stop)(struct pmed_source *source);
};

struct pmed_source {
	const struct pmed_source_kind *kind;
	struct pmed *daemon;
	void *own; /* of the kind */
	bool available;
	char *reason;	  /* why not, or NULL */
	uint64_t heard;	  /* hints and events it gave */
	uint64_t overrun; /* times that it missed something */
};

/* pmed_hint(), counted. */
void pmed_source_hint(struct pmed_source *source, enum pmed_hint what, const char *name);

int pmed_sources_start(struct pmed *d);
void pmed_sources_again(struct pmed *d);
void pmed_sources_stop(struct pmed *d);
/* Member "sources" of the watch document. */
void pmed_sources_json(const struct pmed *d, struct json_object *doc);

extern const struct pmed_source_kind pmed_source_badblocks, pmed_source_written, pmed_source_reread,
	pmed_source_uevents, pmed_source_mounts, pmed_source_arrays, pmed_source_scrub,
	pmed_source_health, pmed_source_traces;

#endif
