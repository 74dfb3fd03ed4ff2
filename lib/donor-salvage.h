/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Salvage: inside a bad block only what does not read comes from the donor; the rest is what is on
 * the media, 512 bytes at a time, and must be what the donor has there: else the donor is wrong.
 */
#ifndef PME_DONOR_SALVAGE_H
#define PME_DONOR_SALVAGE_H

#include "donor.h"

struct pme_salvaged {
	uint64_t live;	/* bytes that the media gave */
	uint64_t donor; /* bytes of the donor, or zeros */
};

/* Are all bytes of want->range bad?  @bad as below. */
bool pme_salvage_none_reads(const struct pme_want *want, const struct pme_range_list *bad);

/*
 * Fill @buf with the good bytes of want->range: what is in @bad (normalized bytes of the device of
 * the filesystem) is never read from it.  @donor NULL: zeros, of what was given up.  Behind the end
 * of the file (of want->fd, now) are zeros.  Flush the file before: this reads around all caches.
 *
 * 0 and *@ret; -EBADMSG: the donor has other bytes where the media reads, and *@ret_reason
 * (allocated, or NULL) says where; -errno of the donor, or when the device cannot be opened.
 */
int pme_salvage(const struct pme_want *want, const struct pme_range_list *bad,
		const struct pme_donor *donor, void *buf, struct pme_salvaged *ret,
		char **ret_reason);

#endif
