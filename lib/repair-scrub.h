/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scrub of btrfs, of a part of one device.
 */
#ifndef PME_REPAIR_SCRUB_H
#define PME_REPAIR_SCRUB_H

#include "range.h"
#include "repair-rewrite.h"

struct pme_scrubbed {
	uint64_t bytes;	 /* that were read, of data and trees */
	uint64_t errors; /* that could not be read, or whose checksum was wrong */
	uint64_t corrected, uncorrectable;
};

/* Is one running on this device, of whoever?  1, 0, -errno. */
int pme_scrub_runs(int fd, uint64_t devid);

/*
 * Scrub all chunks of the device @devid that meet @range, of the filesystem that @fd is on;
 * @read_only: change nothing.  0, -EINTR and -ETIMEDOUT when it was stopped, -EINPROGRESS, -errno.
 */
int pme_scrub(struct pme_rewrite_run *run, int fd, uint64_t devid, struct pme_range range,
	      bool read_only, struct pme_scrubbed *ret);

#endif
