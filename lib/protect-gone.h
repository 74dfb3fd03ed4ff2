/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of files that are gone: it goes, too, when as many syncs as versions are kept have
 * passed since the last of them was made.
 *
 * Never what is of another filesystem: it may be all that is left of that.
 */
#ifndef PME_PROTECT_GONE_H
#define PME_PROTECT_GONE_H

#include "protect-file.h"

/*
 * After a sync that could look at everything: what it did not see is gone, unless names changed
 * meanwhile, or something is mounted over others: then the filesystem is asked.  What is of another
 * filesystem is said.  0, -ENOMEM; other errors are said.
 */
int pme_gone_drop(struct pme_sync *sync);
/* The same in the middle of one, for want of room: the filesystem is asked for every file. */
int pme_gone_drop_now(struct pme_sync *sync);

#endif
