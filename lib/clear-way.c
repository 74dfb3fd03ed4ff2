/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether writing clears bad blocks of a device, or a command does; see clear.h.
 *
 * From drivers/nvdimm/bus.c, nvdimm_clear_poison(): a bus without commands takes every write for a
 * clearing (e820, virtio-pmem: the medium itself is not touched in another way than by the write);
 * one with commands asks ARS_CAP for the unit and then sends CLEAR_ERROR, and fails the write when
 * either is missing (the NVDIMMs of QEMU) or fails.
 */
#include "clear.h"

#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <string.h>

static const char *const works_names[] = {
	[PME_CLEAR_WORKS] = "yes",
	[PME_CLEAR_FORGETS] = "forgets",
	[PME_CLEAR_FAILS] = "no",
	[PME_CLEAR_UNKNOWN] = "unknown",
};

const char *pme_clear_works_name(enum pme_clear_works works)
{
	return works_names[works];
}

static const char *const path_names[] = {
	[PME_CLEAR_BLOCK_WRITE] = "block-write",
	[PME_CLEAR_COMMAND] = "clear-error",
};

const char *pme_clear_path_name(enum pme_clear_path path)
{
	return path_names[path];
}

static struct ndctl_bus *find_bus(const struct pme_topo *topo, const struct pme_region *region)
{
	struct ndctl_bus *bus;

	if (!topo->nd)
		return NULL;
	ndctl_bus_foreach((struct ndctl_ctx *)topo->nd, bus)
	{
		if (strcmp(ndctl_bus_get_devname(bus), region->bus) == 0)
			return bus;
	}
	return NULL;
}

/* What the platform can do with the errors of these bytes; NULL: it does not say. */
static struct ndctl_cmd *ask(struct ndctl_bus *bus, uint64_t address, uint64_t length)
{
	struct ndctl_cmd *cmd = ndctl_bus_cmd_new_ars_cap(bus, address, length);

	if (!cmd || ndctl_cmd_submit(cmd) >= 0)
		return cmd;
	ndctl_cmd_unref(cmd);
	return NULL;
}

/* Bytes that the platform clears at once around physical @address, or 0. */
static uint64_t ask_unit(struct ndctl_bus *bus, uint64_t address, uint64_t length)
{
	struct ndctl_cmd *cmd = ask(bus, address, length);
	uint64_t unit = cmd ? ndctl_cmd_ars_cap_get_clear_unit(cmd) : 0;

	if (cmd)
		ndctl_cmd_unref(cmd);
	return unit;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A bus without the command: what the kernel makes of that depends on its driver. */
static void judge_provider(struct pme_clear_way *way)
{
	if (strcmp(way->provider, "e820") == 0 || starts_with(way->provider, "virtio")) {
		way->works = PME_CLEAR_FORGETS;
		way->reason = pme_printf("bus %s has no command to clear errors: the kernel takes "
					 "them for cleared when they are overwritten",
					 way->provider);
	} else if (starts_with(way->provider, "ACPI.NFIT") || starts_with(way->provider, "CXL")) {
		way->works = PME_CLEAR_FAILS;
		way->reason = pme_printf("bus %s has no command to clear errors: writes to bad "
					 "blocks fail",
					 way->provider);
	} else {
		way->works = PME_CLEAR_UNKNOWN;
		way->reason = pme_printf("bus %s has no command to clear errors, and what its "
					 "driver does instead is not known",
					 way->provider);
	}
}

int pme_clear_way_of(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_range range,
		     struct pme_clear_way *ret)
{
	const struct pme_region *region = pme_dev_region(dev);
	struct ndctl_bus *bus = region ? find_bus(topo, region) : NULL;
	uint64_t address = pme_dev_physical(dev, range.start);

	*ret = (struct pme_clear_way){.works = PME_CLEAR_UNKNOWN};
	if (!region) {
		ret->reason = pme_printf("%s is no persistent memory: whether overwriting helps is "
					 "for its driver and the disk",
					 dev->name);
		return ret->reason ? 0 : -ENOMEM;
	}
	ret->provider = strdup(region->provider);
	if (!ret->provider)
		return -ENOMEM;
	if (bus && ndctl_bus_is_cmd_supported(bus, ND_CMD_CLEAR_ERROR)) {
		ret->works = PME_CLEAR_WORKS;
		ret->reason =
			pme_printf("bus %s clears errors that are overwritten", ret->provider);
		if (address != PME_UNKNOWN)
			ret->unit = ask_unit(bus, address, range.length);
	} else if (bus) {
		judge_provider(ret);
	} else {
		ret->reason = pme_printf("bus %s cannot be asked", ret->provider);
	}
	return ret->reason ? 0 : -ENOMEM;
}

/* All that libndctl wants of a bus before it sends the command. */
static bool has_command(struct ndctl_bus *bus)
{
	return ndctl_bus_is_cmd_supported(bus, ND_CMD_CLEAR_ERROR) &&
	       ndctl_bus_is_cmd_supported(bus, ND_CMD_ARS_CAP) &&
	       ndctl_bus_is_cmd_supported(bus, ND_CMD_ARS_STATUS);
}

static char *judge_command(struct ndctl_bus *bus, const struct pme_dev *dev, struct pme_range range,
			   struct pme_clear_way *way)
{
	uint64_t address = pme_dev_physical(dev, range.start);

	if (address == PME_UNKNOWN)
		return pme_printf("the physical address of %s is not known (run as root)",
				  dev->name);
	if (!bus)
		return pme_printf("bus %s cannot be asked", way->provider);
	if (!has_command(bus)) {
		way->works = PME_CLEAR_FAILS;
		return pme_printf("bus %s has no command to clear errors, and there is no disk to "
				  "overwrite these bytes through: the memory has to be cleared by "
				  "its firmware's tools or replaced",
				  way->provider);
	}
	way->unit = ask_unit(bus, address, range.length);
	if (!way->unit || (way->unit & (way->unit - 1)))
		return pme_printf("bus %s has a command to clear errors, but does not say for "
				  "these bytes how many it clears at once",
				  way->provider);
	way->works = PME_CLEAR_WORKS;
	return pme_printf("bus %s has a command to clear errors", way->provider);
}

int pme_clear_command_way(const struct pme_topo *topo, const struct pme_dev *dev,
			  struct pme_range range, struct pme_clear_way *ret)
{
	const struct pme_region *region = pme_dev_region(dev);

	*ret = (struct pme_clear_way){.path = PME_CLEAR_COMMAND, .works = PME_CLEAR_UNKNOWN};
	if (!region) {
		ret->reason = pme_printf("%s is in no region of persistent memory", dev->name);
		return ret->reason ? 0 : -ENOMEM;
	}
	ret->provider = strdup(region->provider);
	if (!ret->provider)
		return -ENOMEM;
	ret->reason = judge_command(find_bus(topo, region), dev, range, ret);
	return ret->reason ? 0 : -ENOMEM;
}

struct ndctl_cmd *pme_clear_ask(const struct pme_topo *topo, const struct pme_region *region,
				uint64_t address, uint64_t length)
{
	struct ndctl_bus *bus = find_bus(topo, region);

	return bus ? ask(bus, address, length) : NULL;
}

void pme_clear_way_done(struct pme_clear_way *way)
{
	free(way->provider);
	free(way->reason);
	*way = (struct pme_clear_way){0};
}
