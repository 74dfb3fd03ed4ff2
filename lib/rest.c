/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a device that no device above it uses and no mounted filesystem holds.
 *
 * What libblkid finds on the device chooses a kind (rest.h), or a reason why nobody can tell.  The
 * surprise: bytes that a kind forgets are told too, as unknown.
 */
#include <string.h>

#include "btt-map.h"
#include "climb.h"
#include "rest.h"

/* The table. */
static const struct pme_rest_kind *const kinds[] = {&pme_rest_gpt, &pme_rest_lvm, &pme_rest_mbr};

struct rest {
	struct pme_stack *stack;
	const struct pme_topo *topo;
	const struct pme_dev *dev;
	const struct pme_hop *hops;
	size_t n_hops;
	struct pme_range range; /* bytes of the device */
	struct pme_tops *tops;
};

/* One end for @part (bytes of the device); takes @detail and @reason. */
static struct pme_top *end_part(const struct rest *rest, struct pme_range part,
				enum pme_owner_kind owner, char *detail, char *reason)
{
	struct pme_top *top = pme_tops_add(rest->tops, rest->hops, rest->n_hops,
					   part.start - rest->range.start, part.length);

	if (!top) {
		free(detail);
		free(reason);
		return NULL;
	}
	top->owner = owner;
	top->certainty = owner == PME_OWNER_UNKNOWN ? PME_UNCERTAIN : PME_EXACT;
	top->detail = detail;
	top->reason = reason;
	return top;
}

static int end_unknown(const struct rest *rest, char *reason)
{
	if (!reason)
		return -ENOMEM;
	return end_part(rest, rest->range, PME_OWNER_UNKNOWN, NULL, reason) ? 0 : -ENOMEM;
}

static bool type_is(const struct pme_probe *probe, const char *type)
{
	return probe->type && strcmp(probe->type, type) == 0;
}

/* Unknown bytes of a filesystem that is named, but not asked: 1 or -ENOMEM; takes @reason. */
static int end_foreign(const struct rest *rest, const struct pme_probe *probe, char *reason)
{
	struct pme_top *top;

	if (!reason)
		return -ENOMEM;
	top = end_part(rest, rest->range, PME_OWNER_UNKNOWN, NULL, reason);
	if (!top)
		return -ENOMEM;
	top->fs_type = strdup(probe->type);
	top->fs_uuid = probe->uuid ? strdup(probe->uuid) : NULL;
	return top->fs_type && (top->fs_uuid || !probe->uuid) ? 1 : -ENOMEM;
}

/* A filesystem that is there but not mounted: named, with what to do. */
static int end_unmounted(const struct rest *rest, const struct pme_probe *probe)
{
	int r = end_foreign(rest, probe,
			    pme_printf("the %s filesystem on %s is not mounted here: mount it to "
				       "name its files",
				       probe->type, pme_dev_label(rest->dev)));

	return r < 0 ? r : 0;
}

/* All of it is of use to the filesystem that is mounted as @fs_main: takes the words. */
static int end_served(const struct rest *rest, const struct pme_dev *fs_main,
		      enum pme_owner_kind owner, char *detail, char *reason)
{
	struct pme_top *top;

	if (!detail && !reason)
		return -ENOMEM;
	top = end_part(rest, rest->range, owner, detail, reason);
	if (!top)
		return -ENOMEM;
	top->fs_main = fs_main;
	return 0;
}

/* Is @dev one of those that the kernel uses for the btrfs @uuid?  Only mounted ones are there. */
static bool in_btrfs(const struct pme_topo *topo, const char *uuid, const struct pme_dev *dev)
{
	_cleanup_free_ char *path = pme_printf("sys/fs/btrfs/%s/devices/%s", uuid, dev->name);

	return path && pme_os_exists(topo->os, path) > 0;
}

