/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repeated events; see sink-repeat.h.
 *
 * Contents are compared by hashes with a random seed: names of files are in them, and nobody shall
 * be able to name a file so that an event looks like another one.  What does not fit any more is
 * forgotten, oldest first: then something is said twice, which is the harmless way to be wrong.
 */
#include "sink-repeat.h"

#include <string.h>
#include <systemd/sd-id128.h>
#include <xxhash.h>

#define HOUR (3600ULL * 1000000)
#define KEPT 256      /* events */
#define KEPT_IDS 4096 /* of events that came before */

struct said {
	int64_t id;
	uint64_t time;
	int family;
	XXH128_hash_t device, content;
	uint64_t *findings; /* hashes of their ids, sorted */
	size_t n_findings;
	unsigned int told;
};

struct pmed_repeat {
	uint64_t seed;
	struct said said[KEPT]; /* a ring; said[next] is the oldest */
	size_t next;
	int64_t ids[KEPT_IDS];
	size_t next_id;
};

/* Types that take back, or change, what one another said: the first of them stands for all. */
static int family_of(enum pme_event_type type)
{
	switch (type) {
	case PME_EVENT_FINDING_ADDED:
	case PME_EVENT_FINDING_CHANGED:
	case PME_EVENT_FINDING_GONE:
		return PME_EVENT_FINDING_ADDED;
	case PME_EVENT_DEVICE_OFFLINE:
	case PME_EVENT_DEVICE_ONLINE:
	case PME_EVENT_DEVICE_CHANGED:
		return PME_EVENT_DEVICE_OFFLINE;
	case PME_EVENT_SCRUB_STARTED:
	case PME_EVENT_SCRUB_FINISHED:
		return PME_EVENT_SCRUB_STARTED;
	case PME_EVENT_COVERAGE_INCOMPLETE:
	case PME_EVENT_COVERAGE_COMPLETE:
		return PME_EVENT_COVERAGE_INCOMPLETE;
	case PME_EVENT_WATCH_STARTED:
	case PME_EVENT_WATCH_STOPPED:
		return PME_EVENT_WATCH_STARTED;
	case PME_EVENT_DAX_LOST:
	case PME_EVENT_HEALTH:
	case PME_EVENT_MEMORY_FAILURE:
	case PME_EVENT_CXL:
	case PME_EVENT_STORE_REPLACED:
	case PME_EVENT_SINK_FAILED:
	case PME_EVENT_TYPES:
		break;
	}
	return (int)type;
}

/* Text with its length before it, so that "ab" "c" is not "a" "bc". */
static void add(XXH3_state_t *hash, const char *text)
{
	uint64_t len = strlen(text);

	XXH3_128bits_update(hash, &len, sizeof(len));
	XXH3_128bits_update(hash, text, len);
}

static const char *plain(struct json_object *value)
{
	return value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "";
}

static void add_content(XXH3_state_t *hash, struct json_object *event)
{
	struct json_object *findings = pme_json_get(event, "findings");
	struct json_object *files = pme_json_get(event, "files");

	add(hash, pme_json_get_text(event, "type"));
	for (size_t i = 0; i < pme_json_count(findings); i++) {
		struct json_object *finding = pme_json_at(findings, i);

		add(hash, pme_json_get_text(finding, "id"));
		add(hash, pme_json_get_text(finding, "verdict"));
	}
	for (size_t i = 0; i < pme_json_count(files); i++) {
		struct json_object *file = pme_json_at(files, i);

		add(hash, pme_json_get_text(file, "path"));
		add(hash, pme_json_get_text(file, "raw"));
		add(hash, pme_json_get_text(file, "verdict"));
	}
	if (pme_json_count(findings) == 0) {
		add(hash, pme_json_get_text(event, "severity"));
		add(hash, pme_json_get_text(event, "text"));
		add(hash, plain(pme_json_get(event, "detail")));
	}
}

/* By identity; a device without one by its names. */
static void add_device(XXH3_state_t *hash, struct json_object *event)
{
	struct json_object *device = pme_json_get(event, "device");
	const char *identity = pme_json_get_text(device, "identity");

	add(hash, identity);
	if (*identity)
		return;
	add(hash, pme_json_get_text(device, "name"));
	add(hash, pme_json_get_text(device, "namespace"));
	add(hash, pme_json_get_text(device, "region"));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int hash_findings(const struct pmed_repeat *repeat, struct json_object *event,
			 struct said *said)
{
	struct json_object *findings = pme_json_get(event, "findings");
	size_t count = pme_json_count(findings);

	if (count == 0)
		return 0;
	said->findings = calloc(count, sizeof(*said->findings));
	if (!said->findings)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *id = pme_json_get_text(pme_json_at(findings, i), "id");

		said->findings[i] = XXH3_64bits_withSeed(id, strlen(id), repeat->seed);
	}
	said->n_findings = count;
	qsort(said->findings, count, sizeof(*said->findings), compare);
	return 0;
}

