/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be overwritten: nothing that has an owner; see clear.h.
 */
#include <inttypes.h>
#include <string.h>

#include "clear.h"
#include "vault.h"

static const char *const state_names[] = {
	[PME_CLEAR_PLANNED] = "planned", [PME_CLEAR_REFUSED] = "refused",
	[PME_CLEAR_CLEARED] = "cleared", [PME_CLEAR_PARTLY] = "partly",
	[PME_CLEAR_FAILED] = "failed",
};

const char *pme_clear_state_name(enum pme_clear_state state)
{
	return state_names[state];
}

static bool in_quarantine(const struct pme_claim *claim)
{
	return claim->own && claim->file->vault == 1 + PME_VAULT_QUARANTINE &&
	       claim->has_file_start;
}

/* A line of a table that keeps its own books of what is free on the device below. */
static bool keeps_books(const struct pme_dev *upper)
{
	for (size_t i = 0; i < upper->n_lines; i++)
		if (strcmp(upper->lines[i].type, "linear") != 0 &&
		    strcmp(upper->lines[i].type, "striped") != 0)
			return true;
	return upper->kind == PME_DEV_MD || upper->bcache ||
	       (upper->kind == PME_DEV_DM && upper->n_lines == 0);
}

/*
 * Unused bytes between partitions, or of a volume group, become used only by somebody who makes a
 * partition or a volume.  Those of a pool, a cache or an array are given away by the kernel itself,
 * at any time.
 */
static bool is_nobodys(const struct pme_claim *claim)
{
	const struct pme_dev *dev = claim->hops[claim->n_hops - 1].dev;

	if (claim->kind != PME_OWNER_UNUSED || claim->certainty != PME_EXACT || claim->fs ||
	    claim->fs_type || (dev->kind != PME_DEV_DISK && dev->kind != PME_DEV_PARTITION))
		return false;
	for (size_t i = 0; i < dev->n_uppers; i++)
		if (keeps_books(dev->uppers[i]))
			return false;
	return true;
}

/* Why the bytes of @claim may not be written, allocated. */
static char *why_not(const struct pme_claim *claim)
{
	if (claim->certainty == PME_UNCERTAIN || claim->kind == PME_OWNER_UNKNOWN)
		return pme_printf("it is not known whose these bytes are: %s",
				  claim->reason ? claim->reason : "no reason was given");
	if (claim->certainty == PME_REDUNDANT)
		return pme_printf("these bytes are kept elsewhere as well (%s): let what keeps "
				  "them rewrite these (md: write repair to sync_action; lvchange "
				  "--syncaction repair; btrfs scrub)",
				  claim->reason ? claim->reason : pme_owner_name(claim->kind));
	if (claim->kind == PME_OWNER_FREE)
		return pme_printf("free space of a mounted filesystem, which may give these blocks "
				  "to a file at any moment: they are overwritten when it does");
	if (claim->own)
		return pme_printf("%s", claim->detail ? claim->detail
						      : "a file that pmemctl itself needs");
	if (claim->kind == PME_OWNER_UNUSED)
		return pme_printf("unused, but %s decides when these bytes are used: nothing keeps "
				  "it from doing so now",
				  claim->fs ? pme_fs_subject(claim->fs)
					    : pme_dev_label(claim->hops[claim->n_hops - 1].dev));
	return pme_printf("in use: %s%s%s%s%s", pme_owner_name(claim->kind),
			  claim->detail ? ", " : "", claim->detail ? claim->detail : "",
			  claim->file && claim->file->n_paths > 0 ? " of " : "",
			  claim->file && claim->file->n_paths > 0 ? claim->file->paths[0] : "");
}

/* A device that stands on the region has these bytes: it is the one to be asked for. */
static char *refuse_upper(const struct pme_clear *clear, const struct pme_claim *claim)
{
	const struct pme_dev *upper = claim->n_hops > 1 ? claim->hops[1].dev : NULL;

	if (clear->way.path != PME_CLEAR_COMMAND || !upper)
		return NULL;
	return pme_printf(
		"these bytes are those of %s: give the range there (%s:%" PRIu64 "+%" PRIu64 ")",
		pme_dev_label(upper), pme_dev_label(upper), claim->hops[1].start, claim->length);
}

