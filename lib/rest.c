/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a device that no device above it uses and no mounted filesystem holds.
 *
 * The answer comes from what libblkid finds on the device.  Areas of partition tables: UEFI
 * specification 2.10, section 5 (GPT: protective MBR, header and 128 entries of 128 bytes at each
 * end; blocks are those of the disk: queue/logical_block_size).  The surprise: with an MBR each
 * logical partition has a table of its own, somewhere between the partitions.
 */
#include <string.h>

#include "btt-map.h"
#include "climb.h"
#include "layer.h"

#define GPT_ENTRIES_BYTES 16384ULL /* 128 entries of 128 bytes */

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

/* A filesystem that is there but not mounted: named, with what to do. */
static int end_unmounted(const struct rest *rest, const struct pme_probe *probe)
{
	char *reason = pme_printf("the %s filesystem on %s is not mounted here: mount it to name "
				  "its files",
				  probe->type, pme_dev_label(rest->dev));
	struct pme_top *top;

	if (!reason)
		return -ENOMEM;
	top = end_part(rest, rest->range, PME_OWNER_UNKNOWN, NULL, reason);
	if (!top)
		return -ENOMEM;
	top->fs_type = strdup(probe->type);
	top->fs_uuid = probe->uuid ? strdup(probe->uuid) : NULL;
	return top->fs_type && (top->fs_uuid || !probe->uuid) ? 0 : -ENOMEM;
}

static int end_area(const struct rest *rest, uint64_t start, uint64_t end,
		    enum pme_owner_kind owner, const char *detail)
{
	struct pme_range area = {.start = start, .length = end > start ? end - start : 0};
	struct pme_range part;
	char *text;

	if (!pme_range_intersect(area, rest->range, &part))
		return 0;
	text = strdup(detail);
	return text && end_part(rest, part, owner, text, NULL) ? 0 : -ENOMEM;
}

/* Bytes of a logical block of the disk. */
static uint64_t logical_block(const struct rest *rest)
{
	uint64_t bytes;

	if (pme_os_read_u64(rest->topo->os, &bytes, "sys/class/block/%s/queue/logical_block_size",
			    rest->dev->name) < 0 ||
	    bytes < PME_SECTOR || bytes > 65536)
		return PME_SECTOR;
	return bytes;
}

/* Are there logical partitions?  Linux numbers them from 5 (block/partitions/msdos.c). */
static bool has_logical(const struct rest *rest)
{
	for (size_t i = 0; i < rest->dev->n_uppers; i++) {
		const struct pme_dev *upper = rest->dev->uppers[i];
		uint64_t number;

		if (upper->kind == PME_DEV_PARTITION &&
		    (pme_os_read_u64(rest->topo->os, &number, "sys/class/block/%s/partition",
				     upper->name) < 0 ||
		     number > 4))
			return true;
	}
	return false;
}

/* Bytes between the partitions of an MBR that has logical ones. */
static int end_between(const struct rest *rest, uint64_t start, uint64_t end)
{
	struct pme_range between = {.start = start, .length = end > start ? end - start : 0};
	struct pme_range part;
	char *reason;

	if (!pme_range_intersect(between, rest->range, &part))
		return 0;
	reason = pme_printf("between the partitions of %s: unused, or a table of a logical "
			    "partition",
			    pme_dev_label(rest->dev));
	return reason && end_part(rest, part, PME_OWNER_UNKNOWN, NULL, reason) ? 0 : -ENOMEM;
}

/* Between partitions: [0, front) and [back, size) are the table, the rest is nobody's. */
static int end_partitioned(const struct rest *rest, const struct pme_probe *probe)
{
	uint64_t size = rest->dev->size;
	bool gpt = probe->pttype && strcmp(probe->pttype, "gpt") == 0;
	uint64_t block = logical_block(rest);
	uint64_t front = gpt ? pme_min(2 * block + GPT_ENTRIES_BYTES, size) : block;
	uint64_t back = gpt && size > 2 * front ? size - block - GPT_ENTRIES_BYTES : size;
	int r;

	if (!probe->pttype || (!gpt && strcmp(probe->pttype, "dos") != 0))
		return end_unknown(rest, pme_printf("outside of the partitions of %s",
						    pme_dev_label(rest->dev)));
	r = end_area(rest, 0, front, PME_OWNER_PARTITION_TABLE,
		     gpt ? "protective MBR, primary GPT header and entries" : "MBR");
	if (r == 0 && !gpt && has_logical(rest))
		return end_between(rest, front, back);
	if (r == 0)
		r = end_area(rest, front, back, PME_OWNER_UNUSED, "outside of all partitions");
	if (r == 0)
		r = end_area(rest, back, size, PME_OWNER_PARTITION_TABLE,
			     "backup GPT header and entries");
	return r;
}

