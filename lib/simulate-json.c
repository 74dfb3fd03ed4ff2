/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document of pmemctl simulate; see simulate.h, and pmemctl-json(7) for its members.
 */
#include <string.h>

#include "doc.h"
#include "finding.h"
#include "simulate-state.h"
#include "simulate.h"
#include "topo-udev.h"

/* "survives": true, false, or null where nobody knows; and "reason". */
static void add_fate(struct json_object *object, enum pme_fate fate, const char *reason)
{
	if (fate == PME_FATE_UNKNOWN)
		pme_json_set(object, "survives", NULL);
	else
		pme_json_bool(object, "survives", fate == PME_SURVIVES);
	pme_json_text(object, "reason", reason);
}

/* How a device is made from the one below it: "dm-linear", "md-raid0", "partition". */
static void add_detail(struct json_object *object, const struct pme_dev *dev)
{
	const char *hop = pme_hop_kind(dev);

	if (dev->kind == PME_DEV_DM)
		pme_json_owned_text(
			object, "detail",
			pme_printf("dm-%s", dev->n_lines ? dev->lines[0].type : "unknown"));
	else if (dev->kind == PME_DEV_MD)
		pme_json_owned_text(object, "detail",
				    pme_printf("md-%s", dev->md && dev->md->level ? dev->md->level
										  : "unknown"));
	else
		pme_json_text(object, "detail", hop);
}

static struct json_object *failing_json(const struct pme_sim *sim, const struct pme_dev *dev)
{
	struct json_object *object = pme_json_object();

	pme_json_device(object, sim->topo, dev, 0);
	pme_json_text(object, "name", pme_dev_label(dev));
	add_detail(object, dev);
	pme_json_text(object, "identity", dev->identity);
	pme_json_number(object, "size", dev->size);
	return object;
}

static struct json_object *stacked_json(const struct pme_dev *dev, const struct pme_fate_of *of)
{
	struct json_object *object = pme_json_object();
	struct json_object *lowers = pme_json_array();

	for (size_t i = 0; i < dev->n_lowers; i++)
		pme_json_append(lowers, pme_json_lossy(dev->lowers[i]->name));
	pme_json_text(object, "device", dev->name);
	pme_json_text(object, "name", pme_dev_label(dev));
	add_detail(object, dev);
	pme_json_text(object, "identity", dev->identity);
	pme_json_number(object, "size", dev->size);
	pme_json_set(object, "lowers", lowers);
	add_fate(object, of->fate, of->reason);
	return object;
}

static struct json_object *user_json(const struct pme_fs_holder *holder)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "pid", (uint64_t)holder->who.pid);
	pme_json_text(object, "command", holder->who.command);
	pme_json_text(object, "unit", holder->who.unit);
	pme_json_text(object, "container", holder->who.container);
	pme_json_number(object, "files_open", holder->n_open);
	pme_json_number(object, "files_mapped", holder->n_mapped);
	pme_json_bool(object, "map_sync", holder->who.map_sync);
	return object;
}

static struct json_object *users_json(const struct pme_fs_use *use)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < use->n_holders; i++)
		pme_json_append(array, user_json(&use->holders[i]));
	return array;
}

/* Is it shown at the same place in our own namespace? */
static bool is_ours(const struct pme_sim *sim, const struct pme_mount *mount)
{
	for (size_t i = 0; i < sim->spaces.n_mounts; i++) {
		const struct pme_space_mount *other = &sim->spaces.mounts[i];

		if (other->space == 0 && other->mount.shown == mount->shown &&
		    strcmp(other->mount.target, mount->target) == 0 &&
		    strcmp(other->mount.root, mount->root) == 0)
			return true;
	}
	return false;
}

