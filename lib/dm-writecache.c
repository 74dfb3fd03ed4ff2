/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "writecache": "p|s ORIGIN CACHE BLOCK #OPTIONS …"
 * (drivers/md/dm-writecache.c).
 *
 * What the cache holds is the only copy: it is written back, then forgotten.  On persistent memory
 * (p) the table on media is the one that the kernel works on.  The surprise: on a disk (s) the
 * kernel works in memory and writes the table when it commits; what is on media counts as the
 * truth only when it has as many entries as the kernel says.  (Entries freed by a discard and as
 * many made since, all within the time to the next commit, a second, would escape that.)
 */
#include <inttypes.h>
#include <string.h>

#include "dm-ask.h"
#include "dm-params.h"
#include "dm-writecache-table.h"
#include "layer.h"
#include "map.h"
#include "media.h"

struct params {
	dev_t origin, cache;
	bool ssd;
	uint64_t block, start; /* bytes */
};

struct writecache {
	uint64_t start, data; /* bytes of the cache: of its superblock, of block 0 */
	struct pme_writecache_table table;
	char *doubt; /* why the table may not be that of the kernel, or NULL */
};

static int parse_options(struct pme_dm_params *words, struct params *ret)
{
	const char *word;
	size_t len;
	uint64_t n;

	if (pme_dm_params_u64(words, &n) < 0)
		return -EINVAL;
	while (pme_next_word(&words->pos, words->end, &word, &len) == 1)
		if (pme_word_is(word, len, "start_sector") &&
		    pme_dm_params_sectors(words, &ret->start) < 0)
			return -EINVAL;
	return 0;
}

static int parse(const struct pme_dm_line *line, struct params *ret)
{
	struct pme_dm_params words = pme_dm_params_of(line);
	const char *word;
	size_t len;

	*ret = (struct params){0};
	if (pme_next_word(&words.pos, words.end, &word, &len) != 1)
		return -EINVAL;
	ret->ssd = pme_word_is(word, len, "s");
	if (!ret->ssd && !pme_word_is(word, len, "p"))
		return -EINVAL;
	if (pme_dm_params_dev(&words, &ret->origin) < 0 ||
	    pme_dm_params_dev(&words, &ret->cache) < 0 ||
	    pme_dm_params_u64(&words, &ret->block) < 0 || ret->origin == ret->cache)
		return -EINVAL;
	return parse_options(&words, ret);
}

/* "ERROR TOTAL FREE WRITEBACK …" */
struct counts {
	uint64_t total, free, writeback;
};

static int ask(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
	       struct counts *ret, char **ret_why)
{
	_cleanup_free_ char *status = NULL;
	struct pme_dm_line words = {0};
	struct pme_dm_params pos;
	uint64_t error;
	int r = pme_dm_status(stack->topo, dev, line, PME_DM_NO_FLUSH, &status);

	if (r < 0) {
		if (r != -ENOMEM)
			*ret_why = pme_printf("cannot ask for the state of writecache %s: %s",
					      pme_dev_label(dev), pme_media_error(r));
		return r;
	}
	words.params = status;
	pos = pme_dm_params_of(&words);
	if (pme_dm_params_u64(&pos, &error) == 0 && error == 0 &&
	    pme_dm_params_u64(&pos, &ret->total) == 0 && pme_dm_params_u64(&pos, &ret->free) == 0 &&
	    pme_dm_params_u64(&pos, &ret->writeback) == 0 && ret->free <= ret->total)
		return 0;
	*ret_why = pme_printf("writecache %s has failed", pme_dev_label(dev));
	return -EIO;
}

/* Does the table on media agree with what the kernel says of its own? */
static int compare(const struct pme_dev *dev, const struct counts *counts, struct writecache *ret)
{
	uint64_t live = counts->total - counts->free;

	if (counts->total == ret->table.count && counts->writeback == 0 && live == ret->table.used)
		return 0;
	ret->doubt =
		pme_printf("writecache %s has %" PRIu64 " blocks in use, %" PRIu64
			   " being written back, and %" PRIu64 " on media: flush it and scan again",
			   pme_dev_label(dev), live, counts->writeback, ret->table.used);
	return ret->doubt ? 0 : -ENOMEM;
}

