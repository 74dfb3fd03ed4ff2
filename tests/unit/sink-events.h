/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for tests of sinks.
 */
#ifndef PME_SINK_EVENTS_H
#define PME_SINK_EVENTS_H

#include "check.h"
#include "event.h"

static inline struct json_object *event_device(const char *name, const char *identity)
{
	struct json_object *device = pme_json_object(), *dimms = pme_json_array();

	pme_json_text(device, "name", name);
	pme_json_text(device, "namespace", "namespace0.0");
	pme_json_text(device, "mode", "fsdax");
	pme_json_text(device, "region", "region0");
	pme_json_append(dimms, json_object_new_string("nmem0"));
	pme_json_append(dimms, json_object_new_string("nmem1"));
	pme_json_set(device, "dimms", dimms);
	pme_json_text(device, "identity", identity);
	return device;
}

/* An event of a device "pmem0"; @findings: "1:lost 2:unknown", NULL: none. */
static inline struct json_object *event_of(int64_t id, enum pme_event_type type,
					   const char *identity, const char *findings)
{
	struct json_object *event =
		pme_event_new(id, type, PME_EVENT_CRITICAL, "2 bad ranges on pmem0");
	struct json_object *array = pme_json_get(event, "findings");
	const char *pos = findings ? findings : "", *end = pos + strlen(pos), *word;
	size_t len;

	pme_json_set(event, "device", event_device("pmem0", identity));
	while (pme_next_word(&pos, end, &word, &len)) {
		const char *colon = memchr(word, ':', len);
		struct json_object *finding = pme_json_object();

		pme_json_owned_text(finding, "id", pme_printf("%.*s", (int)(colon - word), word));
		pme_json_owned_text(finding, "verdict",
				    pme_printf("%.*s", (int)(word + len - colon - 1), colon + 1));
		pme_json_append(array, finding);
	}
	return event;
}

static inline void event_add_file(struct json_object *event, const char *path)
{
	struct json_object *file = pme_json_path(path);

	pme_json_text(file, "verdict", "lost");
	pme_json_append(pme_json_get(event, "files"), file);
}

#endif
