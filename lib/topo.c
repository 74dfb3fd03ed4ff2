/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot itself: building blocks, life, addresses; see topo.h.
 *
 * What is read from where stands in topo-*.c, how devices are found by name in topo-find.c.
 *
 * The surprise: a made-up root has no libndctl and no libdevmapper behind it.  Both would describe
 * this machine instead, so their parts ask pme_topo_is_host() first.
 */
#include "topo.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "topo-overlay.h"

static const char *const mode_names[] = {
	[PME_MODE_FSDAX] = "fsdax", [PME_MODE_DEVDAX] = "devdax", [PME_MODE_SECTOR] = "sector",
	[PME_MODE_RAW] = "raw",	    [PME_MODE_UNKNOWN] = NULL,
};
static_assert(PME_ARRAY_SIZE(mode_names) == PME_MODE_UNKNOWN + 1, "a name for every mode");

const char *pme_mode_name(enum pme_mode mode)
{
	return mode_names[mode];
}

bool pme_topo_is_host(const struct pme_topo *topo)
{
	struct stat here, host;

	int r = pme_os_stat(topo->os, "sys/.", true, &here);

	/* not proved to be another machine: then the libraries say what they cannot read */
	if (r < 0)
		return r != -ENOENT;
	if (pme_os_stat_at(AT_FDCWD, "/sys/.", true, &host) < 0)
		return true;
	return here.st_dev == host.st_dev && here.st_ino == host.st_ino;
}

static struct pme_dev *free_dev(struct pme_dev *dev)
{
	if (!dev)
		return NULL;
	free(dev->name);
	free(dev->alias);
	free(dev->uuid);
	free(dev->identity);
	free(dev->member_of);
	pme_topo_drop_table(dev);
	if (dev->md)
		pme_md_done(dev->md);
	free(dev->md);
	if (dev->loop)
		free(dev->loop->file);
	free(dev->loop);
	if (dev->bcache) {
		free(dev->bcache->state);
		free(dev->bcache->set);
	}
	free(dev->bcache);
	free(dev->uppers);
	free(dev->lowers);
	free(dev);
	return NULL;
}

struct pme_dev *pme_topo_add_dev(struct pme_topo *topo, const char *name, enum pme_dev_kind kind)
{
	struct pme_dev *dev;

	if (pme_grow(&topo->devs, &topo->alloc_devs, topo->n_devs, sizeof(struct pme_dev *)) < 0)
		return NULL;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return NULL;
	dev->kind = kind;
	dev->name = strdup(name);
	if (!dev->name)
		return free_dev(dev);
	topo->devs[topo->n_devs++] = dev;
	return dev;
}

struct pme_dev *pme_topo_find(const struct pme_topo *topo, const char *name)
{
	for (size_t i = 0; i < topo->n_devs; i++)
		if (strcmp(topo->devs[i]->name, name) == 0)
			return topo->devs[i];
	return NULL;
}

struct dev_list {
	struct pme_dev **items;
	size_t count, alloc;
};

static int list_once(struct dev_list *list, const struct pme_dev *dev)
{
	/* devices of a snapshot are const for its users only */
	struct pme_dev *d = (struct pme_dev *)dev;
	int r;

	if (d->mark)
		return 0;
	r = pme_grow(&list->items, &list->alloc, list->count, sizeof(*list->items));
	if (r < 0)
		return r;
	d->mark = true;
	list->items[list->count++] = d;
	return 0;
}

static int list_ancestors(struct dev_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < list->items[i]->n_uppers; k++) {
			int r = list_once(list, list->items[i]->uppers[k]);

			if (r < 0)
				return r;
		}
	return 0;
}

/* Is @to the device @from, or stacked on it?  No recursion: the stack may be as deep as it likes.
 */
static int is_above(struct pme_dev *from, const struct pme_dev *to)
{
	struct dev_list list = {0};
	int r = list_once(&list, from);
	bool found;

	if (r == 0)
		r = list_ancestors(&list);
	found = to->mark;
	for (size_t i = 0; i < list.count; i++)
		list.items[i]->mark = false;
	free(list.items);
	return r < 0 ? r : found;
}

static bool has_upper(const struct pme_dev *lower, const struct pme_dev *upper)
{
	for (size_t i = 0; i < lower->n_uppers; i++)
		if (lower->uppers[i] == upper)
			return true;
	return false;
}

int pme_topo_add_edge(struct pme_dev *lower, struct pme_dev *upper)
{
	int r;

	if (has_upper(lower, upper))
		return 0;
	r = is_above(upper, lower);
	if (r != 0)
		return r < 0 ? r : -ELOOP;
	r = pme_grow(&lower->uppers, &lower->alloc_uppers, lower->n_uppers, sizeof(upper));
	if (r == 0)
		r = pme_grow(&upper->lowers, &upper->alloc_lowers, upper->n_lowers, sizeof(lower));
	if (r < 0)
		return r;
	lower->uppers[lower->n_uppers++] = upper;
	upper->lowers[upper->n_lowers++] = lower;
	return 0;
}

