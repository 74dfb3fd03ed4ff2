/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks in a cache, of a live one; see dm-cache-map.h.
 */
#include "dm-cache-map.h"

#include <inttypes.h>
#include <string.h>

#include "dm-ask.h"
#include "dm-cache-meta.h"
#include "dm-params.h"
#include "map.h"
#include "media.h"

#define TRIES 3
#define BLOCK_MAX (1ULL << 30) /* the kernel's */

int pme_cache_params_parse(const struct pme_dm_line *line, struct pme_cache_params *ret)
{
	struct pme_dm_params words = pme_dm_params_of(line);

	*ret = (struct pme_cache_params){0};
	if (pme_dm_params_dev(&words, &ret->meta) < 0 ||
	    pme_dm_params_dev(&words, &ret->cache) < 0 ||
	    pme_dm_params_dev(&words, &ret->origin) < 0 ||
	    pme_dm_params_sectors(&words, &ret->block) < 0 || ret->block == 0 ||
	    ret->block > BLOCK_MAX || ret->meta == ret->cache || ret->meta == ret->origin ||
	    ret->cache == ret->origin)
		return -EINVAL;
	return 0;
}

static int parse_ratio(struct pme_dm_params *words, uint64_t *ret_part, uint64_t *ret_whole)
{
	const char *word, *slash;
	size_t len;

	if (pme_next_word(&words->pos, words->end, &word, &len) != 1)
		return -EINVAL;
	slash = memchr(word, '/', len);
	if (!slash || pme_parse_u64(word, slash - word, ret_part) < 0 ||
	    pme_parse_u64(slash + 1, word + len - (slash + 1), ret_whole) < 0 ||
	    *ret_part > *ret_whole)
		return -EINVAL;
	return 0;
}

/* The last two words: is the metadata writable and sound? */
static int parse_health(struct pme_dm_params *words)
{
	const char *word = NULL, *mode = NULL;
	size_t len = 0, mode_len = 0;

	for (;;) {
		const char *next;
		size_t next_len;

		if (pme_next_word(&words->pos, words->end, &next, &next_len) != 1)
			break;
		mode = word;
		mode_len = len;
		word = next;
		len = next_len;
	}
	if (!mode || !pme_word_is(mode, mode_len, "rw") || !pme_word_is(word, len, "-"))
		return -EIO;
	return 0;
}

int pme_cache_counts_parse(const char *text, struct pme_cache_counts *ret)
{
	struct pme_dm_params words = {text, text + strlen(text)};
	uint64_t skip, whole;

	if (pme_word_is(text, strcspn(text, " "), "Fail") ||
	    pme_word_is(text, strcspn(text, " "), "Error"))
		return -EIO;
	if (pme_dm_params_u64(&words, &skip) < 0 || parse_ratio(&words, &skip, &whole) < 0 ||
	    pme_dm_params_sectors(&words, &ret->block) < 0 ||
	    parse_ratio(&words, &ret->used, &ret->total) < 0)
		return -EINVAL;
	for (int i = 0; i < 4; i++)
		if (pme_dm_params_u64(&words, &skip) < 0)
			return -EINVAL;
	if (pme_dm_params_u64(&words, &ret->demotions) < 0 ||
	    pme_dm_params_u64(&words, &ret->promotions) < 0 ||
	    pme_dm_params_u64(&words, &ret->dirty) < 0)
		return -EINVAL;
	return parse_health(&words);
}

static int ask(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
	       enum pme_dm_flush flush, struct pme_cache_counts *ret, char **ret_why)
{
	_cleanup_free_ char *status = NULL;
	int r = pme_dm_status(stack->topo, dev, line, flush, &status);

	if (r == 0) {
		r = pme_cache_counts_parse(status, ret);
		if (r == -EIO) {
			*ret_why = pme_printf("cache %s has failed, or needs a check of its "
					      "metadata",
					      pme_dev_label(dev));
			return r;
		}
	}
	if (r < 0 && r != -ENOMEM)
		*ret_why = pme_printf("cannot ask for the state of cache %s: %s",
				      pme_dev_label(dev), pme_media_error(r));
	return r;
}

static int read_media(void *context, uint64_t block, void *buf)
{
	const int *fd = context;
	uint64_t at;

	if (pme_mul(block, PME_BTREE_BLOCK, &at) < 0)
		return -EBADMSG;
	return pme_media_read(*fd, buf, PME_BTREE_BLOCK, at);
}

