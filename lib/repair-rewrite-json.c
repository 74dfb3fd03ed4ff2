/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites as JSON, in the order of pmemctl-json(7).
 */
#include <assert.h>

#include "doc.h"
#include "repair-rewrite.h"

static const char *const outcome_names[] = {
	[PME_REWRITE_PLANNED] = "planned",   [PME_REWRITE_REFUSED] = "refused",
	[PME_REWRITE_REPAIRED] = "repaired", [PME_REWRITE_SOUND] = "sound",
	[PME_REWRITE_FAILED] = "failed",
};
static_assert(PME_ARRAY_SIZE(outcome_names) == PME_REWRITE_FAILED + 1, "a name for each outcome");

const char *pme_rewrite_outcome_name(enum pme_rewrite_outcome outcome)
{
	return outcome_names[outcome];
}

/* The places that are bad, on the devices that were reported. */
static struct json_object *bad_json(const struct pme_rewrite *rewrite)
{
	struct json_object *array = pme_json_array();

	for (size_t p = 0; p < rewrite->n_pieces; p++) {
		const struct pme_claim *claim = rewrite->pieces[p].claim;
		struct json_object *object = pme_json_object();

		pme_json_owned_text(object, "finding", pme_finding_id(rewrite->pieces[p].finding));
		pme_json_text(object, "device", claim->hops[0].dev->name);
		pme_json_range(object, "range",
			       (struct pme_range){claim->hops[0].start, claim->length});
		pme_json_text(object, "kind", pme_owner_name(claim->kind));
		pme_json_text(object, "reason", claim->reason);
		pme_json_append(array, object);
	}
	return array;
}

/* PME_UNKNOWN becomes null. */
static void count(struct json_object *object, const char *key, uint64_t value)
{
	if (value == PME_UNKNOWN)
		pme_json_set(object, key, NULL);
	else
		pme_json_number(object, key, value);
}

static struct json_object *rewrite_json(const struct pme_rewrite *rewrite)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "how", pme_rewrite_how_name(rewrite->how));
	pme_json_text(object, "device", rewrite->layer->name);
	pme_json_text(object, "name", rewrite->layer->alias);
	pme_json_range(object, "window", rewrite->window);
	pme_json_set(object, "bad", bad_json(rewrite));
	pme_json_text(object, "refusal", rewrite->refusal);
	pme_json_text(object, "outcome", outcome_names[rewrite->outcome]);
	pme_json_text(object, "error", rewrite->error);
	count(object, "mismatched_bytes", rewrite->mismatches);
	count(object, "corrected", rewrite->corrected);
	count(object, "uncorrectable", rewrite->uncorrectable);
	return object;
}

static uint64_t bad_bytes(const struct pme_rewrite *rewrite)
{
	uint64_t bytes = 0;

	for (size_t p = 0; p < rewrite->n_pieces; p++)
		bytes += rewrite->pieces[p].claim->length;
	return bytes;
}

static struct json_object *summary_json(const struct pme_rewrites *rewrites)
{
	struct json_object *object = pme_json_object();
	uint64_t counts[PME_REWRITE_FAILED + 1] = {0}, bytes[PME_REWRITE_FAILED + 1] = {0};

	for (size_t i = 0; i < rewrites->count; i++) {
		enum pme_rewrite_outcome outcome = rewrites->items[i].outcome;

		counts[outcome]++;
		bytes[outcome] += bad_bytes(&rewrites->items[i]);
	}
	for (size_t o = 0; o < PME_ARRAY_SIZE(counts); o++)
		pme_json_number(object, outcome_names[o], counts[o]);
	pme_json_number(object, "planned_bytes", bytes[PME_REWRITE_PLANNED]);
	pme_json_number(object, "repaired_bytes", bytes[PME_REWRITE_REPAIRED]);
	pme_json_number(object, "left_bytes",
			bytes[PME_REWRITE_REFUSED] + bytes[PME_REWRITE_FAILED]);
	return object;
}

void pme_rewrites_json(const struct pme_rewrites *rewrites, struct json_object *doc)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < rewrites->count; i++)
		pme_json_append(array, rewrite_json(&rewrites->items[i]));
	pme_json_set(doc, "rewrite_summary", summary_json(rewrites));
	pme_json_set(doc, "rewrites", array);
}
