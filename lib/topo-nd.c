/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions, namespaces and DIMMs through libndctl and libdaxctl; enumerated once, as `ndctl list -N`
 * does, and kept until the snapshot is freed (for pme_topo_dimms_at()).
 *
 * Resources are readable by root only; without them physical addresses are PME_UNKNOWN, never 0.
 *
 * The surprise: every region holds seeds, idle namespaces and pfn, btt and dax devices of no size
 * that wait to be configured.  Seeds are nothing and are left out; what claims a namespace is found
 * from the namespace.
 *
 * Another one: for each list of devices libndctl waits, up to 5 s and more, until udev has nothing
 * to do, which on a busy machine takes minutes; what udev does then is of no use here.  So its
 * question is answered in the place of libudev.
 */
#include "topo.h"

#include <daxctl/libdaxctl.h>
#include <limits.h>
#include <ndctl/libndctl.h>
#include <pthread.h>
#include <string.h>
#include <syslog.h>
#include <uuid/uuid.h>

#define UUID_TEXT 37 /* uuid_unparse(3) */

static void say_nothing(struct ndctl_ctx *ctx, int priority, const char *file, int line,
			const char *fn, const char *format, va_list args)
{
}

struct udev_queue;
__attribute__((visibility("default"))) int udev_queue_get_queue_is_empty(struct udev_queue *queue);
int udev_queue_get_queue_is_empty(struct udev_queue *queue)
{
	return 1;
}

static uint64_t known(unsigned long long address)
{
	return address == 0 || address == ULLONG_MAX ? PME_UNKNOWN : address;
}

/* What claims a namespace; at most one is set. */
struct claimant {
	struct ndctl_pfn *pfn;
	struct ndctl_btt *btt;
	struct ndctl_dax *dax;
	struct daxctl_dev *dax_dev;
};

static struct claimant claimant_of(struct ndctl_namespace *ndns)
{
	struct claimant c = {.pfn = ndctl_namespace_get_pfn(ndns)};
	struct daxctl_region *region;

	if (!c.pfn)
		c.btt = ndctl_namespace_get_btt(ndns);
	if (!c.pfn && !c.btt)
		c.dax = ndctl_namespace_get_dax(ndns);
	region = c.dax ? ndctl_dax_get_daxctl_region(c.dax) : NULL;
	if (region)
		c.dax_dev = daxctl_dev_get_first(region); /* pmem has one per namespace */
	return c;
}

static enum pme_mode mode_of(enum ndctl_namespace_mode mode)
{
	switch (mode) {
	case NDCTL_NS_MODE_FSDAX: /* also called "memory" */
		return PME_MODE_FSDAX;
	case NDCTL_NS_MODE_DEVDAX:
		return PME_MODE_DEVDAX;
	case NDCTL_NS_MODE_SECTOR: /* also called "safe" */
		return PME_MODE_SECTOR;
	case NDCTL_NS_MODE_RAW:
		return PME_MODE_RAW;
	case NDCTL_NS_MODE_UNKNOWN:
		break;
	}
	return PME_MODE_UNKNOWN;
}

/*
 * Without a driver nothing claims the namespace, and the kernel calls it raw whatever it holds.
 * The label may still say what it is for.
 */
static enum pme_mode idle_mode_of(struct ndctl_namespace *ndns)
{
	enum pme_mode mode = mode_of(ndctl_namespace_get_mode(ndns));

	if (mode == PME_MODE_RAW)
		mode = mode_of(ndctl_namespace_get_enforce_mode(ndns));
	return mode == PME_MODE_RAW ? PME_MODE_UNKNOWN : mode;
}