int pme_topo_link(struct pme_dev *lower, struct pme_dev *upper, struct pme_log *log)
{
	int r = pme_topo_add_edge(lower, upper);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		pme_log_incomplete(log, upper->name, "cannot be stacked on %s: %s", lower->name,
				   strerror(-r));
	return 0;
}

static bool is_inside(const struct pme_dev *dev, uint64_t offset)
{
	return offset < dev->size;
}

const struct pme_namespace *pme_topo_namespace_by_name(const struct pme_topo *topo,
						       const char *name)
{
	for (size_t i = 0; i < topo->n_namespaces; i++)
		if (strcmp(topo->namespaces[i]->name, name) == 0)
			return topo->namespaces[i];
	return NULL;
}

bool pme_region_has_dimm(const struct pme_region *region, const char *name)
{
	for (size_t i = 0; i < region->n_dimms; i++)
		if (strcmp(region->dimms[i], name) == 0)
			return true;
	return false;
}

const struct pme_region *pme_dev_region(const struct pme_dev *dev)
{
	return dev->ns ? dev->ns->region : dev->region;
}

uint64_t pme_dev_physical(const struct pme_dev *dev, uint64_t offset)
{
	uint64_t base = PME_UNKNOWN, address;

	if (dev->region)
		base = dev->region->resource;
	else if (dev->ns)
		base = dev->ns->data_start;
	if (base == PME_UNKNOWN || !is_inside(dev, offset))
		return PME_UNKNOWN;
	return pme_add(base, offset, &address) < 0 ? PME_UNKNOWN : address;
}

const char *pme_dev_label(const struct pme_dev *dev)
{
	return dev->alias ? dev->alias : dev->name;
}

static int load_md_arrays(struct pme_topo *topo, struct pme_log *log)
{
	for (size_t i = 0; i < topo->n_devs; i++) {
		int r = 0;

		if (topo->devs[i]->kind == PME_DEV_MD)
			r = pme_topo_load_md(topo, topo->devs[i], log);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_parts(struct pme_topo *topo, struct pme_log *log)
{
	int r = pme_topo_load_block(topo, log);

	if (r == 0)
		r = load_md_arrays(topo, log);
	if (r == 0)
		r = pme_topo_load_dm(topo, log);
	if (r == 0 && !topo->partial)
		r = pme_topo_load_nd(topo, log);
	if (r == 0)
		r = pme_topo_load_loops(topo, log);
	if (r == 0)
		r = pme_topo_load_bcaches(topo, log);
	if (r == 0 && !topo->partial)
		r = pme_topo_identify(topo, log);
	if (r == 0)
		r = pme_topo_load_btrfs(topo, log);
	if (r == 0)
		r = pme_topo_load_mounts(topo, log);
	return r;
}

static int load(const struct pme_os *os, bool partial, struct pme_log *log, struct pme_topo **ret)
{
	struct pme_topo *topo = calloc(1, sizeof(*topo));
	int r;

	if (!topo)
		return -ENOMEM;
	topo->os = os;
	topo->partial = partial;
	r = load_parts(topo, log);
	if (r < 0) {
		pme_topo_free(topo);
		return r;
	}
	*ret = topo;
	return 0;
}

int pme_topo_load(const struct pme_os *os, struct pme_log *log, struct pme_topo **ret)
{
	return load(os, false, log, ret);
}

int pme_topo_load_again(const struct pme_os *os, struct pme_log *log, struct pme_topo **ret)
{
	return load(os, true, log, ret);
}

static void free_region(struct pme_region *region)
{
	free(region->name);
	free(region->bus);
	free(region->provider);
	pme_os_free_names(region->dimms, region->n_dimms);
	free(region);
}

static void free_namespace(struct pme_namespace *ns)
{
	free(ns->name);
	free(ns->uuid);
	free(ns->device);
	free(ns);
}

void pme_mount_done(struct pme_mount *mount)
{
	free(mount->root);
	free(mount->target);
	free(mount->type);
	free(mount->source);
	free(mount->options);
}

struct pme_topo *pme_topo_free(struct pme_topo *topo)
{
	if (!topo)
		return NULL;
	pme_topo_free_nd(topo);
	for (size_t i = 0; i < topo->n_mounts; i++)
		pme_mount_done(&topo->mounts[i]);
	for (size_t i = 0; i < topo->n_devs; i++)
		free_dev(topo->devs[i]);
	for (size_t i = 0; i < topo->n_namespaces; i++)
		free_namespace(topo->namespaces[i]);
	for (size_t i = 0; i < topo->n_regions; i++)
		free_region(topo->regions[i]);
	pme_overlays_free(topo->overlays);
	free(topo->mounts);
	free(topo->swap_files);
	free(topo->devs);
	free(topo->namespaces);
	free(topo->regions);
	free(topo);
	return NULL;
}
