/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in quarantine on this machine: the files of all mounted filesystems, where their blocks
 * are, and whether these are still bad.
 *
 * Whether they are bad is what a scan says: claims on these very files.  That no list has them is
 * believed only of lists that could be read whole.
 */
#ifndef PME_QUARANTINE_LIST_H
#define PME_QUARANTINE_LIST_H

#include "descend.h"
#include "donor-reach.h"
#include "extent.h"
#include "scan.h"

enum pme_parked_state {
	PME_PARKED_BAD,	    /* a list has some of its bytes */
	PME_PARKED_CLEARED, /* no list has any of them, and the lists are whole */
	PME_PARKED_UNKNOWN, /* no list has any of them, but some are missing or not whole */
};
const char *pme_parked_state_name(enum pme_parked_state state); /* "bad", "cleared", "unknown" */

/* One file. */
struct pme_parked {
	char *name;
	bool is_named; /* as pme_quarantine_name() would: then the two numbers mean something */
	int64_t id;
	unsigned int n;
	uint64_t inode, size, bytes; /* @bytes: that have blocks */
	int64_t since; /* µs of CLOCK_REALTIME: its last change, that of being parked */
	struct pme_extents extents;
	struct pme_ways *ways;	   /* for each extent: down to the bottom */
	struct pme_range_list bad; /* bytes of the file */
	enum pme_parked_state state;
	char *reason; /* why the state is not known, or what is odd about the file; or NULL */
	struct json_object *sources; /* whose blocks they were, by the journal; or NULL */
	bool sources_complete;
	bool unfinished; /* by the journal: the repair that parked it has not ended */
	bool is_odd; /* nothing that a repair has made: see @reason; never released */
	bool chosen; /* by a selector */

	/* what `pmemctl quarantine release` did with it, or NULL: "released", "refused", "failed"
	 */
	const char *outcome;
	char *why; /* or NULL */
};

/* One quarantine. */
struct pme_quarantine {
	struct pme_fs fs;
	struct pme_reach reach;
	int dir;
	struct pme_parked *files;
	size_t count, alloc;
};

struct pme_quarantines {
	struct pme_scan scan;
	struct pme_quarantine **items;
	size_t count, alloc;
};

/*
 * Look.  @selectors choose files by the devices that their blocks are on; @ranges are bad besides
 * what the kernel says.  0, or -errno of what stopped it, said in @log (-EINVAL: usage).
 */
int pme_quarantines_load(const struct pme_os *os, const struct pme_scan_args *args,
			 struct pme_log *log, struct pme_quarantines *ret);
void pme_quarantines_done(struct pme_quarantines *quarantines);

/*
 * Ask the journal in the store @path whose blocks the files keep: 0, also when there is no store;
 * -errno of one that cannot be read.
 */
int pme_quarantines_ask_sources(struct pme_quarantines *quarantines, const char *path);
/* From what a repair wrote of itself into the journal; NULL when it is of another filesystem, or
 * makes no sense.  *@ret_complete: these are all.  New reference. */
struct json_object *pme_parked_sources(struct json_object *about, const char *fs_uuid,
				       bool *ret_complete);

/* Where people see the file: allocated, NULL without memory. */
char *pme_parked_path(const struct pme_quarantine *quarantine, const struct pme_parked *file);

/*
 * Release: unlink each file that @names (paths as shown, or names that are unique) or "all" mean,
 * when its bytes are in no list any more and can be read; with @force in any case.  Each file gets
 * its outcome.  0, -ENOENT for a name that means none, -EINVAL for one that means several, said in
 * @log: then nothing was released.
 */
extern const char pme_released[]; /* the outcome of one that is free now */
struct pme_release_args {
	char *const *names;
	size_t n_names;
	bool force;
};
int pme_quarantines_release(struct pme_quarantines *quarantines,
			    const struct pme_release_args *args, struct pme_log *log);

/* Members "filesystems" and "summary" of a document. */
void pme_quarantines_json(const struct pme_quarantines *quarantines, struct json_object *doc);

#endif
