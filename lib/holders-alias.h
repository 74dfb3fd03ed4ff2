/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files as processes see them through overlay mounts: by other numbers (struct pme_alias).
 */
#ifndef PME_HOLDERS_ALIAS_H
#define PME_HOLDERS_ALIAS_H

#include <sys/stat.h>

#include "claim.h"

struct pme_aliases {
	struct pme_alias_ref *refs; /* by number */
	size_t count;
	dev_t *shown; /* sorted */
};

/* Of all @files: 0 or -ENOMEM. */
int pme_aliases_make(struct pme_file *const *files, size_t n_files, struct pme_aliases *ret);
void pme_aliases_done(struct pme_aliases *aliases);

/* Does maps show @devno for any of them? */
bool pme_aliases_shows(const struct pme_aliases *aliases, dev_t devno);

/*
 * The file that an open descriptor with this @st is of; of a mapping, the inode that maps shows is
 * @mapped, else 0.  1 and *@ret, 0 none, -EAGAIN: that cannot be told.
 */
int pme_aliases_find(const struct pme_aliases *aliases, const struct stat *st, uint64_t mapped,
		     struct pme_file **ret);

#endif
