/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata snapshot of a thin pool, reserved for a moment and released whatever happens.
 *
 * There is one per pool, and while somebody holds it nobody else can reserve one.  A guard process
 * reserves it and releases it when its end of a socket is closed, also by the death of pmemctl; a
 * record in /run/pmemctl, locked meanwhile, lets the next run release what is left when both were
 * killed.  One that others hold is neither used (it may be old) nor released, nor is one that is
 * perhaps theirs.
 */
#ifndef PME_DM_THIN_GUARD_H
#define PME_DM_THIN_GUARD_H

#include "dm-thin-record.h"
#include "topo.h"

struct pme_thin_status {
	uint64_t held;	      /* block of the held superblock, 0 when none is held */
	uint64_t data_blocks; /* in all */
	bool failed, read_only, needs_check;
};

/* A status line of thin-pool: 0 or -EINVAL. */
int pme_thin_status_parse(const char *text, struct pme_thin_status *ret);

struct pme_thin_hold {
	const struct pme_topo *topo;
	const struct pme_dev *pool;
	const struct pme_dm_line *line;
	struct pme_thin_status status; /* while it is held */
	struct pme_thin_mark mark;     /* the same */
	char *identity;		       /* of the pool, for the record */
	int lock, socket;
	pid_t guard;
};

/* 0, or -errno with its text in *@ret_why (NULL without memory). */
int pme_thin_hold(const struct pme_topo *topo, const struct pme_dev *pool,
		  const struct pme_dm_line *line, struct pme_thin_hold *ret, char **ret_why);
/*
 * The same.  -ESTALE: somebody else released it, and what was read meanwhile is worth nothing;
 * other errors: it may still be held.
 */
int pme_thin_release(struct pme_thin_hold *hold, char **ret_why);

#endif
