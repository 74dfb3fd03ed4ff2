/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Areas of an MD member outside of its data, from its superblock (include/uapi/linux/raid/md_p.h:
 * struct mdp_superblock_1) and the one of its bitmap (drivers/md/md-bitmap.h: bitmap_super_s).
 */
#ifndef PME_MD_SUPER_H
#define PME_MD_SUPER_H

#include "range.h"

#define PME_MD_SUPER_SIZE 256
#define PME_MD_AREAS 4

struct pme_md_area {
	struct pme_range range; /* bytes of the member */
	const char *what;	/* "write-intent bitmap": static */
};

struct pme_md_areas {
	struct pme_md_area items[PME_MD_AREAS];
	size_t count;
	uint64_t
		bitmap; /* byte where the bitmap begins, or 0; areas have it with its whole space */
};

enum pme_md_version { PME_MD_0_90, PME_MD_1_0, PME_MD_1_1, PME_MD_1_2 };

/* "1.2" as sysfs says it: 0, or -EINVAL for others ("external:imsm"). */
int pme_md_version_parse(const char *text, enum pme_md_version *ret);
/* Byte where the superblock of a device of @size bytes is: 0, or -EINVAL when it is too small. */
int pme_md_super_place(enum pme_md_version version, uint64_t size, uint64_t *ret);

/* What a superblock of version 1 at byte @at says; -EINVAL when it is none, or nonsense. */
int pme_md_super_parse(const uint8_t buf[PME_MD_SUPER_SIZE], uint64_t at, uint64_t device_size,
		       struct pme_md_areas *ret);
/* Cut the bitmap of @areas to what its own superblock says; -EINVAL when that is none. */
int pme_md_bitmap_parse(const uint8_t buf[PME_MD_SUPER_SIZE], struct pme_md_areas *areas);

#endif
