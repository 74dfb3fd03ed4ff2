/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept versions, once opened; see saved-cache.h.
 */
#include "saved-cache.h"

#include <string.h>

#define VERSIONS_MAX 64 /* open at once, of all files but the last one: three descriptors each */

struct pme_saved_entry {
	char *fs_uuid;
	uint64_t inode;
	uint32_t generation;
	struct pme_saved_list list;
};

static void entry_done(struct pme_saved_entry *entry)
{
	pme_saved_done(&entry->list);
	free(entry->fs_uuid);
}

void pme_saved_cache_done(struct pme_saved_cache *cache)
{
	for (size_t i = 0; i < cache->count; i++)
		entry_done(&cache->items[i]);
	free(cache->items);
	*cache = (struct pme_saved_cache){0};
}

static bool is_of(const struct pme_saved_entry *entry, const char *fs_uuid,
		  const struct pme_file *file)
{
	return entry->inode == file->inode && entry->generation == file->generation &&
	       strcmp(entry->fs_uuid, fs_uuid) == 0;
}

/* The oldest ones go, until @room versions more are not too many. */
static void make_room(struct pme_saved_cache *cache, size_t room)
{
	size_t gone = 0, versions = room;

	for (size_t i = 0; i < cache->count; i++)
		versions += cache->items[i].list.count;
	while (gone < cache->count &&
	       (versions > VERSIONS_MAX || cache->count - gone > VERSIONS_MAX)) {
		versions -= cache->items[gone].list.count;
		entry_done(&cache->items[gone++]);
	}
	if (gone == 0)
		return;
	cache->count -= gone;
	memmove(cache->items, cache->items + gone, cache->count * sizeof(*cache->items));
}

static int add(struct pme_saved_cache *cache, const char *fs_uuid, const struct pme_file *file,
	       struct pme_saved_list *list)
{
	struct pme_saved_entry entry = {.inode = file->inode, .generation = file->generation};
	int r;

	make_room(cache, list->count);
	r = pme_grow(&cache->items, &cache->alloc, cache->count, sizeof(*cache->items));
	if (r < 0)
		return r;
	entry.fs_uuid = strdup(fs_uuid);
	if (!entry.fs_uuid)
		return -ENOMEM;
	entry.list = *list;
	*list = (struct pme_saved_list){0};
	cache->items[cache->count++] = entry;
	return 0;
}

int pme_saved_cache_find(struct pme_saved_cache *cache, const struct pme_os *os, int root,
			 const char *fs_uuid, const struct pme_file *file, struct pme_log *log,
			 const struct pme_saved_list **ret)
{
	_cleanup_(pme_saved_done) struct pme_saved_list list = {0};
	size_t last = cache->count;
	int r;

	for (size_t i = 0; i < cache->count; i++) {
		struct pme_saved_entry entry = cache->items[i];

		if (!is_of(&entry, fs_uuid, file))
			continue;
		memmove(&cache->items[i], &cache->items[i + 1],
			(last - 1 - i) * sizeof(*cache->items));
		cache->items[last - 1] = entry;
		*ret = &cache->items[last - 1].list;
		return 0;
	}
	r = pme_saved_find(os, root, fs_uuid, file, log, &list);
	if (r == 0)
		r = add(cache, fs_uuid, file, &list);
	if (r == 0)
		*ret = &cache->items[cache->count - 1].list;
	return r;
}
