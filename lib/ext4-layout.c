/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed places of ext2, ext3 and ext4; see ext4-layout.h.
 *
 * One pass over the group descriptors.  What surprises: a block of which only a part is a
 * superblock is lost as a whole with one bad sector, as the kernel reads nothing less.
 */
#include "ext4-layout.h"

#include <ext2fs/ext2fs.h>
#include <string.h>

struct layout {
	const struct pme_ext4_geo *geo;
	const struct pme_range_list *ranges;
	struct pme_ext4_places *places;
};

/* What of the bytes @whole is asked about. */
static int add_bytes(struct layout *layout, struct pme_range whole, enum pme_ext4_part part,
		     uint32_t group)
{
	const struct pme_range_list *ranges = layout->ranges;
	struct pme_ext4_places *places = layout->places;
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pme_range_end(ranges->items[mid]) <= whole.start)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < ranges->count && ranges->items[low].start < pme_range_end(whole); low++) {
		struct pme_ext4_place place = {.part = part, .group = group};
		int r;

		if (!pme_range_intersect(whole, ranges->items[low], &place.range))
			continue;
		r = pme_grow(&places->items, &places->alloc, places->count, sizeof(place));
		if (r < 0)
			return r;
		places->items[places->count++] = place;
	}
	return 0;
}

static int add_blocks(struct layout *layout, uint64_t block, uint64_t count,
		      enum pme_ext4_part part, uint32_t group)
{
	const struct pme_ext4_geo *geo = layout->geo;

	if (count == 0 || block >= geo->blocks)
		return 0;
	count = pme_min(count, geo->blocks - block);
	return add_bytes(layout,
			 (struct pme_range){block * geo->block_size, count * geo->block_size}, part,
			 group);
}

/* Superblock and descriptors, where the group has them. */
static int add_copies(struct layout *layout, uint32_t group)
{
	ext2_filsys fs = layout->geo->fs;
	bool has_meta = ext2fs_has_feature_meta_bg(fs->super);
	uint64_t old = has_meta ? fs->super->s_first_meta_bg : fs->desc_blocks;
	uint64_t reserved = has_meta ? 0 : fs->super->s_reserved_gdt_blocks;
	blk64_t super, first, new;
	bool primary;
	int r = 0;

	ext2fs_super_and_bgd_loc2(fs, group, &super, &first, &new, NULL);
	if (ext2fs_bg_has_super(fs, group))
		r = add_blocks(layout, super, 1, group ? PME_EXT4_SUPER_COPY : PME_EXT4_SUPER,
			       group);
	if (r == 0 && first)
		r = add_blocks(layout, first, old, group ? PME_EXT4_GDT_COPY : PME_EXT4_GDT, group);
	if (r == 0 && first)
		r = add_blocks(layout, first + old, reserved, PME_EXT4_GDT_RESERVED, group);
	if (r < 0 || !new)
		return r;
	/* the first group of a meta group has the block that is used */
	primary = group % (fs->blocksize / EXT2_DESC_SIZE(fs->super)) == 0;
	return add_blocks(layout, new, 1, primary ? PME_EXT4_GDT : PME_EXT4_GDT_COPY, group);
}

static int add_group(struct layout *layout, uint32_t number)
{
	struct pme_ext4_group group;
	int r = add_copies(layout, number);

	if (r < 0)
		return r;
	if (pme_ext4_geo_group(layout->geo, number, &group) < 0) {
		layout->places->bad_groups++;
		return 0;
	}
	r = add_blocks(layout, group.block_bitmap, 1, PME_EXT4_BLOCK_BITMAP, number);
	if (r == 0)
		r = add_blocks(layout, group.inode_bitmap, 1, PME_EXT4_INODE_BITMAP, number);
	if (r == 0)
		r = add_blocks(layout, group.table, layout->geo->table_blocks, PME_EXT4_TABLE,
			       number);
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct pme_ext4_place *p = a, *q = b;

	if (p->range.start != q->range.start)
		return p->range.start < q->range.start ? -1 : 1;
	if (p->part != q->part)
		return p->part < q->part ? -1 : 1;
	return p->group < q->group ? -1 : p->group > q->group;
}

