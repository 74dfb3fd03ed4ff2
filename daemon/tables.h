/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums over tables of the kernel that change for many reasons: they change only when something does
 * that can matter for a device.  The order of lines does not count.
 */
#ifndef PMED_TABLES_H
#define PMED_TABLES_H

#include "base.h"

/*
 * @text: /proc/self/mountinfo, proc(5).  Lines whose source is no path ("proc", "overlay") do not
 * count.
 */
uint64_t pmed_mounts_sum(const char *text, size_t len);

/* Numbers of devices, sorted, each once. */
struct pmed_numbers {
	struct pmed_number {
		unsigned int major, minor;
	} * items;
	size_t count, alloc;
};

/* The devices of the lines of mountinfo that count: 0 or -errno.  @ret is empty before. */
int pmed_mounts_parse(const char *text, size_t len, struct pmed_numbers *ret);
bool pmed_numbers_has(const struct pmed_numbers *numbers, const struct pmed_number *number);
void pmed_numbers_done(struct pmed_numbers *numbers);

/*
 * @text: /proc/mdstat (drivers/md/md.c, md_seq_show).  How far a resync is, and how full a bitmap,
 * does not count.
 */
uint64_t pmed_arrays_sum(const char *text, size_t len);

#endif
