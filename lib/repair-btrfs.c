/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites by btrfs: a scrub of the part of a chunk that is on one device; see repair-rewrite.h.
 *
 * A scrub writes a block anew that cannot be read or whose checksum is wrong, from a copy whose
 * checksum is right.  Data without checksums (nodatacow, nodatasum) it takes from any copy that
 * reads, and copies of such data may differ after a crash: nothing proves them, and where one of
 * the bad blocks has such data nothing is begun.  Afterwards the same is scrubbed once more,
 * read-only.
 */
#include <inttypes.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/statvfs.h>

#include "btrfs-sums.h"
#include "doc.h"
#include "media.h"
#include "repair-rewrite.h"
#include "repair-scrub.h"

#define READ_BYTES (256U << 10)

/* One device of one filesystem, as planning knows it. */
struct pme_btrfs_cache {
	const struct pme_fs *fs;
	int error;
	struct pme_btrfs_view view;
	struct pme_btrfs_chunks chunks;
	struct pme_btrfs_sums sums;
	struct pme_btrfs_cache *next;
};

void pme_btrfs_cache_free(struct pme_btrfs_cache *cache)
{
	while (cache) {
		struct pme_btrfs_cache *next = cache->next;

		pme_btrfs_chunks_done(&cache->chunks);
		pme_btrfs_view_done(&cache->view);
		free(cache);
		cache = next;
	}
}

static struct pme_btrfs_cache *cache_of(const struct pme_topo *topo, const struct pme_fs *fs,
					struct pme_btrfs_cache **caches)
{
	struct pme_btrfs_cache *cache = *caches;
	const char *why;

	while (cache && cache->fs != fs)
		cache = cache->next;
	if (cache)
		return cache;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return NULL;
	cache->fs = fs;
	cache->view.fd = -1;
	cache->next = *caches;
	*caches = cache;
	cache->error = pme_btrfs_view_open(topo, fs, &cache->view, &why);
	if (cache->error == 0)
		cache->error = pme_btrfs_view_chunks(&cache->view, &cache->chunks);
	if (cache->error == 0)
		cache->error = pme_btrfs_sums_ask(cache->view.fd, &cache->sums);
	return cache;
}

/* The stripe that holds byte @at of the device. */
static const struct pme_btrfs_chunk *find_stripe(const struct pme_btrfs_cache *cache, uint64_t at,
						 uint32_t *ret_stripe)
{
	for (size_t i = 0; i < cache->chunks.count; i++) {
		const struct pme_btrfs_chunk *chunk = &cache->chunks.items[i];

		for (uint32_t s = 0; s < chunk->n_stripes; s++) {
			if (chunk->stripes[s].devid != cache->view.devid ||
			    at < chunk->stripes[s].start ||
			    at - chunk->stripes[s].start >= chunk->dev_length)
				continue;
			*ret_stripe = s;
			return chunk;
		}
	}
	return NULL;
}

/* ---- checksums ---- */

/* What of logical @range has checksums: appended. */
static int find_sums(const struct pme_btrfs_cache *cache, struct pme_range range,
		     struct pme_range_list *ret)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search =
		pme_btrfs_sums_search(&cache->view, &cache->sums, range);
	struct pme_btrfs_item item;
	int r;

	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct pme_range has, common;

		if (!pme_btrfs_sums_of(&cache->view, &cache->sums, &item, range, &has) ||
		    !pme_range_intersect(has, range, &common))
			continue;
		r = pme_range_list_add(ret, common.start, common.length);
		if (r < 0)
			return r;
	}
	return r;
}

static int has_sums(const struct pme_btrfs_cache *cache, struct pme_range range)
{
	_cleanup_(pme_range_list_done) struct pme_range_list sums = {0}, rest = {0};
	int r = find_sums(cache, range, &sums);

	pme_range_list_normalize(&sums);
	if (r == 0)
		r = pme_range_list_subtract(range, &sums, &rest);
	return r < 0 ? r : rest.count == 0;
}

