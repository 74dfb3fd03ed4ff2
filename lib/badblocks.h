/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of bad blocks, from the kernel's sysfs files and from files of the user.
 *
 * Kernel format: "SECTOR COUNT\n" per entry, 512-byte sectors, at most 256 KiB per entry
 * (include/linux/badblocks.h: BB_MAX_LEN), 512 entries per table (MAX_BADBLOCKS with 4 KiB pages).
 * sysfs clips the text at 4095 bytes (fs/sysfs/file.c), in the middle of a line: a list of exactly
 * 4095 bytes, or with a last line that has no newline, is truncated, and that line is not parsed.
 */
#ifndef PME_BADBLOCKS_H
#define PME_BADBLOCKS_H

#include "os.h"
#include "range.h"

#define PME_BADBLOCKS_CLIP 4095	  /* bytes a sysfs badblocks file can show */
#define PME_BADBLOCKS_ENTRIES 512 /* entries a table holds with 4 KiB pages */

enum pme_badblocks_state {
	PME_BB_COMPLETE,
	PME_BB_CLIPPED, /* the text reached 4095 bytes or ended in the middle of a line */
	PME_BB_FULL,	/* the kernel's table has no free entry: later errors were dropped */
};

struct pme_badblocks {
	struct pme_range_list ranges; /* normalized, bytes */
	enum pme_badblocks_state state;
	size_t entries; /* lines read, before merging */
};

/*
 * Parse what one read of a sysfs badblocks file gave.  -EINVAL when a line is malformed (*@ret_line
 * is its number, from 1); *@ret then holds nothing.
 */
int pme_badblocks_parse_sysfs(const char *text, size_t len, struct pme_badblocks *ret,
			      size_t *ret_line);

/*
 * Parse a list written by the user: kernel format, or one block number per line as badblocks(8)
 * prints, in units of @block_size bytes.  Empty lines and lines that start with # are skipped; the
 * two formats may not be mixed.  -EINVAL or -ERANGE as above; an empty list is valid.
 */
int pme_badblocks_parse_file(const char *text, size_t len, uint64_t block_size,
			     struct pme_badblocks *ret, size_t *ret_line);

/* Read and parse the sysfs file at @path.  -errno of the read, or of the parser. */
int pme_badblocks_read(const struct pme_os *os, const char *path, struct pme_badblocks *ret,
		       size_t *ret_line);

void pme_badblocks_done(struct pme_badblocks *bb);

#endif
