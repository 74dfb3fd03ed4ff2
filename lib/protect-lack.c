/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that cannot be read now; see protect-lack.h.
 */
#include "protect-lack.h"

#include <fcntl.h>

#include "replica.h"
#include "saved-place.h"

void pme_lack_add(struct pme_sync *sync, const char *path, uint64_t count)
{
	sync->run->unreadable += count;
	if (count > 0)
		pme_sync_say(sync, path,
			     "%llu blocks could not be read: they are not kept, the rest is",
			     (unsigned long long)count);
}

/* Is there a block of these that can be read?  1, 0, -ENOMEM. */
static int is_readable(const struct pme_range_list *list, int fd, uint64_t size)
{
	_cleanup_free_ void *buf = pme_saved_buffer(PME_SAVED_BLOCK);

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		uint64_t at = list->items[i].start;

		for (; at < pme_range_end(list->items[i]); at += PME_SAVED_BLOCK)
			if (pme_saved_read_raw(fd, buf, PME_SAVED_BLOCK, at, size) == 0)
				return 1;
	}
	return 0;
}

int pme_lack_stays(struct pme_sync *sync, const struct pme_saved *base, int fd, const char *path)
{
	_cleanup_(pme_range_list_done) struct pme_range_list lacking = {0};
	int flags = fcntl(fd, F_GETFL), unread;
	int r = pme_replica_lacking(base, &lacking, &unread);

	/* What is in memory only is no answer; where the media cannot be asked, it is one. */
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_DIRECT);
	if (r == 0)
		r = is_readable(&lacking, fd, base->manifest->size);
	if (r != 0)
		return r < 0 ? r : 0;
	pme_lack_add(sync, path, pme_range_list_bytes(&lacking) / PME_SAVED_BLOCK);
	return 1;
}

/* Without its checkpoint: what it has is asked, not what it proves. */
static int load(int object, uint64_t version, struct pme_saved *ret)
{
	const char *why;

	return pme_saved_load(object, version, -1, ret, &why);
}

int pme_lack_find(int object, uint64_t version, struct pme_range_list *ret)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	int r = load(object, version, &saved), unread = 0;

	if (r == 0)
		r = pme_replica_lacking(&saved, ret, &unread);
	return r < 0 ? r : unread;
}

int pme_lack_fill(int object, uint64_t version, struct pme_range_list *lacking)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	int r = load(object, version, &saved);

	if (r == -EINVAL || r == -EBADMSG || r == -ENOENT)
		return 0; /* there is nothing to be had of it */
	if (r < 0)
		return r == -ENOMEM ? r : 1;
	return pme_replica_fill(&saved, lacking);
}
