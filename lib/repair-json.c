/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans as JSON: one function per kind of object, in the order of pmemctl-json(7).
 */
#include <assert.h>

#include "doc.h"
#include "repair-plan.h"

static const char *const outcome_names[] = {
	[PME_STEP_PLANNED] = "planned",	  [PME_STEP_REFUSED] = "refused",
	[PME_STEP_REPAIRED] = "repaired", [PME_STEP_CHANGED] = "changed",
	[PME_STEP_GIVEN_UP] = "given_up", [PME_STEP_FAILED] = "failed",
};
static_assert(PME_ARRAY_SIZE(outcome_names) == PME_STEP_FAILED + 1, "a name for each outcome");

static struct json_object *target_json(const struct pme_repair_step *step,
				       const struct pme_repair_target *target)
{
	struct json_object *object = pme_json_object();
	struct pme_range range = {target->start, step->device.length};
	const struct pme_file *file = target->file;
	struct json_object *paths = pme_json_array();

	for (size_t i = 0; i < file->n_paths; i++)
		pme_json_append(paths, pme_json_path(file->paths[i]));
	pme_json_number(object, "inode", file->inode);
	pme_json_number(object, "generation", file->generation);
	pme_json_range(object, "range", range);
	pme_json_set(object, "paths", paths);
	pme_json_bool(object, "paths_complete", file->paths_complete);
	pme_json_text(object, "paths_reason", file->paths_reason);
	pme_json_set(object, "holders", pme_holders_json(file, &range));
	pme_json_text(object, "how", pme_repair_how_name(target->how));
	pme_json_text(object, "refusal", target->refusal);
	return object;
}

static void add_id(struct json_object *array, const struct pme_finding *finding)
{
	_cleanup_free_ char *id = pme_finding_id(finding);

	if (id)
		pme_json_append(array, pme_json_lossy(id));
	else
		pme_json_lose();
}

/*
 * The first step on the filesystem of @claim that ends behind its beginning, or n_steps: steps of a
 * filesystem are in a row, sorted.
 */
static size_t first_step(const struct pme_repair_plan *plan, const struct pme_claim *claim)
{
	uint64_t start = claim->hops[claim->n_hops - 1].start;
	size_t i = 0;

	while (i < plan->n_steps && &plan->steps[i].fs->fs != claim->fs)
		i++;
	while (i < plan->n_steps && &plan->steps[i].fs->fs == claim->fs &&
	       pme_range_end(plan->steps[i].device) <= start)
		i++;
	return i;
}

static bool has_bytes(const struct pme_repair_step *step, const struct pme_claim *claim)
{
	const struct pme_hop *last = &claim->hops[claim->n_hops - 1];
	struct pme_range common;

	return &step->fs->fs == claim->fs &&
	       pme_range_intersect((struct pme_range){last->start, claim->length}, step->device,
				   &common);
}

/* For each step the ids of the findings with bad bytes in it; @last has room for n_steps. */
static void add_ids(const struct pme_repair_plan *plan, struct json_object **arrays,
		    const struct pme_finding **last)
{
	const struct pme_findings *findings = &plan->scan.findings;

	for (size_t i = 0; i < findings->count; i++) {
		const struct pme_finding *finding = &findings->items[i];

		for (size_t c = 0; c < finding->n_claims; c++) {
			const struct pme_claim *claim = &finding->claims[c];
			size_t s = claim->fs ? first_step(plan, claim) : plan->n_steps;

			for (; s < plan->n_steps && has_bytes(&plan->steps[s], claim); s++) {
				if (last[s] != finding)
					add_id(arrays[s], finding);
				last[s] = finding;
			}
		}
	}
}

/* Takes @findings. */
static struct json_object *step_json(const struct pme_repair_step *step,
				     struct json_object *findings)
{
	struct json_object *object = pme_json_object();
	struct json_object *targets = pme_json_array();

	for (size_t t = 0; t < step->n_targets; t++)
		pme_json_append(targets, target_json(step, &step->targets[t]));
	pme_json_set(object, "findings", findings);
	pme_json_set(object, "filesystem", pme_fs_json(&step->fs->fs));
	pme_json_text(object, "device", step->fs->fs.dev->name);
	pme_json_text(object, "name", step->fs->fs.dev->alias);
	pme_json_range(object, "range", step->device);
	pme_json_set(object, "bad", pme_json_ranges(&step->bad));
	pme_json_set(object, "targets", targets);
	pme_json_set(object, "donor", pme_donor_json(&step->donor));
	pme_json_bool(object, "zero", step->zero);
	pme_json_text(object, "no_proof", step->no_proof);
	pme_json_text(object, "refusal", step->refusal);
	pme_json_text(object, "outcome", outcome_names[step->outcome]);
	pme_json_text(object, "error", step->error);
	return object;
}

