/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a protected path is: its filesystem, the root of that, and what it lies on.
 */
#ifndef PME_PROTECT_PLACE_H
#define PME_PROTECT_PLACE_H

#include <json-c/json.h>

#include "fs-enter.h"
#include "topo.h"

struct pme_place_of {
	int fd; /* the file or directory itself */
	dev_t devno;
	const struct pme_dev *dev; /* of the snapshot */
	struct pme_fs fs;
	struct pme_fs_entry entry; /* fd -1: its root cannot be entered */
	uint64_t vault;		   /* inode number of its vault; 0: there is none */
};

/*
 * Find @path, which must not be a symbolic link.  0; -EOPNOTSUPP: not on a filesystem that can be
 * protected; -errno; both said in @log.
 */
int pme_place_open(const struct pme_topo *topo, const char *path, struct pme_log *log,
		   struct pme_place_of *ret);
void pme_place_close(struct pme_place_of *place);
#define PME_PLACE_NONE                         \
	{                                      \
		.fd = -1, .entry = {.fd = -1 } \
	}

/*
 * Is the directory @path on the filesystem @devno after all, by a detour?  A sentence (static text)
 * that says how, or NULL: not as far as can be seen.
 */
const char *pme_place_detour(const struct pme_topo *topo, const char *path, dev_t devno);

/* Is the directory @path in memory, and gone with it? */
bool pme_place_is_memory(const struct pme_topo *topo, const char *path);

/* How far apart two devices are. */
enum pme_apart {
	PME_APART_YES,	  /* no DIMM and no device in common */
	PME_APART_DIMM,	  /* a DIMM in common */
	PME_APART_REGION, /* a region in common */
	PME_APART_DEVICE, /* a device in common that is no persistent memory */
	PME_APART_UNKNOWN,
};
const char *pme_apart_name(enum pme_apart apart); /* "separate", "same-dimm", … */

/*
 * The worst of what the filesystems of @a and @b have in common; *@ret_name (allocated or NULL) is
 * its name.
 */
enum pme_apart pme_place_apart(const struct pme_topo *topo, const struct pme_dev *a,
			       const struct pme_dev *b, char **ret_name);

#endif
