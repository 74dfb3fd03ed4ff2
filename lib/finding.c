/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings and their verdicts; see finding.h.
 */
#include "finding.h"

#include <string.h>
#include <xxhash.h>

#include "doc.h"
#include "vault.h"

struct pme_claim *pme_finding_add_claim(struct pme_finding *finding, const struct pme_top *top,
					uint64_t skip, uint64_t length)
{
	struct pme_hop *hops;
	struct pme_claim *claim;

	if (pme_grow(&finding->claims, &finding->alloc_claims, finding->n_claims,
		     sizeof(*finding->claims)) < 0)
		return NULL;
	hops = pme_hops_copy(top->hops, top->n_hops, skip);
	if (!hops)
		return NULL;
	claim = &finding->claims[finding->n_claims++];
	*claim = (struct pme_claim){.hops = hops, .n_hops = top->n_hops, .length = length};
	return claim;
}

static void claim_done(struct pme_claim *claim)
{
	free(claim->hops);
	free(claim->detail);
	free(claim->reason);
	free(claim->fs_type);
	free(claim->fs_uuid);
	json_object_put(claim->donor);
}

void pme_findings_done(struct pme_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct pme_finding *finding = &findings->items[i];

		for (size_t c = 0; c < finding->n_claims; c++)
			claim_done(&finding->claims[c]);
		free(finding->claims);
	}
	for (size_t i = 0; i < findings->n_fs; i++) {
		struct pme_reached_fs *reached = findings->fs[i];

		pme_fs_result_done(&reached->result);
		pme_range_list_done(&reached->ranges);
		pme_fs_done(&reached->fs);
		free(reached);
	}
	for (size_t i = 0; i < findings->n_raws; i++)
		pme_file_free(findings->raws[i].node);
	free(findings->raws);
	free(findings->fs);
	free(findings->items);
	*findings = (struct pme_findings){0};
}

static bool reaches(const struct pme_claim *claim, const struct pme_dev *dev)
{
	for (size_t h = 0; h < claim->n_hops; h++)
		if (claim->hops[h].dev == dev)
			return true;
	return false;
}

/*
 * Bytes of a file that a loop device stands on mean what is said of them on that device, whose
 * claims have longer ways and are judged already; without any, they are just bytes of a file.
 */
static enum pme_verdict judge_image(const struct pme_finding *finding,
				    const struct pme_claim *image)
{
	struct pme_range bytes = {image->hops[0].start, image->length}, common;
	enum pme_verdict worst = PME_HARMLESS;
	bool found = false;

	for (size_t c = 0; c < finding->n_claims; c++) {
		const struct pme_claim *claim = &finding->claims[c];
		struct pme_range part = {claim->hops[0].start, claim->length};

		if (!reaches(claim, image->carries) || !pme_range_intersect(bytes, part, &common))
			continue;
		found = true;
		worst = claim->verdict > worst ? claim->verdict : worst;
	}
	return found ? worst : pme_verdict_of(image->kind, image->certainty);
}

static void judge(const struct pme_finding *finding, struct pme_claim *claim)
{
	enum pme_verdict image;

	claim->verdict = pme_verdict_of(claim->kind, claim->certainty);
	/* in doubt, these bytes may be somebody else's */
	if (claim->certainty == PME_UNCERTAIN)
		return;
	if (claim->behind_end || claim->own)
		claim->verdict = PME_HARMLESS;
	else if (claim->donor && claim->verdict == PME_LOST)
		claim->verdict = PME_RECOVERABLE;
	if (claim->behind_end || claim->own || !claim->carries)
		return;
	image = judge_image(finding, claim);
	if (image != PME_VERDICT_UNKNOWN) {
		claim->verdict = image;
	} else if (claim->certainty == PME_EXACT) {
		claim->certainty = PME_UNCERTAIN;
		claim->verdict = image;
		claim->reason = pme_printf("what these bytes are on %s is not known",
					   pme_dev_label(claim->carries));
		if (!claim->reason)
			pme_json_lose();
	}
}

/* The claims with @n_hops hops; returns the next smaller number of hops, or 0. */
static size_t judge_depth(struct pme_finding *finding, size_t n_hops)
{
	size_t next = 0;

	for (size_t c = 0; c < finding->n_claims; c++) {
		struct pme_claim *claim = &finding->claims[c];

		if (claim->n_hops == n_hops)
			judge(finding, claim);
		else if (claim->n_hops < n_hops && claim->n_hops > next)
			next = claim->n_hops;
	}
	return next;
}

void pme_findings_judge(struct pme_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct pme_finding *finding = &findings->items[i];
		size_t longest = 0;

		finding->verdict = PME_HARMLESS;
		for (size_t c = 0; c < finding->n_claims; c++)
			longest = finding->claims[c].n_hops > longest ? finding->claims[c].n_hops
								      : longest;
		while (longest > 0)
			longest = judge_depth(finding, longest);
		for (size_t c = 0; c < finding->n_claims; c++)
			if (finding->claims[c].verdict > finding->verdict)
				finding->verdict = finding->claims[c].verdict;
	}
}

/* Is @claim on a file in quarantine? */
static bool in_quarantine(const struct pme_claim *claim)
{
	return claim->own && claim->file->vault == 1 + PME_VAULT_QUARANTINE;
}

int pme_finding_quarantined(const struct pme_finding *finding, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list parked = {0}, missed = {0}, rest = {0};
	int r = 0;

	for (size_t c = 0; r == 0 && c < finding->n_claims; c++) {
		const struct pme_claim *claim = &finding->claims[c];

		if (in_quarantine(claim))
			r = pme_range_list_add(&parked, claim->hops[0].start, claim->length);
		else if (claim->verdict != PME_HARMLESS)
			r = pme_range_list_add(&missed, claim->hops[0].start, claim->length);
	}
	pme_range_list_normalize(&parked);
	pme_range_list_normalize(&missed);
	for (size_t i = 0; r == 0 && i < parked.count; i++)
		r = pme_range_list_subtract(parked.items[i], &missed, &rest);
	*ret = pme_range_list_bytes(&rest);
	return r;
}

/* Bytes of the finding's range with a claim whose verdict is at least @verdict. */
static int bytes_at_least(const struct pme_finding *finding, enum pme_verdict verdict,
			  uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list list = {0};

	for (size_t c = 0; c < finding->n_claims; c++) {
		const struct pme_claim *claim = &finding->claims[c];
		int r;

		if (claim->verdict < verdict)
			continue;
		r = pme_range_list_add(&list, claim->hops[0].start, claim->length);
		if (r < 0)
			return r;
	}
	pme_range_list_normalize(&list);
	*ret = pme_range_list_bytes(&list);
	return 0;
}

int pme_finding_bytes(const struct pme_finding *finding, enum pme_verdict verdict, uint64_t *ret)
{
	uint64_t here, above = 0;
	int r = bytes_at_least(finding, verdict, &here);

	if (r == 0 && verdict < PME_LOST)
		r = bytes_at_least(finding, verdict + 1, &above);
	if (r < 0)
		return r;
	*ret = here - above;
	return 0;
}

char *pme_finding_id(const struct pme_finding *finding)
{
	_cleanup_free_ char *text = pme_printf("%s %llu %llu", finding->dev->identity,
					       (unsigned long long)finding->range.start,
					       (unsigned long long)finding->range.length);

	if (!text)
		return NULL;
	return pme_printf("%016llx", (unsigned long long)XXH3_64bits(text, strlen(text)));
}
