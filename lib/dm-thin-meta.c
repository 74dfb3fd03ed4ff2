/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata of a thin pool; see dm-thin-meta.h.  No Debian library has a CRC-32C of the kind that
 * is needed here, so there is a small one.
 */
#include "dm-thin-meta.h"

#include <endian.h>
#include <string.h>

#define MAGIC 27022010ULL
#define DEPTH_MAX 16U
#define NODES_MAX (4U << 20) /* 16 GiB of reading */
#define RUNS_MAX (4U << 20)  /* 128 MiB */
#define HEADER 32U
#define NODE_INTERNAL 1U
#define NODE_LEAF 2U
#define TIME_BITS 24

struct walk {
	const struct pme_thin_reader *reader;
	struct pme_thin_map *map;
	uint64_t meta_blocks, data_blocks;
	uint64_t nodes;
	uint32_t dev;
	const char *what;
	uint64_t where;
};

/* Keys of a node lie in [first, end). */
struct bounds {
	uint64_t first, end;
};

typedef int (*leaf_fn)(struct walk *w, uint64_t key, const unsigned char *value);

struct tree {
	size_t value_size;
	leaf_fn leaf;
};

static uint32_t le32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t le64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

uint32_t pme_thin_csum(const void *block, uint32_t salt)
{
	static uint32_t table[256];
	const unsigned char *p = block;
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; table[1] == 0 && i < 256; i++) {
		uint32_t v = i ^ 0xff; /* downwards: table[1] comes last but one */

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ 0x82f63b78U : v >> 1;
		table[i ^ 0xff] = v;
	}
	for (size_t i = sizeof(uint32_t); i < PME_THIN_BLOCK; i++)
		crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	return crc ^ salt;
}

static int fail(struct walk *w, uint64_t block, const char *what, int error)
{
	w->what = what;
	w->where = block;
	return error;
}

static int read_block(struct walk *w, uint64_t block, uint32_t salt, unsigned char *buf)
{
	int r;

	if (w->meta_blocks && block >= w->meta_blocks)
		return fail(w, block, "a block number behind the end", -EBADMSG);
	if (w->nodes++ >= NODES_MAX)
		return fail(w, block, "too many nodes", -E2BIG);
	r = w->reader->read(w->reader->context, block, buf);
	if (r < 0)
		return fail(w, block, "cannot be read", r);
	if (le32(buf) != pme_thin_csum(buf, salt))
		return fail(w, block, "wrong checksum", -EBADMSG);
	if (le64(buf + 8) != block)
		return fail(w, block, "a block of another place", -EBADMSG);
	return 0;
}

struct node {
	bool leaf;
	size_t count;
	const unsigned char *keys, *values;
};

static int check_node(const unsigned char *buf, size_t leaf_size, struct bounds bounds,
		      struct node *ret)
{
	uint32_t flags = le32(buf + 4), count = le32(buf + 16), max = le32(buf + 20);
	size_t size = flags == NODE_LEAF ? leaf_size : sizeof(uint64_t);
	uint64_t before = 0, key;

	if ((flags != NODE_LEAF && flags != NODE_INTERNAL) || le32(buf + 24) != size ||
	    max > (PME_THIN_BLOCK - HEADER) / (sizeof(uint64_t) + size) || count > max ||
	    (flags == NODE_INTERNAL && count == 0))
		return -EBADMSG;
	*ret = (struct node){
		.leaf = flags == NODE_LEAF,
		.count = count,
		.keys = buf + HEADER,
		.values = buf + HEADER + max * sizeof(uint64_t),
	};
	for (size_t i = 0; i < count; i++) {
		key = le64(ret->keys + i * sizeof(key));
		if (key < bounds.first || key >= bounds.end || (i > 0 && key <= before))
			return -EBADMSG;
		before = key;
	}
	return 0;
}

static uint64_t key_at(const struct node *node, size_t i)
{
	return le64(node->keys + i * sizeof(uint64_t));
}

