/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a way up, and what the filesystem at its end said, to claims of a finding.
 */
#ifndef PME_SCAN_CLAIMS_H
#define PME_SCAN_CLAIMS_H

#include "finding.h"

/* A way that ended below any filesystem becomes one claim.  0 or -ENOMEM. */
int pme_claim_end(const struct pme_findings *findings, struct pme_finding *finding,
		  const struct pme_top *top);

/* A way to the filesystem @reached becomes one claim for each owner of its bytes.  0 or -ENOMEM. */
int pme_claim_fs(const struct pme_topo *topo, struct pme_finding *finding,
		 const struct pme_top *top, const struct pme_reached_fs *reached);

#endif
