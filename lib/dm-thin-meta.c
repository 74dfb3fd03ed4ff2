/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata of a thin pool; see dm-thin-meta.h.
 */
#include "dm-thin-meta.h"

#include <string.h>

#include "reader.h"

#define MAGIC 27022010ULL
#define RUNS_MAX (4U << 20) /* 128 MiB */
#define TIME_BITS 24

struct walk {
	struct pme_btree_walk btree;
	struct pme_thin_map *map;
	uint64_t data_blocks;
	uint32_t dev;
};

static int take_mapping(struct pme_btree_walk *btree, uint64_t key, const unsigned char *value)
{
	struct walk *w = btree->context;
	struct pme_thin_map *map = w->map;
	struct pme_thin_run *last = map->n_runs ? &map->runs[map->n_runs - 1] : NULL;
	uint64_t data = pme_le64_at(value) >> TIME_BITS;
	int r;

	if (data >= w->data_blocks)
		return -EBADMSG;
	if (last && last->dev == w->dev && last->block + last->count == key &&
	    last->data + last->count == data) {
		last->count++;
		return 0;
	}
	if (map->n_runs >= RUNS_MAX)
		return pme_btree_fail(&w->btree, 0, "too many mappings", -E2BIG);
	r = pme_grow(&map->runs, &map->alloc_runs, map->n_runs, sizeof(*map->runs));
	if (r < 0)
		return r;
	map->runs[map->n_runs++] =
		(struct pme_thin_run){.block = key, .data = data, .count = 1, .dev = w->dev};
	return 0;
}

/* A thin device: its own tree.  Numbers of devices have 24 bits, blocks far less than 63. */
static int take_device(struct pme_btree_walk *btree, uint64_t key, const unsigned char *value)
{
	struct walk *w = btree->context;
	static const struct pme_btree mappings = {sizeof(uint64_t), take_mapping};
	const struct pme_btree_bounds all = {0, INT64_MAX};

	w->dev = (uint32_t)key;
	return pme_btree_walk(&w->btree, &mappings, pme_le64_at(value), all);
}

static int take_details(struct pme_btree_walk *btree, uint64_t key, const unsigned char *value)
{
	struct walk *w = btree->context;
	struct pme_thin_map *map = w->map;
	int r = pme_grow(&map->devs, &map->alloc_devs, map->n_devs, sizeof(*map->devs));

	if (r == 0)
		map->devs[map->n_devs++] = (uint32_t)key;
	return r;
}

static int compare_data(const void *a, const void *b, void *context)
{
	const struct pme_thin_run *runs = context;
	const struct pme_thin_run *x = &runs[*(const uint32_t *)a],
				  *y = &runs[*(const uint32_t *)b];

	if (x->data != y->data)
		return x->data < y->data ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int index_data(struct pme_thin_map *map)
{
	uint64_t until = 0;

	map->by_data = calloc(map->n_runs + 1, sizeof(*map->by_data));
	map->data_until = calloc(map->n_runs + 1, sizeof(*map->data_until));
	if (!map->by_data || !map->data_until)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_runs; i++)
		map->by_data[i] = (uint32_t)i;
	qsort_r(map->by_data, map->n_runs, sizeof(*map->by_data), compare_data, map->runs);
	for (size_t i = 0; i < map->n_runs; i++) {
		const struct pme_thin_run *run = &map->runs[map->by_data[i]];

		until = pme_max(until, run->data + run->count);
		map->data_until[i] = until;
	}
	return 0;
}

/* Every device that has mappings must have details, or the trees are not of one moment. */
static int check_devices(struct walk *w)
{
	const struct pme_thin_map *map = w->map;

	for (size_t i = 0; i < map->n_runs; i++)
		if ((i == 0 || map->runs[i].dev != map->runs[i - 1].dev) &&
		    !pme_thin_map_has(map, map->runs[i].dev))
			return pme_btree_fail(&w->btree, 0, "a thin device without details",
					      -EBADMSG);
	return 0;
}