/* Sets *@ret when the bytes may not be written: 0 or -ENOMEM. */
static int refuse(const struct pme_clear *clear, const struct pme_claim *claim, char **ret)
{
	const struct pme_dev *last = claim->hops[claim->n_hops - 1].dev;
	bool is_exact = claim->certainty == PME_EXACT;

	*ret = refuse_upper(clear, claim);
	if (*ret)
		return 0;
	if (is_exact && claim->kind == PME_OWNER_UNUSED && last->kind == PME_DEV_REGION)
		return pme_clear_refuse_region(clear, last, ret);
	if (is_exact && claim->kind == PME_OWNER_DEVDAX)
		return pme_clear_refuse_devdax(clear, claim, ret);
	if (is_exact && (in_quarantine(claim) || is_nobodys(claim)))
		return 0;
	*ret = why_not(claim);
	return *ret ? 0 : -ENOMEM;
}

static int judge_finding(struct pme_clear *clear, const struct pme_finding *finding)
{
	int r;

	clear->pieces = calloc(finding->n_claims + 1, sizeof(*clear->pieces));
	if (!clear->pieces)
		return -ENOMEM;
	for (size_t c = 0; c < finding->n_claims; c++) {
		const struct pme_claim *claim = &finding->claims[c];
		struct pme_clear_piece *piece = &clear->pieces[clear->count++];

		piece->claim = claim;
		r = refuse(clear, claim, &piece->refusal);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Bytes without any claim would be written unseen. */
static int covers(const struct pme_clear *clear, bool *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list said = {0}, rest = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < clear->count; i++)
		r = pme_range_list_add(&said, clear->pieces[i].claim->hops[0].start,
				       clear->pieces[i].claim->length);
	pme_range_list_normalize(&said);
	if (r == 0)
		r = pme_range_list_subtract(clear->range, &said, &rest);
	*ret = r == 0 && rest.count == 0;
	return r;
}

int pme_clear_set(struct pme_clear *clear, enum pme_clear_state state, char *reason)
{
	clear->state = state;
	free(clear->reason);
	clear->reason = reason;
	return reason ? 0 : -ENOMEM;
}

static int set_refused(struct pme_clear *clear, char *reason)
{
	return pme_clear_set(clear, PME_CLEAR_REFUSED, reason);
}

static int judge_device(struct pme_clear *clear)
{
	const struct pme_dev *dev = clear->dev;

	if (dev->kind != PME_DEV_DISK && clear->way.path != PME_CLEAR_COMMAND)
		return set_refused(clear, pme_printf("%s stands on other devices, or is no block "
						     "device: give the range on the disk below, "
						     "which pmemctl explain shows",
						     pme_dev_label(dev)));
	if (clear->range.start % PME_SECTOR || clear->range.length % PME_SECTOR)
		return set_refused(clear, pme_printf("only whole sectors of 512 bytes can be "
						     "cleared"));
	if (clear->way.unit &&
	    (clear->range.start % clear->way.unit || clear->range.length % clear->way.unit))
		return set_refused(clear, pme_printf("the platform clears %" PRIu64
						     " bytes at once: start and length must be "
						     "multiples of it",
						     clear->way.unit));
	return 0;
}

int pme_clear_judge(struct pme_clear *clear)
{
	const struct pme_findings *findings = &clear->scan.findings;
	bool covered;
	int r;

	clear->state = PME_CLEAR_PLANNED;
	if (findings->count != 1)
		return set_refused(clear, pme_printf("the range is not one of one device"));
	clear->dev = findings->items[0].dev;
	clear->range = findings->items[0].range;
	if (clear->dev->kind == PME_DEV_REGION || clear->dev->kind == PME_DEV_CHARDEV)
		r = pme_clear_command_way(clear->scan.topo, clear->dev, clear->range, &clear->way);
	else
		r = pme_clear_way_of(clear->scan.topo, clear->dev, clear->range, &clear->way);
	if (r == 0)
		r = judge_finding(clear, &findings->items[0]);
	if (r == 0)
		r = judge_device(clear);
	if (r == 0)
		r = covers(clear, &covered);
	if (r < 0 || clear->state == PME_CLEAR_REFUSED)
		return r;
	if (!covered)
		return set_refused(clear, pme_printf("of some of these bytes nothing is known"));
	for (size_t i = 0; i < clear->count; i++)
		if (clear->pieces[i].refusal)
			return set_refused(clear, strdup(clear->pieces[i].refusal));
	return 0;
}
