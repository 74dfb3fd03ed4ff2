/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of a live thin pool; see dm-thin-map.h.
 */
#include "dm-thin-map.h"

#include <inttypes.h>
#include <string.h>

#include "dm-params.h"
#include "dm-thin-guard.h"
#include "layer.h"
#include "media.h"

#define BLOCK_MIN (128 * PME_SECTOR) /* DATA_DEV_BLOCK_SIZE_MIN_SECTORS in dm-thin.c */

int pme_thin_pool_parse(const struct pme_dm_line *line, struct pme_thin_pool *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);

	if (line->range.start != 0 || pme_dm_params_dev(&params, &ret->meta) < 0 ||
	    pme_dm_params_dev(&params, &ret->data) < 0 ||
	    pme_dm_params_sectors(&params, &ret->block) < 0 || ret->block == 0 ||
	    ret->block % BLOCK_MIN != 0)
		return -EINVAL;
	return 0;
}

int pme_thin_parse(const struct pme_dm_line *line, struct pme_thin *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	uint64_t id;

	*ret = (struct pme_thin){0};
	if (pme_dm_params_dev(&params, &ret->pool) < 0 || pme_dm_params_u64(&params, &id) < 0 ||
	    id >= 1U << 24)
		return -EINVAL;
	ret->id = (uint32_t)id;
	if (pme_dm_params_end(&params) == 0)
		return 0;
	params = pme_dm_params_of(line);
	if (pme_dm_params_dev(&params, &ret->pool) < 0 || pme_dm_params_u64(&params, &id) < 0 ||
	    pme_dm_params_dev(&params, &ret->origin) < 0)
		return -EINVAL;
	return pme_dm_params_end(&params);
}

const struct pme_dm_line *pme_thin_pool_line(const struct pme_dev *pool)
{
	if (pool->kind != PME_DEV_DM || pool->n_lines != 1 ||
	    strcmp(pool->lines[0].type, pme_dm_thin_pool.type) != 0)
		return NULL;
	return &pool->lines[0];
}

static int read_media(void *context, uint64_t block, void *buf)
{
	const int *fd = context;
	uint64_t at;

	if (pme_mul(block, PME_BTREE_BLOCK, &at) < 0)
		return -ENODATA;
	return pme_media_read(*fd, buf, PME_BTREE_BLOCK, at);
}

static int read_held(const struct pme_topo *topo, const struct pme_dev *pool,
		     const struct pme_dev *meta, uint64_t block_size,
		     const struct pme_thin_status *status, struct pme_thin_map *ret, char **ret_why)
{
	_cleanup_close_ int fd = pme_media_open(topo, meta);
	struct pme_btree_reader reader = {.read = read_media, .context = &fd};
	const char *what;
	uint64_t block;
	int r;

	if (fd < 0) {
		*ret_why =
			pme_printf("cannot open %s, the metadata of thin pool %s: %s",
				   pme_dev_label(meta), pme_dev_label(pool), pme_media_error(fd));
		return fd;
	}
	r = pme_thin_map_read(&reader, status->held, block_size, status->data_blocks, ret, &what,
			      &block);
	if (r < 0 && r != -ENOMEM)
		*ret_why =
			pme_printf("the map of thin pool %s cannot be read: metadata block %" PRIu64
				   " on %s: %s%s%s",
				   pme_dev_label(pool), block, pme_dev_label(meta), what,
				   r == -EBADMSG ? "" : ": ", r == -EBADMSG ? "" : strerror(-r));
	return r;
}

static void done(void *map)
{
	pme_thin_map_done(map);
	free(map);
}

static int load(struct pme_stack *stack, const struct pme_dev *pool, const struct pme_dm_line *line,
		void **ret, char **ret_why)
{
	struct pme_thin_map *map;
	struct pme_thin_hold hold;
	struct pme_thin_pool table;
	const struct pme_dev *meta;
	char *why = NULL;
	int r = pme_thin_pool_parse(line, &table), released;

	meta = r < 0 ? NULL : pme_dm_lower(pool, table.meta);
	if (!meta) {
		*ret_why = pme_printf("the metadata device of thin pool %s is missing",
				      pme_dev_label(pool));
		return -ENODEV;
	}
	r = pme_thin_hold(stack->topo, pool, line, &hold, ret_why);
	if (r < 0)
		return r;
	map = calloc(1, sizeof(*map));
	r = map ? read_held(stack->topo, pool, meta, table.block, &hold.status, map, ret_why)
		: -ENOMEM;
	released = pme_thin_release(&hold, &why);
	if (released < 0) { /* the worse news */
		free(*ret_why);
		*ret_why = why;
		r = released;
	}
	if (r < 0 && map)
		done(map);
	else
		*ret = map;
	return r;
}

const struct pme_map_kind pme_thin_map_kind = {.load = load, .done = done};

int pme_thin_map_get(struct pme_stack *stack, const struct pme_dev *pool,
		     const struct pme_thin_map **ret, const char **ret_why)
{
	const struct pme_dm_line *line = pme_thin_pool_line(pool);
	const void *map = NULL;
	int r;

	*ret = NULL;
	if (!stack || !line) {
		*ret_why = "what should be a thin pool is none";
		return -ENODEV;
	}
	r = pme_map_get(stack, &pme_thin_map_kind, pool, line, &map, ret_why);
	*ret = map;
	return r;
}
