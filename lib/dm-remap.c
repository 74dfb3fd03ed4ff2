/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sorted arrays of the same remapped blocks; see dm-remap.h.
 */
#include "dm-remap.h"

#include <string.h>

int pme_remaps_add(struct pme_remaps *remaps, uint64_t block, uint64_t place)
{
	int r = pme_grow(&remaps->by_block, &remaps->alloc, remaps->count,
			 sizeof(*remaps->by_block));

	if (r < 0)
		return r;
	remaps->by_block[remaps->count++] = (struct pme_remap){.block = block, .place = place};
	return 0;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct pme_remap *left = a, *right = b;

	return (left->block > right->block) - (left->block < right->block);
}

static int compare_places(const void *a, const void *b)
{
	const struct pme_remap *left = a, *right = b;

	return (left->place > right->place) - (left->place < right->place);
}

int pme_remaps_seal(struct pme_remaps *remaps)
{
	size_t count = remaps->count;

	if (count == 0)
		return 0;
	remaps->by_place = calloc(count, sizeof(*remaps->by_place));
	if (!remaps->by_place)
		return -ENOMEM;
	memcpy(remaps->by_place, remaps->by_block, count * sizeof(*remaps->by_place));
	qsort(remaps->by_block, count, sizeof(*remaps->by_block), compare_blocks);
	qsort(remaps->by_place, count, sizeof(*remaps->by_place), compare_places);
	for (size_t i = 1; i < count; i++)
		if (remaps->by_block[i - 1].block == remaps->by_block[i].block ||
		    remaps->by_place[i - 1].place == remaps->by_place[i].place)
			return -EINVAL;
	return 0;
}

void pme_remaps_done(struct pme_remaps *remaps)
{
	free(remaps->by_block);
	free(remaps->by_place);
	*remaps = (struct pme_remaps){0};
}

/* The first item of the sorted @items that is not below @key, or NULL. */
static const struct pme_remap *first_from(const struct pme_remap *items, size_t count,
					  const struct pme_remap *key,
					  int (*compare)(const void *a, const void *b))
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count ? &items[low] : NULL;
}

static const struct pme_remap *from_block(const struct pme_remaps *remaps, uint64_t block)
{
	return first_from(remaps->by_block, remaps->count, &(struct pme_remap){.block = block},
			  compare_blocks);
}

static const struct pme_remap *from_place(const struct pme_remaps *remaps, uint64_t place)
{
	return first_from(remaps->by_place, remaps->count, &(struct pme_remap){.place = place},
			  compare_places);
}

const struct pme_remap *pme_remaps_of_block(const struct pme_remaps *remaps, uint64_t block)
{
	const struct pme_remap *found = from_block(remaps, block);

	return found && found->block == block ? found : NULL;
}

const struct pme_remap *pme_remaps_of_place(const struct pme_remaps *remaps, uint64_t place)
{
	const struct pme_remap *found = from_place(remaps, place);

	return found && found->place == place ? found : NULL;
}

/* Up to the end of the block at @at when @inside, else up to block @next, never behind @end. */
static struct pme_range piece(uint64_t size, uint64_t at, uint64_t end, bool inside, uint64_t next)
{
	uint64_t stop;

	if (inside)
		return (struct pme_range){at, pme_min(size - at % size, end - at)};
	if (pme_mul(next, size, &stop) < 0)
		stop = end;
	return (struct pme_range){at, pme_min(stop, end) - at};
}

struct pme_range pme_remaps_block_piece(const struct pme_remaps *remaps, uint64_t size, uint64_t at,
					uint64_t end, const struct pme_remap **ret_remap)
{
	const struct pme_remap *found = from_block(remaps, at / size);
	bool inside = found && found->block == at / size;

	*ret_remap = inside ? found : NULL;
	return piece(size, at, end, inside, found ? found->block : UINT64_MAX);
}

struct pme_range pme_remaps_place_piece(const struct pme_remaps *remaps, uint64_t size, uint64_t at,
					uint64_t end, const struct pme_remap **ret_remap)
{
	const struct pme_remap *found = from_place(remaps, at / size);
	bool inside = found && found->place == at / size;

	*ret_remap = inside ? found : NULL;
	return piece(size, at, end, inside, found ? found->place : UINT64_MAX);
}
