/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic in words; see explain.h.
 */
#include "explain.h"

#include <string.h>

#include "doc.h"
#include "layer.h"

#define ULL(x) ((unsigned long long)(x))

static void add_step(struct json_object *steps, const char *device, char *text)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "device", device);
	pme_json_owned_text(object, "text", text);
	pme_json_append(steps, object);
}

/* Names of DIMMs as "nmem0, nmem1". */
static char *dimm_names(const struct pme_topo *topo, const struct pme_dev *dev, uint64_t offset)
{
	struct json_object *names = pme_dimms_json(topo, dev, offset);
	char *text = strdup("");

	for (size_t i = 0; text && i < pme_json_count(names); i++) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s%s%s", before, i ? ", " : "",
				  json_object_get_string(pme_json_at(names, i)));
	}
	json_object_put(names);
	return text;
}

/* From the DIMM to the byte of the namespace's device. */
static void explain_address(const struct pme_topo *topo, const struct pme_dev *dev, uint64_t offset,
			    struct json_object *steps)
{
	const struct pme_region *region = pme_dev_region(dev);
	uint64_t address = pme_dev_physical(dev, offset);
	_cleanup_free_ char *dimms = dimm_names(topo, dev, offset);

	if (!region)
		return;
	if (address == PME_UNKNOWN || region->resource == PME_UNKNOWN) {
		add_step(steps, region->name,
			 pme_printf("physical addresses can only be read by root"));
		return;
	}
	add_step(steps, region->name,
		 pme_printf("physical address %llu (0x%llx) - %llu (start of %s%s%s) = %llu",
			    ULL(address), ULL(address), ULL(region->resource), region->name,
			    dimms && *dimms ? " on " : "", dimms ? dimms : "",
			    ULL(address - region->resource)));
	if (dev->ns)
		add_step(steps, dev->name,
			 pme_printf("%llu - %llu (where the data of %s begins in %s) = %llu",
				    ULL(address - region->resource),
				    ULL(dev->ns->data_start - region->resource), dev->ns->name,
				    region->name, ULL(offset)));
}

static void explain_hops(struct pme_stack *stack, const struct pme_claim *claim,
			 struct json_object *steps)
{
	for (size_t i = 1; i < claim->n_hops; i++) {
		const struct pme_hop *lower = &claim->hops[i - 1], *upper = &claim->hops[i];
		const struct pme_layer *layer = pme_layer_of(upper->dev);
		char *text = NULL;

		if (layer && layer->explain)
			text = layer->explain(stack, lower->dev, lower->start, upper->dev,
					      upper->start);
		add_step(steps, pme_dev_label(upper->dev),
			 text ? text
			      : pme_printf("byte %llu of %s is byte %llu of %s", ULL(lower->start),
					   pme_dev_label(lower->dev), ULL(upper->start),
					   pme_dev_label(upper->dev)));
	}
}

/* What the last device says: filesystem and owner. */
static void explain_owner(const struct pme_claim *claim, struct json_object *steps)
{
	const struct pme_hop *top = &claim->hops[claim->n_hops - 1];
	const char *label = pme_dev_label(top->dev);
	const char *detail = claim->detail ? claim->detail : "";
	const char *reason = claim->reason ? claim->reason : "";
	const char *between = *detail && *reason ? "; " : "";
	bool said = *detail || *reason;
	_cleanup_free_ char *place = NULL;

	if (claim->file && claim->has_file_start)
		place = pme_printf(": bytes %llu to %llu of inode %llu", ULL(claim->file_start),
				   ULL(claim->file_start + claim->length - 1),
				   ULL(claim->file->inode));
	else if (claim->file)
		place = pme_printf(": inode %llu", ULL(claim->file->inode));
	if (claim->file && !place)
		pme_json_lose();
	add_step(steps, label,
		 pme_printf("%s%sbytes %llu to %llu of %s are %s%s%s%s%s%s%s",
			    claim->fs ? claim->fs->type : "", claim->fs ? ": " : "",
			    ULL(top->start), ULL(top->start + claim->length - 1), label,
			    pme_owner_name(claim->kind), place ? place : "", said ? " (" : "",
			    detail, between, reason, said ? ")" : ""));
}

static struct json_object *steps_json(struct pme_scan *scan, const struct pme_claim *claim)
{
	struct json_object *steps = pme_json_array();

	explain_address(scan->topo, claim->hops[0].dev, claim->hops[0].start, steps);
	explain_hops(&scan->stack, claim, steps);
	explain_owner(claim, steps);
	return steps;
}

void pme_explain_json(struct pme_scan *scan, struct json_object *doc)
{
	struct json_object *findings = pme_json_get(doc, "findings");

	for (size_t i = 0; i < scan->findings.count; i++) {
		const struct pme_finding *finding = &scan->findings.items[i];
		struct json_object *claims = pme_json_get(pme_json_at(findings, i), "claims");

		for (size_t c = 0; c < finding->n_claims; c++)
			pme_json_set(pme_json_at(claims, c), "steps",
				     steps_json(scan, &finding->claims[c]));
	}
}
