/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that cannot be read now.  A version without them is no reason to take away the one before
 * that has them: nobody else does.
 */
#ifndef PME_PROTECT_LACK_H
#define PME_PROTECT_LACK_H

#include "protect-file.h"
#include "saved.h"

/* @count blocks of a file could not be read: counted, said. */
void pme_lack_add(struct pme_sync *sync, const char *path, uint64_t count);

/*
 * Of the open file @fd, of which @base, its newest version, lacks blocks: can none of them be read
 * now, either?  Then they are counted, and said: 1; 0, -errno.
 */
int pme_lack_stays(struct pme_sync *sync, const struct pme_saved *base, int fd, const char *path);

/* What the version lacks: 0; -errno: also where its digests cannot be read. */
int pme_lack_find(int object, uint64_t version, struct pme_range_list *ret);
/* As pme_replica_fill(). */
int pme_lack_fill(int object, uint64_t version, struct pme_range_list *lacking);

#endif
