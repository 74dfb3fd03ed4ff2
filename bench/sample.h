/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random choice of blocks, all with the same chance, from a sweep of unknown length.
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct sample {
	uint64_t *items; /* byte addresses */
	size_t count, size;
	uint64_t seen;
	uint64_t random;
};

void sample_begin(struct sample *sample, size_t wanted, uint64_t seed);

/* A block that is met twice has the chance of two. */
void sample_add(struct sample *sample, uint64_t address);

/*
 * Print @wanted of them, each once and in random order, as the kernel prints bad blocks: "SECTOR
 * COUNT".  The first N lines are a random choice too.
 */
void sample_print(struct sample *sample, size_t wanted, uint64_t block_size);

#endif
