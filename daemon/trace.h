/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of the kernel's trace: memory failures, and errors of CXL devices; and the region that a
 * physical address is in.  Addresses and lengths are bytes.
 */
#ifndef PMED_TRACE_H
#define PMED_TRACE_H

#include "os.h"

enum pmed_trace_kind {
	PMED_TRACE_LOST, /* the kernel had no room for more lines */
	PMED_TRACE_MEMORY_FAILURE,
	PMED_TRACE_CXL,
};

struct pmed_trace {
	enum pmed_trace_kind kind;
	uint64_t address; /* physical; UINT64_MAX: the kernel does not know it */
	uint64_t length;
	bool bad;	 /* something cannot be read; else it was corrected, or cleared */
	char event[32];	 /* "memory_failure_event" */
	char device[32]; /* "mem0", or "" */
	char what[96];	 /* the kernel's own words, printable ASCII */
};

/*
 * One line without its newline, as trace_pipe has it when the option context-info is off, so that
 * no name of a process is in it.  @page: size of a page.  1; 0: none of these events; -EINVAL: one
 * of them, but not understood.
 */
int pmed_trace_parse(const char *line, size_t len, uint64_t page, struct pmed_trace *ret);

struct pmed_place {
	char *name; /* "region0" */
	uint64_t start, size;
};
struct pmed_places {
	struct pmed_place *items;
	size_t count, alloc;
	bool whole; /* no region is missing */
};

/* All regions of sysfs.  0 or -errno, then there is nothing to free. */
int pmed_places_load(const struct pme_os *os, struct pmed_places *ret);
void pmed_places_done(struct pmed_places *places);
/* The region that has any of these bytes: borrowed name, or NULL. */
const char *pmed_places_find(const struct pmed_places *places, uint64_t address, uint64_t length);

#endif