/* The uuid that `ndctl list` shows: the claimant's, else the label's. */
static int copy_uuid(struct ndctl_namespace *ndns, const struct claimant *c, char **ret)
{
	char text[UUID_TEXT];
	uuid_t uuid;

	uuid_clear(uuid);
	if (c->pfn)
		ndctl_pfn_get_uuid(c->pfn, uuid);
	else if (c->btt)
		ndctl_btt_get_uuid(c->btt, uuid);
	else if (c->dax)
		ndctl_dax_get_uuid(c->dax, uuid);
	if (uuid_is_null(uuid))
		ndctl_namespace_get_uuid(ndns, uuid);
	if (uuid_is_null(uuid))
		return 0;
	uuid_unparse_lower(uuid, text);
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* Name of the namespace's block or character device; NULL when no driver made one. */
static const char *device_of(struct ndctl_namespace *ndns, const struct claimant *c)
{
	const char *name;

	if (c->dax)
		return c->dax_dev && ndctl_dax_is_enabled(c->dax)
			       ? daxctl_dev_get_devname(c->dax_dev)
			       : NULL;
	if (c->pfn)
		name = ndctl_pfn_get_block_device(c->pfn);
	else if (c->btt)
		name = ndctl_btt_get_block_device(c->btt);
	else
		name = ndctl_namespace_get_block_device(ndns);
	return name && *name ? name : NULL;
}

/* Physical address of the first byte of its device. */
static uint64_t data_start_of(struct ndctl_namespace *ndns, const struct claimant *c)
{
	uint64_t start;

	if (c->btt) /* its blocks move: there is no such address */
		return PME_UNKNOWN;
	if (c->pfn)
		return known(ndctl_pfn_get_resource(c->pfn));
	if (!c->dax)
		return known(ndctl_namespace_get_resource(ndns));
	start = c->dax_dev ? known(daxctl_dev_get_resource(c->dax_dev)) : PME_UNKNOWN;
	return start != PME_UNKNOWN ? start : known(ndctl_dax_get_resource(c->dax));
}

static struct pme_namespace *new_namespace(struct pme_topo *topo, const char *name)
{
	struct pme_namespace *ns;

	if (pme_grow(&topo->namespaces, &topo->alloc_namespaces, topo->n_namespaces, sizeof(ns)) <
	    0)
		return NULL;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	topo->namespaces[topo->n_namespaces++] = ns;
	ns->name = strdup(name);
	return ns->name ? ns : NULL;
}

static struct pme_dev *add_chardev(struct pme_topo *topo, const char *name, struct daxctl_dev *dax)
{
	struct pme_dev *dev = pme_topo_add_dev(topo, name, PME_DEV_CHARDEV);

	if (dev)
		dev->size = daxctl_dev_get_size(dax);
	return dev;
}

/* Tie the namespace to its device, and that to the region below. */
static int attach_device(struct pme_topo *topo, struct pme_namespace *ns, struct pme_dev *region,
			 const struct claimant *c, struct pme_log *log)
{
	struct pme_dev *dev;

	if (c->dax)
		dev = add_chardev(topo, ns->device, c->dax_dev);
	else
		dev = pme_topo_find(topo, ns->device);
	if (!dev && c->dax)
		return -ENOMEM;
	if (!dev) {
		pme_log_incomplete(log, ns->name, "its device %s is not among the block devices",
				   ns->device);
		return 0;
	}
	ns->active = true;
	dev->ns = ns;
	/* one message is enough where the whole region has no address (not root) */
	if (ns->data_start == PME_UNKNOWN && ns->mode != PME_MODE_SECTOR &&
	    ns->region->resource != PME_UNKNOWN)
		pme_log_incomplete(log, ns->name, "cannot read its physical address");
	return pme_topo_link(region, dev, log);
}

static int load_namespace(struct pme_topo *topo, struct ndctl_namespace *ndns,
			  struct pme_dev *region, struct pme_log *log)
{
	struct claimant c = claimant_of(ndns);
	const char *device = device_of(ndns, &c);
	struct pme_namespace *ns = new_namespace(topo, ndctl_namespace_get_devname(ndns));

	if (!ns || copy_uuid(ndns, &c, &ns->uuid) < 0)
		return -ENOMEM;
	ns->mode = device ? mode_of(ndctl_namespace_get_mode(ndns)) : idle_mode_of(ndns);
	ns->region = region->region;
	ns->resource = known(ndctl_namespace_get_resource(ndns));
	ns->size = ndctl_namespace_get_size(ndns);
	ns->data_start = device ? data_start_of(ndns, &c) : PME_UNKNOWN;
	if (!device)
		return 0;
	ns->device = strdup(device);
	return ns->device ? attach_device(topo, ns, region, &c, log) : -ENOMEM;
}

static bool is_seed(struct ndctl_namespace *ndns)
{
	unsigned long long size = ndctl_namespace_get_size(ndns);

	return size == 0 || size == ULLONG_MAX;
}

static int load_namespaces(struct pme_topo *topo, struct ndctl_region *ndregion,
			   struct pme_dev *region, struct pme_log *log)
{
	struct ndctl_namespace *ndns;

	ndctl_namespace_foreach(ndregion, ndns)
	{
		int r = is_seed(ndns) ? 0 : load_namespace(topo, ndns, region, log);

		if (r < 0)
			return r;
	}
	return 0;
}

static int load_dimms(struct ndctl_region *ndregion, struct pme_region *region)
{
	struct ndctl_mapping *mapping;
	size_t alloc = 0;

	ndctl_mapping_foreach(ndregion, mapping)
	{
		struct ndctl_dimm *dimm = ndctl_mapping_get_dimm(mapping);
		const char *name = dimm ? ndctl_dimm_get_devname(dimm) : NULL;

		if (!name || pme_region_has_dimm(region, name))
			continue;
		if (pme_grow(&region->dimms, &alloc, region->n_dimms, sizeof(char *)) < 0)
			return -ENOMEM;
		region->dimms[region->n_dimms] = strdup(name);
		if (!region->dimms[region->n_dimms])
			return -ENOMEM;
		region->n_dimms++;
	}
	return 0;
}

static int fill_region(struct ndctl_region *ndregion, struct pme_region *region)
{
	struct ndctl_bus *bus = ndctl_region_get_bus(ndregion);

	region->name = strdup(ndctl_region_get_devname(ndregion));
	region->bus = strdup(ndctl_bus_get_devname(bus));
	region->provider = strdup(ndctl_bus_get_provider(bus));
	region->resource = known(ndctl_region_get_resource(ndregion));
	region->size = ndctl_region_get_size(ndregion);
	region->disabled = !ndctl_region_is_enabled(ndregion);
	if (!region->name || !region->bus || !region->provider)
		return -ENOMEM;
	return load_dimms(ndregion, region);
}

static int load_region(struct pme_topo *topo, struct ndctl_region *ndregion, struct pme_log *log)
{
	struct pme_region *region;
	struct pme_dev *dev;

	if (pme_grow(&topo->regions, &topo->alloc_regions, topo->n_regions, sizeof(region)) < 0)
		return -ENOMEM;
	region = calloc(1, sizeof(*region));
	if (!region)
		return -ENOMEM;
	topo->regions[topo->n_regions++] = region;
	if (fill_region(ndregion, region) < 0)
		return -ENOMEM;
	dev = pme_topo_add_dev(topo, region->name, PME_DEV_REGION);
	if (!dev)
		return -ENOMEM;
	dev->size = region->size;
	dev->region = region;
	if (region->resource == PME_UNKNOWN)
		pme_log_incomplete(log, region->name, "cannot read its physical address");
	return load_namespaces(topo, ndregion, dev, log);
}

static int load_regions(struct pme_topo *topo, struct ndctl_bus *bus, struct pme_log *log)
{
	struct ndctl_region *region;

	ndctl_region_foreach(bus, region)
	{
		int r = load_region(topo, region, log);

		if (r < 0)
			return r;
	}
	return 0;
}

/* libndctl lists backwards; people count from 0. */
static int compare_regions(const void *a, const void *b)
{
	const struct pme_region *const *x = a, *const *y = b;

	return strverscmp((*x)->name, (*y)->name);
}

static int compare_namespaces(const void *a, const void *b)
{
	const struct pme_namespace *const *x = a, *const *y = b;

	return strverscmp((*x)->name, (*y)->name);
}

static void sort_all(struct pme_topo *topo)
{
	if (topo->n_regions > 0)
		qsort(topo->regions, topo->n_regions, sizeof(*topo->regions), compare_regions);
	if (topo->n_namespaces > 0)
		qsort(topo->namespaces, topo->n_namespaces, sizeof(*topo->namespaces),
		      compare_namespaces);
}

/* Is there anything that libndctl, which reads a lot when it starts, could tell of?  1, 0, -errno.
 */
static int has_devices(const struct pme_topo *topo)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(topo->os, "sys/bus/nd/devices", &names, &count);

	pme_os_free_names(names, count);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return count > 0;
}

