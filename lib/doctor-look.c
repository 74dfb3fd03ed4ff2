/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor looks at the kernel, buses, namespaces and modules; see doctor.h.
 *
 * Only attributes of sysfs are read, through libndctl and without it; whether writing clears is
 * asked as `pmemctl clear` does.
 */
#include <ndctl/libndctl.h>
#include <string.h>
#include <sys/utsname.h>

#include "ars.h"
#include "badblocks.h"
#include "doc.h"
#include "doctor.h"

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- the kernel --- */

int pme_doctor_kernel(struct pme_doctor *d)
{
	struct pme_kernel_facts kernel;
	struct utsname name;

	uname(&name);
	pme_kernel_look(d->topo->os, name.release, &kernel);
	kernel.applies = d->topo->n_regions > 0 || (d->protections && d->protections->count > 0);
	for (size_t i = 0; i < d->topo->n_regions; i++) {
		const char *provider = d->topo->regions[i]->provider;

		kernel.has_nfit |= starts_with(provider, "ACPI.NFIT");
		kernel.has_cxl |= starts_with(provider, "CXL");
	}
	pme_judge_privileges(d->is_root, d->checks);
	pme_judge_kernel(&kernel, d->checks);
	pme_judge_memory_failure(&kernel, d->checks);
	pme_judge_machine_checks(&kernel, d->checks);
	pme_judge_traces(&kernel, d->checks);
	pme_kernel_facts_done(&kernel);
	return 0;
}

/* --- buses --- */

/* The first selected device of a region of the bus, or NULL. */
static const struct pme_dev *device_of(const struct pme_doctor *d, const char *bus)
{
	for (size_t i = 0; i < d->selection->bases.count; i++) {
		const struct pme_dev *dev = d->selection->bases.items[i];
		const struct pme_region *region = pme_dev_region(dev);

		if (region && strcmp(region->bus, bus) == 0)
			return dev;
	}
	return NULL;
}

static enum pme_known rescrubs(const struct pme_os *os, const char *bus)
{
	uint64_t value;
	int r = pme_os_read_u64(os, &value, "sys/bus/nd/devices/%s/nfit/hw_error_scrub", bus);

	return r < 0 ? PME_NOT_KNOWN : value ? PME_YES : PME_NO;
}

static int look_at_bus(struct pme_doctor *d, struct ndctl_bus *bus)
{
	const char *name = ndctl_bus_get_devname(bus);
	const struct pme_dev *dev = device_of(d, name);
	_cleanup_(pme_clear_way_done) struct pme_clear_way way = {0};
	struct pme_bus_facts facts = {
		.name = name,
		.provider = ndctl_bus_get_provider(bus),
	};
	struct pme_ars ars;
	int r;

	if (!dev)
		return 0;
	r = pme_ars_look(d->topo, name, &ars);
	facts.scrubs = r == 0 ? PME_YES : r == -EOPNOTSUPP ? PME_NO : PME_NOT_KNOWN;
	facts.error = r < 0 ? strerror(-r) : NULL;
	if (r == 0) {
		facts.busy = ars.busy;
		facts.count = ars.count;
		facts.rescrubs = rescrubs(d->topo->os, name);
	}
	r = pme_clear_way_of(d->topo, dev, (struct pme_range){0, PME_SECTOR}, &way);
	if (r < 0)
		return r;
	facts.clears = way.works;
	facts.clear_reason = way.reason;
	pme_judge_scrub(&facts, d->checks);
	pme_judge_rescrub(&facts, d->checks);
	pme_judge_clear(&facts, d->checks);
	return 0;
}

/* --- lists and namespaces --- */

static void look_at_list(struct pme_doctor *d, const struct pme_dev *dev)
{
	static const enum pme_list_reading readings[] = {
		[PME_BB_COMPLETE] = PME_READ_WHOLE,
		[PME_BB_CLIPPED] = PME_READ_CLIPPED,
		[PME_BB_FULL] = PME_READ_FULL,
	};
	_cleanup_free_ char *path = pme_printf(dev->region ? "sys/bus/nd/devices/%s/badblocks"
							   : "sys/class/block/%s/badblocks",
					       dev->name);
	struct pme_list_facts facts = {.device = dev->name};
	struct pme_badblocks list = {0};
	size_t line;
	int r = path ? pme_badblocks_read(d->topo->os, path, &list, &line) : -ENOMEM;

	facts.reading = r < 0 ? PME_READ_FAILED : readings[list.state];
	facts.error = r;
	facts.ranges = list.ranges.count;
	pme_judge_list(&facts, d->checks);
	pme_badblocks_done(&list);
}