/* A device of a mounted btrfs that is not its first: 1 and said, 0, -ENOMEM. */
static int end_btrfs(const struct rest *rest, const struct pme_probe *probe)
{
	const struct pme_topo *topo = rest->topo;
	int r;

	if (!probe->uuid || !type_is(probe, "btrfs") || !in_btrfs(topo, probe->uuid, rest->dev))
		return 0;
	for (size_t i = 0; i < topo->n_mounts; i++) {
		const struct pme_mount *mount = &topo->mounts[i];
		const struct pme_dev *dev = pme_topo_dev_by_devno(topo, mount->devno);

		if (!dev || strcmp(mount->type, "btrfs") != 0 || !in_btrfs(topo, probe->uuid, dev))
			continue;
		r = end_served(rest, dev, PME_OWNER_UNKNOWN, NULL,
			       pme_printf("%s is a device of the btrfs filesystem mounted at "
					  "%s, which is not followed",
					  pme_dev_label(rest->dev), mount->target));
		return r < 0 ? r : 1;
	}
	return 0;
}

static bool has_partitions(const struct pme_dev *dev)
{
	for (size_t i = 0; i < dev->n_uppers; i++)
		if (dev->uppers[i]->kind == PME_DEV_PARTITION)
			return true;
	return false;
}

/* Nothing there, and nothing that uses it. */
static bool is_blank(const struct pme_dev *dev, const struct pme_probe *probe)
{
	return !probe->type && !probe->pttype && dev->n_uppers == 0;
}

/* Why the bytes of a device with this content cannot be followed. */
static char *why_unknown(const struct pme_dev *dev, const struct pme_probe *probe)
{
	const char *label = pme_dev_label(dev);

	if (type_is(probe, "linux_raid_member"))
		return pme_printf(
			"%s is a member of an MD array that is not running, or runs without it",
			label);
	if (type_is(probe, "crypto_LUKS"))
		return pme_printf("%s is an encrypted (LUKS) volume that is not open", label);
	if (type_is(probe, "swap"))
		return pme_printf("%s is a swap area that is not in use", label);
	if (probe->type)
		return pme_printf("%s holds '%s', which is not followed", label, probe->type);
	if (dev->n_uppers > 0)
		return pme_printf("%s is used by %s, but not these bytes of it", label,
				  pme_dev_label(dev->uppers[0]));
	if (probe->pttype)
		return pme_printf("%s has a partition table that the kernel has not read: "
				  "run partprobe",
				  label);
	return pme_printf("no filesystem, volume or partition table found on %s: free, or used "
			  "raw by a program",
			  label);
}

/* Does the kernel keep a journal on all of @dev?  A copy of one has the same UUID. */
static bool in_jbd2(const struct pme_topo *topo, const struct pme_dev *dev)
{
	_cleanup_free_ char *path = pme_printf("proc/fs/jbd2/%s", dev->name);

	return path && pme_os_exists(topo->os, path) > 0;
}

/* The device that a mounted ext3 or ext4 keeps its journal on: 1 and said, 0, -ENOMEM. */
static int end_journal(const struct rest *rest, const char *uuid)
{
	for (size_t i = 0; i < rest->topo->n_mounts; i++) {
		const struct pme_mount *mount = &rest->topo->mounts[i];
		const struct pme_dev *dev = pme_topo_dev_by_devno(rest->topo, mount->devno);
		const struct pme_probe *probe;
		int error, r;

		if (!dev || strncmp(mount->type, "ext", strlen("ext")) != 0)
			continue;
		probe = pme_stack_probe(rest->stack, dev, &error);
		if (!probe)
			return -ENOMEM;
		if (error < 0 || !probe->journal || strcmp(probe->journal, uuid) != 0)
			continue;
		r = end_served(rest, dev, PME_OWNER_FS_JOURNAL, strdup("external journal"), NULL);
		return r < 0 ? r : 1;
	}
	return 0;
}

