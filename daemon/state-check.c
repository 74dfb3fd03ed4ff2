/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents of workers: looked at as if an enemy had written them, before anything of them is
 * believed.  A worker that crashed may have written half of one; the file names in it are whatever
 * users of the machine made up.
 */
#include "state-private.h"

#include <string.h>

#define TEXT_MAX 65536

/* A string without NUL and of a length that makes sense. */
static const char *plain(struct json_object *value)
{
	const char *text;

	if (!json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	if (!text || (size_t)json_object_get_string_len(value) != strlen(text) ||
	    strlen(text) > TEXT_MAX)
		return NULL;
	return text;
}

const char *pmed_text(struct json_object *object, const char *key)
{
	return plain(pme_json_get(object, key));
}

static bool is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) && (json_object_get_int64(value) >= 0);
}

uint64_t pmed_number(struct json_object *object, const char *key)
{
	struct json_object *value = pme_json_get(object, key);

	return is_number(value) ? json_object_get_uint64(value) : 0;
}

struct json_object *pmed_array(struct json_object *object, const char *key)
{
	struct json_object *value = pme_json_get(object, key);

	return json_object_is_type(value, json_type_array) ? value : NULL;
}

static bool has_text(struct json_object *object, const char *key)
{
	const char *text = pmed_text(object, key);

	return text && *text;
}

static bool has_text_or_null(struct json_object *object, const char *key)
{
	return !pme_json_get(object, key) || has_text(object, key);
}

static bool has_number(struct json_object *object, const char *key)
{
	return is_number(pme_json_get(object, key));
}

static bool has_texts(struct json_object *object, const char *key)
{
	struct json_object *array = pmed_array(object, key);

	for (size_t i = 0; i < pme_json_count(array); i++)
		if (!plain(pme_json_at(array, i)))
			return false;
	return array && pme_json_count(array) <= PMED_DEVICES_MAX;
}

static bool messages_ok(struct json_object *doc)
{
	struct json_object *messages = pmed_array(doc, "messages");

	for (size_t i = 0; i < pme_json_count(messages); i++) {
		struct json_object *message = pme_json_at(messages, i);

		if (!pmed_text(message, "severity") || !pmed_text(message, "subject") ||
		    !pmed_text(message, "text"))
			return false;
	}
	return messages != NULL;
}

bool pmed_is_document(struct json_object *doc, const char *format)
{
	const char *said = pmed_text(doc, "format"), *coverage = pmed_text(doc, "coverage");
	struct json_object *version = pmed_array(doc, "format_version");

	return said && strcmp(said, format) == 0 && coverage && pme_json_count(version) == 2 &&
	       json_object_is_type(pme_json_at(version, 0), json_type_int) &&
	       json_object_get_int64(pme_json_at(version, 0)) == 1 && messages_ok(doc);
}

static bool device_ok(struct json_object *device)
{
	return has_text(device, "device") && has_text_or_null(device, "namespace") &&
	       has_text_or_null(device, "mode") && has_text_or_null(device, "region") &&
	       has_text_or_null(device, "uuid") && has_text(device, "identity") &&
	       has_text(device, "list") && has_number(device, "size") && has_texts(device, "dimms");
}

bool pmed_devices_ok(struct json_object *devices)
{
	if (!json_object_is_type(devices, json_type_array) ||
	    pme_json_count(devices) > PMED_DEVICES_MAX)
		return false;
	for (size_t i = 0; i < pme_json_count(devices); i++)
		if (!device_ok(pme_json_at(devices, i)))
			return false;
	return true;
}

static bool id_ok(const char *id)
{
	return id && strlen(id) == 16 && strspn(id, "0123456789abcdef") == 16;
}

static bool range_ok(struct json_object *range)
{
	uint64_t end;

	return has_number(range, "start") && has_number(range, "length") &&
	       pmed_number(range, "length") > 0 &&
	       pme_add(pmed_number(range, "start"), pmed_number(range, "length"), &end) == 0;
}

static bool claims_ok(struct json_object *claims)
{
	for (size_t i = 0; i < pme_json_count(claims); i++) {
		struct json_object *claim = pme_json_at(claims, i);
		struct json_object *hop = pme_json_at(pmed_array(claim, "via"), 0);

		if (!has_text(claim, "verdict") ||
		    !has_text(pme_json_get(claim, "owner"), "kind") || !range_ok(hop))
			return false;
	}
	return claims != NULL;
}

static bool is_listed(struct json_object *devices, const char *name)
{
	for (size_t i = 0; i < pme_json_count(devices); i++)
		if (strcmp(pmed_text(pme_json_at(devices, i), "device"), name) == 0)
			return true;
	return false;
}

static bool finding_ok(struct json_object *finding, struct json_object *devices)
{
	return id_ok(pmed_text(finding, "id")) && has_text(finding, "device") &&
	       is_listed(devices, pmed_text(finding, "device")) &&
	       range_ok(pme_json_get(finding, "range")) && has_text(finding, "verdict") &&
	       has_texts(finding, "known_by") && claims_ok(pmed_array(finding, "claims"));
}

static int compare_findings(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a;
	struct json_object *y = *(struct json_object *const *)b;
	int order = strcmp(pmed_text(x, "id"), pmed_text(y, "id"));

	return order ? order : strcmp(pmed_text(x, "device"), pmed_text(y, "device"));
}

/* No finding is there twice.  (Two devices with one identity have findings of one id.) */
static bool all_differ(struct json_object *findings)
{
	size_t count = pme_json_count(findings);
	_cleanup_free_ struct json_object **sorted = calloc(count + 1, sizeof(*sorted));
	bool differ = sorted != NULL;

	for (size_t i = 0; sorted && i < count; i++)
		sorted[i] = pme_json_at(findings, i);
	if (sorted && count > 1)
		qsort(sorted, count, sizeof(*sorted), compare_findings);
	for (size_t i = 1; sorted && i < count; i++)
		differ = differ && compare_findings(&sorted[i - 1], &sorted[i]) != 0;
	return differ;
}

bool pmed_findings_ok(struct json_object *findings, struct json_object *devices)
{
	if (!json_object_is_type(findings, json_type_array) ||
	    pme_json_count(findings) > PMED_FINDINGS_MAX)
		return false;
	for (size_t i = 0; i < pme_json_count(findings); i++)
		if (!finding_ok(pme_json_at(findings, i), devices))
			return false;
	return all_differ(findings);
}

enum pme_verdict pmed_verdict(const char *name)
{
	for (int v = PME_HARMLESS; v <= PME_LOST; v++)
		if (name && strcmp(pme_verdict_name((enum pme_verdict)v), name) == 0)
			return (enum pme_verdict)v;
	return PME_VERDICT_UNKNOWN;
}

unsigned int pmed_known_by(struct json_object *finding)
{
	struct json_object *array = pmed_array(finding, "known_by");
	unsigned int known_by = 0;

	for (size_t i = 0; i < pme_json_count(array); i++) {
		const char *name = plain(pme_json_at(array, i));

		if (name && strcmp(name, "badblocks") == 0)
			known_by |= PMED_BY_BADBLOCKS;
		else if (name && strcmp(name, "region") == 0)
			known_by |= PMED_BY_REGION;
	}
	return known_by;
}
