/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a bcache device has where; see bcache-map.h.
 */
#include "bcache-map.h"

#include <string.h>

#include "map.h"
#include "media.h"

#define TRIES 4

static int read_super(struct pme_stack *stack, const struct pme_dev *dev, bool backing,
		      struct pme_bcache_super *ret, char **ret_why)
{
	unsigned char buf[PME_BCACHE_SUPER_SIZE];
	int r = pme_media_read_dev(stack->topo, dev, buf, sizeof(buf), PME_BCACHE_SUPER_AT);

	if (r == 0)
		r = pme_bcache_super_parse(buf, ret);
	if (r == 0 && ret->backing != backing)
		r = -EINVAL;
	if (r < 0 && r != -ENOMEM)
		*ret_why = pme_printf("cannot read the superblock of bcache on %s: %s",
				      pme_dev_label(dev),
				      r == -EINVAL    ? "it makes no sense"
				      : r == -EBADMSG ? "its checksum is wrong"
						      : strerror(-r));
	return r;
}

/*
 * The kernel makes bcacheN as large as what is left behind the offset.  Without a superblock that
 * tells only of the least offset: a backing device that grew since leaves more.
 */
static int find_offset(struct pme_stack *stack, const struct pme_dev *upper, uint64_t *ret,
		       char **ret_why)
{
	const uint64_t least = PME_BCACHE_SUPER_AT + PME_BCACHE_SUPER_SIZE;
	const struct pme_dev *backing = upper->bcache->backing;
	struct pme_bcache_super super = {0};
	uint64_t end;
	int r;

	if (backing->size - least == upper->size && backing->size > least) {
		*ret = least;
		return 0;
	}
	r = read_super(stack, backing, true, &super, ret_why);
	if (r < 0)
		return r;
	*ret = super.data_offset;
	if (pme_add(super.data_offset, upper->size, &end) == 0 && end <= backing->size)
		return 0;
	*ret_why = pme_printf("%s does not fit on %s behind its superblock", pme_dev_label(upper),
			      pme_dev_label(backing));
	return -EINVAL;
}

/* The list, when it is the same twice. */
static int read_list(struct pme_stack *stack, const char *set, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *before = NULL;
	size_t len = 0, len_before = 0;
	int r = 0;

	for (int i = 0; r == 0 && i < TRIES; i++) {
		_cleanup_free_ char *text = NULL;

		r = pme_os_read_attr(stack->topo->os, &text, &len,
				     "sys/kernel/debug/bcache/bcache-%s", set);
		if (r < 0)
			return r;
		if (before && len == len_before && memcmp(before, text, len) == 0) {
			*ret = pme_take_ptr(text);
			*ret_len = len;
			return 0;
		}
		free(before);
		before = pme_take_ptr(text);
		len_before = len;
	}
	return -EAGAIN;
}

static const char *reason_of(int error)
{
	switch (error) {
	case -ENOENT:
		return "debugfs is not mounted, or does not have it";
	case -EAGAIN:
		return "it changes all the time";
	case -EINVAL:
		return "it makes no sense";
	default:
		return strerror(-error);
	}
}

/* Not knowing the extents is no error of the map: what is clean needs none. */
static int find_extents(struct pme_stack *stack, const struct pme_dev *upper,
			struct pme_bcache_map *map)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = upper->bcache->id == PME_UNKNOWN ? -ENODEV : 0;

	if (r == 0)
		r = read_list(stack, upper->bcache->set, &text, &len);
	if (r == 0)
		r = pme_bcache_extents_parse(text, len, &map->extents);
	if (r == 0 || r == -ENOMEM)
		return r;
	map->doubt = pme_printf("cannot read what is in cache set %s: %s", upper->bcache->set,
				reason_of(r));
	return map->doubt ? 0 : -ENOMEM;
}

static int find_cache(struct pme_stack *stack, const struct pme_dev *upper,
		      struct pme_bcache_map *map)
{
	size_t count = 0;

	for (size_t i = 0; i < upper->n_lowers; i++) {
		if (upper->lowers[i] == upper->bcache->backing)
			continue;
		map->cache = upper->lowers[i];
		count++;
	}
	if (count == 1)
		return find_extents(stack, upper, map);
	map->cache = NULL;
	map->doubt =
		pme_printf("cache set %s has %zu devices here, not one", upper->bcache->set, count);
	return map->doubt ? 0 : -ENOMEM;
}

static void map_done(void *data)
{
	struct pme_bcache_map *map = data;

	pme_bcache_extents_done(&map->extents);
	free(map->doubt);
	free(map);
}

static int map_load(struct pme_stack *stack, const struct pme_dev *dev,
		    const struct pme_dm_line *line, void **ret, char **ret_why)
{
	struct pme_bcache_map *map = calloc(1, sizeof(*map));
	int r = map ? find_offset(stack, dev, &map->data_offset, ret_why) : -ENOMEM;

	(void)line;
	if (r == 0 && dev->bcache->set)
		r = find_cache(stack, dev, map);
	if (r == 0) {
		*ret = map;
		return 0;
	}
	if (map)
		map_done(map);
	return r;
}

static const struct pme_map_kind map_kind = {.load = map_load, .done = map_done};

int pme_bcache_get(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_bcache_map **ret, const char **ret_why)
{
	const void *map = NULL;
	int r = pme_map_get(stack, &map_kind, upper, NULL, &map, ret_why);

	*ret = map;
	return r;
}

static int super_load(struct pme_stack *stack, const struct pme_dev *dev,
		      const struct pme_dm_line *line, void **ret, char **ret_why)
{
	struct pme_bcache_super *super = calloc(1, sizeof(*super));
	int r = super ? read_super(stack, dev, false, super, ret_why) : -ENOMEM;

	(void)line;
	if (r < 0)
		free(super);
	else
		*ret = super;
	return r;
}

static const struct pme_map_kind super_kind = {.load = super_load, .done = free};

int pme_bcache_cache_get(struct pme_stack *stack, const struct pme_dev *cache,
			 const struct pme_bcache_super **ret, const char **ret_why)
{
	const void *super = NULL;
	int r = pme_map_get(stack, &super_kind, cache, NULL, &super, ret_why);

	*ret = super;
	return r;
}