static int walk_tree(struct walk *w, const struct tree *tree, uint64_t block, struct bounds bounds,
		     unsigned int depth)
{
	_cleanup_free_ unsigned char *buf = malloc(PME_THIN_BLOCK);
	struct node node;
	int r;

	if (!buf)
		return -ENOMEM;
	if (depth >= DEPTH_MAX)
		return fail(w, block, "the tree is too deep", -EBADMSG);
	r = read_block(w, block, PME_THIN_SALT_BTREE, buf);
	if (r < 0)
		return r;
	if (check_node(buf, tree->value_size, bounds, &node) < 0)
		return fail(w, block, "no sound node of a btree", -EBADMSG);
	for (size_t i = 0; r >= 0 && i < node.count; i++) {
		struct bounds below = {key_at(&node, i),
				       i + 1 < node.count ? key_at(&node, i + 1) : bounds.end};

		if (node.leaf)
			r = tree->leaf(w, below.first, node.values + i * tree->value_size);
		else
			r = walk_tree(w, tree, le64(node.values + i * sizeof(uint64_t)), below,
				      depth + 1);
		if (r == -EBADMSG && !w->what)
			fail(w, block, "a value that makes no sense", r);
	}
	return r;
}

static int take_mapping(struct walk *w, uint64_t key, const unsigned char *value)
{
	struct pme_thin_map *map = w->map;
	struct pme_thin_run *last = map->n_runs ? &map->runs[map->n_runs - 1] : NULL;
	uint64_t data = le64(value) >> TIME_BITS;
	int r;

	if (data >= w->data_blocks)
		return -EBADMSG;
	if (last && last->dev == w->dev && last->block + last->count == key &&
	    last->data + last->count == data) {
		last->count++;
		return 0;
	}
	if (map->n_runs >= RUNS_MAX)
		return fail(w, 0, "too many mappings", -E2BIG);
	r = pme_grow(&map->runs, &map->alloc_runs, map->n_runs, sizeof(*map->runs));
	if (r < 0)
		return r;
	map->runs[map->n_runs++] =
		(struct pme_thin_run){.block = key, .data = data, .count = 1, .dev = w->dev};
	return 0;
}

/* A thin device: its own tree.  Numbers of devices have 24 bits, blocks far less than 63. */
static int take_device(struct walk *w, uint64_t key, const unsigned char *value)
{
	static const struct tree mappings = {sizeof(uint64_t), take_mapping};
	const struct bounds all = {0, INT64_MAX};

	w->dev = (uint32_t)key;
	return walk_tree(w, &mappings, le64(value), all, 0);
}

static int take_details(struct walk *w, uint64_t key, const unsigned char *value)
{
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
			return fail(w, 0, "a thin device without details", -EBADMSG);
	return 0;
}

static int read_super(struct walk *w, uint64_t block, uint64_t block_size, unsigned char *buf)
{
	uint64_t sectors;
	int r = read_block(w, block, PME_THIN_SALT_SUPER, buf);

	if (r < 0)
		return r;
	sectors = le32(buf + 336);
	if (le64(buf + 32) != MAGIC || le32(buf + 40) < 1 || le32(buf + 40) > 2 ||
	    le32(buf + 340) != PME_THIN_BLOCK / PME_SECTOR || le32(buf + 360) != 0)
		return fail(w, block, "no superblock of a known version", -EBADMSG);
	if (sectors * PME_SECTOR != block_size)
		return fail(w, block, "another data block size than that of the table", -EBADMSG);
	return 0;
}

static int read_all(struct walk *w, uint64_t held, uint64_t block_size)
{
	static const struct tree devices = {sizeof(uint64_t), take_device};
	static const struct tree details = {24, take_details};
	const struct bounds ids = {0, 1U << 24};
	unsigned char buf[PME_THIN_BLOCK];
	uint64_t bytes;
	int r;

	if (pme_mul(w->data_blocks, block_size, &bytes) < 0)
		return fail(w, 0, "too many data blocks", -EBADMSG);
	r = read_super(w, 0, block_size, buf);
	if (r < 0)
		return r;
	w->meta_blocks = le64(buf + 344);
	w->map->held_root = le64(buf + 56);
	w->map->block_size = block_size;
	if (held == 0 || w->map->held_root != held)
		return fail(w, 0, "another metadata snapshot than the kernel named", -EBADMSG);
	r = read_super(w, held, block_size, buf);
	if (r == 0)
		r = walk_tree(w, &details, le64(buf + 328), ids, 0);
	if (r == 0)
		r = walk_tree(w, &devices, le64(buf + 320), ids, 0);
	if (r == 0)
		r = check_devices(w);
	return r < 0 ? r : index_data(w->map);
}

int pme_thin_map_read(const struct pme_thin_reader *reader, uint64_t held, uint64_t block_size,
		      uint64_t data_blocks, struct pme_thin_map *ret, const char **ret_what,
		      uint64_t *ret_block)
{
	struct walk w = {.reader = reader, .map = ret, .data_blocks = data_blocks};
	int r = read_all(&w, held, block_size);

	*ret_what = w.what ? w.what : "out of bounds";
	*ret_block = w.where;
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
