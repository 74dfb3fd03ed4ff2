/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table line and the status line of device-mapper target "raid".
 */
#ifndef PME_DM_RAID_H
#define PME_DM_RAID_H

#include "dm-params.h"

#define PME_DM_RAID_MEMBERS 253 /* MAX_RAID_DEVICES of drivers/md/dm-raid.c */

struct pme_dm_raid_member {
	dev_t meta, data; /* 0: "-" */
};

struct pme_dm_raid {
	const char *level;   /* "raid5": static */
	uint64_t layout;     /* as md numbers it */
	unsigned int parity; /* members with parity in each row */
	uint64_t chunk;	     /* bytes */
	uint64_t copies;     /* of raid10 */
	dev_t journal;	     /* or 0 */
	bool reshape;	     /* members come or go */
	size_t count;
	struct pme_dm_raid_member members[PME_DM_RAID_MEMBERS];
};

/* 0, or -EINVAL; -EOPNOTSUPP for a raid type that is not known. */
int pme_dm_raid_parse(const struct pme_dm_line *line, struct pme_dm_raid *ret);

struct pme_dm_raid_status {
	char health[PME_DM_RAID_MEMBERS + 1]; /* A in sync, a not in sync, D failed, - none */
	bool agreed;			      /* all mirrors and parity are made */
	bool reshape;
	bool rebuilding;      /* members, up to @done of their data */
	uint64_t done;	      /* bytes */
	uint64_t data_offset; /* bytes */
};

/* What dmsetup status says of an array of @count members: 0 or -EINVAL. */
int pme_dm_raid_status_parse(const char *text, size_t count, struct pme_dm_raid_status *ret);

#endif
