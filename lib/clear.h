/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing: zeros over a bad range that nobody needs, so that its blocks can be used again.
 *
 * Only bytes that nobody owns, and those of files in quarantine, are written.  Not free space of a
 * mounted filesystem: nothing keeps it from giving a block to a file between the look and the
 * write, while a file in quarantine keeps its blocks.  The write goes to the disk at the bottom of
 * the stack, in whole sectors (pmem clears what it overwrites: drivers/nvdimm/pmem.c), and what
 * became of it is read back from lists and media.
 *
 * What no disk shows, bytes of a region that no namespace has and memory of a devdax device, is
 * cleared by the command of the bus, and only where the list of the region has it: no byte that
 * still reads is touched.  What is in devdax memory nobody can tell but the programs that use it,
 * so it has to be given up in so many words, while nobody has it.
 */
#ifndef PME_CLEAR_H
#define PME_CLEAR_H

#include "scan.h"

struct ndctl_cmd;

/* Does writing clear bad blocks here? */
enum pme_clear_works {
	PME_CLEAR_WORKS,   /* the bus has a command for it */
	PME_CLEAR_FORGETS, /* the bus has none, and the kernel takes every write for a clearing */
	PME_CLEAR_FAILS,   /* the bus has none, and the kernel fails the write */
	PME_CLEAR_UNKNOWN,
};
const char *pme_clear_works_name(enum pme_clear_works works);

enum pme_clear_path {
	PME_CLEAR_BLOCK_WRITE,
	PME_CLEAR_COMMAND, /* ND_CMD_CLEAR_ERROR (linux/ndctl.h) */
};
const char *pme_clear_path_name(enum pme_clear_path path);

/* The way in which a range of one device would be cleared. */
struct pme_clear_way {
	enum pme_clear_path path;
	enum pme_clear_works works;
	char *provider; /* of the bus: "ACPI.NFIT"; NULL: no persistent memory */
	char *reason;
	uint64_t unit; /* bytes that are cleared at once; 0: not known */
};
/* By writing: 0 or -ENOMEM. */
int pme_clear_way_of(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_range range,
		     struct pme_clear_way *ret);
/* By command, of a region or devdax device: 0 or -ENOMEM. */
int pme_clear_command_way(const struct pme_topo *topo, const struct pme_dev *dev,
			  struct pme_range range, struct pme_clear_way *ret);
/* The answer to ARS_CAP for these bytes, to be unreferenced; NULL: there is none. */
struct ndctl_cmd *pme_clear_ask(const struct pme_topo *topo, const struct pme_region *region,
				uint64_t address, uint64_t length);
void pme_clear_way_done(struct pme_clear_way *way);

enum pme_clear_state {
	PME_CLEAR_PLANNED, /* a dry run: nothing speaks against it */
	PME_CLEAR_REFUSED, /* nothing was written */
	PME_CLEAR_CLEARED, /* no list has any of it, and all that can be was read back */
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
	bool give_up;		      /* what is in devdax memory */
	bool incomplete;	      /* not all of the machine could be looked at */
	struct pme_range_list listed; /* by command: bytes of @range that the region's list has */
	enum pme_clear_state state;
	char *reason; /* of a refusal or failure, and what to do; or NULL */
	struct pme_range_list written, failed, still_bad, unreadable; /* bytes of @dev */
};

struct pme_clear_args {
	char *range; /* "DEV:START+LEN" */
	bool dry_run;
	bool force;   /* also where the bus is known not to clear */
	bool give_up; /* devdax memory that is asked for may become zeros */
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
/* Takes @reason: 0, or -ENOMEM when it is NULL. */
int pme_clear_set(struct pme_clear *clear, enum pme_clear_state state, char *reason);

/*
 * Why bytes of a region that no namespace has may not be cleared, or NULL in *@ret: nothing speaks
 * against it.  0 or -ENOMEM.
 */
int pme_clear_refuse_region(const struct pme_clear *clear, const struct pme_dev *region,
			    char **ret);
/* The same of devdax memory. */
int pme_clear_refuse_devdax(const struct pme_clear *clear, const struct pme_claim *claim,
			    char **ret);

/* Fill @clear->listed: 0, -EOVERFLOW the list is not whole, -errno. */
int pme_clear_command_look(struct pme_clear *clear);
/* Send the command for all that is listed, and see what became of it: 0 or -ENOMEM. */
int pme_clear_command_run(struct pme_clear *clear);

/*
 * Zeros into @part of the memory of a devdax device, read back; where that fails, @unreadable gets
 * the sector.  0 or -errno.
 */
int pme_clear_dax_zero(const struct pme_os *os, const struct pme_dev *dev, int fd,
		       struct pme_range part, struct pme_range_list *unreadable);
/*
 * A descriptor of the device of @claim, checked to be that device, that its @range can be mapped,
 * and that nobody else has it (-EBUSY; -EPERM: not known); or -errno.
 */
int pme_clear_dax_open(const struct pme_os *os, const struct pme_claim *claim,
		       struct pme_range range);

/* Members of a document; @clear NULL: there was nothing to clear. */
void pme_clear_json(const struct pme_clear *clear, bool dry_run, struct json_object *doc);

#endif