static int read_table(struct pme_stack *stack, const struct pme_dev *dev,
		      const struct params *params, struct writecache *ret, char **ret_why)
{
	const struct pme_dev *cache = pme_dm_lower(dev, params->cache);
	_cleanup_close_ int fd = cache ? pme_media_open(stack->topo, cache) : -ENODEV;
	struct pme_reader reader = pme_reader_of_media(&fd, cache ? cache->size : 0);
	int r = fd;

	if (fd >= 0)
		r = pme_writecache_table_read(&reader, params->start, params->ssd, &ret->table);
	if (r >= 0 && ret->table.block != params->block)
		r = -EINVAL;
	if (r < 0 && r != -ENOMEM)
		*ret_why = pme_printf("cannot read the table of writecache %s: %s",
				      pme_dev_label(dev), pme_media_error(r));
	ret->start = params->start;
	ret->data = params->start + ret->table.data;
	return r < 0 ? r : 0;
}

static int load_into(struct pme_stack *stack, const struct pme_dev *dev,
		     const struct pme_dm_line *line, struct writecache *ret, char **ret_why)
{
	struct counts counts;
	struct params params;
	int r = parse(line, &params);

	if (r == 0)
		r = read_table(stack, dev, &params, ret, ret_why);
	if (r == 0)
		r = ask(stack, dev, line, &counts, ret_why);
	if (r < 0)
		return r;
	if (params.ssd)
		return compare(dev, &counts, ret);
	if (ret->table.unread == 0)
		return 0;
	ret->doubt = pme_printf("%" PRIu64 " entries of writecache %s cannot be read",
				ret->table.unread, pme_dev_label(dev));
	return ret->doubt ? 0 : -ENOMEM;
}

static void writecache_done(void *map)
{
	struct writecache *wc = map;

	pme_writecache_table_done(&wc->table);
	free(wc->doubt);
	free(wc);
}

static int load(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
		void **ret, char **ret_why)
{
	struct writecache *wc = calloc(1, sizeof(*wc));
	int r = wc ? load_into(stack, dev, line, wc, ret_why) : -ENOMEM;

	if (r < 0) {
		if (wc)
			writecache_done(wc);
		return r;
	}
	*ret = wc;
	return 0;
}

static const struct pme_map_kind writecache_map = {.load = load, .done = writecache_done};

static int get(struct pme_stack *stack, const struct pme_dev *upper, const struct pme_dm_line *line,
	       const struct writecache **ret, const char **ret_why)
{
	const void *map = NULL;
	int r = stack ? pme_map_get(stack, &writecache_map, upper, line, &map, ret_why) : -EINVAL;

	*ret = map;
	*ret_why = r < 0 && !stack ? "nothing can be asked" : *ret_why;
	return r;
}

/* Bytes that lead on: for certain, or as far as the table on media goes. */
static int lead(const struct writecache *wc, struct pme_range from, const struct pme_dev *to,
		uint64_t to_start, struct pme_steps *ret)
{
	if (wc->doubt)
		return pme_steps_doubt(ret, from, to, to_start, pme_dm_writecache.kind, "%s",
				       wc->doubt);
	return pme_steps_lead(ret, from, to, to_start, pme_dm_writecache.kind);
}