static struct json_object *elsewhere_json(const struct pme_sim *sim,
					  const struct pme_space_mount *mount)
{
	const struct pme_space *space = &sim->spaces.items[mount->space];
	struct json_object *object = pme_json_object();
	struct pme_holder who = {.fd = -1};
	uint64_t pid = PME_UNKNOWN;

	pme_parse_u64(space->pid, strlen(space->pid), &pid);
	if (pme_holder_name(sim->topo->os, space->pid, &who) == -ENOMEM)
		pme_json_lose();
	pme_json_text(object, "path", mount->mount.target);
	pme_json_text(object, "mount_namespace", space->id);
	pme_json_number(object, "pid", pid);
	pme_json_text(object, "command", who.command);
	pme_json_text(object, "unit", who.unit);
	pme_json_text(object, "container", who.container);
	pme_holder_done(&who);
	return object;
}

static void add_mounts(struct json_object *object, const struct pme_sim *sim,
		       const struct pme_sim_fs *fs)
{
	struct json_object *mounts = pme_json_array(), *elsewhere = pme_json_array();

	for (size_t i = 0; i < sim->spaces.n_mounts; i++) {
		const struct pme_space_mount *mount = &sim->spaces.mounts[i];

		if (!pme_sim_shows(fs, &mount->mount))
			continue;
		if (mount->space == 0)
			pme_json_append(mounts, pme_json_lossy(mount->mount.target));
		else if (!is_ours(sim, &mount->mount))
			pme_json_append(elsewhere, elsewhere_json(sim, mount));
	}
	pme_json_set(object, "mounts", mounts);
	pme_json_set(object, "mounts_elsewhere", elsewhere);
}

/* 1 the device can do DAX, 0 it cannot, -1 nobody knows. */
static int can_dax(const struct pme_sim *sim, const struct pme_dev *dev)
{
	uint64_t value;

	if (!dev)
		return -1;
	if (dev->disk)
		dev = dev->disk;
	if (pme_os_read_u64(sim->topo->os, &value, "sys/class/block/%s/queue/dax", dev->name) < 0)
		return -1;
	return value == 1;
}

static bool has_option(const char *options, const char *want)
{
	size_t want_len = strlen(want);

	while (options && *options) {
		size_t len = strcspn(options, ",");

		if (len == want_len && memcmp(options, want, len) == 0)
			return true;
		options += len + (options[len] == ',');
	}
	return false;
}

static void add_tristate(struct json_object *object, const char *key, int value)
{
	if (value < 0)
		pme_json_set(object, key, NULL);
	else
		pme_json_bool(object, key, value == 1);
}

/*
 * Is everything on it accessed by DAX?  Where each file decides for itself (no option: mode inode)
 * nobody knows.
 */
static void add_dax(struct json_object *object, const struct pme_sim *sim,
		    const struct pme_sim_fs *fs)
{
	const char *options = fs->mount->options;
	bool always = has_option(options, "dax") || has_option(options, "dax=always");
	bool known = strcmp(fs->mount->type, "xfs") == 0 || strcmp(fs->mount->type, "ext4") == 0 ||
		     strcmp(fs->mount->type, "ext2") == 0;
	int can = can_dax(sim, fs->main), dax = always ? can : -1;

	if (has_option(options, "dax=never") || can == 0 || (fs->main && !always && !known))
		dax = 0;
	add_tristate(object, "dax", dax);
	add_tristate(object, "device_dax", can);
}

/* From udev; else from the device, which may be slow, but is never waited for when suspended. */
static char *find_uuid(const struct pme_sim *sim, const struct pme_sim_fs *fs)
{
	struct pme_probe probe = {0};
	char *uuid = NULL;
	int r;

	if (!fs->main)
		return NULL;
	if (fs->main->member_of)
		return strdup(fs->main->member_of);
	r = pme_udev_property(sim->topo->os, fs->main->devno, "ID_FS_UUID", &uuid);
	if (r == 0 && pme_dev_probe(sim->topo, fs->main, &probe) == 0)
		uuid = probe.uuid ? strdup(probe.uuid) : NULL;
	if (r == -ENOMEM || (!uuid && probe.uuid))
		pme_json_lose();
	pme_probe_done(&probe);
	return uuid;
}

