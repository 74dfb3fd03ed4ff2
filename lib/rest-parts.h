/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where partition tables lie on a disk.
 *
 * Sources: UEFI specification 2.10, section 5.3 (GPT); block/partitions/msdos.c (chains of logical
 * partitions).  libblkid and libfdisk know partitions, but do not tell where the tables lie and
 * which of them is good.  Parsers are pure functions: 0, or -EINVAL for nonsense.
 */
#ifndef PME_REST_PARTS_H
#define PME_REST_PARTS_H

#include "range.h"

#define PME_GPT_ENTRIES_MAX (4U << 20) /* bytes; 128 entries of 128 bytes are 16 KiB */
#define PME_MBR_BYTES 512
#define PME_EBR_MAX 256 /* tables in a chain; Linux follows 100 */

struct pme_gpt {
	struct pme_range header;  /* bytes of the disk, one block */
	struct pme_range entries; /* whole blocks */
	uint64_t other;		  /* byte of the other header */
	uint64_t used;		  /* bytes of the entries that the checksum covers */
	uint64_t entry;		  /* bytes of one entry */
	uint32_t crc;		  /* of all that are used */
};

/* @buf: the block of @block bytes at byte @start of a disk of @size. */
int pme_gpt_parse(const void *buf, uint64_t block, uint64_t start, uint64_t size,
		  struct pme_gpt *ret);
bool pme_gpt_entries_are_good(const void *entries, const struct pme_gpt *gpt);
/* Is none of the @entries, gpt->used bytes, a partition? */
bool pme_gpt_is_empty(const void *entries, const struct pme_gpt *gpt);

/* What a table of four entries leads to: blocks as written; 0 when there is none. */
struct pme_mbr {
	uint64_t next;	 /* first block of the (next) extended partition */
	uint64_t length; /* its blocks */
	bool empty;	 /* nothing is written in any of the four */
};
int pme_mbr_parse(const void *buf, struct pme_mbr *ret);

/* The chain of tables of logical partitions; zero before the first. */
struct pme_ebr_walk {
	uint64_t first, start; /* bytes of the disk: the first table, the one to be read now */
	size_t count;	       /* tables so far */
};
/*
 * From the table @mbr to the next, on a disk of @size: 1, 0 at the end of the chain, -EINVAL when
 * it leaves the disk or does not end.
 */
int pme_ebr_next(struct pme_ebr_walk *walk, const struct pme_mbr *mbr, uint64_t block,
		 uint64_t size);

#endif