/* What is left of a block of 4 KiB before a superblock of group 0 is in the same block. */
static int add_borders(struct layout *layout)
{
	const struct pme_ext4_geo *geo = layout->geo;
	ext2_filsys fs = geo->fs;
	struct pme_range behind = {geo->size, UINT64_MAX - geo->size};
	int r = add_bytes(layout, behind, PME_EXT4_BEHIND, 0);

	/* with bigalloc and blocks of 1 KiB the first is 0 and the superblock still at 1 */
	if (r == 0 && geo->block_size == 1024)
		r = add_bytes(layout, (struct pme_range){0, 1024}, PME_EXT4_BOOT, 0);
	if (r == 0 && ext2fs_has_feature_mmp(fs->super))
		r = add_blocks(layout, fs->super->s_mmp_block, 1, PME_EXT4_MMP, 0);
	return r;
}

int pme_ext4_layout(const struct pme_ext4_geo *geo, const struct pme_range_list *ranges,
		    struct pme_ext4_places *ret)
{
	struct layout layout = {.geo = geo, .ranges = ranges, .places = ret};
	int r = add_borders(&layout);

	for (uint32_t i = 0; r == 0 && i < geo->groups; i++)
		r = add_group(&layout, i);
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_start);
	return r;
}

void pme_ext4_places_done(struct pme_ext4_places *places)
{
	free(places->items);
	*places = (struct pme_ext4_places){0};
}

static char *name_super(const struct pme_ext4_geo *geo, const struct pme_ext4_place *place)
{
	/* the primary one is at byte 1024 whatever the size of a block; copies begin their block */
	uint64_t at = place->part == PME_EXT4_SUPER
			      ? 1024
			      : place->range.start - place->range.start % geo->block_size;
	struct pme_range super = {at, SUPERBLOCK_SIZE}, common;
	bool inside = pme_range_intersect(super, place->range, &common);
	const char *name =
		place->part == PME_EXT4_SUPER ? "primary superblock" : "backup superblock";

	return pme_printf("group %u %s%s", place->group, name,
			  inside ? "" : ": the rest of its block");
}

char *pme_ext4_place_name(const struct pme_ext4_geo *geo, const struct pme_ext4_place *place)
{
	switch (place->part) {
	case PME_EXT4_SUPER:
	case PME_EXT4_SUPER_COPY:
		return name_super(geo, place);
	case PME_EXT4_GDT:
		return pme_printf("group %u group descriptors", place->group);
	case PME_EXT4_GDT_COPY:
		return pme_printf("group %u backup of group descriptors", place->group);
	case PME_EXT4_GDT_RESERVED:
		return pme_printf("group %u reserved GDT blocks", place->group);
	case PME_EXT4_BLOCK_BITMAP:
		return pme_printf("group %u block bitmap", place->group);
	case PME_EXT4_INODE_BITMAP:
		return pme_printf("group %u inode bitmap", place->group);
	case PME_EXT4_TABLE:
		return pme_printf("group %u inode table", place->group);
	case PME_EXT4_MMP:
		return strdup("MMP block");
	case PME_EXT4_BOOT:
		return strdup("boot block, which the filesystem does not use");
	case PME_EXT4_BEHIND:
		return strdup("behind the end of the filesystem");
	}
	return NULL;
}

void pme_ext4_place_inodes(const struct pme_ext4_geo *geo, const struct pme_ext4_place *place,
			   uint32_t *ret_first, uint32_t *ret_last)
{
	struct pme_ext4_group group;
	uint64_t base = (uint64_t)place->group * geo->inodes_per_group, first, last;

	*ret_first = 1;
	*ret_last = 0;
	if (pme_ext4_geo_group(geo, place->group, &group) < 0)
		return;
	first = (place->range.start - group.table * geo->block_size) / geo->inode_size;
	last = (pme_range_end(place->range) - 1 - group.table * geo->block_size) / geo->inode_size;
	if (first >= geo->inodes_per_group)
		return;
	*ret_first = (uint32_t)(base + first + 1);
	*ret_last = (uint32_t)(base + pme_min(last, geo->inodes_per_group - 1) + 1);
}