/* A BTT has no list of its own, nor has a character device: their region's speaks for them. */
static bool has_list(const struct pme_dev *dev)
{
	return dev->kind == PME_DEV_REGION ||
	       (dev->ns && dev->kind == PME_DEV_DISK && dev->ns->mode != PME_MODE_SECTOR);
}

static bool is_mounted(const struct pme_topo *topo, const struct pme_dev *dev)
{
	for (size_t i = 0; i < topo->n_mounts; i++)
		if (pme_topo_mount_has(topo, &topo->mounts[i], dev))
			return true;
	return dev->swap;
}

static void look_at_namespace(struct pme_doctor *d, const struct pme_namespace *ns)
{
	const struct pme_dev *dev = ns->device ? pme_topo_dev_by_name(d->topo, ns->device) : NULL;
	struct pme_mode_facts facts = {
		.name = ns->name,
		.mode = ns->mode,
		.device = ns->active ? ns->device : NULL,
		.used = dev && (dev->n_uppers > 0 || is_mounted(d->topo, dev)),
	};

	if (d->everything || (dev && pme_dev_list_has(&d->selection->bases, dev)))
		pme_judge_mode(&facts, d->checks);
}

/* --- modules --- */

static bool is_selected(const struct pme_doctor *d, const char *dimm)
{
	for (size_t i = 0; i < d->selection->bases.count; i++) {
		const struct pme_region *region = pme_dev_region(d->selection->bases.items[i]);

		if (region && pme_region_has_dimm(region, dimm))
			return true;
	}
	return d->everything;
}

/* What the watch last heard of its firmware, or NULL. */
static const char *health_of(const struct pme_doctor *d, const char *name)
{
	struct json_object *dimms = pme_json_get(d->watch, "dimms");

	for (size_t i = 0; i < pme_json_count(dimms); i++) {
		struct json_object *dimm = pme_json_at(dimms, i);

		if (strcmp(pme_json_get_text(dimm, "name"), name) == 0 &&
		    pme_json_get(dimm, "health_state"))
			return pme_json_get_text(dimm, "health_state");
	}
	return NULL;
}

static void look_at_dimm(struct pme_doctor *d, struct ndctl_dimm *dimm)
{
	const char *name = ndctl_dimm_get_devname(dimm);
	long long dirty = ndctl_dimm_get_dirty_shutdown(dimm);
	_cleanup_free_ char *flags = NULL;
	struct pme_dimm_facts facts = {
		.name = name,
		.dirty_shutdowns = dirty < 0 ? PME_UNKNOWN : (uint64_t)dirty,
		.health = health_of(d, name),
	};

	if (!is_selected(d, name))
		return;
	facts.error =
		pme_os_read_line(d->topo->os, &flags, "sys/bus/nd/devices/%s/nfit/flags", name);
	facts.flags = flags;
	pme_judge_dimm(&facts, d->checks);
}

int pme_doctor_devices(struct pme_doctor *d)
{
	struct ndctl_bus *bus;
	struct ndctl_dimm *dimm;
	int r = 0;

	if (d->topo->nd)
		ndctl_bus_foreach(d->topo->nd, bus) if (r == 0) r = look_at_bus(d, bus);
	for (size_t i = 0; r == 0 && i < d->selection->bases.count; i++)
		if (has_list(d->selection->bases.items[i]))
			look_at_list(d, d->selection->bases.items[i]);
	for (size_t i = 0; r == 0 && i < d->topo->n_namespaces; i++)
		look_at_namespace(d, d->topo->namespaces[i]);
	if (d->topo->nd)
		ndctl_bus_foreach(d->topo->nd, bus) ndctl_dimm_foreach(bus, dimm)
			look_at_dimm(d, dimm);
	return r;
}
