/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A donor: the replica of a checkpoint, proved by sharing.  While the file still has the very
 * blocks of the checkpoint nobody has written them since, and the replica, checked against its
 * digests, is what they held.
 */
#include <string.h>

#include "donor-saved.h"

static int proves(const struct pme_saved *saved, const struct pme_want *want, char **ret_why)
{
	int r;

	if (saved->checkpoint < 0)
		return 0; /* donor-digest.c has a word on it */
	r = pme_saved_shares(saved, want->fd, want->range);
	if (r != 0)
		return r;
	*ret_why = strdup("these blocks were written since: no longer those of the checkpoint");
	return *ret_why ? 0 : -ENOMEM;
}

static int find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		char **ret_reason)
{
	int r = pme_donor_saved_find(want, PME_PROOF_SHARED, proves, log, ret, ret_reason);

	if (r != 0 || *ret_reason)
		return r;
	*ret_reason = strdup("no checkpoint of this file with a replica");
	return *ret_reason ? 0 : -ENOMEM;
}

static int holds(const struct pme_donor *donor, const struct pme_want *want)
{
	const struct pme_saved *saved;
	int r = pme_donor_saved_of(donor, want, &saved);

	return r < 0 ? r : pme_saved_shares(saved, want->fd, want->range);
}

const struct pme_donor_kind pme_donor_replica = {
	.name = "replica",
	.find = find,
	.holds = holds,
	.read = pme_donor_saved_read,
};
