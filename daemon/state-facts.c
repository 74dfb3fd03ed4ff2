/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a finding says, in short: which files it meets, how bad each of them is.  Two scans that say
 * the same of it have the same digest, whatever processes have come and gone in between.
 */
#include "state-facts.h"

#include <string.h>

/* Adds the names in @paths, with @verdict; @alloc grows. */
static int add_paths(struct json_object *paths, enum pme_verdict verdict, struct pmed_names *names)
{
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		struct json_object *path = pme_json_at(paths, i);
		const char *text = pmed_text(path, "path"), *raw = pmed_text(path, "raw");

		if (!text)
			continue;
		if (pme_grow(&names->items, &names->alloc, names->count, sizeof(*names->items)) < 0)
			return -ENOMEM;
		names->items[names->count++] =
			(struct pmed_name){.path = text, .raw = raw, .verdict = verdict};
	}
	return 0;
}

int pmed_names_of(struct json_object *finding, struct pmed_names *names)
{
	struct json_object *claims = pmed_array(finding, "claims");
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(claims); i++) {
		struct json_object *claim = pme_json_at(claims, i);
		struct json_object *owner = pme_json_get(claim, "owner");
		struct json_object *inodes = pmed_array(owner, "inodes");
		enum pme_verdict verdict = pmed_verdict(pmed_text(claim, "verdict"));

		if (verdict == PME_HARMLESS)
			continue;
		r = add_paths(pmed_array(owner, "paths"), verdict, names);
		for (size_t n = 0; r == 0 && n < pme_json_count(inodes); n++)
			r = add_paths(pmed_array(pme_json_at(inodes, n), "paths"), verdict, names);
	}
	return r;
}

static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int same_name(const struct pmed_name *a, const struct pmed_name *b)
{
	int order = strcmp(a->path, b->path);

	return order ? order : compare_texts(a->raw, b->raw);
}

/* By name; of one name the worst verdict first. */
static int compare_names(const void *a, const void *b)
{
	const struct pmed_name *x = a, *y = b;
	int order = same_name(x, y);

	return order ? order : (int)y->verdict - (int)x->verdict;
}

void pmed_names_sort(struct pmed_names *names)
{
	size_t kept = 0;

	if (names->count > 1)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
	for (size_t i = 0; i < names->count; i++)
		if (i == 0 || same_name(&names->items[kept - 1], &names->items[i]) != 0)
			names->items[kept++] = names->items[i];
	names->count = kept;
}

void pmed_names_done(struct pmed_names *names)
{
	free(names->items);
	*names = (struct pmed_names){0};
}

XXH128_hash_t pmed_name_hash(const struct pmed_name *name)
{
	XXH128_hash_t hash = XXH3_128bits(name->path, strlen(name->path));

	return name->raw ? XXH3_128bits_withSeed(name->raw, strlen(name->raw), hash.low64) : hash;
}

static void mix(XXH64_state_t *hash, const char *text)
{
	XXH64_update(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* The volume that has the bytes, if it is not the disk itself: its name, where it has one, because
 * numbers of dm-0 are given anew at each boot. */
static void mix_volume(XXH64_state_t *hash, struct json_object *via)
{
	size_t count = pme_json_count(via);
	struct json_object *last = count > 1 ? pme_json_at(via, count - 1) : NULL;
	const char *name = pmed_text(last, "name");

	mix(hash, name ? name : pmed_text(last, "device"));
}

/* The kinds of its owners in the order of its claims: they follow the places. */
static void mix_kinds(XXH64_state_t *hash, struct json_object *finding)
{
	struct json_object *claims = pmed_array(finding, "claims");

	for (size_t i = 0; i < pme_json_count(claims); i++) {
		struct json_object *claim = pme_json_at(claims, i);

		mix(hash, pmed_text(claim, "verdict"));
		mix(hash, pmed_text(pme_json_get(claim, "owner"), "kind"));
		mix_volume(hash, pmed_array(claim, "via"));
	}
}

int pmed_facts(struct json_object *finding, uint64_t *ret_digest, uint64_t *ret_files)
{
	_cleanup_(pmed_names_done) struct pmed_names names = {0};
	XXH64_state_t *hash = XXH64_createState();
	int r = pmed_names_of(finding, &names);

	if (r < 0 || !hash) {
		XXH64_freeState(hash);
		return -ENOMEM;
	}
	pmed_names_sort(&names);
	XXH64_reset(hash, 0);
	mix(hash, pmed_text(finding, "verdict"));
	mix_kinds(hash, finding);
	for (size_t i = 0; i < names.count; i++) {
		mix(hash, names.items[i].path);
		mix(hash, names.items[i].raw);
		mix(hash, pme_verdict_name(names.items[i].verdict));
	}
	*ret_digest = XXH64_digest(hash);
	*ret_files = names.count;
	XXH64_freeState(hash);
	return 0;
}

/* The place of a claim on the device of the finding. */
static struct pme_range place_of(struct json_object *claim)
{
	struct json_object *hop = pme_json_at(pmed_array(claim, "via"), 0);

	return (struct pme_range){pmed_number(hop, "start"), pmed_number(hop, "length")};
}

/* Bytes of @finding with a claim of this verdict or a worse one. */
static int bytes_from(struct json_object *finding, enum pme_verdict least, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list list = {0};
	struct json_object *claims = pmed_array(finding, "claims");

	for (size_t i = 0; i < pme_json_count(claims); i++) {
		struct json_object *claim = pme_json_at(claims, i);
		struct pme_range place = place_of(claim);

		if (pmed_verdict(pmed_text(claim, "verdict")) >= least &&
		    pme_range_list_add(&list, place.start, place.length) == -ENOMEM)
			return -ENOMEM;
	}
	pme_range_list_normalize(&list);
	*ret = pme_range_list_bytes(&list);
	return 0;
}

int pmed_facts_bytes(struct json_object *finding, uint64_t *ret_lost, uint64_t *ret_recoverable)
{
	uint64_t lost, worse, all;

	if (bytes_from(finding, PME_LOST, &lost) < 0 ||
	    bytes_from(finding, PME_VERDICT_UNKNOWN, &worse) < 0 ||
	    bytes_from(finding, PME_RECOVERABLE, &all) < 0)
		return -ENOMEM;
	*ret_lost = lost;
	*ret_recoverable = all - worse;
	return 0;
}
