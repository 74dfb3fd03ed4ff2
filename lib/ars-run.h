/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scrubbing buses for people: which buses are meant, what one was told to do, and what is in their
 * lists of bad blocks that was not there before.
 */
#ifndef PME_ARS_RUN_H
#define PME_ARS_RUN_H

#include <json-c/json.h>

#include "ars.h"
#include "badblocks.h"

enum pme_ars_action { PME_ARS_STATUS, PME_ARS_START, PME_ARS_WAIT };

/* One region of a bus, with its list before and after. */
struct pme_ars_region {
	const struct pme_region *region; /* of the snapshot */
	struct pme_range_list before, after;
	bool whole; /* both lists could be read, and are all that there is */
};

struct pme_ars_bus {
	const char *name, *provider; /* of the snapshot */
	int error;		     /* 0; -EOPNOTSUPP, -ETIME: it runs still; -errno */
	struct pme_ars now;	     /* when @error is 0, -EBUSY or -ETIME */
	struct pme_ars_region *regions;
	size_t n_regions, alloc;
};

struct pme_ars_run {
	enum pme_ars_action action;
	struct pme_topo *topo;
	struct pme_ars_bus *buses;
	size_t count, alloc;
};

struct pme_ars_args {
	enum pme_ars_action action;
	char *const *selectors; /* none: every bus with a region */
	size_t n_selectors;
	uint64_t deadline; /* of all waiting, in milliseconds; UINT64_MAX: none */
};

/*
 * Do it on every bus that is meant: what each answers is in @ret, and what failed is said in @log.
 * 0; -ENODEV: a selector names nothing; -errno.  Free @ret in any case.
 */
int pme_ars_do(const struct pme_os *os, const struct pme_ars_args *args, struct pme_log *log,
	       struct pme_ars_run *ret);
void pme_ars_run_done(struct pme_ars_run *run);

/* Were there ranges after that were not there before? */
bool pme_ars_found(const struct pme_ars_run *run);

/* Bytes of @after that @before does not have, appended to @ret: 0 or -errno. */
int pme_ars_new(const struct pme_range_list *before, const struct pme_range_list *after,
		struct pme_range_list *ret);

/* Member "buses" of a document. */
void pme_ars_json(const struct pme_ars_run *run, struct json_object *doc);

#endif