static struct json_object *fs_json(const struct pme_sim *sim, const struct pme_sim_fs *fs)
{
	struct json_object *object = pme_json_object();
	_cleanup_free_ char *uuid = find_uuid(sim, fs);

	pme_json_text(object, "type", fs->mount->type);
	pme_json_text(object, "uuid", uuid);
	pme_json_text(object, "source", fs->mount->source);
	pme_json_text(object, "device", fs->main ? fs->main->name : NULL);
	add_mounts(object, sim, fs);
	add_dax(object, sim, fs);
	add_fate(object, fs->answer.fate, fs->answer.reason);
	pme_json_set(object, "holders", users_json(&sim->uses[fs->use]));
	return object;
}

static struct json_object *filesystems_json(const struct pme_sim *sim)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < sim->n_fs; i++)
		pme_json_append(array, fs_json(sim, &sim->fs[i]));
	return array;
}

static struct json_object *swap_json(const struct pme_dev *dev, uint64_t inode, enum pme_fate fate,
				     const char *reason)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "device", dev ? dev->name : NULL);
	pme_json_text(object, "name", dev ? pme_dev_label(dev) : NULL);
	pme_json_number(object, "inode", inode);
	add_fate(object, fate, reason);
	return object;
}

static struct json_object *swaps_json(const struct pme_sim *sim)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < sim->topo->n_devs; i++) {
		const struct pme_fate_of *of = &sim->fates.items[i];

		if (of->reached && sim->topo->devs[i]->swap)
			pme_json_append(array, swap_json(sim->topo->devs[i], PME_UNKNOWN, of->fate,
							 of->reason));
	}
	for (size_t i = 0; i < sim->topo->n_swap_files; i++) {
		const struct pme_swap_file *file = &sim->topo->swap_files[i];

		for (size_t f = 0; f < sim->n_fs; f++)
			if (sim->fs[f].mount->devno == file->devno ||
			    sim->fs[f].mount->shown == file->devno)
				pme_json_append(array, swap_json(sim->fs[f].main, file->inode,
								 sim->fs[f].answer.fate,
								 sim->fs[f].answer.reason));
	}
	return array;
}

/* Only those that anybody holds. */
static struct json_object *raws_json(const struct pme_sim *sim)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < sim->n_raws; i++) {
		const struct pme_dev *dev = sim->raws[i].dev;
		const struct pme_fate_of *of = pme_fates_of(&sim->fates, dev);
		struct json_object *object;

		if (sim->uses[sim->raws[i].use].n_holders == 0)
			continue;
		object = pme_json_object();
		pme_json_text(object, "device", dev->name);
		pme_json_text(object, "name", pme_dev_label(dev));
		add_fate(object, of->fate, of->reason);
		pme_json_set(object, "holders", users_json(&sim->uses[sim->raws[i].use]));
		pme_json_append(array, object);
	}
	return array;
}

void pme_sim_json(const struct pme_sim *sim, struct json_object *doc)
{
	struct json_object *devices = pme_json_array(), *stack = pme_json_array();

	for (size_t i = 0; i < sim->failing->count; i++)
		pme_json_append(devices, failing_json(sim, sim->failing->items[i]));
	for (size_t i = 0; i < sim->topo->n_devs; i++)
		if (sim->fates.items[i].reached &&
		    !pme_dev_list_has(sim->failing, sim->topo->devs[i]))
			pme_json_append(stack,
					stacked_json(sim->topo->devs[i], &sim->fates.items[i]));
	pme_json_set(doc, "devices", devices);
	pme_json_set(doc, "stack", stack);
	pme_json_set(doc, "filesystems", filesystems_json(sim));
	pme_json_set(doc, "swap", swaps_json(sim));
	pme_json_set(doc, "raw", raws_json(sim));
}

void pme_simulate_json_empty(struct json_object *doc)
{
	static const char *const members[] = {"devices", "stack", "filesystems", "swap", "raw"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(members); i++)
		pme_json_set(doc, members[i], pme_json_array());
}
