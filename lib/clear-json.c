/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clearing as JSON, in the order of pmemctl-json(7).
 */
#include "clear.h"
#include "doc.h"

static struct json_object *ranges_json(const struct pme_range_list *list)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; list && i < list->count; i++) {
		struct json_object *object = pme_json_object();

		pme_json_number(object, "start", list->items[i].start);
		pme_json_number(object, "length", list->items[i].length);
		pme_json_append(array, object);
	}
	return array;
}

static struct json_object *way_json(const struct pme_clear_way *way)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "path", pme_clear_path_name(way->path));
	pme_json_text(object, "provider", way->provider);
	pme_json_text(object, "works", pme_clear_works_name(way->works));
	pme_json_text(object, "reason", way->reason);
	pme_json_number(object, "unit", way->unit ? way->unit : PME_UNKNOWN);
	return object;
}

static struct json_object *piece_json(const struct pme_clear_piece *piece)
{
	const struct pme_claim *claim = piece->claim;
	struct json_object *object = pme_json_object();
	struct json_object *paths = pme_json_array();
	struct pme_range range = {claim->hops[0].start, claim->length};

	for (size_t i = 0; claim->file && i < claim->file->n_paths; i++)
		pme_json_append(paths, pme_json_path(claim->file->paths[i]));
	pme_json_range(object, "range", range);
	pme_json_text(object, "owner", pme_owner_name(claim->kind));
	pme_json_text(object, "detail", claim->detail);
	pme_json_set(object, "paths", paths);
	pme_json_bool(object, "clearable", !piece->refusal);
	pme_json_text(object, "reason", piece->refusal);
	return object;
}

static struct json_object *pieces_json(const struct pme_clear *clear)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; clear && i < clear->count; i++)
		pme_json_append(array, piece_json(&clear->pieces[i]));
	return array;
}

static struct json_object *device_json(const struct pme_clear *clear)
{
	struct json_object *object = pme_json_object();

	pme_json_device(object, clear->scan.topo, clear->dev, clear->range.start);
	pme_json_range(object, "range", clear->range);
	pme_json_number(object, "physical_address",
			pme_dev_physical(clear->dev, clear->range.start));
	return object;
}

void pme_clear_json(const struct pme_clear *clear, bool dry_run, struct json_object *doc)
{
	bool known = clear && clear->dev;

	pme_json_bool(doc, "dry_run", dry_run);
	pme_json_set(doc, "target", known ? device_json(clear) : NULL);
	pme_json_set(doc, "way", known && clear->way.reason ? way_json(&clear->way) : NULL);
	pme_json_set(doc, "pieces", pieces_json(clear));
	pme_json_text(doc, "state", pme_clear_state_name(clear ? clear->state : PME_CLEAR_REFUSED));
	pme_json_text(doc, "reason", clear ? clear->reason : NULL);
	pme_json_set(doc, "written", ranges_json(clear ? &clear->written : NULL));
	pme_json_set(doc, "failed", ranges_json(clear ? &clear->failed : NULL));
	pme_json_set(doc, "still_bad", ranges_json(clear ? &clear->still_bad : NULL));
	pme_json_set(doc, "unreadable", ranges_json(clear ? &clear->unreadable : NULL));
}
