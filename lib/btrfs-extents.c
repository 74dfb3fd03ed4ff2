/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extents; see btrfs-extents.h.
 *
 * The extent tree is sorted by where extents begin, and cannot be read backwards: the one that
 * begins before a byte is looked for in windows that grow until one has any.  Extents do not reach
 * across the ends of a chunk.
 *
 * What surprises: a tree block that snapshots share names its parents, not its trees; those are
 * found by going up.
 */
#include "btrfs-extents.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <string.h>

#include "btrfs-search.h"

/* Bytes before the one that is asked about; the last window is the whole chunk. */
static const uint64_t windows[] = {64U << 10, 4U << 20, 256U << 20, UINT64_MAX};

#define PARENTS_MAX 256		      /* tree blocks looked at to name the trees of one */
#define PLACES_BUFFER (4U << 10)      /* at first; the kernel clears and copies all of it */
#define PLACES_BUFFER_MAX (16U << 20) /* what the kernel takes */

/* Blocks on the way up from a shared one. */
struct ascent {
	const struct pme_btrfs_view *view;
	struct pme_btrfs_found *found;
	uint64_t blocks[PARENTS_MAX];
	size_t n_blocks;
};

static void add_tree(struct pme_btrfs_found *found, uint64_t tree)
{
	size_t known = found->n_trees < PME_BTRFS_TREES ? found->n_trees : PME_BTRFS_TREES;
	size_t at = 0;

	while (at < known && found->trees[at] < tree)
		at++;
	if (at < known && found->trees[at] == tree)
		return;
	found->n_trees = known + 1;
	for (size_t i = pme_min(known, PME_BTRFS_TREES - 1); i > at; i--)
		found->trees[i] = found->trees[i - 1];
	if (at < PME_BTRFS_TREES)
		found->trees[at] = tree;
}

static void add_parent(struct ascent *ascent, uint64_t block)
{
	for (size_t i = 0; i < ascent->n_blocks; i++)
		if (ascent->blocks[i] == block)
			return;
	if (ascent->n_blocks < PARENTS_MAX)
		ascent->blocks[ascent->n_blocks++] = block;
}

static void take_ref(struct ascent *ascent, uint8_t type, uint64_t value)
{
	if (type == BTRFS_TREE_BLOCK_REF_KEY)
		add_tree(ascent->found, value);
	else if (type == BTRFS_SHARED_BLOCK_REF_KEY)
		add_parent(ascent, value);
}

static int take_inline_refs(struct ascent *ascent, const struct pme_btrfs_item *item,
			    const struct pme_btrfs_extent *extent)
{
	size_t pos = extent->refs_at;
	struct pme_btrfs_ref ref;
	int r;

	while ((r = pme_btrfs_ref_next(item->data, item->len, &pos, &ref)) > 0)
		take_ref(ascent, ref.type, ref.value);
	return r;
}

/* All references of one tree block: those in its item, and those that have one of their own. */
static int read_refs(struct ascent *ascent, uint64_t block)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = {
		.fd = ascent->view->fd,
		.tree = BTRFS_EXTENT_TREE_OBJECTID,
		.next = {block, BTRFS_EXTENT_ITEM_KEY, 0},
		.last = {block, BTRFS_SHARED_BLOCK_REF_KEY, UINT64_MAX},
	};
	struct pme_btrfs_item item;
	int r;

	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct pme_btrfs_extent extent;

		if (item.key.type != BTRFS_EXTENT_ITEM_KEY &&
		    item.key.type != BTRFS_METADATA_ITEM_KEY) {
			take_ref(ascent, item.key.type, item.key.offset);
			continue;
		}
		r = pme_btrfs_extent_parse(item.key.type, item.key.offset, item.data, item.len,
					   &extent);
		if (r == 0)
			r = take_inline_refs(ascent, &item, &extent);
		if (r < 0)
			return r;
	}
	return r;
}

/* Which trees use the tree block @found? */
static int name_trees(const struct pme_btrfs_view *view, struct pme_btrfs_found *found)
{
	_cleanup_free_ struct ascent *ascent = calloc(1, sizeof(*ascent));
	int r = ascent ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	ascent->view = view;
	ascent->found = found;
	add_parent(ascent, found->range.start);
	for (size_t i = 0; r == 0 && i < ascent->n_blocks; i++)
		r = read_refs(ascent, ascent->blocks[i]);
	return r;
}

/* One item of the extent tree: 1 and *@ret when it is an extent, 0, -errno. */
static int read_item(const struct pme_btrfs_view *view, const struct pme_btrfs_item *item,
		     struct pme_btrfs_found *ret)
{
	struct pme_btrfs_extent extent;
	uint64_t length =
		item->key.type == BTRFS_METADATA_ITEM_KEY ? view->node_size : item->key.offset;
	uint64_t end;
	int r;

