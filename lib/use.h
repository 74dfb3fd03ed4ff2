/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a file is to those who use it: a swap file, the image of a loop device or of a virtual
 * machine, a pool of PMDK, a file of a database; so that it can be said what to do.
 *
 * Known by the kernel, by the file's first block, or by the process that has it open together with
 * the name that such a process gives its files.  What fits none of the rows is a file like others:
 * a process that has it open proves nothing by itself (it may be a log, or the program).
 */
#ifndef PME_USE_H
#define PME_USE_H

#include "claim.h"
#include "os.h"

#define PME_USE_HEAD 4096 /* bytes of a file's beginning that are looked at */

struct pme_use_facts {
	const struct pme_os *os;
	const struct pme_file *file; /* with its paths and holders */
	const void *head;	     /* its first bytes, at most PME_USE_HEAD; or NULL */
	size_t head_size;
};

/* By head and holders: 1 and *@ret, 0 nothing is known, -ENOMEM. */
int pme_use_find(const struct pme_use_facts *facts, struct pme_use **ret);

/* A use with texts that are taken; NULL, and they are freed, when one is missing. */
struct pme_use *pme_use_new(const struct pme_use *like);

/* The first holder with a descriptor whose command @matches, or NULL. */
const struct pme_holder *pme_use_holder(const struct pme_file *file,
					bool (*matches)(const char *command));

/* One file each, as pme_use_find(). */
int pme_use_pool(const struct pme_use_facts *facts, struct pme_use **ret);
int pme_use_sqlite(const struct pme_use_facts *facts, struct pme_use **ret);
int pme_use_guest(const struct pme_use_facts *facts, struct pme_use **ret);
int pme_use_server(const struct pme_use_facts *facts, struct pme_use **ret);

#endif
