/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites: a layer that holds bytes more than once is made to write its bad copy anew, itself.
 *
 * A rewrite is one range of one layer with all bad copies in it, whoever owns the bytes: what reads
 * through the layer does not change by it, and nothing becomes readable that was not.  The layer's
 * word is not enough: before, the copies must agree wherever they can be read; afterwards, all of
 * them must be readable and agree, and no list may have the range any more.
 *
 *   md-check     raid1, raid10, raid4, raid5, raid6: sync_min and sync_max around the range, then
 *                "check" (repair-md.c)
 *   btrfs-scrub  one device's part of a chunk (repair-btrfs.c)
 */
#ifndef PME_REPAIR_REWRITE_H
#define PME_REPAIR_REWRITE_H

#include <json-c/json.h>

#include "finding.h"
#include "scan.h"

enum pme_rewrite_how { PME_REWRITE_MD_CHECK, PME_REWRITE_BTRFS_SCRUB };
const char *pme_rewrite_how_name(enum pme_rewrite_how how);

enum pme_rewrite_outcome {
	PME_REWRITE_PLANNED,
	PME_REWRITE_REFUSED,  /* nothing was tried: see refusal */
	PME_REWRITE_REPAIRED, /* every copy reads, they agree, no list has them */
	PME_REWRITE_SOUND,    /* nothing was wrong: every copy could be read, and was right */
	PME_REWRITE_FAILED,   /* see error */
};
const char *pme_rewrite_outcome_name(enum pme_rewrite_outcome outcome);

/* One bad copy; everything is borrowed from the scan. */
struct pme_rewrite_piece {
	const struct pme_finding *finding;
	const struct pme_claim *claim;
	enum pme_rewrite_how how;
	const struct pme_dev *layer; /* the array; of btrfs the device that the bad copy is on */
	struct pme_range at;	     /* the bad bytes, counted as those of the window */
	struct pme_range window;     /* what of the layer has to be gone over for it */
	bool unsummed;		     /* of btrfs: data without a checksum */
};

struct pme_rewrite {
	enum pme_rewrite_how how;
	const struct pme_dev *layer;
	const struct pme_fs *fs; /* of btrfs, else NULL; borrowed */
	/*
	 * What the layer goes over.  md: bytes of the data area of each member, of raid10 bytes of
	 * the array.  btrfs: bytes of the device.
	 */
	struct pme_range window;
	struct pme_rewrite_piece *pieces;
	size_t n_pieces, alloc_pieces;
	char *refusal; /* why nothing will be done, or NULL */
	enum pme_rewrite_outcome outcome;
	char *error; /* of applying, or NULL */
	/* What the layer said; PME_UNKNOWN: nothing.  md: bytes; btrfs: errors. */
	uint64_t mismatches, corrected, uncorrectable;
	int64_t id; /* in the journal; 0: it never began */
};

struct pme_rewrites {
	struct pme_rewrite *items;
	size_t count, alloc;
};

struct pme_repair_plan;
struct pme_repair_journal;

/* Rewrites for all redundant claims of the plan's scan: 0 or -errno. */
int pme_rewrites_plan(struct pme_repair_plan *plan);
void pme_rewrites_done(struct pme_rewrites *rewrites);
/* Has @claim one? */
bool pme_rewrites_have(const struct pme_rewrites *rewrites, const struct pme_claim *claim);

/*
 * Carry out those that can be.  Signals that would end the program are held back meanwhile, and end
 * the work instead, with everything set back.  0, or -errno of what stopped all of it (the journal
 * cannot be written; -EINTR), said in @log.
 */
int pme_rewrites_apply(const struct pme_os *os, struct pme_repair_plan *plan,
		       struct pme_repair_journal *journal, struct pme_log *log);

/* Members "rewrites" and "rewrite_summary" of a document. */
void pme_rewrites_json(const struct pme_rewrites *rewrites, struct json_object *doc);

/* Is this, of the journal, a rewrite? */
bool pme_rewrite_is_about(struct json_object *about);
/*
 * What one left is set back: 0 and it is over; -EUCLEAN when what the journal says makes no sense;
 * -errno.  *@ret_text (allocated, or NULL) says what was done, or not.
 */
int pme_rewrite_resume(const struct pme_topo *topo, struct pme_repair_journal *journal, int64_t id,
		       struct json_object *about, char **ret_text);

/* ---- for the two kinds ---- */

/* The state of one that is carried out. */
struct pme_rewrite_run {
	const struct pme_os *os;
	const struct pme_topo *topo;
	struct pme_repair_journal *journal;
	struct pme_log *log;
	struct pme_rewrite *rewrite;
	bool interrupted; /* by a signal */
};

/* Sets rewrite->error, the first time; returns @r. */
int pme_rewrite_fail(struct pme_rewrite_run *run, int r, const char *fmt, ...) _printf_(3, 4);
/* Wait for @msec, less when a signal comes: then -EINTR and run->interrupted. */
int pme_rewrite_pause(struct pme_rewrite_run *run, unsigned int msec);
/* It begins; about: what is needed to set it back.  0 or -errno: then nothing may be done. */
int pme_rewrite_begin(struct pme_rewrite_run *run, struct json_object *about);
int pme_rewrite_note(struct pme_rewrite_run *run, const char *act);

/*
 * Why the memory below @claim would not take what the layer writes: *@ret (allocated, with
 * @else_text behind it), NULL: it will, as far as anybody knows.  0 or -ENOMEM.
 */
int pme_rewrite_bus_refusal(const struct pme_topo *topo, const struct pme_claim *claim,
			    const char *else_text, char **ret);

/* Whole pages of @range, and whole chunks at its end. */
struct pme_range pme_rewrite_window(struct pme_range range, uint64_t chunk);

/*
 * Does the claim hang on such a layer?  1 and *@ret (how, layer, window), 0, -errno.  The one of
 * btrfs keeps what it has read of a filesystem in *@cache; NULL in the beginning.
 */
int pme_md_piece(const struct pme_claim *claim, struct pme_rewrite_piece *ret);
struct pme_btrfs_cache;
int pme_btrfs_piece(const struct pme_topo *topo, const struct pme_claim *claim,
		    struct pme_btrfs_cache **cache, struct pme_rewrite_piece *ret);
void pme_btrfs_cache_free(struct pme_btrfs_cache *cache);

/* Why nothing may be done now; *@ret NULL: nothing speaks against it.  0 or -ENOMEM. */
int pme_md_refusal(const struct pme_topo *topo, const struct pme_rewrite *rewrite, char **ret);
int pme_btrfs_refusal(const struct pme_topo *topo, const struct pme_rewrite *rewrite, char **ret);

/*
 * Do it, and look at the copies: 0 and outcome repaired (provisionally: the kernel's lists are
 * asked later) or sound; -errno and error; nothing is left behind.  -EAGAIN: nothing was done, and
 * error says why.
 */
int pme_md_rewrite(struct pme_rewrite_run *run);
int pme_btrfs_rewrite(struct pme_rewrite_run *run);

int pme_md_resume(const struct pme_topo *topo, struct json_object *layer, char **ret_text);

#endif
