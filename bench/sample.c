/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random choice of blocks; see sample.h.
 */
#include "sample.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTOR 512
#define SPARE 16 /* more than wanted, part of it: for shared blocks that are met twice */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Reservoir sampling. */
void sample_add(struct sample *sample, uint64_t address)
{
	uint64_t at = sample->seen++;

	if (at >= sample->size)
		at = next_random(&sample->random) % sample->seen;
	else
		sample->count++;
	if (at < sample->size)
		sample->items[at] = address;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

/* Each address once, in random order. */
static void settle(struct sample *sample)
{
	size_t count = 0;

	qsort(sample->items, sample->count, sizeof(*sample->items), by_address);
	for (size_t i = 0; i < sample->count; i++)
		if (i == 0 || sample->items[i] != sample->items[count - 1])
			sample->items[count++] = sample->items[i];
	sample->count = count;
	for (size_t i = count; i > 1; i--) {
		size_t j = next_random(&sample->random) % i;
		uint64_t item = sample->items[j];

		sample->items[j] = sample->items[i - 1];
		sample->items[i - 1] = item;
	}
}

void sample_begin(struct sample *sample, size_t wanted, uint64_t seed)
{
	*sample = (struct sample){.size = wanted + wanted / SPARE + SPARE, .random = seed};
	sample->items = calloc(sample->size, sizeof(*sample->items));
	if (!sample->items)
		err(1, "calloc");
}

void sample_print(struct sample *sample, size_t wanted, uint64_t block_size)
{
	settle(sample);
	if (sample->count < wanted)
		errx(1, "only %zu blocks in use", sample->count);
	for (size_t i = 0; i < wanted; i++)
		printf("%" PRIu64 " %" PRIu64 "\n", sample->items[i] / SECTOR, block_size / SECTOR);
}
