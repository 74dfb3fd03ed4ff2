/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what the journal says of a repair that did not end, as JSON.  What is accepted can
 * be worked with: ranges that do not overflow, names, a mode.  The same bytes as those of an act.
 * Parsers: repair-about repair-place
 */
#include <string.h>

#include "doc.h"
#include "fuzz.h"
#include "repair-place.h"

static void check(const struct pme_work *work)
{
	uint64_t length = 0;

	FUZZ_CHECK(work->n_parts > 0 && work->n_parts <= PME_WORK_PARTS_MAX);
	for (size_t p = 0; p < work->n_parts; p++) {
		struct pme_range device = work->parts[p].device;

		FUZZ_CHECK(device.length > 0 && device.start <= INT64_MAX - device.length);
		FUZZ_CHECK(p == 0 || device.start >= pme_range_end(work->parts[p - 1].device));
		FUZZ_CHECK(work->parts[p].at == length);
		length += device.length;
	}
	FUZZ_CHECK(work->length == length && length <= PME_WORK_MAX);
	FUZZ_CHECK(work->n_targets > 0);
	for (size_t i = 0; i < work->n_targets; i++) {
		const struct pme_work_target *t = &work->targets[i];

		for (size_t p = 0; p < work->n_parts; p++)
			FUZZ_CHECK(t->starts[p] <= INT64_MAX - work->parts[p].device.length);
		FUZZ_CHECK(t->path && t->mode <= 07777 && t->fd == -1);
	}
}

static void check_before(struct json_object *detail)
{
	struct pme_work_before before = {0}, again = {0};
	struct json_object *back;

	if (pme_work_before_parse(detail, &before) < 0)
		return;
	FUZZ_CHECK(before.known && before.size <= INT64_MAX);
	FUZZ_CHECK(strlen(before.boot) < sizeof(before.boot));
	back = pme_json_object();
	pme_work_before_json(&before, back);
	FUZZ_CHECK(!pme_utf8_valid(before.boot, strlen(before.boot)) ||
		   (pme_work_before_parse(back, &again) == 0 &&
		    pme_work_before_same(&before, &again)));
	json_object_put(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pme_work work = {
		.reach = {.entry = {.fd = -1}, .root = -1}, .staging = -1, .dir = -1};
	char *copy = fuzz_copy(data, size);
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *about =
		tokener ? json_tokener_parse_ex(tokener, copy, (int)size) : NULL;

	check_before(about);
	if (pme_work_about_parse(about, &work) == 0)
		check(&work);
	pme_work_done(&work);
	json_object_put(about);
	if (tokener)
		json_tokener_free(tokener);
	free(copy);
	return 0;
}