static int read_map(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dev *meta,
		    const struct pme_cache_shape *shape, struct pme_remaps *ret, char **ret_why)
{
	_cleanup_close_ int fd = meta ? pme_media_open(stack->topo, meta) : -ENODEV;
	struct pme_btree_reader reader = {.read = read_media, .context = &fd};
	const char *what = "cannot be opened";
	uint64_t block = 0;
	int r = fd;

	if (fd >= 0)
		r = pme_cache_map_read(&reader, shape, ret, &what, &block);
	if (r < 0 && r != -ENOMEM)
		*ret_why = pme_printf("cannot read the metadata of cache %s: block %" PRIu64
				      ": %s (%s)",
				      pme_dev_label(dev), block, what, pme_media_error(r));
	return r;
}

/* Nothing moved between the two questions, and the metadata has what the kernel has? */
static bool is_same(const struct pme_cache_counts *before, const struct pme_cache_counts *after,
		    size_t mapped)
{
	return before->demotions == after->demotions && before->promotions == after->promotions &&
	       before->total == after->total && before->used == after->used &&
	       after->used == mapped;
}

static void take(struct pme_cache *cache, const struct pme_cache_counts *before,
		 const struct pme_cache_counts *after)
{
	cache->block = after->block;
	cache->blocks = after->total;
	cache->n_dirty = pme_max(before->dirty, after->dirty);
	cache->dirty = PME_CACHE_SOME_DIRTY;
	if (cache->n_dirty == 0)
		cache->dirty = PME_CACHE_NONE_DIRTY;
	else if (pme_min(before->dirty, after->dirty) == after->used)
		cache->dirty = PME_CACHE_ALL_DIRTY;
}

/*
 * One try: -EAGAIN when something moved.  The first question comes before the commit, so that what
 * moves right behind the commit is seen too.
 */
static int try_load(struct pme_stack *stack, const struct pme_dev *dev,
		    const struct pme_dm_line *line, const struct pme_cache_params *params,
		    struct pme_cache *ret, char **ret_why)
{
	struct pme_cache_counts before, commit, after;
	struct pme_cache_shape shape;
	int r = ask(stack, dev, line, PME_DM_NO_FLUSH, &before, ret_why);

	if (r == 0)
		r = ask(stack, dev, line, PME_DM_FLUSH, &commit, ret_why);
	if (r < 0)
		return r;
	if (before.block != params->block) {
		*ret_why = pme_printf("cache %s has another block size than its table",
				      pme_dev_label(dev));
		return -EINVAL;
	}
	shape = (struct pme_cache_shape){before.block, before.total, line->range.length};
	r = read_map(stack, dev, pme_dm_lower(dev, params->meta), &shape, &ret->map, ret_why);
	if (r < 0)
		return r == -EBADMSG ? -EAGAIN : r;
	r = ask(stack, dev, line, PME_DM_NO_FLUSH, &after, ret_why);
	if (r < 0)
		return r;
	take(ret, &before, &after);
	if (is_same(&before, &after, ret->map.count))
		return 0;
	*ret_why = pme_printf("cache %s moves blocks: its metadata has %zu, the kernel %" PRIu64
			      ": scan again when it is quiet",
			      pme_dev_label(dev), ret->map.count, after.used);
	return -EAGAIN;
}

static void cache_done(void *map)
{
	struct pme_cache *cache = map;

	pme_remaps_done(&cache->map);
	free(cache);
}

static int load(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
		void **ret, char **ret_why)
{
	struct pme_cache *cache = calloc(1, sizeof(*cache));
	struct pme_cache_params params;
	int r = cache ? pme_cache_params_parse(line, &params) : -ENOMEM;

	if (r == -EINVAL)
		*ret_why = pme_printf("malformed 'cache' parameters of %s", pme_dev_label(dev));
	for (int i = 0; cache && r != -EINVAL && i < TRIES; i++) {
		free(*ret_why);
		*ret_why = NULL;
		pme_remaps_done(&cache->map);
		r = try_load(stack, dev, line, &params, cache, ret_why);
		if (r != -EAGAIN)
			break;
	}
	if (r < 0) {
		if (cache)
			cache_done(cache);
		return r;
	}
	*ret = cache;
	return 0;
}

static const struct pme_map_kind cache_map = {.load = load, .done = cache_done};

int pme_cache_get(struct pme_stack *stack, const struct pme_dev *upper,
		  const struct pme_dm_line *line, const struct pme_cache **ret,
		  const char **ret_why)
{
	const void *map = NULL;
	int r = stack ? pme_map_get(stack, &cache_map, upper, line, &map, ret_why) : -EINVAL;

	*ret = map;
	*ret_why = r < 0 && !stack ? "nothing can be asked" : *ret_why;
	return r;
}
