/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the watch document; see metrics.h.
 */
#include <string.h>

#include "metrics.h"

#define DEPTH_MAX 16

static bool is_watch(struct json_object *doc)
{
	struct json_object *version = pme_json_get(doc, "format_version");
	int64_t time;

	return json_object_is_type(doc, json_type_object) &&
	       json_object_is_type(pme_json_get(doc, "format"), json_type_string) &&
	       strcmp(pme_json_get_text(doc, "format"), "pmemctl.watch") == 0 &&
	       json_object_is_type(version, json_type_array) && pme_json_count(version) == 2 &&
	       json_object_get_int64(pme_json_at(version, 0)) == 1 &&
	       json_object_is_type(pme_json_get(doc, "time"), json_type_string) &&
	       pme_time_parse(pme_json_get_text(doc, "time"), &time) == 0;
}

int pme_watch_parse(const char *text, size_t len, struct json_object **ret)
{
	struct json_tokener *tokener;
	struct json_object *doc;
	size_t end;

	if (len > PME_WATCH_MAX)
		return -EINVAL;
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	doc = json_tokener_parse_ex(tokener, text, (int)len);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (doc && end < len && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (doc && end == len && is_watch(doc)) {
		*ret = doc;
		return 0;
	}
	json_object_put(doc);
	return -EINVAL;
}

bool pme_watch_alive(struct json_object *watch, int64_t now)
{
	int64_t time;

	/* A clock that was set back must not make a dead watch alive for long. */
	return watch && pme_time_parse(pme_json_get_text(watch, "time"), &time) == 0 &&
	       now - time <= PME_WATCH_STALE && time - now <= PME_WATCH_STALE;
}
