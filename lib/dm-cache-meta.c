/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata of a cache; see dm-cache-meta.h.
 *
 * The mappings are an array: a btree whose values are array blocks (header of 24 bytes, then the
 * values), numbered without a gap; value number N is that of block N of the cache.
 */
#include "dm-cache-meta.h"

#include <string.h>

#include "reader.h"

#define MAGIC 06142003ULL /* octal, in the kernel too */
#define HEADER 24U
#define PER_BLOCK ((PME_BTREE_BLOCK - HEADER) / sizeof(uint64_t))
#define BLOCKS_MAX (16U << 20) /* of a cache; 512 MiB when all are used */
#define FLAG_BITS 16
#define VALID 1U
#define DIRTY 2U

struct walk {
	struct pme_btree_walk btree;
	const struct pme_cache_shape *shape;
	struct pme_remaps *map;
	uint64_t seen; /* values of the array, so far */
};

static int take_value(struct walk *w, uint64_t value)
{
	uint64_t block = value >> FLAG_BITS, flags = value & ((1U << FLAG_BITS) - 1), start;
	int r;

	if ((flags & ~(uint64_t)(VALID | DIRTY)) != 0)
		return -EBADMSG;
	if ((flags & VALID) == 0) {
		w->seen++;
		return 0;
	}
	if (pme_mul(block, w->shape->block, &start) < 0 || start >= w->shape->origin_bytes)
		return -EBADMSG;
	r = pme_remaps_add(w->map, block, w->seen);
	w->seen++;
	return r;
}

/* An array block: all are full but the last one. */
static int take_block(struct pme_btree_walk *btree, uint64_t key, const unsigned char *value)
{
	_cleanup_free_ unsigned char *buf = malloc(PME_BTREE_BLOCK);
	struct walk *w = btree->context;
	uint64_t count, block = pme_le64_at(value);
	int r = 0;

	if (!buf)
		return -ENOMEM;
	r = pme_btree_read_at(btree, block, PME_CACHE_SALT_ARRAY, 16, buf);
	if (r < 0)
		return r;
	count = pme_le32_at(buf + 8);
	if (key != w->seen / PER_BLOCK || w->seen % PER_BLOCK != 0 ||
	    pme_le32_at(buf + 4) != PER_BLOCK || pme_le32_at(buf + 12) != sizeof(uint64_t) ||
	    count != pme_min(PER_BLOCK, w->shape->blocks - w->seen))
		return pme_btree_fail(btree, block, "no sound block of the mappings", -EBADMSG);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_value(w, pme_le64_at(buf + HEADER + i * sizeof(uint64_t)));
	if (r == -EBADMSG)
		pme_btree_fail(btree, block, "a mapping that makes no sense", r);
	return r;
}

static int check_super(struct walk *w, const unsigned char *buf)
{
	uint64_t bytes = (uint64_t)pme_le32_at(buf + 232) * PME_SECTOR;
	uint32_t version = pme_le32_at(buf + 40);

	if (pme_le64_at(buf + 32) != MAGIC || version < 1 || version > 2 ||
	    pme_le32_at(buf + 236) != PME_BTREE_BLOCK / PME_SECTOR || pme_le32_at(buf + 252) != 0)
		return pme_btree_fail(&w->btree, 0, "no superblock of a known version", -EBADMSG);
	if (bytes != w->shape->block || bytes == 0)
		return pme_btree_fail(&w->btree, 0, "another block size than that of the table",
				      -EBADMSG);
	if (pme_le32_at(buf + 240) != w->shape->blocks)
		return pme_btree_fail(&w->btree, 0, "another number of blocks than the kernel's",
				      -EBADMSG);
	if (w->shape->blocks > BLOCKS_MAX)
		return pme_btree_fail(&w->btree, 0, "too many blocks", -E2BIG);
	return 0;
}

static int read_all(struct walk *w)
{
	static const struct pme_btree mappings = {sizeof(uint64_t), take_block};
	const struct pme_btree_bounds all = {0, BLOCKS_MAX / PER_BLOCK + 1};
	unsigned char before[PME_BTREE_BLOCK], after[PME_BTREE_BLOCK];
	int r = pme_btree_read(&w->btree, 0, PME_CACHE_SALT_SUPER, before);

	if (r == 0)
		r = check_super(w, before);
	if (r == 0)
		r = pme_btree_walk(&w->btree, &mappings, pme_le64_at(before + 192), all);
	if (r == 0)
		r = pme_btree_read(&w->btree, 0, PME_CACHE_SALT_SUPER, after);
	if (r < 0)
		return r;
	if (memcmp(before, after, sizeof(before)) != 0)
		return pme_btree_fail(&w->btree, 0, "changed while it was read", -EAGAIN);
	if (w->seen != w->shape->blocks)
		return pme_btree_fail(&w->btree, 0, "mappings are missing", -EBADMSG);
	r = pme_remaps_seal(w->map);
	if (r == -EINVAL)
		return pme_btree_fail(&w->btree, 0, "a block that is in the cache twice", -EBADMSG);
	return r;
}

int pme_cache_map_read(const struct pme_btree_reader *reader, const struct pme_cache_shape *shape,
		       struct pme_remaps *ret, const char **ret_what, uint64_t *ret_block)
{
	struct walk w = {.btree = {.reader = reader}, .shape = shape, .map = ret};
	int r;

	*ret = (struct pme_remaps){0};
	w.btree.context = &w;
	r = read_all(&w);
	*ret_what = w.btree.what ? w.btree.what : "out of bounds";
	*ret_block = w.btree.where;
	if (r < 0)
		pme_remaps_done(ret);
	return r;
}
