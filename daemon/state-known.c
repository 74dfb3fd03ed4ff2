/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings that are new, but say nothing new: of bytes that other findings of the device had, which
 * said the same of them.  When a part of a bad range is overwritten, what is left of it has other
 * ids.
 *
 * What is not certain is new: each byte must have been told with a verdict that is not milder, as
 * the same kind of thing of the same volume, and with each of its files.
 */
#include "state-facts.h"

#include <string.h>

/* More claims than this are not compared, on either side: what has them is told as any. */
#define CLAIMS_MAX 4096

struct claim {
	struct json_object *json;
	struct pme_range place;
	enum pme_verdict verdict;
	struct pmed_names names;
};

struct told {
	struct pme_range_list ranges;
	struct json_object *kept; /* the findings that claims are borrowed from */
	struct claim *claims;	  /* of what is not harmless */
	size_t count, alloc;
	size_t looked; /* claims that were looked for in these */
};

static void told_done(struct told *told)
{
	for (size_t i = 0; i < told->count; i++)
		pmed_names_done(&told->claims[i].names);
	free(told->claims);
	pme_range_list_done(&told->ranges);
	json_object_put(told->kept);
}

static int add_range(const struct pmed_finding *finding, struct pme_range_list *ret)
{
	return pme_range_list_add(ret, finding->range.start, finding->range.length);
}

static int is_within(struct pme_range range, const struct pme_range_list *list)
{
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	int r = pme_range_list_subtract(range, list, &rest);

	return r < 0 ? r : rest.count == 0;
}

/* What a document says of one place; 1, 0 when it is harmless. */
static int read_claim(struct json_object *json, struct claim *ret)
{
	enum pme_verdict verdict = pmed_verdict(pmed_text(json, "verdict"));
	struct pmed_names names = {0};

	if (verdict == PME_HARMLESS)
		return 0;
	if (pmed_names_of_claim(json, &names) < 0) {
		pmed_names_done(&names);
		return -ENOMEM;
	}
	pmed_names_sort(&names);
	*ret = (struct claim){json, pmed_place_of(json), verdict, names};
	return 1;
}

static int add_claims(struct told *told, const struct pmed_finding *finding)
{
	struct json_object *json = pmed_finding_json(finding);
	struct json_object *claims = pmed_array(json, "claims");
	size_t kept = pme_json_count(told->kept);

	if (!json)
		return -ENOMEM;
	pme_json_append(told->kept, json);
	if (pme_json_count(told->kept) != kept + 1)
		return -ENOMEM;
	for (size_t i = 0; i < pme_json_count(claims) && told->count < CLAIMS_MAX; i++) {
		int r = pme_grow(&told->claims, &told->alloc, told->count, sizeof(*told->claims));

		if (r == 0)
			r = read_claim(pme_json_at(claims, i), &told->claims[told->count]);
		if (r < 0)
			return r;
		told->count += (size_t)r;
	}
	return 0;
}

static bool is_like(const struct claim *claim, const struct claim *other)
{
	struct pme_range common;

	return claim->verdict <= other->verdict &&
	       pme_range_intersect(claim->place, other->place, &common) &&
	       pmed_claims_alike(claim->json, other->json) &&
	       pmed_names_within(&claim->names, &other->names);
}

/* Was that told of all bytes of @claim? */
static int claim_is_known(const struct told *told, const struct claim *claim)
{
	_cleanup_(pme_range_list_done) struct pme_range_list places = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < told->count; i++)
		if (is_like(claim, &told->claims[i]))
			r = pme_range_list_add(&places, told->claims[i].place.start,
					       told->claims[i].place.length);
	pme_range_list_normalize(&places);
	return r < 0 ? r : is_within(claim->place, &places);
}

/* @finding is fresh; its bytes were told. */
static int is_known(struct told *told, const struct pmed_finding *finding)
{
	struct json_object *claims = pmed_array(finding->fresh, "claims");
	enum pme_verdict worst = PME_HARMLESS;
	int r = 1;

	told->looked += pme_json_count(claims);
	if (told->looked > CLAIMS_MAX)
		return 0;
	for (size_t i = 0; r > 0 && i < pme_json_count(claims); i++) {
		struct claim claim = {0};

		r = read_claim(pme_json_at(claims, i), &claim);
		if (r > 0)
			r = claim_is_known(told, &claim);
		else if (r == 0)
			r = 1;
		worst = claim.verdict > worst ? claim.verdict : worst;
		pmed_names_done(&claim.names);
	}
	return r > 0 ? finding->verdict <= worst : r;
}

static bool is_candidate(const struct pmed_finding *finding, const struct told *told)
{
	return finding->mark == PMED_ADDED && finding->bytes == PMED_PLAIN && finding->fresh &&
	       is_within(finding->range, &told->ranges) > 0;
}

/* One that people were told of before this scan, which has told nothing else of it. */
static bool was_told(const struct pmed_finding *finding)
{
	return finding->mark == PMED_SAME || finding->mark == PMED_GONE;
}

/* Ranges of all that was told, and claims of those that meet the candidates.  1, 0 when there are
 * no candidates. */
static int find_told(const struct pmed_device *device, struct told *told)
{
	_cleanup_(pme_range_list_done) struct pme_range_list wanted = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (was_told(&device->findings[i]))
			r = add_range(&device->findings[i], &told->ranges);
	pme_range_list_normalize(&told->ranges);
	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (is_candidate(&device->findings[i], told))
			r = add_range(&device->findings[i], &wanted);
	pme_range_list_normalize(&wanted);
	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (was_told(&device->findings[i]) &&
		    pme_range_list_meets(&wanted, device->findings[i].range))
			r = add_claims(told, &device->findings[i]);
	return r < 0 ? r : wanted.count > 0;
}

static bool has_mark(const struct pmed_device *device, int mark)
{
	for (size_t i = 0; i < device->n_findings; i++)
		if ((int)device->findings[i].mark == mark)
			return true;
	return false;
}

int pmed_mark_parts(struct pmed_device *device)
{
	_cleanup_(told_done) struct told told = {0};
	int r;

	if (!has_mark(device, PMED_ADDED))
		return 0;
	told.kept = pme_json_array();
	r = find_told(device, &told);
	if (r <= 0)
		return r;
	for (size_t i = 0; r >= 0 && i < device->n_findings; i++) {
		struct pmed_finding *finding = &device->findings[i];

		if (!is_candidate(finding, &told))
			continue;
		r = is_known(&told, finding);
		if (r > 0)
			finding->bytes = PMED_KNOWN_PART;
	}
	return r < 0 ? r : 0;
}
