/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files are that a scan found: see use.h.
 */
#ifndef PME_SCAN_USES_H
#define PME_SCAN_USES_H

#include "scan.h"

/*
 * Sets the use of the files; holders must be known.  0 or -ENOMEM.  What cannot be read is not
 * known, and no gap.
 */
int pme_scan_uses(struct pme_scan *scan, struct pme_log *log);

#endif
