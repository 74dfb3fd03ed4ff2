/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that a version lacks, and other versions that have them; see replica.h.
 */
#include "manifest.h"
#include "replica.h"
#include "saved-place.h"

#define BLOCK PME_SAVED_BLOCK
#define PER_PAGE PME_MANIFEST_PER_PAGE

/* A page of digests of a version. */
struct page {
	uint64_t number;
	int error;
	struct pme_digest digests[PER_PAGE];
};

static bool has_digest(const struct pme_saved *saved, uint64_t block, struct page *page)
{
	if (page->number != block / PER_PAGE) {
		page->number = block / PER_PAGE;
		page->error = pme_manifest_sums(saved->manifest, saved->sums, page->number,
						page->digests);
	}
	return page->error == 0 && !pme_digest_is_none(&page->digests[block % PER_PAGE]);
}

int pme_replica_lacking(const struct pme_saved *saved, struct pme_range_list *ret, int *ret_unread)
{
	const struct pme_extents *extents = &saved->manifest->extents;
	struct page page = {.number = UINT64_MAX};
	int r = 0;

	*ret_unread = 0;
	for (size_t i = 0; r == 0 && i < extents->count; i++) {
		struct pme_range range = extents->items[i].range;
		uint64_t block = range.start / BLOCK;

		if (pme_manifest_is_empty(saved->manifest, range))
			continue;
		for (; r == 0 && block * BLOCK < pme_range_end(range); block++) {
			if (has_digest(saved, block, &page))
				continue;
			*ret_unread = *ret_unread ? *ret_unread : page.error;
			r = pme_range_list_add(ret, block * BLOCK, BLOCK);
		}
	}
	pme_range_list_normalize(ret);
	return r;
}

/* 1, 0, -ENOMEM, another error: nobody can tell. */
static int has_block(const struct pme_saved *saved, uint64_t block, void *buf)
{
	struct pme_range range = {.start = block * BLOCK, .length = BLOCK};
	int r;

	/* Nothing was written there, or there was no file: no bytes that could have been lost. */
	if (pme_manifest_is_empty(saved->manifest, range))
		return 0;
	r = pme_saved_read_blocks(saved, block, 1, buf, NULL);
	if (r == -EBADMSG || r == -ENODATA || r == -ERANGE)
		return 0;
	return r < 0 ? r : 1;
}

static int subtract(struct pme_range_list *list, struct pme_range_list *gone)
{
	struct pme_range_list rest = {0};
	int r = 0;

	pme_range_list_normalize(gone);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = pme_range_list_subtract(list->items[i], gone, &rest);
	if (r < 0) {
		pme_range_list_done(&rest);
		return r;
	}
	pme_range_list_done(list);
	*list = rest;
	return 0;
}

int pme_replica_fill(const struct pme_saved *saved, struct pme_range_list *lacking)
{
	_cleanup_(pme_range_list_done) struct pme_range_list had = {0};
	_cleanup_free_ void *buf = pme_saved_buffer(BLOCK);
	bool unknown = false;
	int r = buf ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < lacking->count; i++) {
		uint64_t at = lacking->items[i].start;

		for (; r == 0 && at < pme_range_end(lacking->items[i]); at += BLOCK) {
			int has = has_block(saved, at / BLOCK, buf);

			if (has == 1)
				r = pme_range_list_add(&had, at, BLOCK);
			else if (has == -ENOMEM)
				r = has;
			unknown = unknown || has < 0;
		}
	}
	if (r == 0)
		r = subtract(lacking, &had);
	return r < 0 ? r : unknown || had.count > 0;
}
