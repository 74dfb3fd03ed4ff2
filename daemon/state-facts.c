/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a finding says, in short: which files it meets, how bad each of them is.  Two scans that say
 * the same of it have the same digest, whatever processes have come and gone in between.
 */
#include "state-facts.h"

#include <string.h>

/* A file that is open and has no name is shown by the descriptors of processes. */
static bool is_of_process(const char *path)
{
	return strncmp(path, "/proc/", strlen("/proc/")) == 0;
}

static XXH128_hash_t hash_name(const struct pmed_name *name)
{
	XXH128_hash_t hash = XXH3_128bits(name->path, strlen(name->path));

	return name->raw ? XXH3_128bits_withSeed(name->raw, strlen(name->raw), hash.low64) : hash;
}

static int add_file(XXH128_hash_t id, enum pme_verdict verdict, struct pmed_names *names)
{
	if (pme_grow(&names->files, &names->alloc_files, names->n_files, sizeof(*names->files)) < 0)
		return -ENOMEM;
	names->files[names->n_files++] = (struct pmed_file){.id = id, .verdict = verdict};
	return 0;
}

/* Adds the names in @paths, with @verdict; @files: each of them is a file. */
static int add_paths(struct json_object *paths, bool files, enum pme_verdict verdict,
		     struct pmed_names *names)
{
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		struct json_object *path = pme_json_at(paths, i);
		struct pmed_name name = {pmed_text(path, "path"), pmed_text(path, "raw"), verdict};

		if (!name.path)
			continue;
		if (pme_grow(&names->items, &names->alloc, names->count, sizeof(*names->items)) < 0)
			return -ENOMEM;
		names->items[names->count++] = name;
		if (files && add_file(hash_name(&name), verdict, names) < 0)
			return -ENOMEM;
	}
	return 0;
}

static const char *first_name(struct json_object *paths)
{
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		const char *path = pmed_text(pme_json_at(paths, i), "path");

		if (path && !is_of_process(path))
			return path;
	}
	return "";
}

/* A file by its inode: @object has that, generation and paths.  Snapshots of btrfs have the same
 * inodes under other names.  False: nobody knows the inode. */
static bool identify(struct json_object *fs, struct json_object *object, XXH128_hash_t *ret)
{
	const char *type = pmed_text(fs, "type"), *uuid = pmed_text(fs, "uuid");
	uint64_t words[] = {pmed_number(object, "inode"), pmed_number(object, "generation")};

	if (!type || !json_object_is_type(pme_json_get(object, "inode"), json_type_int))
		return false;
	if (!uuid)
		uuid = pmed_text(fs, "source");
	*ret = XXH3_128bits(words, sizeof(words));
	if (uuid)
		*ret = XXH3_128bits_withSeed(uuid, strlen(uuid), ret->low64);
	if (strcmp(type, "btrfs") == 0) {
		const char *name = first_name(pmed_array(object, "paths"));

		*ret = XXH3_128bits_withSeed(name, strlen(name), ret->low64);
	}
	return true;
}

static int add_object(struct json_object *fs, struct json_object *object, enum pme_verdict verdict,
		      struct pmed_names *names)
{
	XXH128_hash_t id;
	bool known = identify(fs, object, &id);

	if (known && add_file(id, verdict, names) < 0)
		return -ENOMEM;
	return add_paths(pmed_array(object, "paths"), !known, verdict, names);
}

int pmed_names_of_claim(struct json_object *claim, struct pmed_names *names)
{
	struct json_object *owner = pme_json_get(claim, "owner");
	struct json_object *fs = pme_json_get(owner, "filesystem");
	struct json_object *inodes = pmed_array(owner, "inodes");
	enum pme_verdict verdict = pmed_verdict(pmed_text(claim, "verdict"));
	int r;

	if (verdict == PME_HARMLESS)
		return 0;
	r = add_object(fs, owner, verdict, names);
	for (size_t n = 0; r == 0 && n < pme_json_count(inodes); n++)
		r = add_object(fs, pme_json_at(inodes, n), verdict, names);
	return r;
}

int pmed_names_of(struct json_object *finding, struct pmed_names *names)
{
	struct json_object *claims = pmed_array(finding, "claims");
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(claims); i++)
		r = pmed_names_of_claim(pme_json_at(claims, i), names);
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

static int compare_files(const void *a, const void *b)
{
	const struct pmed_file *x = a, *y = b;
	int order = XXH128_cmp(&x->id, &y->id);

	return order ? order : (int)y->verdict - (int)x->verdict;
}

