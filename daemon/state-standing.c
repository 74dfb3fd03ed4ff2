/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands on each device, by the document of `pmemctl simulate`: for the day when it is gone
 * and nobody can look any more.
 *
 * "standing" of a device: mounts, devices (stacked above), volumes (those of them that survive
 * without it, and have lost a leg then), holders (processes), filesystems (for comparing).
 */
#include "state-private.h"

#include <string.h>

#define MOUNTS_MAX 1000

static bool users_ok(struct json_object *array)
{
	for (size_t i = 0; i < pme_json_count(array); i++)
		if (pmed_number(pme_json_at(array, i), "pid") == 0)
			return false;
	return array != NULL;
}

static bool texts_ok(struct json_object *array)
{
	for (size_t i = 0; i < pme_json_count(array); i++)
		if (!json_object_is_type(pme_json_at(array, i), json_type_string))
			return false;
	return array != NULL;
}

static bool all_ok(struct json_object *array, bool (*ok)(struct json_object *item))
{
	for (size_t i = 0; i < pme_json_count(array); i++)
		if (!ok(pme_json_at(array, i)))
			return false;
	return array && pme_json_count(array) <= PMED_DEVICES_MAX;
}

static bool base_ok(struct json_object *base)
{
	return pmed_text(base, "device") && pmed_text(base, "identity");
}

static bool stacked_ok(struct json_object *item)
{
	return pmed_text(item, "device") && texts_ok(pmed_array(item, "lowers"));
}

static bool fs_ok(struct json_object *fs)
{
	return pmed_text(fs, "type") && texts_ok(pmed_array(fs, "mounts")) &&
	       users_ok(pmed_array(fs, "holders"));
}

static bool raw_ok(struct json_object *raw)
{
	return pmed_text(raw, "device") && users_ok(pmed_array(raw, "holders"));
}

static bool document_ok(struct json_object *doc)
{
	return pmed_is_document(doc, "pmemctl.simulate") &&
	       all_ok(pmed_array(doc, "devices"), base_ok) &&
	       all_ok(pmed_array(doc, "stack"), stacked_ok) &&
	       all_ok(pmed_array(doc, "filesystems"), fs_ok) &&
	       all_ok(pmed_array(doc, "raw"), raw_ok);
}

static bool has(struct json_object *set, const char *name)
{
	return name && json_object_object_get_ex(set, name, NULL);
}

static bool stands_on(struct json_object *set, struct json_object *item)
{
	struct json_object *lowers = pmed_array(item, "lowers");

	for (size_t i = 0; i < pme_json_count(lowers); i++)
		if (has(set, json_object_get_string(pme_json_at(lowers, i))))
			return true;
	return false;
}

static void add_to(struct json_object *set, const char *name)
{
	pme_json_set_named(set, name, pme_json_int(1));
}

/* Names of @base and of everything that stands on it; on a region, all of it. */
static struct json_object *names_on(struct json_object *doc, struct json_object *base)
{
	struct json_object *set = pme_json_object(), *stack = pmed_array(doc, "stack");
	struct json_object *bases = pmed_array(doc, "devices");
	const char *name = pmed_text(base, "device"), *region = pmed_text(base, "region");
	bool more = true;

	add_to(set, name);
	for (size_t i = 0; region && strcmp(region, name) == 0 && i < pme_json_count(bases); i++) {
		const char *of = pmed_text(pme_json_at(bases, i), "region");

		if (of && strcmp(of, region) == 0)
			add_to(set, pmed_text(pme_json_at(bases, i), "device"));
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < pme_json_count(stack); i++) {
			struct json_object *item = pme_json_at(stack, i);

			if (!has(set, pmed_text(item, "device")) && stands_on(set, item)) {
				add_to(set, pmed_text(item, "device"));
				more = has(set, pmed_text(item, "device")) || more;
			}
		}
	}
	return set;
}

static void append_text(struct json_object *array, const char *text)
{
	if (!text || pme_json_count(array) >= MOUNTS_MAX)
		return;
	for (size_t i = 0; i < pme_json_count(array); i++)
		if (strcmp(json_object_get_string(pme_json_at(array, i)), text) == 0)
			return;
	pme_json_append(array, pme_json_lossy(text));
}