int pme_topo_load_nd(struct pme_topo *topo, struct pme_log *log)
{
	struct ndctl_ctx *ctx;
	struct ndctl_bus *bus;
	int r = has_devices(topo);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		pme_log_incomplete(log, "/sys/bus/nd/devices",
				   "cannot look for persistent memory: %s", strerror(-r));
	if (r <= 0 || !pme_topo_is_host(topo))
		return 0;
	r = ndctl_new(&ctx);
	if (r < 0) {
		pme_log_incomplete(log, "libndctl", "cannot be started: %s", strerror(-r));
		return r == -ENOMEM ? r : 0;
	}
	topo->nd = ctx;
	ndctl_set_log_fn(ctx, say_nothing);
	ndctl_set_log_priority(ctx, LOG_EMERG); /* libdaxctl's too */
	ndctl_bus_foreach(ctx, bus)
	{
		r = load_regions(topo, bus, log);
		if (r < 0)
			return r;
	}
	sort_all(topo);
	return pme_topo_check_nd(topo, log);
}

void pme_topo_free_nd(struct pme_topo *topo)
{
	if (topo->nd)
		ndctl_unref(topo->nd);
	topo->nd = NULL;
}

static struct ndctl_bus *bus_of(const struct pme_topo *topo, const struct pme_region *region)
{
	struct ndctl_bus *bus;

