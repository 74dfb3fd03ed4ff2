/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address range scrubs (ARS): the platform looks at all memory of a bus for errors that nobody has
 * met yet, and what it finds goes into the lists of bad blocks.
 *
 * One scrub is of a whole bus; the kernel runs it in the background and says whether one runs, and
 * how many have ended since the bus was there.  No more: there is no percentage.
 */
#ifndef PME_ARS_H
#define PME_ARS_H

#include "topo.h"

/* The attribute: "COUNT" or, while one runs, "COUNT+" (drivers/acpi/nfit/core.c: scrub_show). */
int pme_ars_parse(const char *text, size_t len, uint64_t *ret_count, bool *ret_busy);

struct pme_ars {
	bool busy;	/* one runs */
	uint64_t count; /* that have ended */
};

/*
 * What @bus ("ndbus0") says: 0; -EOPNOTSUPP: it has no scrub, or its firmware has no command for
 * it; -EINVAL: nonsense; -errno.
 */
int pme_ars_look(const struct pme_topo *topo, const char *bus, struct pme_ars *ret);

/* Start one: 0; -EBUSY: one runs; -EOPNOTSUPP; -errno. */
int pme_ars_start(const struct pme_topo *topo, const char *bus);

/*
 * Wait until none runs, @msec at most: 0 and *@ret; -ETIME: one runs still, *@ret is set; -errno.
 * Returns early, with -ETIME, when a signal came.
 */
int pme_ars_wait(const struct pme_topo *topo, const char *bus, uint64_t msec, struct pme_ars *ret);

#endif
