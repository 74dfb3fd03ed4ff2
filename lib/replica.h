/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replicas: physical copies of versions, with a digest of each block.
 *
 * A version is written beside the ones that are there, never over one: it shares with the version
 * before what did not change, where the filesystem of the replica can (FICLONE), else that is
 * copied.  It is there when its manifest is, which is written when all else is synced.
 */
#ifndef PME_REPLICA_H
#define PME_REPLICA_H

#include "manifest.h"
#include "saved.h"

struct pme_replica_job {
	int object;			      /* directory of the versions of this file */
	int source;			      /* what is copied */
	const struct pme_saved *base;	      /* version that has all but @changed; or NULL */
	const struct pme_range_list *changed; /* whole blocks, normalized; only with @base */
	bool fresh; /* share nothing with the base: what is kept of it is read, checked, copied */
	struct pme_manifest *manifest;	 /* filled but for pages, which it gets, and lacking */
	const struct pme_sample *sample; /* the source must still be like this at the end; or NULL
					  */

	/* what came of it */
	uint64_t bytes_read;	/* of the source */
	uint64_t bytes_written; /* of data */
	uint64_t unreadable;	/* blocks of the source that gave an error: without digest */
	uint64_t healed;	/* blocks of the base that were damaged, and were read again */
};

/* Can files of this directory share blocks?  1, 0, -errno. */
int pme_replica_can_share(int dir);

/*
 * Write the version, not synced, its manifest under another name: it is there after
 * pme_replica_publish().  0; -EEXIST: it is there already; -ESTALE: the source is not what it was;
 * -errno.  Then nothing of it is left, or will be after pme_replica_sweep().
 */
int pme_replica_write(struct pme_replica_job *job);
/* All files of the version are on the disk, and their names: 0, -errno. */
int pme_replica_sync(int object, uint64_t version);
/* The version is there from now on, once that is synced: only when all of it is on the disk. */
int pme_replica_publish(int object, uint64_t version);

/* Name of a file of a version: allocated, or NULL. */
char *pme_replica_name(uint64_t version, const char *suffix);
/* As pme_manifest_read(). */
int pme_replica_manifest(int object, uint64_t version, struct pme_manifest *ret);

/* Its manifest goes, not synced; and all else of it, which comes when that is synced. 0, -errno. */
int pme_replica_forget(int object, uint64_t version);
int pme_replica_drop(int object, uint64_t version);

/*
 * Take a version away, its manifest first; its checkpoint, too, unless @checkpoints is -1.  0 or
 * -errno.
 */
int pme_replica_remove(int object, uint64_t version, int checkpoints);

/*
 * Take away files of versions without manifest: of syncs that were killed; and, for good, what says
 * that the file was not met.  0 or -errno.
 */
int pme_replica_sweep(int object);

/*
 * Append the blocks that a version does not have though the file had bytes there: they could not be
 * read when it was made, or their digests cannot be now: then *@ret_unread is that error, else 0.
 * Normalized.  0, -ENOMEM, -E2BIG.
 */
int pme_replica_lacking(const struct pme_saved *saved, struct pme_range_list *ret, int *ret_unread);
/*
 * Take out of @lacking, whole blocks, normalized, what of it this version has, and has right.  1:
 * it has some, or nobody can tell; 0: it has none; -ENOMEM, -E2BIG.
 */
int pme_replica_fill(const struct pme_saved *saved, struct pme_range_list *lacking);

struct pme_replica_check {
	uint64_t bytes;	  /* read */
	uint64_t damaged; /* blocks that are not what they were */
	uint64_t rate;	  /* bytes a second; 0: as fast as it goes */
	uint64_t started; /* µs of CLOCK_MONOTONIC; for the rate */
	void (*progress)(const struct pme_replica_check *check, void *arg);
	/* Waits @pause µs, which may be 0, in place of a mere sleep; or NULL. */
	void (*rest)(uint64_t pause, void *arg);
	void *arg;
};

#define PME_REPLICA_FIRST 3

/* Of one version. */
struct pme_replica_damage {
	uint64_t blocks;
	struct pme_range first[PME_REPLICA_FIRST]; /* bytes of the file */
	size_t ranges;				   /* all of them */
	bool digests; /* some of it only because its digests are damaged */
	bool data;    /* some of it itself */
};

/*
 * Read all of a version and compare with its digests; adds to @check.  0, or the error of the first
 * block that is not good: see pme_saved_read().  Blocks that have no digest are good.
 */
int pme_replica_verify(const struct pme_saved *saved, struct pme_replica_check *check,
		       struct pme_replica_damage *ret);

/* Let the files of a version be read from the media next, not from memory: 0, -ENOMEM. */
int pme_replica_uncache(int object, uint64_t version);

#endif