/* One end of a kind, as a top; takes its words. */
static int end_step(const struct rest *rest, struct pme_step *step)
{
	struct pme_top *top;

	if (!pme_step_is_sane(step, rest->range) || step->to)
		return -EINVAL;
	top = end_part(rest, step->from, step->owner, pme_take_ptr(step->detail),
		       pme_take_ptr(step->reason));
	if (!top)
		return -ENOMEM;
	top->certainty = step->certainty;
	return 0;
}

static int end_forgotten(const struct rest *rest, const struct pme_range_list *covered)
{
	_cleanup_(pme_range_list_done) struct pme_range_list forgotten = {0};
	int r = pme_range_list_subtract(rest->range, covered, &forgotten);

	for (size_t i = 0; r == 0 && i < forgotten.count; i++) {
		char *reason = pme_printf("nothing is known of these bytes of %s",
					  pme_dev_label(rest->dev));

		if (!reason || !end_part(rest, forgotten.items[i], PME_OWNER_UNKNOWN, NULL, reason))
			r = -ENOMEM;
	}
	return r;
}

/* What @kind says of the range. */
static int end_kind(const struct rest *rest, const struct pme_rest_kind *kind)
{
	_cleanup_(pme_range_list_done) struct pme_range_list covered = {0};
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r = kind->fill(rest->stack, rest->dev, rest->range, &steps);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return end_unknown(rest,
				   pme_printf("cannot tell what the '%s' on %s does with it: %s",
					      kind->type ? kind->type : kind->pttype,
					      pme_dev_label(rest->dev), strerror(-r)));
	for (size_t i = 0; r == 0 && i < steps.count; i++) {
		struct pme_range from = steps.items[i].from;

		r = end_step(rest, &steps.items[i]);
		if (r == 0)
			r = pme_range_list_add(&covered, from.start, from.length);
		if (r == -EINVAL) /* the rest is told as forgotten */
			break;
	}
	pme_range_list_normalize(&covered);
	return r == 0 || r == -EINVAL ? end_forgotten(rest, &covered) : r;
}

/* The kind for what was found, or NULL. */
static const struct pme_rest_kind *find_kind(const struct pme_probe *probe, bool partitioned)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(kinds); i++) {
		const struct pme_rest_kind *kind = kinds[i];

		if (partitioned && kind->pttype && probe->pttype &&
		    strcmp(kind->pttype, probe->pttype) == 0)
			return kind;
		if (!partitioned && kind->type && type_is(probe, kind->type))
			return kind;
	}
	return NULL;
}

/*
 * All that is there is a table without any partition, and so the kernel made none: 1 and said, 0,
 * -ENOMEM.  It does not scan a partition for partitions.
 */
static int end_empty_table(const struct rest *rest, const struct pme_probe *probe)
{
	const struct pme_rest_kind *kind = find_kind(probe, true);
	size_t first = rest->tops->count;
	int r;

	if (!kind || probe->type || rest->dev->n_uppers > 0 || rest->dev->kind == PME_DEV_PARTITION)
		return 0;
	r = kind->is_empty(rest->stack, rest->dev);
	if (r != 1)
		return r == -ENOMEM ? r : 0;
	r = end_kind(rest, kind);
	for (size_t i = first; i < rest->tops->count; i++)
		rest->tops->items[i].blank = rest->tops->items[i].owner == PME_OWNER_UNUSED;
	return r < 0 ? r : 1;
}

static int end_jbd(const struct rest *rest, const struct pme_probe *probe)
{
	/* the next probe may move this one */
	_cleanup_free_ char *uuid = strdup(probe->uuid);
	int r = -ENOMEM;

	if (uuid)
		r = in_jbd2(rest->topo, rest->dev) ? end_journal(rest, uuid) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	return end_unknown(rest, pme_printf("%s is an ext4 journal that no filesystem mounted here "
					    "uses",
					    pme_dev_label(rest->dev)));
}

/* A namespace of sector mode that is looked at in raw mode: 1 and said, 0, -errno. */
static int end_btt(const struct rest *rest)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r = pme_btt_raw(rest->stack, rest->dev, rest->range, &steps);

	for (size_t i = 0; r > 0 && i < steps.count; i++) {
		int error = end_step(rest, &steps.items[i]);

		r = error < 0 ? error : r;
	}
	return r;
}

