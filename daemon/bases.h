/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which regions a block device stands on, from the links of sysfs: for the moment in which there is
 * no time for a snapshot of everything.
 */
#ifndef PMED_BASES_H
#define PMED_BASES_H

#include "os.h"

/*
 * Calls found() for each region, maybe more than once; it may be called for some also when the
 * answer is not whole.  0: these are all; -ENODATA: cannot be told (a loop device, a number that is
 * of no block device, a stack too high); -errno.  A device that is gone stands on none.
 */
int pmed_bases(const struct pme_os *os, unsigned int major, unsigned int minor,
	       void (*found)(void *arg, const char *region), void *arg);

#endif
