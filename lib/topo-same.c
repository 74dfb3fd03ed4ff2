/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparison of two snapshots; see topo-same.h.
 *
 * Devices are found again by name, and must then have the same number and sequence: a name can be
 * given to another device within the blink of an eye.  A partial snapshot has no regions, and no
 * identities; a namespace that is made anew has a disk with a new sequence number.
 */
#include "topo-same.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_table(const struct pme_dev *a, const struct pme_dev *b)
{
	if (a->n_lines != b->n_lines || a->table_error != b->table_error)
		return false;
	for (size_t i = 0; i < a->n_lines; i++) {
		const struct pme_dm_line *x = &a->lines[i], *y = &b->lines[i];

		if (x->range.start != y->range.start || x->range.length != y->range.length ||
		    !same_text(x->type, y->type) || !same_text(x->params, y->params))
			return false;
	}
	return true;
}

static bool same_component(const struct pme_md_component *a, const struct pme_md_component *b)
{
	return same_text(a->dev->name, b->dev->name) && a->slot == b->slot &&
	       a->data_offset == b->data_offset && a->size == b->size &&
	       same_text(a->state, b->state);
}

static bool same_array(const struct pme_md *a, const struct pme_md *b)
{
	if (!a || !b)
		return a == b;
	if (!same_text(a->level, b->level) || a->chunk != b->chunk || a->layout != b->layout ||
	    a->layout_known != b->layout_known || a->reshape != b->reshape ||
	    a->raid_disks != b->raid_disks || a->n_components != b->n_components)
		return false;
	for (size_t i = 0; i < a->n_components; i++)
		if (!same_component(&a->components[i], &b->components[i]))
			return false;
	return true;
}

static bool same_loop(const struct pme_loop *a, const struct pme_loop *b)
{
	if (!a || !b)
		return a == b;
	return same_text(a->file, b->file) && a->file_devno == b->file_devno &&
	       a->file_inode == b->file_inode && a->offset == b->offset &&
	       a->on_device == b->on_device;
}

static bool same_bcache(const struct pme_bcache *a, const struct pme_bcache *b)
{
	if (!a || !b || !a->backing || !b->backing)
		return !a == !b && (!a || !a->backing == !b->backing);
	return same_text(a->backing->name, b->backing->name) && same_text(a->set, b->set) &&
	       a->id == b->id;
}

/* Every upper device of @a stands on @b as well. */
static bool same_uppers(const struct pme_dev *a, const struct pme_dev *b)
{
	if (a->n_uppers != b->n_uppers)
		return false;
	for (size_t i = 0; i < a->n_uppers; i++) {
		bool found = false;

		for (size_t k = 0; k < b->n_uppers && !found; k++)
			found = strcmp(a->uppers[i]->name, b->uppers[k]->name) == 0;
		if (!found)
			return false;
	}
	return true;
}

static bool is_mounted(const struct pme_topo *topo, const struct pme_dev *dev)
{
	for (size_t i = 0; dev->devno && i < topo->n_mounts; i++)
		if (pme_topo_mount_has(topo, &topo->mounts[i], dev))
			return true;
	return false;
}

static bool same_itself(const struct pme_topo *topo, const struct pme_dev *dev,
			const struct pme_topo *other, const struct pme_dev *found)
{
	return dev->kind == found->kind && dev->devno == found->devno && dev->size == found->size &&
	       dev->diskseq == found->diskseq && dev->start == found->start &&
	       dev->swap == found->swap && dev->suspended == found->suspended &&
	       same_text(dev->uuid, found->uuid) && same_text(dev->alias, found->alias) &&
	       (other->partial || same_text(dev->identity, found->identity)) &&
	       same_text(dev->member_of, found->member_of) && same_table(dev, found) &&
	       same_array(dev->md, found->md) && same_loop(dev->loop, found->loop) &&
	       same_bcache(dev->bcache, found->bcache) &&
	       is_mounted(topo, dev) == is_mounted(other, found);
}

#define DEPTH 64 /* the snapshot has no cycles; deeper than the climb nobody looks */

static bool is_left_out(const struct pme_dev *dev, const struct pme_topo *other)
{
	return other->partial && dev->kind == PME_DEV_REGION;
}

static bool same_below(const struct pme_topo *topo, const struct pme_dev *dev,
		       const struct pme_topo *other, int depth)
{
	const struct pme_dev *found = pme_topo_dev_by_name(other, dev->name);
	size_t lowers = 0;

	if (!found || !same_itself(topo, dev, other, found))
		return false;
	for (size_t i = 0; i < dev->n_lowers; i++) {
		if (is_left_out(dev->lowers[i], other))
			continue;
		if (depth > 0 && !same_below(topo, dev->lowers[i], other, depth - 1))
			return false;
		lowers++;
	}
	return lowers == found->n_lowers;
}

static bool in_part(const struct pme_dev *dev, int depth)
{
	if (dev->kind == PME_DEV_CHARDEV || (dev->kind == PME_DEV_DISK && dev->diskseq == 0))
		return false;
	for (size_t i = 0; depth > 0 && i < dev->n_lowers; i++)
		if (dev->lowers[i]->kind != PME_DEV_REGION && !in_part(dev->lowers[i], depth - 1))
			return false;
	return true;
}

bool pme_dev_same_in_part(const struct pme_dev *dev)
{
	return dev->kind != PME_DEV_REGION && in_part(dev, DEPTH);
}

bool pme_dev_same(const struct pme_topo *topo, const struct pme_dev *dev,
		  const struct pme_topo *other)
{
	const struct pme_dev *found = pme_topo_dev_by_name(other, dev->name);

	return found && same_uppers(dev, found) && same_below(topo, dev, other, DEPTH);
}
