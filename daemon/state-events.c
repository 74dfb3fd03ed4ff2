/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events about findings: one for all of a device that are new, changed, or gone, so that a storm is
 * a handful of them.
 */
#include "state-facts.h"

#include <string.h>

#define KIB 1024ULL

void pmed_change(struct pmed_turn *turn, const char *table, struct json_object *row)
{
	pme_json_append(turn->news->changes, pme_store_change(table, row));
}

struct json_object *pmed_event(struct pmed_turn *turn, enum pme_event_type type,
			       enum pme_event_severity severity, const struct pmed_device *device,
			       char *text)
{
	_cleanup_free_ char *own = text;
	struct json_object *event;

	if (!own)
		pme_json_lose();
	*turn->last_id = pme_event_next_id(*turn->last_id, turn->now);
	event = pme_event_new(*turn->last_id, type, severity, own ? own : "");
	if (device)
		pme_json_set(event, "device", json_object_get(device->about));
	return event;
}

void pmed_event_tell(struct pmed_turn *turn, struct json_object *event)
{
	pmed_change(turn, "events", json_object_get(event));
	pme_json_append(turn->news->events, event);
}

char *pmed_bytes(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t whole = bytes, rest = 0;
	size_t unit = 0;

	if (bytes < KIB)
		return pme_printf("%llu byte%s", (unsigned long long)bytes, bytes == 1 ? "" : "s");
	for (unit = 0; unit < PME_ARRAY_SIZE(units); unit++) {
		rest = whole % KIB;
		whole /= KIB;
		if (whole < KIB)
			break;
	}
	if (rest * 10 / KIB == 0)
		return pme_printf("%llu %s", (unsigned long long)whole, units[unit]);
	return pme_printf("%llu.%llu %s", (unsigned long long)whole,
			  (unsigned long long)(rest * 10 / KIB), units[unit]);
}

/* What is summed up for one event. */
struct sums {
	struct pmed_names names;
	struct json_object *findings, *holders;
	struct json_object *kept; /* the findings that names are borrowed from */
	uint64_t bad, lost, recoverable;
	uint64_t affected, files_lost; /* files */
	uint64_t holders_left_out;
	enum pme_verdict worst;
};

static bool has_holder(struct json_object *holders, uint64_t pid)
{
	for (size_t i = 0; i < pme_json_count(holders); i++)
		if (pme_json_get_number(pme_json_at(holders, i), "pid") == pid)
			return true;
	return false;
}

static void add_holder(struct sums *sums, struct json_object *holder)
{
	uint64_t pid = pmed_number(holder, "pid");
	struct json_object *object;

	if (pid == 0 || has_holder(sums->holders, pid))
		return;
	if (pme_json_count(sums->holders) >= PMED_EVENT_HOLDERS) {
		sums->holders_left_out++;
		return;
	}
	object = pme_json_object();
	pme_json_number(object, "pid", pid);
	pme_json_text(object, "command", pmed_text(holder, "command"));
	pme_json_text(object, "unit", pmed_text(holder, "unit"));
	pme_json_append(sums->holders, object);
}

static void add_holders(struct sums *sums, struct json_object *holders)
{
	for (size_t i = 0; i < pme_json_count(holders); i++)
		add_holder(sums, pme_json_at(holders, i));
}

/* Kinds of its owners, each once, in their order of appearance. */
static struct json_object *owners_json(struct json_object *claims)
{
	struct json_object *owners = pme_json_array();

	for (size_t i = 0; i < pme_json_count(claims); i++) {
		const char *kind = pmed_text(pme_json_get(pme_json_at(claims, i), "owner"), "kind");
		bool there = !kind;

		for (size_t k = 0; !there && k < pme_json_count(owners); k++)
			there = strcmp(json_object_get_string(pme_json_at(owners, k)), kind) == 0;
		if (!there)
			pme_json_append(owners, pme_json_lossy(kind));
	}
	return owners;
}

static void add_claims(struct sums *sums, struct json_object *claims)
{
	for (size_t i = 0; i < pme_json_count(claims); i++) {
		struct json_object *owner = pme_json_get(pme_json_at(claims, i), "owner");
		struct json_object *inodes = pmed_array(owner, "inodes");

		add_holders(sums, pmed_array(owner, "holders"));
		for (size_t n = 0; n < pme_json_count(inodes); n++)
			add_holders(sums, pmed_array(pme_json_at(inodes, n), "holders"));
	}
}

static int add_finding(struct sums *sums, const struct pmed_finding *finding,
		       struct json_object *json)
{
	struct json_object *object = pme_json_object();
	struct json_object *claims = pmed_array(json, "claims");
	struct json_object *address = pme_json_get(json, "physical_address");
	uint64_t lost, recoverable;

