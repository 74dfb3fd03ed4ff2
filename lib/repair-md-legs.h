/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of an MD array, read beside md: can every copy be read, and do they agree?
 */
#ifndef PME_REPAIR_MD_LEGS_H
#define PME_REPAIR_MD_LEGS_H

#include "layer-md.h"

/* The array as of the snapshot, with its members open. */
struct pme_legs {
	struct pme_md_geometry geo;
	unsigned int parity; /* 4, 5, 6; 0: a mirror */
	int *fds;	     /* of members, by slot; -1: none */
};

/* What was seen; positions are bytes as of pme_rewrite.window, PME_UNKNOWN: nowhere. */
struct pme_legs_seen {
	uint64_t unread;   /* bytes that a member cannot read, of all members together */
	uint64_t disagree; /* here members that can be read contradict each other */
	uint64_t beyond;   /* in this page more members have bad sectors than may */
	uint64_t most;	   /* pages with bad sectors of the member that has most of them */
	bool whole;	   /* one member at least can be read everywhere */
};

/* 0, -EINVAL when its numbers make no sense, -errno; close it in any case. */
int pme_legs_open(const struct pme_topo *topo, const struct pme_dev *array, struct pme_legs *ret);
void pme_legs_close(struct pme_legs *legs);
/* Bytes that the positions may have: of the array for raid10, else of a member. */
uint64_t pme_legs_size(const struct pme_legs *legs);
/*
 * Read all of @window: 0 or -errno (not for media errors).  With parity only pages that meet
 * @pages (normalized) or have unreadable sectors must agree: a check writes no others.
 */
int pme_legs_look(const struct pme_legs *legs, struct pme_range window,
		  const struct pme_range_list *pages, struct pme_legs_seen *ret);

/*
 * For tests.  One sector of each of @disks members in row @row, NULL: it cannot be read.  1: they
 * agree, or nothing can be said; 0: they do not.
 */
struct pme_md_row;
int pme_parity_agrees(const struct pme_md_row *row, unsigned char *const *sectors, size_t size);

#endif