static int origin_up(const struct writecache *wc, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	struct pme_range whole = {0, line->range.length}, part;
	const struct pme_remap *entry;
	int r = 0;

	if (!pme_range_intersect(range, whole, &part))
		return 0;
	for (uint64_t at = part.start, end = pme_range_end(part); r == 0 && at < end;) {
		struct pme_range piece =
			pme_remaps_block_piece(&wc->table.map, wc->table.block, at, end, &entry);

		if (!entry)
			r = lead(wc, piece, upper, line->range.start + at, ret);
		else if (wc->doubt)
			r = pme_steps_unknown(ret, piece, pme_dm_writecache.kind, "%s", wc->doubt);
		else
			r = pme_steps_owner(ret, piece, pme_dm_writecache.kind, PME_OWNER_UNUSED,
					    "stale: newer data of %s is in block %" PRIu64
					    " of its cache",
					    pme_dev_label(upper), entry->place);
		at += piece.length;
	}
	return r;
}

/* Superblock and entries; a piece lies within the entries of one sector or so. */
static int table_up(const struct writecache *wc, const struct pme_dev *upper,
		    struct pme_range range, struct pme_steps *ret)
{
	uint64_t first = range.start - wc->start, last = pme_range_end(range) - 1 - wc->start;

	if (first < PME_WRITECACHE_SUPERBLOCK)
		return pme_steps_owner(ret, range, pme_dm_writecache.kind,
				       PME_OWNER_VOLUME_METADATA,
				       "superblock of writecache %s: without it all that was not "
				       "written back is lost",
				       pme_dev_label(upper));
	first = (first - PME_WRITECACHE_SUPERBLOCK) / 16;
	last = (last - PME_WRITECACHE_SUPERBLOCK) / 16;
	if (first >= wc->table.count)
		return pme_steps_owner(ret, range, pme_dm_writecache.kind, PME_OWNER_UNUSED,
				       "padding behind the table of writecache %s",
				       pme_dev_label(upper));
	return pme_steps_owner(
		ret, range, pme_dm_writecache.kind, PME_OWNER_VOLUME_METADATA,
		"entries of blocks %" PRIu64 " to %" PRIu64 " of writecache %s: "
		"bytes %" PRIu64 " to %" PRIu64 " of the cache",
		first, pme_min(last, wc->table.count - 1), pme_dev_label(upper),
		wc->data + first * wc->table.block,
		wc->data + (pme_min(last, wc->table.count - 1) + 1) * wc->table.block - 1);
}

/* A piece of one block, at @at from block 0 on. */
static int block_up(const struct writecache *wc, const struct pme_dev *upper,
		    const struct pme_dm_line *line, const struct pme_remap *entry,
		    struct pme_range from, uint64_t at, struct pme_steps *ret)
{
	struct pme_range whole = {0, line->range.length}, part;
	uint64_t x = entry->block * wc->table.block + at % wc->table.block;

	if (!pme_range_intersect((struct pme_range){x, from.length}, whole, &part))
		return pme_steps_owner(ret, from, pme_dm_writecache.kind, PME_OWNER_UNUSED,
				       "behind the end of writecache %s", pme_dev_label(upper));
	from = (struct pme_range){from.start + (part.start - x), part.length};
	return lead(wc, from, upper, line->range.start + part.start, ret);
}

static int blocks_up(const struct writecache *wc, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range) - wc->data;
	const struct pme_remap *entry;
	int r = 0;

	for (uint64_t at = range.start - wc->data; r == 0 && at < end;) {
		struct pme_range piece =
			pme_remaps_place_piece(&wc->table.map, wc->table.block, at, end, &entry);
		struct pme_range from = {wc->data + at, piece.length};

		if (entry)
			r = block_up(wc, upper, line, entry, from, at, ret);
		else if (wc->doubt)
			r = pme_steps_unknown(ret, from, pme_dm_writecache.kind, "%s", wc->doubt);
		else
			r = pme_steps_owner(ret, from, pme_dm_writecache.kind, PME_OWNER_FREE,
					    "free in the cache of %s", pme_dev_label(upper));
		at += piece.length;
	}
	return r;
}

static int cache_up(const struct writecache *wc, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	uint64_t data_end = wc->data + wc->table.count * wc->table.block;
	struct pme_range table = {wc->start, wc->table.data}, part;
	struct pme_range data = {wc->data, data_end - wc->data};
	int r = 0;

	/* what lies before and behind is not used: no step says so */
	if (pme_range_intersect(range, table, &part))
		r = table_up(wc, upper, part, ret);
	if (r == 0 && pme_range_intersect(range, data, &part))
		r = blocks_up(wc, upper, line, part, ret);
	return r;
}

