/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Versions of files that were kept (saved.h), once opened: who asks for many bytes of one file
 * opens them once, and who asks for many files has no descriptors of all of them.
 *
 * What is in it is as old as the first question: empty it where that matters.
 */
#ifndef PME_SAVED_CACHE_H
#define PME_SAVED_CACHE_H

#include "saved.h"

struct pme_saved_entry;

/* All zeros: empty. */
struct pme_saved_cache {
	struct pme_saved_entry *items; /* most recently asked for last */
	size_t count, alloc;
};
void pme_saved_cache_done(struct pme_saved_cache *cache);

/*
 * As pme_saved_find(): 0 and *@ret, or -errno.  The list is of the cache, and good until the next
 * question to it.
 */
int pme_saved_cache_find(struct pme_saved_cache *cache, const struct pme_os *os, int root,
			 const char *fs_uuid, const struct pme_file *file, struct pme_log *log,
			 const struct pme_saved_list **ret);

#endif