static void sort_files(struct pmed_names *names)
{
	size_t kept = 0;

	if (names->n_files > 1)
		qsort(names->files, names->n_files, sizeof(*names->files), compare_files);
	for (size_t i = 0; i < names->n_files; i++)
		if (i == 0 || !XXH128_isEqual(names->files[kept - 1].id, names->files[i].id))
			names->files[kept++] = names->files[i];
	names->n_files = kept;
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
	sort_files(names);
}

bool pmed_names_within(const struct pmed_names *names, const struct pmed_names *others)
{
	size_t at = 0;

	for (size_t i = 0; i < names->count; i++) {
		if (is_of_process(names->items[i].path))
			continue;
		while (at < others->count && same_name(&others->items[at], &names->items[i]) < 0)
			at++;
		if (at == others->count || same_name(&others->items[at], &names->items[i]) != 0)
			return false;
	}
	at = 0;
	for (size_t i = 0; i < names->n_files; i++) {
		while (at < others->n_files &&
		       XXH128_cmp(&others->files[at].id, &names->files[i].id) < 0)
			at++;
		if (at == others->n_files ||
		    !XXH128_isEqual(others->files[at].id, names->files[i].id))
			return false;
	}
	return true;
}

void pmed_names_done(struct pmed_names *names)
{
	free(names->items);
	free(names->files);
	*names = (struct pmed_names){0};
}

static void mix(XXH64_state_t *hash, const char *text)
{
	XXH64_update(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* The volume that has the bytes, if it is not the disk itself: its name, where it has one, because
 * numbers of dm-0 are given anew at each boot. */
static const char *volume_of(struct json_object *claim)
{
	struct json_object *via = pmed_array(claim, "via");
	size_t count = pme_json_count(via);
	struct json_object *last = count > 1 ? pme_json_at(via, count - 1) : NULL;
	const char *name = pmed_text(last, "name");

	return name ? name : pmed_text(last, "device");
}

static const char *kind_of(struct json_object *claim)
{
	return pmed_text(pme_json_get(claim, "owner"), "kind");
}

bool pmed_claims_alike(struct json_object *claim, struct json_object *other)
{
	return compare_texts(kind_of(claim), kind_of(other)) == 0 &&
	       compare_texts(volume_of(claim), volume_of(other)) == 0;
}

/* The kinds of its owners in the order of its claims: they follow the places. */
static void mix_kinds(XXH64_state_t *hash, struct json_object *finding)
{
	struct json_object *claims = pmed_array(finding, "claims");

	for (size_t i = 0; i < pme_json_count(claims); i++) {
		struct json_object *claim = pme_json_at(claims, i);

		mix(hash, pmed_text(claim, "verdict"));
		mix(hash, kind_of(claim));
		mix(hash, volume_of(claim));
	}
}

static void mix_files(XXH64_state_t *hash, const struct pmed_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		if (is_of_process(names->items[i].path))
			continue;
		mix(hash, names->items[i].path);
		mix(hash, names->items[i].raw);
		mix(hash, pme_verdict_name(names->items[i].verdict));
	}
	for (size_t i = 0; i < names->n_files; i++) {
		XXH64_update(hash, &names->files[i].id, sizeof(names->files[i].id));
		mix(hash, pme_verdict_name(names->files[i].verdict));
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
	mix_files(hash, &names);
	*ret_digest = XXH64_digest(hash);
	*ret_files = names.n_files;
	XXH64_freeState(hash);
	return 0;
}

static void chain(uint64_t *hash, struct json_object *object, const char *key)
{
	const char *text = pmed_text(object, key);

	*hash = text ? XXH3_64bits_withSeed(text, strlen(text), *hash) : *hash * 31 + 1;
}

uint64_t pmed_facts_devices(struct json_object *finding)
{
	static const char *const keys[] = {"device", "namespace", "mode", "region"};
	struct json_object *claims = pmed_array(finding, "claims");
	uint64_t hash = 0;

	for (size_t i = 0; i < PME_ARRAY_SIZE(keys); i++)
		chain(&hash, finding, keys[i]);
	for (size_t i = 0; i < pme_json_count(claims); i++) {
		struct json_object *claim = pme_json_at(claims, i);
		struct json_object *via = pmed_array(claim, "via");

		chain(&hash, pme_json_get(pme_json_get(claim, "owner"), "filesystem"), "source");
		for (size_t n = 0; n < pme_json_count(via); n++) {
			chain(&hash, pme_json_at(via, n), "device");
			chain(&hash, pme_json_at(via, n), "name");
		}
	}
	return hash;
}

struct pme_range pmed_place_of(struct json_object *claim)
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
		struct pme_range place = pmed_place_of(claim);

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
