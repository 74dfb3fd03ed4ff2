/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing: zeros over a bad range that nobody needs, so that its blocks can be used again.
 *
 * Only bytes that nobody owns, and those of files in quarantine, are written.  Not free space of a
 * mounted filesystem: nothing keeps it from giving a block to a file between the look and the
 * write, while a file in quarantine keeps its blocks.  The write goes to the disk at the bottom of
 * the stack, in whole sectors (pmem clears what it overwrites: drivers/nvdimm/pmem.c), and what
 * became of it is read back from lists and media.
 */
#ifndef PME_CLEAR_H
#define PME_CLEAR_H

#include "scan.h"

/* Does writing clear bad blocks here? */
enum pme_clear_works {
	PME_CLEAR_WORKS,   /* the bus has a command for it */
	PME_CLEAR_FORGETS, /* the bus has none, and the kernel takes every write for a clearing */
	PME_CLEAR_FAILS,   /* the bus has none, and the kernel fails the write */
	PME_CLEAR_UNKNOWN,
};
const char *pme_clear_works_name(enum pme_clear_works works);

/* The way in which a range of one device would be cleared. */
struct pme_clear_way {
	enum pme_clear_works works;
	char *provider; /* of the bus: "ACPI.NFIT"; NULL: no persistent memory */
	char *reason;
	uint64_t unit; /* bytes that are cleared at once; 0: not known */
};
/* 0 or -ENOMEM. */
int pme_clear_way_of(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_range range,
		     struct pme_clear_way *ret);
void pme_clear_way_done(struct pme_clear_way *way);

enum pme_clear_state {
	PME_CLEAR_PLANNED, /* a dry run: nothing speaks against it */
	PME_CLEAR_REFUSED, /* nothing was written */
	PME_CLEAR_CLEARED, /* no list has any of it, and all of it was read back */
	PME_CLEAR_PARTLY,
	PME_CLEAR_FAILED, /* no byte was written */
};
const char *pme_clear_state_name(enum pme_clear_state state);

/* What one claim means for it. */
struct pme_clear_piece {
	const struct pme_claim *claim; /* borrowed from the scan */
	char *refusal;		       /* or NULL: it may be written */
};

struct pme_clear {
	struct pme_scan scan;
	const struct pme_dev *dev; /* NULL when the range is of none */
	struct pme_range range;
	struct pme_clear_way way;
	struct pme_clear_piece *pieces;
	size_t count;
	enum pme_clear_state state;
	char *reason; /* of a refusal or failure, and what to do; or NULL */
	struct pme_range_list written, failed, still_bad, unreadable; /* bytes of @dev */
};

struct pme_clear_args {
	char *range; /* "DEV:START+LEN" */
	bool dry_run;
	bool force; /* also where the bus is known not to clear */
};

/*
 * Look, and unless it is a dry run, do it.  0, also when it is refused or fails: see @ret->state;
 * -EINVAL and other -errno of the range, said in @log.
 */
int pme_clear_run(const struct pme_os *os, const struct pme_clear_args *args, struct pme_log *log,
		  struct pme_clear *ret);
void pme_clear_done(struct pme_clear *clear);

/* Judge all claims of the scan: 0, or -ENOMEM.  Sets pieces, and state and reason of a refusal. */
int pme_clear_judge(struct pme_clear *clear);

/* Members of a document; @clear NULL: there was nothing to clear. */
void pme_clear_json(const struct pme_clear *clear, bool dry_run, struct json_object *doc);

#endif