	pme_json_text(object, "id", finding->id);
	pme_json_range(object, "range", finding->range);
	pme_json_set(object, "physical_address",
		     json_object_is_type(address, json_type_int) ? json_object_get(address) : NULL);
	pme_json_text(object, "verdict", pme_verdict_name(finding->verdict));
	pme_json_set(object, "owners", owners_json(claims));
	pme_json_append(sums->findings, object);
	add_claims(sums, claims);
	if (pmed_names_of(json, &sums->names) < 0 ||
	    pmed_facts_bytes(json, &lost, &recoverable) < 0)
		return -ENOMEM;
	sums->bad += finding->range.length;
	sums->lost += lost;
	sums->recoverable += recoverable;
	if (finding->verdict > sums->worst)
		sums->worst = finding->verdict;
	return 0;
}

static int sum_up(struct sums *sums, struct pmed_finding *const *findings, size_t count)
{
	*sums = (struct sums){.findings = pme_json_array(),
			      .holders = pme_json_array(),
			      .kept = pme_json_array()};
	for (size_t i = 0; i < count; i++) {
		struct json_object *json = findings[i]->fresh ? json_object_get(findings[i]->fresh)
							      : pmed_finding_json(findings[i]);
		if (!json)
			return -ENOMEM;
		pme_json_append(sums->kept, json);
		if (pme_json_count(sums->kept) != i + 1 || add_finding(sums, findings[i], json) < 0)
			return -ENOMEM;
	}
	pmed_names_sort(&sums->names);
	for (size_t i = 0; i < sums->names.n_files; i++)
		sums->files_lost += sums->names.files[i].verdict == PME_LOST;
	sums->affected = sums->names.n_files;
	return 0;
}

static void sums_done(struct sums *sums)
{
	pmed_names_done(&sums->names);
	json_object_put(sums->findings);
	json_object_put(sums->holders);
	json_object_put(sums->kept);
}

static enum pme_event_severity severity_of(enum pme_verdict verdict)
{
	switch (verdict) {
	case PME_LOST:
	case PME_METADATA_AT_RISK:
		return PME_EVENT_CRITICAL;
	case PME_VERDICT_UNKNOWN:
		return PME_EVENT_ERROR;
	case PME_RECOVERABLE:
		return PME_EVENT_WARNING;
	case PME_HARMLESS:
		return PME_EVENT_NOTICE;
	}
	return PME_EVENT_ERROR;
}

static char *files_text(uint64_t count, const char *one, const char *many)
{
	return pme_printf("%llu file%s %s", (unsigned long long)count, count == 1 ? "" : "s",
			  count == 1 ? one : many);
}

/* What the findings mean, for people. */
static char *meaning(const struct sums *sums)
{
	switch (sums->worst) {
	case PME_LOST:
		return sums->files_lost > 0
			       ? files_text(sums->files_lost, "has lost data", "have lost data")
			       : strdup("data is lost");
	case PME_METADATA_AT_RISK:
		return strdup("metadata is at risk");
	case PME_VERDICT_UNKNOWN:
		return strdup("it is not known what is hit");
	case PME_RECOVERABLE:
		return sums->affected > 0
			       ? files_text(sums->affected, "can be recovered", "can be recovered")
			       : strdup("all of it can be recovered");
	case PME_HARMLESS:
		return strdup("nothing is lost");
	}
	return NULL;
}

/* "1 bad range (4 KiB) on pmem0" was listed, and is no more; or not as that. */
static char *gone_text(const char *ranges, size_t count, int bytes)
{
	const char *are = count == 1 ? "is" : "are";

	if (bytes == PMED_PLAIN)
		return pme_printf("%s %s not listed any more", ranges, are);
	if (bytes == PMED_FORGOTTEN)
		return pme_printf("%s %s forgotten with the device", ranges, are);
	return pme_printf("%s %s listed otherwise now: %s of %s bytes are bad still", ranges, are,
			  bytes == PMED_STILL_BAD ? "all" : "part", count == 1 ? "its" : "their");
}

static char *text_of(enum pme_event_type type, const struct pmed_device *device,
		     const struct sums *sums, size_t count, int bytes)
{
	_cleanup_free_ char *size = pmed_bytes(sums->bad), *means = meaning(sums), *ranges = NULL;
	const char *name = pmed_device_name(device), *s = count == 1 ? "" : "s";

	if (!size || !means)
		return NULL;
	ranges = pme_printf("%zu bad range%s (%s) on %s", count, s, size, name);
	if (!ranges)
		return NULL;
	if (type == PME_EVENT_FINDING_GONE)
		return gone_text(ranges, count, bytes);
	if (type == PME_EVENT_FINDING_CHANGED)
		return pme_printf("%s now mean%s something else: %s", ranges, count == 1 ? "s" : "",
				  means);
	if (bytes == PMED_KNOWN_AWAY)
		return pme_printf("%s: known already, of a device that is not seen now", ranges);
	if (bytes == PMED_KNOWN_PART)
		return pme_printf("%s: known already, as part of other ranges, and bad still",
				  ranges);
	return pme_printf("%s: %s", ranges, means);
}

