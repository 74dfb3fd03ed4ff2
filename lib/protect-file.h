/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping one file: the heart of a sync.
 */
#ifndef PME_PROTECT_FILE_H
#define PME_PROTECT_FILE_H

#include "protect-walk.h"
#include "protect.h"

/* A file with a version that was written just now, not yet whole. */
struct pme_batch_file {
	int object; /* directory of its versions; owned, like all else */
	char *path; /* how messages call it */
	uint64_t version;
	char *checkpoint; /* name, or NULL: kept by digest */
	int error;	  /* it could not become whole */
	bool fresh;	  /* nothing before the new version is to be kept */
	bool lacking;	  /* but what has blocks that the new one could not get */
	uint64_t *old;	  /* versions that go */
	size_t n_old;
	char **old_checkpoints; /* theirs; some may be NULL */
};

struct pme_batch {
	struct pme_batch_file *files;
	size_t count, alloc;
	uint64_t bytes; /* written since the last flush */
	int checkpoint; /* descriptor of the newest one, or -1 */
};

struct pme_sync {
	const struct pme_os *os;
	const struct pme_topo *topo;
	const struct pme_protection *protection;
	const char *fs_uuid;
	const struct pme_place_of *place;
	struct pme_walk *walk;
	struct pme_seen seen;
	struct pme_log *log;
	int replica;	     /* directory */
	int checkpoints;     /* directory, or -1: none on this filesystem */
	uint64_t keep;	     /* versions of each file */
	uint64_t generation; /* greater than that of any version it has met */
	struct pme_sync_run *run;
	bool unsure;	   /* a file could not be opened: nobody knows which one it is */
	uint64_t vanished; /* files that were not there any more when it was their turn */
	uint64_t healed;   /* files with damaged copies */
	uint64_t said;	   /* messages about single files */
	bool trusts_syncfs;
	unsigned int without_room; /* files in a row, but for those that needed none */
	uint64_t too_large;	   /* all of these */
	bool pressed; /* what is gone was looked for before the end, for want of room */
	struct pme_batch batch;
};

/* A message about one file: the first ones are said, the rest is counted by the caller. */
void pme_sync_say(struct pme_sync *sync, const char *path, const char *fmt, ...) _printf_(3, 4);

/*
 * There is a version with this number: new ones have greater ones, although the state said less.
 * False: there are none.
 */
bool pme_sync_pass(struct pme_sync *sync, uint64_t version);

/*
 * Bring what is kept of the open file @fd, called @path, up to date: it is whole after the next
 * pme_batch_flush().  0, also when that could not
 * be: said and counted; -ENOMEM, and errors of the replica that would be those of any file.
 */
int pme_sync_file(struct pme_sync *sync, int fd, const char *path);

#endif
