/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quarantines as JSON, in the order of pmemctl-json(7).
 */
#include "doc.h"
#include "event.h"
#include "quarantine-list.h"

/* One contiguous piece on one way down; bytes of the file that begin at @start. */
static struct json_object *piece_json(const struct pme_topo *topo, const struct pme_way *way,
				      uint64_t start)
{
	struct json_object *object = pme_json_object();
	struct json_object *via = pme_json_array();
	const struct pme_dev *bottom = way->reason ? NULL : way->hops[0].dev;
	const struct pme_region *region = bottom ? pme_dev_region(bottom) : NULL;
	uint64_t at = bottom ? way->hops[0].start : 0;

	for (size_t i = 0; i < way->n_hops; i++)
		pme_json_append(via, pme_hop_json(&way->hops[i], way->length));
	pme_json_range(object, "range", (struct pme_range){start, way->length});
	pme_json_set(object, "via", via);
	pme_json_text(object, "device", bottom ? bottom->name : NULL);
	pme_json_text(object, "namespace", bottom && bottom->ns ? bottom->ns->name : NULL);
	pme_json_text(object, "region", region ? region->name : NULL);
	pme_json_set(object, "dimms", bottom ? pme_dimms_json(topo, bottom, at) : pme_json_array());
	pme_json_number(object, "physical_address",
			bottom ? pme_dev_physical(bottom, at) : PME_UNKNOWN);
	pme_json_text(object, "reason", way->reason);
	return object;
}

static struct json_object *pieces_json(const struct pme_topo *topo, const struct pme_parked *file)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; file->ways && i < file->extents.count; i++) {
		const struct pme_extent *extent = &file->extents.items[i];

		for (size_t w = 0; w < file->ways[i].count; w++) {
			const struct pme_way *way = &file->ways[i].items[w];
			uint64_t skip = way->hops[way->n_hops - 1].start - extent->device_start;

			pme_json_append(array, piece_json(topo, way, extent->range.start + skip));
		}
	}
	return array;
}

static struct json_object *release_json(const struct pme_parked *file)
{
	struct json_object *object;

	if (!file->outcome)
		return NULL;
	object = pme_json_object();
	pme_json_text(object, "outcome", file->outcome);
	pme_json_text(object, "reason", file->why);
	return object;
}

static struct json_object *file_json(const struct pme_topo *topo,
				     const struct pme_quarantine *quarantine,
				     const struct pme_parked *file)
{
	_cleanup_free_ char *path = pme_parked_path(quarantine, file);
	_cleanup_free_ char *since = pme_time_text(file->since);
	struct json_object *object = pme_json_path(path ? path : "");

	if (!path || !since)
		pme_json_lose();
	pme_json_number(object, "repair", file->is_named ? (uint64_t)file->id : PME_UNKNOWN);
	pme_json_number(object, "number", file->is_named ? file->n : PME_UNKNOWN);
	pme_json_number(object, "inode", file->inode);
	pme_json_number(object, "size", file->size);
	pme_json_number(object, "bytes", file->bytes);
	pme_json_text(object, "since", since);
	pme_json_text(object, "state", pme_parked_state_name(file->state));
	pme_json_text(object, "reason", file->reason);
	pme_json_number(object, "bad_bytes", pme_range_list_bytes(&file->bad));
	pme_json_set(object, "bad", pme_json_ranges(&file->bad));
	pme_json_set(object, "sources", json_object_get(file->sources));
	pme_json_bool(object, "sources_complete", file->sources_complete);
	pme_json_set(object, "pieces", pieces_json(topo, file));
	pme_json_set(object, "release", release_json(file));
	return object;
}

/* The quarantine, or NULL when a selector chose none of its files. */
static struct json_object *quarantine_json(const struct pme_topo *topo,
					   const struct pme_quarantine *quarantine)
{
	struct json_object *object, *files = pme_json_array();

	for (size_t i = 0; i < quarantine->count; i++)
		if (quarantine->files[i].chosen)
			pme_json_append(files, file_json(topo, quarantine, &quarantine->files[i]));
	if (pme_json_count(files) == 0) {
		json_object_put(files);
		return NULL;
	}
	object = pme_json_object();
	pme_json_set(object, "filesystem", pme_fs_json(&quarantine->fs));
	pme_json_set(object, "files", files);
	return object;
}

void pme_quarantines_json(const struct pme_quarantines *quarantines, struct json_object *doc)
{
	struct json_object *summary = pme_json_object(), *array = pme_json_array();
	uint64_t files = 0, bytes = 0, bad = 0, released = 0;

	for (size_t i = 0; i < quarantines->count; i++) {
		const struct pme_quarantine *quarantine = quarantines->items[i];
		struct json_object *object = quarantine_json(quarantines->scan.topo, quarantine);

		if (object)
			pme_json_append(array, object);
		for (size_t f = 0; f < quarantine->count; f++) {
			const struct pme_parked *file = &quarantine->files[f];

			if (!file->chosen)
				continue;
			files++;
			bytes += file->bytes;
			bad += pme_range_list_bytes(&file->bad);
			released += file->outcome && file->outcome == pme_released;
		}
	}
	pme_json_set(doc, "filesystems", array);
	pme_json_number(summary, "files", files);
	pme_json_number(summary, "bytes", bytes);
	pme_json_number(summary, "bad_bytes", bad);
	pme_json_number(summary, "released", released);
	pme_json_set(doc, "summary", summary);
}