/* A claim that has no step; NULL when it has one. */
static struct json_object *other_json(const struct pme_finding *finding,
				      const struct pme_claim *claim)
{
	const struct pme_hop *last = &claim->hops[claim->n_hops - 1];
	char *advice = pme_repair_advice(claim);
	struct json_object *object, *paths;

	if (!advice)
		return NULL;
	object = pme_json_object();
	paths = pme_json_array();
	for (size_t i = 0; claim->file && i < claim->file->n_paths; i++)
		pme_json_append(paths, pme_json_path(claim->file->paths[i]));
	pme_json_owned_text(object, "finding", pme_finding_id(finding));
	pme_json_text(object, "device", last->dev->name);
	pme_json_text(object, "name", last->dev->alias);
	pme_json_range(object, "range", (struct pme_range){last->start, claim->length});
	pme_json_text(object, "kind", pme_owner_name(claim->kind));
	pme_json_text(object, "detail", claim->detail);
	pme_json_text(object, "certainty", pme_certainty_name(claim->certainty));
	pme_json_text(object, "verdict", pme_verdict_name(claim->verdict));
	pme_json_set(object, "paths", paths);
	pme_json_owned_text(object, "advice", advice);
	return object;
}

/* A checkpoint that shares the blocks of a step is repaired with them. */
static bool in_step(const struct pme_repair_plan *plan, const struct pme_claim *claim)
{
	size_t s = claim->fs && claim->kind == PME_OWNER_FILE_DATA ? first_step(plan, claim)
								   : plan->n_steps;

	return s < plan->n_steps && has_bytes(&plan->steps[s], claim);
}

static bool is_asked(const struct pme_repair_plan *plan, const struct pme_claim *claim)
{
	return plan->named.count == 0 ||
	       (claim->file && pme_repair_name_of(&plan->named, claim->file));
}

static struct json_object *others_json(const struct pme_repair_plan *plan)
{
	const struct pme_findings *findings = &plan->scan.findings;
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < findings->count; i++) {
		for (size_t c = 0; c < findings->items[i].n_claims; c++) {
			const struct pme_claim *claim = &findings->items[i].claims[c];
			struct json_object *other;

			if (!is_asked(plan, claim) || in_step(plan, claim) ||
			    pme_rewrites_have(&plan->rewrites, claim))
				continue;
			other = other_json(&findings->items[i], claim);
			if (other)
				pme_json_append(array, other);
		}
	}
	return array;
}

static struct json_object *summary_json(const struct pme_repair_plan *plan)
{
	struct json_object *object = pme_json_object();
	uint64_t counts[PME_STEP_FAILED + 1] = {0}, bytes[PME_STEP_FAILED + 1] = {0}, zero = 0;

	for (size_t i = 0; i < plan->n_steps; i++) {
		counts[plan->steps[i].outcome]++;
		if (plan->steps[i].zero && plan->steps[i].outcome == PME_STEP_PLANNED)
			zero += pme_range_list_bytes(&plan->steps[i].bad);
		else
			bytes[plan->steps[i].outcome] += pme_range_list_bytes(&plan->steps[i].bad);
	}
	pme_json_number(object, "steps", plan->n_steps);
	for (size_t o = 0; o < PME_ARRAY_SIZE(counts); o++)
		pme_json_number(object, outcome_names[o], counts[o]);
	pme_json_number(object, "planned_bytes", bytes[PME_STEP_PLANNED]);
	pme_json_number(object, "repaired_bytes", bytes[PME_STEP_REPAIRED]);
	pme_json_number(object, "given_up_bytes", zero + bytes[PME_STEP_GIVEN_UP]);
	pme_json_number(object, "left_bytes",
			bytes[PME_STEP_REFUSED] + bytes[PME_STEP_CHANGED] + bytes[PME_STEP_FAILED]);
	return object;
}

static struct json_object *steps_json(const struct pme_repair_plan *plan)
{
	_cleanup_free_ struct json_object **ids = calloc(plan->n_steps + 1, sizeof(*ids));
	_cleanup_free_ const struct pme_finding **last = calloc(plan->n_steps + 1, sizeof(*last));
	struct json_object *steps = pme_json_array();

	if (!ids || !last) {
		pme_json_lose();
		return steps;
	}
	for (size_t i = 0; i < plan->n_steps; i++)
		ids[i] = pme_json_array();
	add_ids(plan, ids, last);
	for (size_t i = 0; i < plan->n_steps; i++)
		pme_json_append(steps, step_json(&plan->steps[i], ids[i]));
	return steps;
}

void pme_repair_json(const struct pme_repair_plan *plan, struct json_object *doc)
{
	pme_json_set(doc, "summary", summary_json(plan));
	pme_json_set(doc, "plan", steps_json(plan));
	pme_rewrites_json(&plan->rewrites, doc);
	pme_json_set(doc, "others", others_json(plan));
}

void pme_repair_json_empty(struct json_object *doc)
{
	struct pme_repair_plan none = {0};

	pme_repair_json(&none, doc);
}