static bool has_partitions(const struct pme_dev *dev)
{
	for (size_t i = 0; i < dev->n_uppers; i++)
		if (dev->uppers[i]->kind == PME_DEV_PARTITION)
			return true;
	return false;
}

static bool type_is(const struct pme_probe *probe, const char *type)
{
	return probe->type && strcmp(probe->type, type) == 0;
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

	if (type_is(probe, "LVM2_member"))
		return pme_printf("LVM physical volume %s: its label, metadata, free extents or a "
				  "volume that is not active: see pvs --segments",
				  label);
	if (type_is(probe, "linux_raid_member"))
		return pme_printf("%s is a member of an MD array that is not running", label);
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

/* Does the mount option @key ("rtdev=") of @mount name @dev?  1, 0, -ENOMEM. */
static int option_names(const struct pme_topo *topo, const struct pme_mount *mount, const char *key,
			const struct pme_dev *dev)
{
	const char *pos = mount->options;

	while (pos && *pos) {
		size_t len = strcspn(pos, ",");

		if (len > strlen(key) && strncmp(pos, key, strlen(key)) == 0) {
			_cleanup_free_ char *path = strndup(pos + strlen(key), len - strlen(key));

			if (!path)
				return -ENOMEM;
			return pme_topo_dev_by_spec(topo, path) == dev;
		}
		pos += len + (pos[len] == ',');
	}
	return 0;
}

static int say_helper(const struct rest *rest, const char *role, const struct pme_mount *mount)
{
	int r = end_unknown(rest,
			    pme_printf("%s is the %s of the %s filesystem mounted at %s, "
				       "which is not followed",
				       pme_dev_label(rest->dev), role, mount->type, mount->target));

	return r < 0 ? r : 1;
}

/* A device that a mounted filesystem uses besides its own: 1 and said, 0, -ENOMEM. */
static int end_helper(const struct rest *rest)
{
	static const struct {
		const char *key, *role;
	} options[] = {{"logdev=", "external log"}, {"rtdev=", "realtime device"}};

	for (size_t i = 0; i < rest->topo->n_mounts; i++) {
		const struct pme_mount *mount = &rest->topo->mounts[i];

		for (size_t o = 0; o < PME_ARRAY_SIZE(options); o++) {
			int r = option_names(rest->topo, mount, options[o].key, rest->dev);

			if (r > 0)
				return say_helper(rest, options[o].role, mount);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* A namespace of sector mode that is looked at in raw mode: 1 and said, 0, -errno. */
static int end_btt(const struct rest *rest)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r = pme_btt_raw(rest->stack, rest->dev, rest->range, &steps);

	for (size_t i = 0; r > 0 && i < steps.count; i++) {
		struct pme_step *step = &steps.items[i];

		if (!end_part(rest, step->from, step->owner, pme_take_ptr(step->detail),
			      pme_take_ptr(step->reason)))
			r = -ENOMEM;
	}
	return r;
}

static int end_probed(const struct rest *rest)
{
	const struct pme_probe *probe;
	int error = end_helper(rest);
	size_t first;

	if (error != 0)
		return error < 0 ? error : 0;
	probe = pme_stack_probe(rest->stack, rest->dev, &error);
	if (!probe)
		return -ENOMEM;
	if (error < 0)
		return end_unknown(rest, pme_printf("cannot find out what is on %s: %s",
						    pme_dev_label(rest->dev), strerror(-error)));
	if (has_partitions(rest->dev))
		return end_partitioned(rest, probe);
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
