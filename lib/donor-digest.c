/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A donor: the replica of a version that was kept without a checkpoint, proved by its digests and
 * by a sample: the file did not change since, as a whole.  One that had a checkpoint proves nothing
 * in this way (saved.h), also when that is gone.
 */
#include <string.h>

#include "donor-saved.h"
#include "manifest.h"

static int proves(const struct pme_saved *saved, const struct pme_want *want, char **ret_why)
{
	int r;

	/* pages that are only dirty yet have no new timestamp on a mapping */
	if (fsync(want->fd) < 0)
		return -errno;
	r = pme_saved_unchanged(saved, want->fd);
	if (r != 0)
		return r;
	if (saved->manifest->has_checkpoint)
		*ret_why = strdup("only its checkpoint could prove it");
	else if (!saved->manifest->settled)
		*ret_why = strdup("somebody had the file open for writing when it was copied");
	else if (!pme_saved_is_of_boot(saved))
		*ret_why = strdup("the machine was started anew since it was copied, and after a "
				  "power cut the times of the file may hide a write");
	else
		*ret_why = strdup("the file changed since");
	return *ret_why ? 0 : -ENOMEM;
}

static int find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		char **ret_reason)
{
	int r = pme_donor_saved_find(want, PME_PROOF_DIGEST, proves, log, ret, ret_reason);

	if (r != 0 || *ret_reason)
		return r;
	*ret_reason = strdup("no version of this file was kept");
	return *ret_reason ? 0 : -ENOMEM;
}

static int holds(const struct pme_donor *donor, const struct pme_want *want)
{
	const struct pme_saved *saved;
	int r = pme_donor_saved_of(donor, want, &saved);

	if (r == 0 && fsync(want->fd) < 0)
		r = -errno;
	return r < 0 ? r : pme_saved_unchanged(saved, want->fd);
}

const struct pme_donor_kind pme_donor_digest = {
	.name = "digest",
	.find = find,
	.holds = holds,
	.read = pme_donor_saved_read,
};