/* Has all data of @at, bytes of the device, checksums?  1, 0, -errno. */
static int is_summed(const struct pme_btrfs_cache *cache, const struct pme_btrfs_chunk *chunk,
		     uint32_t stripe, struct pme_range at)
{
	uint64_t end = pme_range_end(at) - chunk->stripes[stripe].start;
	struct pme_btrfs_part part;

	if (!(chunk->type & PME_BTRFS_GROUP_DATA))
		return 1;
	for (uint64_t x = at.start - chunk->stripes[stripe].start; x < end; x += part.length) {
		int r;

		part = pme_btrfs_chunk_up(chunk, stripe, x, end - x);
		if (part.length == 0)
			return -EINVAL;
		r = part.parity ? 1
				: has_sums(cache, (struct pme_range){part.logical, part.length});
		if (r <= 0)
			return r;
	}
	return 1;
}

/* ---- which claims ---- */

/* Is the way to the filesystem what holds the bytes twice? */
static bool is_below(const struct pme_claim *claim)
{
	for (size_t h = 1; h < claim->n_hops; h++)
		if (claim->hops[h].kind && (strncmp(claim->hops[h].kind, "dm-raid", 7) == 0 ||
					    strcmp(claim->hops[h].kind, "dm-mirror") == 0))
			return true;
	return false;
}

int pme_btrfs_piece(const struct pme_topo *topo, const struct pme_claim *claim,
		    struct pme_btrfs_cache **cache, struct pme_rewrite_piece *ret)
{
	const struct pme_hop *last = &claim->hops[claim->n_hops - 1];
	struct pme_range at = {last->start, claim->length};
	const struct pme_btrfs_chunk *chunk;
	struct pme_btrfs_cache *own;
	uint32_t stripe, first, count;
	int r = 1;

	if (!claim->fs || strcmp(claim->fs->type, "btrfs") != 0 || claim->fs->dev != last->dev ||
	    is_below(claim) ||
	    (claim->certainty != PME_REDUNDANT && claim->kind != PME_OWNER_RAID_PARITY))
		return 0;
	own = cache_of(topo, claim->fs, cache);
	if (!own)
		return -ENOMEM;
	chunk = own->error == 0 ? find_stripe(own, at.start, &stripe) : NULL;
	if (!chunk || pme_btrfs_chunk_others(chunk, stripe, &first, &count) == 0 ||
	    pme_range_end(at) - chunk->stripes[stripe].start > chunk->dev_length)
		return 0;
	if (claim->kind == PME_OWNER_FILE_DATA)
		r = is_summed(own, chunk, stripe, at);
	if (r == -ENOMEM)
		return r;
	ret->how = PME_REWRITE_BTRFS_SCRUB;
	ret->layer = last->dev;
	ret->at = at;
	ret->window = (struct pme_range){chunk->stripes[stripe].start, chunk->dev_length};
	ret->unsummed = r <= 0;
	return 1;
}

/* ---- why not ---- */

static int why_not_now(const struct pme_btrfs_view *view, const char **ret)
{
	struct statvfs vfs;
	int runs;

	*ret = NULL;
	if (fstatvfs(view->fd, &vfs) < 0)
		return -errno;
	runs = pme_scrub_runs(view->fd, view->devid);
	if (vfs.f_flag & ST_RDONLY)
		*ret = "it is mounted read-only";
	else if (runs > 0)
		*ret = "a scrub of this device runs already: wait for it (btrfs scrub status)";
	else if (runs < 0)
		*ret = "it cannot be asked whether a scrub runs";
	return 0;
}

int pme_btrfs_refusal(const struct pme_topo *topo, const struct pme_rewrite *rewrite, char **ret)
{
	struct pme_btrfs_view view = {.fd = -1};
	const char *why = NULL;
	int r = pme_btrfs_view_open(topo, rewrite->fs, &view, &why);

	*ret = NULL;
	if (r == 0)
		r = why_not_now(&view, &why);
	pme_btrfs_view_done(&view);
	if (r == -ENOMEM)
		return r;
	for (size_t p = 0; r == 0 && !why && p < rewrite->n_pieces; p++)
		if (rewrite->pieces[p].unsummed)
			why = "some of it is data without checksums (nodatacow, nodatasum): "
			      "nothing "
			      "proves that the other copy is the right one, and a scrub would take "
			      "it; to accept that: btrfs scrub start -B";
	if (r < 0 || why) {
		*ret = pme_printf("%s", why ? why : strerror(-r));
		return *ret ? 0 : -ENOMEM;
	}
	for (size_t p = 0; r == 0 && !*ret && p < rewrite->n_pieces; p++)
		r = pme_rewrite_bus_refusal(topo, rewrite->pieces[p].claim,
					    "a scrub could not write the blocks anew; replace the "
					    "device (btrfs replace)",
					    ret);
	return r;
}