static int read_super(struct walk *w, uint64_t block, uint64_t block_size, unsigned char *buf)
{
	uint64_t sectors;
	int r = pme_btree_read(&w->btree, block, PME_THIN_SALT_SUPER, buf);

	if (r < 0)
		return r;
	sectors = pme_le32_at(buf + 336);
	if (pme_le64_at(buf + 32) != MAGIC || pme_le32_at(buf + 40) < 1 ||
	    pme_le32_at(buf + 40) > 2 || pme_le32_at(buf + 340) != PME_BTREE_BLOCK / PME_SECTOR ||
	    pme_le32_at(buf + 360) != 0)
		return pme_btree_fail(&w->btree, block, "no superblock of a known version",
				      -EBADMSG);
	if (sectors * PME_SECTOR != block_size)
		return pme_btree_fail(&w->btree, block,
				      "another data block size than that of the table", -EBADMSG);
	return 0;
}

static int read_all(struct walk *w, uint64_t held, uint64_t block_size)
{
	static const struct pme_btree devices = {sizeof(uint64_t), take_device};
	static const struct pme_btree details = {24, take_details};
	const struct pme_btree_bounds ids = {0, 1U << 24};
	unsigned char buf[PME_BTREE_BLOCK];
	uint64_t bytes;
	int r;

	if (pme_mul(w->data_blocks, block_size, &bytes) < 0)
		return pme_btree_fail(&w->btree, 0, "too many data blocks", -EBADMSG);
	r = read_super(w, 0, block_size, buf);
	if (r < 0)
		return r;
	w->btree.blocks = pme_le64_at(buf + 344);
	w->map->held_root = pme_le64_at(buf + 56);
	w->map->block_size = block_size;
	if (held == 0 || w->map->held_root != held)
		return pme_btree_fail(&w->btree, 0,
				      "another metadata snapshot than the kernel named", -EBADMSG);
	r = read_super(w, held, block_size, buf);
	if (r == 0)
		r = pme_btree_walk(&w->btree, &details, pme_le64_at(buf + 328), ids);
	if (r == 0)
		r = pme_btree_walk(&w->btree, &devices, pme_le64_at(buf + 320), ids);
	if (r == 0)
		r = check_devices(w);
	return r < 0 ? r : index_data(w->map);
}

int pme_thin_map_read(const struct pme_btree_reader *reader, uint64_t held, uint64_t block_size,
		      uint64_t data_blocks, struct pme_thin_map *ret, const char **ret_what,
		      uint64_t *ret_block)
{
	struct walk w = {.btree = {.reader = reader}, .map = ret, .data_blocks = data_blocks};
	int r;

	w.btree.context = &w;
	r = read_all(&w, held, block_size);

	*ret_what = w.btree.what ? w.btree.what : "out of bounds";
	*ret_block = w.btree.where;
	return r;
}

void pme_thin_map_done(struct pme_thin_map *map)
{
	free(map->runs);
	free(map->by_data);
	free(map->data_until);
	free(map->devs);
	*map = (struct pme_thin_map){0};
}

const struct pme_thin_run *pme_thin_map_next(const struct pme_thin_map *map, uint64_t data,
					     uint64_t end, size_t *pos)
{
	size_t low = *pos, high = map->n_runs;

	while (low < high) { /* the first whose like could reach @data */
		size_t middle = low + (high - low) / 2;

		if (map->data_until[middle] > data)
			high = middle;
		else
			low = middle + 1;
	}
	for (; low < map->n_runs; low++) {
		const struct pme_thin_run *run = &map->runs[map->by_data[low]];

		if (run->data >= end)
			break;
		if (run->data + run->count > data) {
			*pos = low + 1;
			return run;
		}
	}
	*pos = map->n_runs;
	return NULL;
}

const struct pme_thin_run *pme_thin_map_find(const struct pme_thin_map *map, uint32_t dev,
					     uint64_t block)
{
	size_t low = 0, high = map->n_runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pme_thin_run *run = &map->runs[middle];

		if (run->dev > dev || (run->dev == dev && run->block + run->count > block))
			high = middle;
		else
			low = middle + 1;
	}
	if (low == map->n_runs || map->runs[low].dev != dev)
		return NULL;
	return &map->runs[low];
}

bool pme_thin_map_has(const struct pme_thin_map *map, uint32_t dev)
{
	size_t low = 0, high = map->n_devs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->devs[middle] < dev)
			low = middle + 1;
		else
			high = middle;
	}
	return low < map->n_devs && map->devs[low] == dev;
}
