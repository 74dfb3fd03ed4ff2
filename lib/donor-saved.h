/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What donor-replica.c and donor-digest.c have in common: versions that were kept (saved.h), of
 * which one is proved to have the bytes that were lost.
 */
#ifndef PME_DONOR_SAVED_H
#define PME_DONOR_SAVED_H

#include "donor.h"
#include "saved.h"

/*
 * Does @saved have the bytes of @want?  1; 0 and *@ret_why (allocated, or NULL: it is of another
 * kind); -errno.
 */
typedef int (*pme_donor_proves)(const struct pme_saved *saved, const struct pme_want *want,
				char **ret_why);

/* As find() of a kind: the newest version for which @proves, and whose bytes are whole. */
int pme_donor_saved_find(const struct pme_want *want, enum pme_proof proof, pme_donor_proves proves,
			 struct pme_log *log, struct pme_donor *ret, char **ret_reason);
/* The version of a donor that was found so: 0 and *@ret, until want->saved is asked again; -ENOENT:
 * it is gone; -errno. */
int pme_donor_saved_of(const struct pme_donor *donor, const struct pme_want *want,
		       const struct pme_saved **ret);
/* As read() of a kind. */
int pme_donor_saved_read(const struct pme_donor *donor, const struct pme_want *want,
			 uint64_t offset, size_t size, void *buf);

#endif