/* ---- doing it ---- */

static int begin(struct pme_rewrite_run *run)
{
	struct json_object *object = pme_json_object(), *layer = pme_json_object();
	int r;

	pme_json_text(layer, "name", run->rewrite->layer->name);
	pme_json_text(layer, "uuid", run->rewrite->fs->uuid);
	pme_json_set(object, "layer", layer);
	r = pme_rewrite_begin(run, object);
	json_object_put(object);
	return r < 0 ? r : pme_rewrite_note(run, "scrub");
}

/* The bad bytes themselves, from the device. */
static int read_pieces(struct pme_rewrite_run *run)
{
	_cleanup_close_ int fd = pme_media_open(run->topo, run->rewrite->layer);
	_cleanup_free_ unsigned char *buf = malloc(READ_BYTES);
	int r = fd < 0 ? fd : buf ? 0 : -ENOMEM;

	for (size_t p = 0; r == 0 && p < run->rewrite->n_pieces; p++) {
		struct pme_range at = run->rewrite->pieces[p].at;

		for (uint64_t x = at.start, size; r == 0 && x < pme_range_end(at); x += size) {
			size = pme_min(READ_BYTES, pme_range_end(at) - x);
			r = pme_media_read(fd, buf, size, x);
		}
	}
	return r < 0 ? pme_rewrite_fail(run, r, "it still cannot be read: %s", strerror(-r)) : 0;
}

static int scrub(struct pme_rewrite_run *run, const struct pme_btrfs_view *view, bool read_only,
		 struct pme_scrubbed *ret)
{
	int r = pme_scrub(run, view->fd, view->devid, run->rewrite->window, read_only, ret);

	if (r == -EINTR || r == -ETIMEDOUT)
		return pme_rewrite_fail(run, r, "%s: the scrub was stopped",
					r == -EINTR ? "interrupted" : "it took too long");
	if (r < 0)
		return pme_rewrite_fail(run, r, "the scrub failed: %s", strerror(-r));
	if (ret->bytes == 0)
		return pme_rewrite_fail(run, -EIO,
					"the scrub read nothing: btrfs skips a chunk with an "
					"active swap file in it");
	return 0;
}

static int verify(struct pme_rewrite_run *run, const struct pme_btrfs_view *view)
{
	struct pme_scrubbed again;
	int r = scrub(run, view, true, &again);

	if (r < 0)
		return r;
	if (again.errors > 0 || again.uncorrectable > 0)
		return pme_rewrite_fail(run, -EIO,
					"a second scrub still finds %" PRIu64
					" errors in this chunk, these or others: btrfs tells the "
					"kernel's log which",
					pme_max(again.errors, again.uncorrectable));
	return read_pieces(run);
}

static int rewrite_on(struct pme_rewrite_run *run, struct pme_btrfs_view *view)
{
	struct pme_scrubbed first;
	int r = begin(run);

	if (r == 0)
		r = scrub(run, view, false, &first);
	if (r < 0)
		return r;
	run->rewrite->corrected = first.corrected;
	run->rewrite->uncorrectable = first.uncorrectable;
	r = verify(run, view);
	if (r == 0)
		run->rewrite->outcome = first.errors == 0 && first.uncorrectable == 0
						? PME_REWRITE_SOUND
						: PME_REWRITE_REPAIRED;
	return r;
}

int pme_btrfs_rewrite(struct pme_rewrite_run *run)
{
	struct pme_btrfs_view view = {.fd = -1};
	const char *why = NULL;
	int r = pme_btrfs_view_open(run->topo, run->rewrite->fs, &view, &why);

	/* a scrub reads what is committed */
	if (r == 0)
		r = pme_btrfs_view_sync(&view);
	if (r == 0 && view.stopped)
		why = "an error has made it read-only";
	if (r < 0 || why)
		r = pme_rewrite_fail(run, -EAGAIN, "%s", why ? why : strerror(-r));
	else
		r = rewrite_on(run, &view);
	pme_btrfs_view_done(&view);
	return r;
}
