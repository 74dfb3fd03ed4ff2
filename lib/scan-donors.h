/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the lost data has a donor with proof?  Only where something is protected at all; bad
 * media is never read for it.
 */
#ifndef PME_SCAN_DONORS_H
#define PME_SCAN_DONORS_H

#include "scan.h"

/*
 * Give claims of file data their donors: before pme_findings_judge().  Sharers of bytes have the
 * donor of any of them.  0 or -ENOMEM.
 */
int pme_scan_donors(struct pme_scan *scan, struct pme_log *log);

#endif