	if (!topo->nd)
		return NULL;
	ndctl_bus_foreach(topo->nd,
			  bus) if (strcmp(ndctl_bus_get_devname(bus), region->bus) == 0) return bus;
	return NULL;
}

/*
 * The platform's answer, or NULL.  Asked only where DIMMs are interleaved: libndctl needs one.
 * Findings are printed by several threads, and libndctl has one buffer for each region.
 */
static const char *ask_platform(const struct pme_topo *topo, const struct pme_region *region,
				uint64_t address)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct ndctl_dimm *dimm = NULL;
	struct ndctl_bus *bus;

	if (region->n_dimms <= 1)
		return NULL;
	pthread_mutex_lock(&lock);
	bus = bus_of(topo, region);
	if (bus)
		dimm = ndctl_bus_get_dimm_by_physical_address(bus, address);
	pthread_mutex_unlock(&lock);
	return dimm ? ndctl_dimm_get_devname(dimm) : NULL;
}

int pme_topo_dimms_at(const struct pme_topo *topo, const struct pme_region *region,
		      uint64_t address, const char ***ret, size_t *ret_count)
{
	const char *dimm = ask_platform(topo, region, address);
	const char **names = calloc(region->n_dimms + 1, sizeof(*names));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < region->n_dimms; i++)
		if (!dimm || !pme_region_has_dimm(region, dimm) ||
		    strcmp(dimm, region->dimms[i]) == 0)
			names[count++] = region->dimms[i];
	*ret = names;
	*ret_count = count;
	return 0;
}