	if (item->key.type != BTRFS_EXTENT_ITEM_KEY && item->key.type != BTRFS_METADATA_ITEM_KEY)
		return 0;
	r = pme_btrfs_extent_parse(item->key.type, item->key.offset, item->data, item->len,
				   &extent);
	if (r == 0)
		r = pme_add(item->key.objectid, length, &end);
	if (r < 0)
		return r;
	*ret = (struct pme_btrfs_found){
		.range = {item->key.objectid, length},
		.generation = extent.generation,
		.is_tree = extent.is_tree,
		.level = extent.level,
	};
	return 1;
}

/* Look from @from on: 1 when the answer stands, 0 when the window was too small, -errno. */
static int look(const struct pme_btrfs_view *view, uint64_t from, struct pme_range range,
		struct pme_btrfs_founds *ret)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = {
		.fd = view->fd,
		.tree = BTRFS_EXTENT_TREE_OBJECTID,
		.next = {from, 0, 0},
		.last = {pme_range_end(range) - 1, UINT8_MAX, UINT64_MAX},
	};
	struct pme_btrfs_item item;
	bool stands = false;
	int r;

	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct pme_btrfs_found found;
		struct pme_range common;

		r = read_item(view, &item, &found);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		stands |= found.range.start <= range.start;
		if (!pme_range_intersect(found.range, range, &common))
			continue;
		r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));
		if (r < 0)
			return r;
		ret->items[ret->count++] = found;
	}
	return r < 0 ? r : stands;
}

int pme_btrfs_extents_find(const struct pme_btrfs_view *view, const struct pme_btrfs_chunk *chunk,
			   struct pme_range range, struct pme_btrfs_founds *ret)
{
	size_t first = ret->count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(windows); i++) {
		uint64_t before = pme_min(windows[i], range.start - chunk->start);

		ret->count = first;
		r = look(view, range.start - before, range, ret);
		if (r == 0)
			r = before == range.start - chunk->start;
	}
	for (size_t i = first; r > 0 && i < ret->count; i++) {
		if (!ret->items[i].is_tree)
			continue;
		r = name_trees(view, &ret->items[i]);
		r = r < 0 ? r : 1;
	}
	return r < 0 ? r : 0;
}

static int by_place(const void *a, const void *b)
{
	const struct pme_btrfs_place *p = a, *q = b;

	if (p->root != q->root)
		return p->root < q->root ? -1 : 1;
	if (p->inode != q->inode)
		return p->inode < q->inode ? -1 : 1;
	return p->offset < q->offset ? -1 : p->offset > q->offset;
}

static int take_places(const void *buf, size_t count, struct pme_btrfs_places *ret)
{
	for (size_t i = 0; i < count; i++) {
		int r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));

		if (r < 0)
			return r;
		ret->items[ret->count++] = pme_btrfs_container_place(buf, i);
	}
	if (ret->count > 1)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_place);
	count = ret->count;
	ret->count = 0;
	for (size_t i = 0; i < count; i++)
		if (i == 0 || by_place(&ret->items[i - 1], &ret->items[i]) != 0)
			ret->items[ret->count++] = ret->items[i];
	return 0;
}

/* 1 done, 0 and *@size larger: ask again, -errno. */
static int ask_places(const struct pme_btrfs_view *view, uint64_t start, size_t *size,
		      struct pme_btrfs_places *ret)
{
	_cleanup_free_ void *buf = calloc(1, *size);
	struct btrfs_ioctl_logical_ino_args args = {
		.logical = start,
		.size = *size,
		.flags = BTRFS_LOGICAL_INO_ARGS_IGNORE_OFFSET,
		.inodes = (uintptr_t)buf,
	};
	struct pme_btrfs_container container;
	int r = buf ? pme_os_ioctl(view->fd, BTRFS_IOC_LOGICAL_INO_V2, &args) : -ENOMEM;

	if (r == 0)
		r = pme_btrfs_container_parse(buf, *size, &container);
	if (r < 0)
		return r;
	if (container.missing == 0) {
		r = take_places(buf, container.n_places, ret);
		return r < 0 ? r : 1;
	}
	if (*size == PLACES_BUFFER_MAX)
		return -EOVERFLOW;
	/* what is missing is told as it is now */
	*size = pme_min(PLACES_BUFFER_MAX, (*size + container.missing) * 2);
	return 0;
}

int pme_btrfs_extents_places(const struct pme_btrfs_view *view, uint64_t start,
			     struct pme_btrfs_places *ret)
{
	size_t size = PLACES_BUFFER;
	int r;

	do {
		r = ask_places(view, start, &size, ret);
	} while (r == 0);
	return r < 0 ? r : 0;
}