static int describe(const struct pmed_repeat *repeat, struct json_object *event, struct said *ret)
{
	XXH3_state_t *hash = XXH3_createState();
	enum pme_event_type type = PME_EVENT_TYPES;

	if (!hash)
		return -ENOMEM;
	pme_event_type_parse(pme_json_get_text(event, "type"), &type);
	ret->family = family_of(type);
	XXH3_128bits_reset_withSeed(hash, repeat->seed);
	add_device(hash, event);
	ret->device = XXH3_128bits_digest(hash);
	add_content(hash, event);
	ret->content = XXH3_128bits_digest(hash);
	XXH3_freeState(hash);
	return hash_findings(repeat, event, ret);
}

static bool share_a_finding(const struct said *a, const struct said *b)
{
	if (a->n_findings == 0 || b->n_findings == 0)
		return a->n_findings == b->n_findings;
	for (size_t i = 0, j = 0; i < a->n_findings && j < b->n_findings;) {
		if (a->findings[i] == b->findings[j])
			return true;
		if (a->findings[i] < b->findings[j])
			i++;
		else
			j++;
	}
	return false;
}

/* The last thing that was said of the same; NULL when that was long ago, or never. */
static const struct said *last_of(const struct pmed_repeat *repeat, const struct said *now)
{
	for (size_t i = 1; i <= KEPT; i++) {
		const struct said *said = &repeat->said[(repeat->next + KEPT - i) % KEPT];

		if (said->id == 0)
			return NULL;
		if (said->family == now->family && XXH128_isEqual(said->device, now->device) &&
		    share_a_finding(said, now))
			return now->time - said->time < HOUR ? said : NULL;
	}
	return NULL;
}

static bool was_here(struct pmed_repeat *repeat, int64_t id)
{
	for (size_t i = 0; i < KEPT_IDS; i++)
		if (repeat->ids[i] == id)
			return true;
	repeat->ids[repeat->next_id] = id;
	repeat->next_id = (repeat->next_id + 1) % KEPT_IDS;
	return false;
}

int pmed_repeat_look(struct pmed_repeat *repeat, struct json_object *event, uint64_t now,
		     unsigned int *ret_told)
{
	struct said said = {.id = (int64_t)pme_json_get_number(event, "id"), .time = now};
	const struct said *last;
	int r;

	if (was_here(repeat, said.id))
		return -EALREADY;
	r = describe(repeat, event, &said);
	if (r < 0)
		return r;
	last = last_of(repeat, &said);
	if (last && XXH128_isEqual(last->content, said.content)) {
		/* The hour runs from when it was told, not from the last repetition. */
		said.told = last->told;
		said.time = last->told ? last->time : now;
	}
	*ret_told = said.told;
	free(repeat->said[repeat->next].findings);
	repeat->said[repeat->next] = said;
	repeat->next = (repeat->next + 1) % KEPT;
	return 0;
}

static struct said *find(struct pmed_repeat *repeat, int64_t id)
{
	for (size_t i = 0; i < KEPT; i++)
		if (repeat->said[i].id == id && id != 0)
			return &repeat->said[i];
	return NULL;
}

void pmed_repeat_told(struct pmed_repeat *repeat, int64_t id, unsigned int who)
{
	struct said *said = find(repeat, id);

	if (said)
		said->told |= who;
}

void pmed_repeat_untold(struct pmed_repeat *repeat, int64_t id, unsigned int who)
{
	const struct said *said = find(repeat, id);

	for (size_t i = 0; said && i < KEPT; i++)
		if (XXH128_isEqual(repeat->said[i].content, said->content))
			repeat->said[i].told &= ~who;
}

int pmed_repeat_new(struct pmed_repeat **ret)
{
	struct pmed_repeat *repeat = calloc(1, sizeof(*repeat));
	sd_id128_t random = SD_ID128_NULL;

	if (!repeat)
		return -ENOMEM;
	sd_id128_randomize(&random);
	repeat->seed = random.qwords[0];
	*ret = repeat;
	return 0;
}

struct pmed_repeat *pmed_repeat_free(struct pmed_repeat *repeat)
{
	if (!repeat)
		return NULL;
	for (size_t i = 0; i < KEPT; i++)
		free(repeat->said[i].findings);
	free(repeat);
	return NULL;
}
