/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One self-describing sector: magic, identity, filler made from the identity, checksum.
 *
 * A sector counts only when it is exactly what sd_sector_build() makes, filler included, so that
 * half-written, zeroed or shifted sectors are never taken for data.  No cryptography: it has to
 * be quick under software emulation, and nobody attacks it.
 */
#include <endian.h>
#include <string.h>

#include "selfdata.h"

#define WORDS (SD_SECTOR / 8)
#define MAGIC 0x31464c4553454d50ull /* "PMESELF1" */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t identity_hash(const struct sd_id *id)
{
	uint64_t hash = mix(id->tag + 1);

	hash = mix(hash ^ id->content);
	hash = mix(hash ^ id->offset);
	return mix(hash ^ id->generation);
}

void sd_sector_build(const struct sd_id *id, void *buf)
{
	uint64_t words[WORDS] = {
		htole64(MAGIC),	     htole64(id->tag),	      htole64(id->content),
		htole64(id->offset), htole64(id->generation),
	};
	uint64_t hash = identity_hash(id);

	for (size_t i = 5; i < WORDS; i++) {
		hash = hash * 0xd1342543de82ef95ull + i;
		words[i] = htole64(hash);
	}
	memcpy(buf, words, SD_SECTOR);
}

int sd_sector_parse(const void *buf, struct sd_id *ret_id)
{
	uint64_t words[5], image[WORDS];
	struct sd_id id;

	memcpy(words, buf, sizeof(words));
	if (le64toh(words[0]) != MAGIC)
		return 0;
	id = (struct sd_id){
		.tag = le64toh(words[1]),
		.content = le64toh(words[2]),
		.offset = le64toh(words[3]),
		.generation = le64toh(words[4]),
	};
	sd_sector_build(&id, image);
	if (memcmp(image, buf, SD_SECTOR) != 0)
		return 0;
	*ret_id = id;
	return 1;
}

void sd_rng_init(struct sd_rng *rng, uint64_t seed)
{
	rng->state = mix(seed + 0x9e3779b97f4a7c15ull) | 1;
}

uint64_t sd_rng_next(struct sd_rng *rng)
{
	uint64_t x = rng->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng->state = x;
	return x * 0x2545f4914f6cdd1dull;
}

uint64_t sd_rng_below(struct sd_rng *rng, uint64_t limit)
{
	return limit ? (sd_rng_next(rng) >> 11) % limit : 0;
}
