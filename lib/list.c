/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad ranges per device; see list.h.
 */
#include "list.h"

#include "doc.h"

static struct json_object *range_json(const struct pme_scan *scan, const struct pme_bad *bad)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "start", bad->range.start);
	pme_json_number(object, "length", bad->range.length);
	pme_json_number(object, "physical_address", pme_dev_physical(bad->dev, bad->range.start));
	pme_json_set(object, "dimms", pme_dimms_json(scan->topo, bad->dev, bad->range.start));
	pme_json_set(object, "known_by", pme_known_by_json(bad->known_by));
	return object;
}

static struct json_object *device_json(const struct pme_scan *scan, const struct pme_list *list)
{
	const struct pme_dev *dev = list->dev;
	struct json_object *object = pme_json_object();
	struct json_object *ranges = pme_json_array();
	uint64_t bytes = 0;

	for (size_t i = 0; i < scan->bads.count; i++) {
		if (scan->bads.items[i].dev != dev)
			continue;
		bytes += scan->bads.items[i].range.length;
		pme_json_append(ranges, range_json(scan, &scan->bads.items[i]));
	}
	pme_json_device(object, scan->topo, dev, 0);
	pme_json_text(object, "identity", dev->identity);
	pme_json_text(object, "uuid", dev->ns ? dev->ns->uuid : NULL);
	pme_json_number(object, "size", dev->size);
	pme_json_text(object, "list", pme_list_state_name(list->state));
	pme_json_number(object, "bad_bytes", bytes);
	pme_json_set(object, "ranges", ranges);
	return object;
}

void pme_list_json(const struct pme_scan *scan, struct json_object *doc)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < scan->bads.n_lists; i++)
		pme_json_append(array, device_json(scan, &scan->bads.lists[i]));
	pme_json_set(doc, "devices", array);
}

void pme_list_json_empty(struct json_object *doc)
{
	pme_json_set(doc, "devices", pme_json_array());
}
