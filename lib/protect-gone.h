/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of files that are gone: it goes, too, when as many syncs as versions are kept have
 * passed since the last of them was made.
 *
 * Never what is of another filesystem: it may be all that is left of that.  What lives, but was not
 * met, has as many syncs more to come back: a mark beside its versions says since when it is
 * missed, and goes when it is met again.
 */
#ifndef PME_PROTECT_GONE_H
#define PME_PROTECT_GONE_H

#include "protect-file.h"

/*
 * After a sync that could look at everything: the filesystem is asked whether what it did not meet
 * is gone.  Where names changed meanwhile, or something is mounted over others, nobody could have
 * met them: what lives stays, unmarked.  What is of another filesystem is said.  0, -ENOMEM; other
 * errors are said.
 */
int pme_gone_drop(struct pme_sync *sync);
/* The same in the middle of one, for want of room: what was not met yet stays, if it lives. */
int pme_gone_drop_now(struct pme_sync *sync);

#endif
