/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first bytes of a file of XFS with very many extents, from its device.
 */
#ifndef PME_SCAN_HEAD_H
#define PME_SCAN_HEAD_H

#include "scan.h"

struct pme_scan_head {
	struct pme_scan *scan;
	const struct pme_fs *fs;
	const struct pme_file *file;
	int fd; /* the file, opened by its handle */
};

/*
 * @size bytes at @buf: 1; 0 when they cannot be read, as far as the lists say; -EAGAIN: read the
 * file itself (@buf may have been written to); -ENOMEM.
 */
int pme_scan_head_read(const struct pme_scan_head *head, size_t size, void *buf);

/* Has any list some of @range of the main device of @fs, or may it have?  1, 0, -errno. */
int pme_scan_head_is_bad(struct pme_scan *scan, const struct pme_fs *fs, struct pme_range range);

#endif