static int end_suspended(const struct rest *rest)
{
	const struct pme_dev *suspended = pme_dev_suspended(rest->topo, rest->dev);

	return end_unknown(rest, pme_printf("cannot find out what is on %s while %s is suspended: "
					    "resume it, and scan again",
					    pme_dev_label(rest->dev),
					    pme_dev_label(suspended ? suspended : rest->dev)));
}

static int end_probed(const struct rest *rest)
{
	bool partitioned = has_partitions(rest->dev);
	const struct pme_rest_kind *kind;
	const struct pme_probe *probe;
	int error = 0;
	size_t first;

	if (pme_rest_is_extended(rest->stack, rest->dev))
		return end_kind(rest, &pme_rest_mbr);
	probe = pme_stack_probe(rest->stack, rest->dev, &error);
	if (!probe)
		return -ENOMEM;
	if (error == -EAGAIN)
		return end_suspended(rest);
	if (error < 0)
		return end_unknown(rest, pme_printf("cannot find out what is on %s: %s",
						    pme_dev_label(rest->dev), strerror(-error)));
	kind = find_kind(probe, partitioned);
	if (kind)
		return end_kind(rest, kind);
	if (partitioned)
		return end_unknown(rest, pme_printf("outside of the partitions of %s",
						    pme_dev_label(rest->dev)));
	if (type_is(probe, "jbd") && probe->uuid)
		return end_jbd(rest, probe);
	error = end_empty_table(rest, probe);
	if (error == 0)
		error = end_btrfs(rest, probe);
	if (error != 0)
		return error < 0 ? error : 0;
	if (rest->dev->n_uppers == 0 && probe->usage && strcmp(probe->usage, "filesystem") == 0 &&
	    probe->type)
		return end_unmounted(rest, probe);
	if (is_blank(rest->dev, probe) && rest->dev->ns && rest->dev->ns->mode == PME_MODE_RAW) {
		error = end_btt(rest);
		if (error != 0)
			return error < 0 ? error : 0;
	}
	first = rest->tops->count;
	error = end_unknown(rest, why_unknown(rest->dev, probe));
	for (size_t i = first; i < rest->tops->count; i++)
		rest->tops->items[i].blank = is_blank(rest->dev, probe);
	return error;
}

static int end_devdax(const struct rest *rest)
{
	char *detail = pme_printf("memory of /dev/%s", rest->dev->name);

	return detail && end_part(rest, rest->range, PME_OWNER_DEVDAX, detail, NULL) ? 0 : -ENOMEM;
}

/* Bytes of a region that no active namespace speaks for. */
static int end_region(const struct rest *rest)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r = pme_namespace_rest(rest->topo, rest->dev, rest->range, &steps);

	for (size_t i = 0; r == 0 && i < steps.count; i++) {
		struct pme_step *step = &steps.items[i];

		if (!end_part(rest, step->from, step->owner, pme_take_ptr(step->detail),
			      pme_take_ptr(step->reason)))
			r = -ENOMEM;
	}
	return r;
}

int pme_rest(struct pme_stack *stack, const struct pme_hop *hops, size_t n_hops,
	     struct pme_range range, struct pme_tops *ret)
{
	struct rest rest = {
		.stack = stack,
		.topo = stack->topo,
		.dev = hops[n_hops - 1].dev,
		.hops = hops,
		.n_hops = n_hops,
		.range = range,
		.tops = ret,
	};

	switch (rest.dev->kind) {
	case PME_DEV_CHARDEV:
		return end_devdax(&rest);
	case PME_DEV_REGION:
		return end_region(&rest);
	case PME_DEV_DISK:
	case PME_DEV_PARTITION:
	case PME_DEV_DM:
	case PME_DEV_MD:
		return end_probed(&rest);
	}
	return -EINVAL;
}
