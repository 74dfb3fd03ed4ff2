/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a uevent means; see uevent.h.
 *
 * KERNEL: drivers/nvdimm has no uevents of its own, these are those of driver core and block layer.
 * Names only choose what to look at: whether a disk is the same one is seen by looking.
 */
#include "uevent.h"

#include <string.h>

#define ADD 1U
#define REMOVE 2U
#define CHANGE 4U
#define BIND 8U
#define ALL (ADD | REMOVE | CHANGE | BIND)

static const struct {
	const char *name;
	unsigned int bit;
} actions[] = {
	{"add", ADD},	  {"remove", REMOVE}, {"change", CHANGE}, {"move", CHANGE},
	{"online", BIND}, {"offline", BIND},  {"bind", BIND},	  {"unbind", BIND},
};

/* The first row counts.  The first MD array brings /proc/mdstat, which a source waits for. */
static const struct {
	const char *subsystem, *prefix;
	unsigned int actions, means;
} rows[] = {
	{"nd", "", ALL, PMED_UEVENT_INVENTORY},
	{"dax", "", ALL, PMED_UEVENT_INVENTORY | PMED_UEVENT_STACK},
	{"cxl", "", ALL, PMED_UEVENT_INVENTORY},
	{"block", "pmem", ADD, PMED_UEVENT_INVENTORY | PMED_UEVENT_STACK | PMED_UEVENT_DISK},
	{"block", "pmem", REMOVE, PMED_UEVENT_INVENTORY | PMED_UEVENT_STACK},
	{"block", "pmem", CHANGE, PMED_UEVENT_STACK},
	{"block", "dm-", ALL, PMED_UEVENT_STACK},
	{"block", "md", ADD, PMED_UEVENT_INVENTORY | PMED_UEVENT_STACK},
	{"block", "md", ALL, PMED_UEVENT_STACK},
	{"block", "bcache", ALL, PMED_UEVENT_STACK},
	{"block", "zram", CHANGE, PMED_UEVENT_STACK},
	{"block", "loop", CHANGE, PMED_UEVENT_STACK},
};

static unsigned int bit_of(const char *action)
{
	for (size_t i = 0; action && i < PME_ARRAY_SIZE(actions); i++)
		if (strcmp(action, actions[i].name) == 0)
			return actions[i].bit;
	return 0;
}

unsigned int pmed_uevent_means(const struct pmed_uevent *event)
{
	unsigned int action = bit_of(event->action);

	if (!event->subsystem || !event->name)
		return 0;
	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++)
		if (strcmp(event->subsystem, rows[i].subsystem) == 0 &&
		    strncmp(event->name, rows[i].prefix, strlen(rows[i].prefix)) == 0 &&
		    (action & rows[i].actions))
			return rows[i].means;
	return 0;
}
