/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for property tests: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014).  The same numbers on every run, unless CHECK_SEED says otherwise, so
 * that a failure can be repeated; a failing test names its round.
 */
#ifndef PME_TESTS_RANDOM_H
#define PME_TESTS_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

struct rnd {
	uint64_t state;
};

static inline struct rnd rnd_start(void)
{
	const char *seed = getenv("CHECK_SEED");

	return (struct rnd){.state = seed ? strtoull(seed, NULL, 0) : 1};
}

static inline uint64_t rnd_u64(struct rnd *rnd)
{
	uint64_t z = rnd->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* A number below @limit. */
static inline uint64_t rnd_below(struct rnd *rnd, uint64_t limit)
{
	return rnd_u64(rnd) % limit;
}

#endif