static int writecache_up(struct pme_stack *stack, const struct pme_dev *upper,
			 const struct pme_dm_line *line, const struct pme_dev *lower,
			 struct pme_range range, struct pme_steps *ret)
{
	const struct writecache *wc;
	struct params params;
	const char *why;
	int r = parse(line, &params);

	if (r < 0 || (lower->devno != params.origin && lower->devno != params.cache))
		return r;
	r = get(stack, upper, line, &wc, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, pme_dm_writecache.kind, "%s", why);
	return lower->devno == params.origin ? origin_up(wc, upper, line, range, ret)
					     : cache_up(wc, upper, line, range, ret);
}

static int writecache_down(struct pme_stack *stack, const struct pme_dev *upper,
			   const struct pme_dm_line *line, struct pme_range range,
			   struct pme_steps *ret)
{
	const struct pme_remap *entry;
	const struct writecache *wc;
	struct params params;
	const char *why;
	int r = parse(line, &params);

	if (r < 0 || !pme_range_intersect(range, line->range, &range))
		return r;
	r = get(stack, upper, line, &wc, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, pme_dm_writecache.kind, "%s", why);
	for (uint64_t at = range.start - line->range.start,
		      end = pme_range_end(range) - line->range.start;
	     r == 0 && at < end;) {
		struct pme_range piece =
			pme_remaps_block_piece(&wc->table.map, wc->table.block, at, end, &entry);
		const struct pme_dev *to =
			pme_dm_lower(upper, entry ? params.cache : params.origin);
		struct pme_range from = {line->range.start + at, piece.length};

		if (!to)
			r = pme_steps_unknown(ret, from, pme_dm_writecache.kind,
					      "a device below %s is missing", pme_dev_label(upper));
		else
			r = lead(wc, from, to,
				 entry ? wc->data + entry->place * wc->table.block +
						 at % wc->table.block
				       : at,
				 ret);
		at += piece.length;
	}
	return r;
}

static char *writecache_explain(struct pme_stack *stack, const struct pme_dm_line *line,
				const struct pme_dev *lower, uint64_t lower_start,
				const struct pme_dev *upper, uint64_t upper_start)
{
	const struct writecache *wc;
	struct params params;
	const char *why;
	uint64_t at, x;

	if (parse(line, &params) < 0)
		return pme_printf("malformed 'writecache' parameters");
	if (get(stack, upper, line, &wc, &why) < 0)
		return pme_printf("the table of writecache %s is not known", pme_dev_label(upper));
	if (lower->devno == params.origin)
		return pme_printf("%" PRIu64 " (no entry for block %" PRIu64 " of %" PRIu64
				  " in the cache) + %" PRIu64 " (segment in %s) = %" PRIu64,
				  lower_start, lower_start / wc->table.block, wc->table.block,
				  line->range.start, pme_dev_label(upper), upper_start);
	at = lower_start - wc->data;
	x = upper_start - line->range.start;
	return pme_printf(
		"%" PRIu64 " - %" PRIu64 " (block 0 on %s) = block %" PRIu64 " of %" PRIu64
		" + %" PRIu64 "; its entry: block %" PRIu64 " of the origin; %" PRIu64
		" (segment in %s) + %" PRIu64 " * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
		lower_start, wc->data, pme_dev_label(lower), at / wc->table.block, wc->table.block,
		at % wc->table.block, x / wc->table.block, line->range.start, pme_dev_label(upper),
		x / wc->table.block, wc->table.block, x % wc->table.block, upper_start);
}

const struct pme_dm_target pme_dm_writecache = {
	.type = "writecache",
	.kind = "dm-writecache",
	.up = writecache_up,
	.down = writecache_down,
	.explain = writecache_explain,
};
