/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounts of all mount namespaces: containers and services see filesystems that the rest of the
 * machine does not.  Only namespaces with a process in them are found.
 */
#ifndef PME_TOPO_SPACES_H
#define PME_TOPO_SPACES_H

#include "topo.h"

/* More namespaces or mounts than these are not looked at; the answer is then incomplete. */
#define PME_SPACES_MAX 4096
#define PME_SPACE_MOUNTS_MAX (1U << 20)

struct pme_space {
	char *id;  /* "mnt:[4026531841]" */
	char *pid; /* one of its processes, as digits; "self" is our own namespace */
};

struct pme_space_mount {
	uint64_t id; /* of the mount; no two of the machine have the same */
	size_t space;
	struct pme_mount mount; /* every type, also those without a device */
};

struct pme_spaces {
	struct pme_space *items; /* the first one is our own */
	size_t count, alloc;
	struct pme_space_mount *mounts; /* sorted by id */
	size_t n_mounts, alloc_mounts;
};

/* Read all: 0 or -ENOMEM; what cannot be read is said in @log. */
int pme_spaces_load(const struct pme_topo *topo, struct pme_log *log, struct pme_spaces *ret);
void pme_spaces_done(struct pme_spaces *spaces);
/* The mount with that id, or NULL. */
const struct pme_space_mount *pme_spaces_find(const struct pme_spaces *spaces, uint64_t id);
/*
 * The mount with that id as the process @pid (digits) sees it now: it may have come since the load.
 * 1 (then @ret is to be given to pme_mount_done()), 0 when there is none, or -errno.
 */
int pme_spaces_ask(const struct pme_topo *topo, const char *pid, uint64_t id,
		   struct pme_mount *ret);

#endif
