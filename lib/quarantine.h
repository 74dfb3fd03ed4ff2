/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The quarantine: files in the vault (vault.h) of a filesystem that keep bad blocks, so that nobody
 * is given them.
 *
 * Each file is "ID.N": the Nth that the repair ID parked (repair-journal.h); of root, mode 0600,
 * with no other name.  What it held is of no use to anybody: its blocks are the ones that were bad.
 * The surprise: there may be good bytes among them, since whole blocks are parked and sectors are
 * bad; they are a copy of what the repaired file has.
 */
#ifndef PME_QUARANTINE_H
#define PME_QUARANTINE_H

#include "log.h"
#include "vault.h"

/* Files of one quarantine beyond this are not looked at, and said so. */
#define PME_QUARANTINE_FILES_MAX 65536

/* "12.0", allocated; NULL without memory. */
char *pme_quarantine_name(int64_t id, unsigned int n);
/* And back: 0, or -EINVAL for anything that pme_quarantine_name() does not make. */
int pme_quarantine_name_parse(const char *name, size_t len, int64_t *ret_id, unsigned int *ret_n);

/* A staging file that goes into the quarantine. */
struct pme_park {
	int root;	  /* directory: the root of the filesystem */
	int from;	  /* directory: where the file is */
	const char *name; /* there */
	uint64_t inode;	  /* of the file, so that no other one is moved */
	int64_t id;	  /* of the repair */
	unsigned int n;
};

/*
 * Move it: 0 when it is in the quarantine under its new name, with both directories on the disk;
 * also when an earlier call had done that already.  -ENOENT: it is in neither place; -EEXIST:
 * another file has its name in the quarantine; -EPERM: the vault is not ours, or the file is not a
 * plain file of root with that inode and one name; -errno.  Never overwrites, never leaves the file
 * without a name.
 */
int pme_quarantine_park(const struct pme_park *park);

#endif