static void append_users(struct json_object *array, struct json_object *users)
{
	for (size_t i = 0; i < pme_json_count(users); i++) {
		struct json_object *user = pme_json_at(users, i), *object;
		bool there = pme_json_count(array) >= PMED_EVENT_HOLDERS;

		for (size_t k = 0; !there && k < pme_json_count(array); k++)
			there = pmed_number(pme_json_at(array, k), "pid") ==
				pmed_number(user, "pid");
		if (there)
			continue;
		object = pme_json_object();
		pme_json_number(object, "pid", pmed_number(user, "pid"));
		pme_json_text(object, "command", pmed_text(user, "command"));
		pme_json_text(object, "unit", pmed_text(user, "unit"));
		pme_json_append(array, object);
	}
}

static bool is_false(struct json_object *object, const char *key)
{
	struct json_object *value = pme_json_get(object, key);

	return json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
}

static bool is_true(struct json_object *object, const char *key)
{
	struct json_object *value = pme_json_get(object, key);

	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* What is compared between two snapshots. */
static struct json_object *fs_facts(struct json_object *fs)
{
	struct json_object *object = pme_json_object();
	struct json_object *users = pmed_array(fs, "holders");
	const char *uuid = pmed_text(fs, "uuid");
	uint64_t map_sync = 0;

	for (size_t i = 0; i < pme_json_count(users); i++)
		map_sync += is_true(pme_json_at(users, i), "map_sync");
	pme_json_text(object, "key", uuid ? uuid : pmed_text(fs, "device"));
	pme_json_text(object, "mount",
		      json_object_get_string(pme_json_at(pmed_array(fs, "mounts"), 0)));
	pme_json_number(object, "map_sync", map_sync);
	pme_json_bool(object, "no_dax", is_false(fs, "dax") || is_false(fs, "device_dax"));
	return object;
}

struct standing {
	struct json_object *all, *mounts, *devices, *volumes, *holders, *filesystems;
};

static struct standing standing_new(void)
{
	struct standing s = {pme_json_object(), pme_json_array(), pme_json_array(),
			     pme_json_array(),	pme_json_array(), pme_json_array()};

	pme_json_set(s.all, "mounts", s.mounts);
	pme_json_set(s.all, "devices", s.devices);
	pme_json_set(s.all, "volumes", s.volumes);
	pme_json_set(s.all, "holders", s.holders);
	pme_json_set(s.all, "filesystems", s.filesystems);
	return s;
}

static void add_stack(struct standing *s, struct json_object *set, struct json_object *doc)
{
	struct json_object *stack = pmed_array(doc, "stack");

	for (size_t i = 0; i < pme_json_count(stack); i++) {
		struct json_object *item = pme_json_at(stack, i);
		const char *label = pmed_text(item, "name");

		if (!has(set, pmed_text(item, "device")))
			continue;
		append_text(s->devices, label ? label : pmed_text(item, "device"));
		if (is_true(item, "survives"))
			append_text(s->volumes, label ? label : pmed_text(item, "device"));
	}
}

static void add_filesystems(struct standing *s, struct json_object *set, struct json_object *doc)
{
	struct json_object *array = pmed_array(doc, "filesystems");

	for (size_t i = 0; i < pme_json_count(array); i++) {
		struct json_object *fs = pme_json_at(array, i), *mounts = pmed_array(fs, "mounts");

		if (!has(set, pmed_text(fs, "device")))
			continue;
		for (size_t m = 0; m < pme_json_count(mounts); m++)
			append_text(s->mounts, json_object_get_string(pme_json_at(mounts, m)));
		append_users(s->holders, pmed_array(fs, "holders"));
		pme_json_append(s->filesystems, fs_facts(fs));
	}
}

static struct json_object *standing_of(struct json_object *doc, struct json_object *base)
{
	struct json_object *set = names_on(doc, base), *raws = pmed_array(doc, "raw");
	struct standing s = standing_new();

	add_stack(&s, set, doc);
	add_filesystems(&s, set, doc);
	for (size_t i = 0; i < pme_json_count(raws); i++)
		if (has(set, pmed_text(pme_json_at(raws, i), "device")))
			append_users(s.holders, pmed_array(pme_json_at(raws, i), "holders"));
	json_object_put(set);
	return s.all;
}

static struct json_object *fs_before(const struct pmed_device *device, const char *key)
{
	struct json_object *array = pmed_array(device->standing, "filesystems");

	for (size_t i = 0; key && i < pme_json_count(array); i++) {
		const char *other = pmed_text(pme_json_at(array, i), "key");

		if (other && strcmp(other, key) == 0)
			return pme_json_at(array, i);
	}
	return NULL;
}

static void tell_dax_lost(struct pmed_turn *turn, const struct pmed_device *device,
			  struct json_object *fs, uint64_t holders, struct json_object *standing)
{
	const char *mount = pmed_text(fs, "mount");
	struct json_object *event = pmed_event(
		turn, PME_EVENT_DAX_LOST, PME_EVENT_CRITICAL, device,
		pme_printf("%s on %s cannot do DAX any more, and %llu process%s relied on MAP_SYNC",
			   mount ? mount : "a filesystem", pmed_device_name(device),
			   (unsigned long long)holders, holders == 1 ? "" : "es"));

	pme_json_text(event, "advice",
		      "writes through such mappings may not be durable: stop these processes, and "
		      "look at what changed below the filesystem");
	pme_json_set(event, "holders", json_object_get(pmed_array(standing, "holders")));
	pme_json_text(pme_json_get(event, "detail"), "mount", mount);
	pmed_event_tell(turn, event);
}

static void compare_dax(struct pmed_turn *turn, const struct pmed_device *device,
			struct json_object *standing)
{
	struct json_object *now = pmed_array(standing, "filesystems");

	for (size_t i = 0; i < pme_json_count(now); i++) {
		struct json_object *fs = pme_json_at(now, i);
		struct json_object *before = fs_before(device, pmed_text(fs, "key"));
		uint64_t holders = before ? pme_max(pmed_number(before, "map_sync"),
						    pmed_number(fs, "map_sync"))
					  : 0;

		if (holders > 0 && is_true(fs, "no_dax") && !is_true(before, "no_dax"))
			tell_dax_lost(turn, device, fs, holders, standing);
	}
}

/* Two devices of one identity are told apart by name: see pmed_devices_seen(). */
static struct pmed_device *device_of(const struct pmed_state *state, struct json_object *base)
{
	struct pmed_device *device = pmed_device_find(state, pmed_text(base, "identity"));
	_cleanup_free_ char *other =
		pme_printf("%s@%s", pmed_text(base, "identity"), pmed_text(base, "device"));
	struct pmed_device *second = other ? pmed_device_find(state, other) : NULL;

	return second ? second : device;
}

/* A region and its namespaces have the same filesystems: what is lost is told once, of the disk. */
static bool is_whole_region(struct json_object *base)
{
	const char *region = pmed_text(base, "region");

	return region && strcmp(region, pmed_text(base, "device")) == 0;
}

int pmed_state_snapshot(struct pmed_state *state, const char *region, struct json_object *doc,
			int64_t now, int64_t *last_id, struct pmed_news *news)
{
	struct pmed_turn turn = {.state = state, .now = now, .last_id = last_id, .news = news};
	struct json_object *bases = pmed_array(doc, "devices");

	(void)region;
	if (!document_ok(doc))
		return -EINVAL;
	for (size_t i = 0; i < pme_json_count(bases); i++) {
		struct json_object *base = pme_json_at(bases, i);
		struct pmed_device *device = device_of(state, base);
		struct json_object *standing;

		if (!device || !device->present)
			continue;
		standing = standing_of(doc, base);
		if (!is_whole_region(base))
			compare_dax(&turn, device, standing);
		device->looked = now;
		if (json_object_equal(standing, device->standing)) {
			json_object_put(standing);
			continue;
		}
		json_object_put(device->standing);
		device->standing = standing;
		pmed_change(&turn, "devices", pmed_device_row(device));
	}
	return 0;
}
