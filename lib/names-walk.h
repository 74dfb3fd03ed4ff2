/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One of the threads that walk over a tree of directories together, and what they give to each
 * other: directories that are still to be entered.
 */
#ifndef PME_NAMES_WALK_H
#define PME_NAMES_WALK_H

#include "crew.h"
#include "names-wanted.h"

/* A directory still to be entered. */
struct pme_walk_sub {
	uint64_t ino;
	size_t name; /* where in the texts that belong to it */
};

/* Directories to be entered, all of one directory; or (n_subs 0) that directory to be read. */
struct pme_walk_job {
	struct pme_walk_job *next;
	int fd; /* of the directory */
	uint64_t ino;
	char *path;   /* of the directory, "" for the root */
	size_t depth; /* of the directory */
	struct pme_walk_sub *subs;
	size_t n_subs;
	char *names;
};
struct pme_walk_job *pme_walk_job_free(struct pme_walk_job *job);

/* The work of all. */
struct pme_walks {
	struct pme_crew crew;
	dev_t devno;
	size_t open_levels; /* descriptors that a thread has at a time */
	struct pme_wanted wanted;
	/* With the lock of the crew: */
	struct pme_walk_job *jobs;
	_Atomic size_t n_jobs; /* without it, a hint */
	size_t n_walking;
	struct pme_names *names;
	size_t n_skipped;
	char *skipped; /* where and why, of the one that comes first */
};

/* Should a thread give away what it can? */
bool pme_walks_want(const struct pme_walks *walks);
/* Takes @job. */
void pme_walks_give(struct pme_walks *walks, struct pme_walk_job *job);

/* A directory for reading, which must not write access times: a descriptor or -errno. */
int pme_walk_open_dir(int dir, const char *name);

/* One thread's walk, with its own names. */
struct pme_walk;
struct pme_walk *pme_walk_new(struct pme_walks *walks);
struct pme_walk *pme_walk_free(struct pme_walk *walk);

/* Walk through @job, which is taken, and below: 0 or -errno. */
int pme_walk_run(struct pme_walk *walk, struct pme_walk_job *job);

/* With the lock of the crew: what was found, and skipped, to that of all. */
int pme_walk_hand_in(struct pme_walk *walk);

#endif
