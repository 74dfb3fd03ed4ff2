/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of a reserved metadata snapshot: its text, and whose a snapshot is by it.
 *
 * "BOOT asking POOL" from just before the message to the kernel, "BOOT held BLOCK SUM POOL" after
 * it, empty when nothing is held.  POOL is the sequence number of the disk and its uuid.  The
 * surprise: a block alone proves nothing, because the next who reserves gets the same one; the
 * checksum of what the kernel copied there tells them apart as soon as the pool has changed.
 */
#ifndef PME_DM_THIN_RECORD_H
#define PME_DM_THIN_RECORD_H

#include "base.h"

#define PME_THIN_NO_SUM UINT64_MAX /* the block could not be read */

struct pme_thin_mark {
	uint64_t block; /* the held superblock; 0: none is held */
	uint64_t sum;	/* its checksum */
};

/* Allocated; @mark NULL: asking.  NULL without memory. */
char *pme_thin_record_text(const char *boot, const char *pool, const struct pme_thin_mark *mark);

enum pme_thin_record {
	PME_THIN_RECORD_NONE,
	PME_THIN_RECORD_UNSURE, /* asking, another boot, another pool, or no record of ours */
	PME_THIN_RECORD_HELD,	/* this pool, in this boot: *@ret_mark */
};
enum pme_thin_record pme_thin_record_parse(const char *text, const char *boot, const char *pool,
					   struct pme_thin_mark *ret_mark);

/* Is @now certainly what @then was? */
bool pme_thin_mark_same(const struct pme_thin_mark *then, const struct pme_thin_mark *now);

#endif
