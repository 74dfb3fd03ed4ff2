/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of an ext2, ext3 or ext4 lies at fixed places: copies of the superblock, group descriptors
 * and the blocks reserved for more of them, bitmaps, inode tables, the MMP block.
 */
#ifndef PME_EXT4_LAYOUT_H
#define PME_EXT4_LAYOUT_H

#include "ext4-geo.h"

enum pme_ext4_part {
	PME_EXT4_SUPER,
	PME_EXT4_SUPER_COPY,
	PME_EXT4_GDT,
	PME_EXT4_GDT_COPY,
	PME_EXT4_GDT_RESERVED,
	PME_EXT4_BLOCK_BITMAP,
	PME_EXT4_INODE_BITMAP,
	PME_EXT4_TABLE,
	PME_EXT4_MMP,
	PME_EXT4_BOOT,	 /* before the first block */
	PME_EXT4_BEHIND, /* of the device, behind the end of the filesystem */
};

struct pme_ext4_place {
	struct pme_range range; /* bytes of the device, clipped to what was asked about */
	enum pme_ext4_part part;
	uint32_t group;
};

struct pme_ext4_places {
	struct pme_ext4_place *items; /* by range.start */
	size_t count, alloc;
	uint32_t bad_groups; /* descriptors that make no sense: their bitmaps and tables are missing
			      */
};

/* All that meets @ranges (normalized): 0 or -ENOMEM, -E2BIG. */
int pme_ext4_layout(const struct pme_ext4_geo *geo, const struct pme_range_list *ranges,
		    struct pme_ext4_places *ret);
void pme_ext4_places_done(struct pme_ext4_places *places);

/* "primary superblock", "group 3 inode table": allocated, NULL without memory. */
char *pme_ext4_place_name(const struct pme_ext4_geo *geo, const struct pme_ext4_place *place);

/* The numbers of the first and the last inode that meet @place, of PME_EXT4_TABLE. */
void pme_ext4_place_inodes(const struct pme_ext4_geo *geo, const struct pme_ext4_place *place,
			   uint32_t *ret_first, uint32_t *ret_last);

#endif
