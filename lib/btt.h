/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of a namespace in sector mode (BTT): arenas, each with an info block, blocks of data,
 * a map, a log and a copy of the info block.
 *
 * Source: drivers/nvdimm/btt.h, btt.c; the UEFI specification 2.10, section 6 (BTT layout).  All
 * places are bytes of the namespace.  The surprise: BTT 1.1 begins behind 4 KiB that belong to
 * nobody, BTT 2.0 at once; offsets in an info block count from its own first byte either way.
 */
#ifndef PME_BTT_H
#define PME_BTT_H

#include "base.h"

#define PME_BTT_INFO_SIZE 4096U
#define PME_BTT_LBA_MASK 0x3fffffffU
#define PME_BTT_LANE_BYTES 64U /* log entries of one lane */

struct pme_btt_arena {
	uint64_t start;			/* of its info block */
	uint64_t data, map, log, info2; /* in this order, each behind the other */
	uint64_t first_lba;		/* blocks of all arenas before it: set by the caller */
	uint32_t lba_bytes, internal_lba_bytes; /* of a block, of its place in the data area */
	uint32_t blocks, internal_blocks;	/* that can be addressed; with the free ones */
	uint32_t n_free;
	uint16_t major, minor;
	uint32_t flags; /* 1: an error was met, the arena is read only */
	uint64_t next;	/* place of the next arena's info block, 0: this is the last */
};

/*
 * An info block of PME_BTT_INFO_SIZE bytes that lies at @start of a namespace of @size bytes: 0, or
 * -ENOENT without signature, -EBADMSG with a wrong checksum, -EINVAL for areas that make no sense.
 */
int pme_btt_info_parse(const void *info, uint64_t start, uint64_t size, struct pme_btt_arena *ret);
/* Do the areas follow each other, and hold what they must?  0 or -EINVAL. */
int pme_btt_check(const struct pme_btt_arena *arena, uint64_t size);

enum pme_btt_area {
	PME_BTT_INFO,
	PME_BTT_DATA,
	PME_BTT_MAP,
	PME_BTT_LOG,
	PME_BTT_INFO2,
	PME_BTT_PAD, /* between the areas: nobody's */
	PME_BTT_OUTSIDE,
};
/* In which area byte @at lies, and where the area (or its gap) ends. */
enum pme_btt_area pme_btt_area_at(const struct pme_btt_arena *arena, uint64_t at,
				  uint64_t *ret_end);

/* Bytes of the device that a block shows: 4096, or 512 for all smaller ones. */
static inline uint64_t pme_btt_sector_bytes(const struct pme_btt_arena *arena)
{
	return arena->lba_bytes >= 4096 ? 4096 : 512;
}

/* An entry of the map, as it lies there, of block @lba of the arena. */
struct pme_btt_entry {
	uint32_t block;		/* of the data area */
	bool is_zero, is_error; /* reads as zeros; reads fail until it is written */
};
struct pme_btt_entry pme_btt_entry_parse(const unsigned char raw[4], uint32_t lba);

/*
 * The newest entry of a lane (64 bytes): the last write, whose old block is the lane's free one.
 * With @padded the second entry is the third (kernels before 4.15).  0, or -EINVAL for sequence
 * numbers that make no sense.
 */
struct pme_btt_write {
	uint32_t lba, old_block, new_block;
};
int pme_btt_lane_parse(const unsigned char raw[PME_BTT_LANE_BYTES], bool padded,
		       struct pme_btt_write *ret);
/* Does a log of @lanes lanes have that form? */
bool pme_btt_log_is_padded(const unsigned char *log, uint32_t lanes);

/* A number of debugfs: decimal, or hexadecimal behind "0x".  0, -EINVAL, -ERANGE. */
int pme_btt_number_parse(const char *text, uint64_t *ret);

#endif