static char *advice_of(const struct pmed_device *device, const struct pmed_finding *first,
		       const struct sums *sums)
{
	_cleanup_free_ char *where = pme_printf(
		"pmemctl explain %s:%llu+%llu", pmed_device_name(device),
		(unsigned long long)first->range.start, (unsigned long long)first->range.length);

	if (!where)
		return NULL;
	switch (sums->worst) {
	case PME_LOST:
		return pme_printf("run `pmemctl status -v`; restore what is lost from a backup, or "
				  "see `%s`",
				  where);
	case PME_METADATA_AT_RISK:
		return pme_printf("make a backup of what can still be read, then check the "
				  "filesystem or volume; see `%s`",
				  where);
	case PME_VERDICT_UNKNOWN:
		return pme_printf("see `%s` for what is not known, and why", where);
	case PME_RECOVERABLE:
		return pme_printf("run `pmemctl status -v`; see `%s` for where the other copy is",
				  where);
	case PME_HARMLESS:
		return pme_printf("nothing has to be done; see `%s`", where);
	}
	return NULL;
}

static struct json_object *files_json(const struct pmed_names *names)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < names->count && i < PMED_EVENT_FILES; i++) {
		struct json_object *object = pme_json_object();

		pme_json_text(object, "path", names->items[i].path);
		pme_json_text(object, "raw", names->items[i].raw);
		pme_json_text(object, "verdict", pme_verdict_name(names->items[i].verdict));
		pme_json_append(array, object);
	}
	return array;
}

static void set_detail(struct json_object *event, const struct sums *sums,
		       const struct pmed_finding *first)
{
	struct json_object *detail = pme_json_get(event, "detail");

	if (sums->names.count > PMED_EVENT_FILES)
		pme_json_number(detail, "files_left_out", sums->names.count - PMED_EVENT_FILES);
	if (sums->holders_left_out > 0)
		pme_json_number(detail, "holders_left_out", sums->holders_left_out);
	if (strcmp(pme_json_get_text(event, "type"), pme_event_type_name(PME_EVENT_FINDING_GONE)) ==
	    0)
		pme_json_text(detail, "reason",
			      first->bytes == PMED_FORGOTTEN ? "forgotten"
			      : first->bytes != PMED_PLAIN   ? "regrouped"
							     : "not-listed");
}

static char *any_advice(const struct pmed_device *device, const struct pmed_finding *first,
			const struct sums *sums)
{
	if (first->bytes == PMED_KNOWN_AWAY)
		return strdup("see the events of that device: what these bytes hold can be looked "
			      "up again when it is back");
	if (first->bytes == PMED_STILL_BAD)
		return strdup("its bytes are bad still, as part of other ranges");
	if (first->bytes == PMED_PARTLY_BAD)
		return strdup("part of its bytes are bad still, as part of other ranges");
	return advice_of(device, first, sums);
}

static int tell_some(struct pmed_turn *turn, enum pme_event_type type,
		     const struct pmed_device *device, struct pmed_finding *const *findings,
		     size_t count)
{
	_cleanup_(sums_done) struct sums sums = {0};
	int bytes = (int)findings[0]->bytes; /* alike in all */
	bool calm = type == PME_EVENT_FINDING_GONE || bytes == PMED_KNOWN_AWAY ||
		    bytes == PMED_KNOWN_PART;
	struct json_object *event;
	int r = sum_up(&sums, findings, count);

	if (r < 0)
		return r;
	event = pmed_event(turn, type, calm ? PME_EVENT_NOTICE : severity_of(sums.worst), device,
			   text_of(type, device, &sums, count, bytes));
	if (type != PME_EVENT_FINDING_GONE || (bytes != PMED_PLAIN && bytes != PMED_FORGOTTEN))
		pme_json_owned_text(event, "advice", any_advice(device, findings[0], &sums));
	pme_json_set(event, "findings", json_object_get(sums.findings));
	pme_json_set(event, "files", files_json(&sums.names));
	pme_json_set(event, "holders", json_object_get(sums.holders));
	pme_json_number(event, "bad_bytes", sums.bad);
	pme_json_number(event, "lost_bytes", sums.lost);
	pme_json_number(event, "recoverable_bytes", sums.recoverable);
	set_detail(event, &sums, findings[0]);
	if (type == PME_EVENT_FINDING_ADDED)
		r = pmed_incident_open(turn, event, device->identity, pmed_cause_findings);
	else
		pmed_incident_join(turn, event, device->identity, pmed_cause_findings, false);
	pmed_event_tell(turn, event);
	return r;
}

int pmed_event_findings(struct pmed_turn *turn, enum pme_event_type type,
			const struct pmed_device *device, struct pmed_finding *const *findings,
			size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i += PMED_EVENT_FINDINGS)
		r = tell_some(turn, type, device, findings + i,
			      pme_min(count - i, PMED_EVENT_FINDINGS));
	return r;
}
