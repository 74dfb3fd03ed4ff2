/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a uevent means to the watch.  Any member may be NULL.
 */
#ifndef PMED_UEVENT_H
#define PMED_UEVENT_H

#include "base.h"

struct pmed_uevent {
	const char *action, *subsystem, *name;
};

#define PMED_UEVENT_INVENTORY 1U /* devices may have come, gone or changed */
#define PMED_UEVENT_STACK 2U	 /* other things may stand on them */
#define PMED_UEVENT_DISK 4U	 /* a disk of persistent memory was made: its list is a new one */

unsigned int pmed_uevent_means(const struct pmed_uevent *event);

#endif
