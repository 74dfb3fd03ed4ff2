/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inodes whose names are wanted, and how many names of each are still missing.  Any number of
 * threads may ask and tell at once.
 */
#ifndef PME_NAMES_WANTED_H
#define PME_NAMES_WANTED_H

#include <stdatomic.h>

#include "names.h"

struct pme_wanted {
	struct pme_file **files; /* borrowed, sorted by inode */
	size_t n_files;
	_Atomic uint32_t *missing; /* names still to be found, per file */
	_Atomic uint64_t total_missing;
	unsigned char *filter; /* a set bit: some wanted inode has this number modulo filter_bits */
	uint64_t filter_bits;
};

/* @files, sorted here: as many names as nlink says; of unknown mode (0) there is always one more.
 */
int pme_wanted_init(struct pme_wanted *wanted, struct pme_file **files, size_t n_files);
void pme_wanted_done(struct pme_wanted *wanted);

/* Asked about each entry of the filesystem, and nearly always false. */
static inline bool pme_wanted_may_have(const struct pme_wanted *wanted, uint64_t ino)
{
	uint64_t bit = ino & (wanted->filter_bits - 1);

	return wanted->filter[bit / 8] >> bit % 8 & 1;
}

/* Position of the file with number @ino, n_files when it is not wanted. */
size_t pme_wanted_find(const struct pme_wanted *wanted, uint64_t ino);

/* A name of files[@i] was found. */
void pme_wanted_found(struct pme_wanted *wanted, size_t i);
bool pme_wanted_all_found(const struct pme_wanted *wanted);

#endif
