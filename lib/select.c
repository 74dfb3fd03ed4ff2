/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors; see select.h.
 */
#include "select.h"

#include <string.h>

bool pme_dev_list_has(const struct pme_dev_list *list, const struct pme_dev *dev)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == dev)
			return true;
	return false;
}

int pme_dev_list_add(struct pme_dev_list *list, const struct pme_dev *dev)
{
	int r;

	if (pme_dev_list_has(list, dev))
		return 0;
	r = pme_grow(&list->items, &list->alloc, list->count, sizeof(*list->items));
	if (r < 0)
		return r;
	list->items[list->count++] = dev;
	return 0;
}

/* A device whose bad blocks are of interest by themselves: of a namespace, or a whole region. */
static bool is_pmem(const struct pme_dev *dev)
{
	return dev->ns || dev->kind == PME_DEV_REGION;
}

static int select_all(const struct pme_topo *topo, struct pme_selection *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_devs; i++)
		if (is_pmem(topo->devs[i]))
			r = pme_dev_list_add(&ret->bases, topo->devs[i]);
	return r;
}

/* A region with everything in it: all its claims are wanted, whatever else is selected. */
static int select_region(const struct pme_topo *topo, const struct pme_region *region,
			 struct pme_selection *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_devs; i++) {
		if (!is_pmem(topo->devs[i]) || pme_dev_region(topo->devs[i]) != region)
			continue;
		r = pme_dev_list_add(&ret->bases, topo->devs[i]);
		if (r == 0)
			r = pme_dev_list_add(&ret->passing, topo->devs[i]);
	}
	return r;
}

/* 1 when @name is a DIMM of some region, 0 when not. */
static int select_dimm(const struct pme_topo *topo, const char *name, struct pme_selection *ret)
{
	int found = 0;

	for (size_t i = 0; i < topo->n_regions; i++) {
		int r;

		if (!pme_region_has_dimm(topo->regions[i], name))
			continue;
		r = select_region(topo, topo->regions[i], ret);
		if (r < 0)
			return r;
		found = 1;
	}
	return found;
}

/* The devices at the bottom of everything below @dev (itself, when nothing is below). */
static int add_bottoms(const struct pme_dev *dev, struct pme_selection *ret)
{
	bool bottom = true;

	for (size_t i = 0; i < dev->n_lowers; i++) {
		int r;

		if (dev->lowers[i]->kind == PME_DEV_REGION)
			continue;
		bottom = false;
		r = add_bottoms(dev->lowers[i], ret);
		if (r < 0)
			return r;
	}
	return bottom ? pme_dev_list_add(&ret->bases, dev) : 0;
}

/* The region of a namespace's device too: its list knows what the disk's does not. */
static int add_regions(const struct pme_topo *topo, struct pme_selection *ret)
{
	int r = 0;

	for (size_t b = 0; b < ret->bases.count; b++) {
		const struct pme_region *region = pme_dev_region(ret->bases.items[b]);

		for (size_t i = 0; region && r == 0 && i < topo->n_devs; i++)
			if (topo->devs[i]->region == region)
				r = pme_dev_list_add(&ret->bases, topo->devs[i]);
	}
	return r;
}

static int select_dev(const struct pme_topo *topo, const struct pme_dev *dev,
		      struct pme_selection *ret)
{
	int r;

	if (dev->kind == PME_DEV_REGION)
		return select_region(topo, dev->region, ret);
	r = add_bottoms(dev, ret);
	if (r == 0)
		r = add_regions(topo, ret);
	return r == 0 ? pme_dev_list_add(&ret->passing, dev) : r;
}

const struct pme_mount *pme_select_mount(const struct pme_topo *topo, const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (size_t i = topo->n_mounts; i-- > 0;) /* the last one mounted there is on top */
		if (strlen(topo->mounts[i].target) == len &&
		    memcmp(topo->mounts[i].target, path, len) == 0)
			return &topo->mounts[i];
	return NULL;
}

/* Every device of the filesystem. */
static int select_mount(const struct pme_topo *topo, const struct pme_mount *mount,
			struct pme_selection *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_devs; i++)
		if (pme_topo_mount_has(topo, mount, topo->devs[i]))
			r = select_dev(topo, topo->devs[i], ret);
	return r;
}

static int select_one(const struct pme_topo *topo, const char *selector, struct pme_log *log,
		      struct pme_selection *ret)
{
	const struct pme_dev *dev = pme_topo_dev_by_spec(topo, selector);
	const struct pme_mount *mount = dev ? NULL : pme_select_mount(topo, selector);
	const struct pme_namespace *ns;
	int r;

	if (mount && pme_topo_dev_by_devno(topo, mount->devno))
		return select_mount(topo, mount, ret);
	if (dev)
		return select_dev(topo, dev, ret);
	r = select_dimm(topo, selector, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	ns = pme_topo_namespace_by_name(topo, selector);
	if (ns) {
		pme_log_incomplete(log, selector,
				   "the namespace is disabled: only its region is read");
		return select_region(topo, ns->region, ret);
	}
	pme_log_add(log, PME_ERROR, selector,
		    "no such device, namespace, region, DIMM or mount point");
	return -ENODEV;
}

static int compare_devs(const void *a, const void *b)
{
	const struct pme_dev *const *x = a, *const *y = b;

	return strverscmp((*x)->name, (*y)->name);
}

int pme_select(const struct pme_topo *topo, char *const *selectors, size_t n_selectors,
	       struct pme_log *log, struct pme_selection *ret)
{
	int failed = 0;

	if (n_selectors == 0)
		failed = select_all(topo, ret);
	for (size_t i = 0; i < n_selectors; i++) {
		int r = select_one(topo, selectors[i], log, ret);

		if (r == -ENOMEM || r == -E2BIG)
			return r;
		if (r < 0)
			failed = r;
	}
	if (ret->bases.count > 1)
		qsort(ret->bases.items, ret->bases.count, sizeof(*ret->bases.items), compare_devs);
	return failed;
}

void pme_dev_list_done(struct pme_dev_list *list)
{
	free(list->items);
	*list = (struct pme_dev_list){0};
}

void pme_selection_done(struct pme_selection *selection)
{
	pme_dev_list_done(&selection->bases);
	pme_dev_list_done(&selection->passing);
}
