/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading replicas again; see replica.h.
 */
#include <string.h>

#include "replica.h"
#include "saved-place.h"

#define BLOCK PME_SAVED_BLOCK
#define PER_PAGE PME_MANIFEST_PER_PAGE

/* Wait until reading this much is not too fast. */
static void slow_down(const struct pme_replica_check *check)
{
	uint64_t now = pme_os_monotonic(), due = now;

	if (check->rate > 0)
		due = check->started + (uint64_t)((double)check->bytes * 1e6 / (double)check->rate);
	if (check->rest)
		check->rest(due > now ? due - now : 0, check->arg);
	else if (due > now)
		pme_os_sleep(due - now);
}

static void add_damage(struct pme_replica_damage *damage, uint64_t block, size_t count,
		       uint64_t *end)
{
	size_t last = damage->ranges - 1;

	damage->blocks += count;
	if (damage->ranges == 0 || *end != block)
		last = damage->ranges++;
	if (last < PME_REPLICA_FIRST) {
		struct pme_range *range = &damage->first[last];

		if (range->length == 0)
			range->start = block * BLOCK;
		range->length += count * BLOCK;
	}
	*end = block + count;
}

/* One page of blocks: 0, or the error of the first that is not good. */
static int verify_page(const struct pme_saved *saved, uint64_t page, size_t count, char *buf,
		       struct pme_replica_damage *damage, uint64_t *end)
{
	bool bad[PER_PAGE] = {false};
	int error = 0;
	int r = pme_saved_read_blocks(saved, page * PER_PAGE, count, buf, bad);

	if (r == 0)
		return 0;
	if (memchr(bad, true, sizeof(bad)) == NULL) { /* the digests themselves */
		damage->digests = true;
		add_damage(damage, page * PER_PAGE, count, end);
		return r;
	}
	for (size_t i = 0; i < count; i++) {
		/* Without a digest from the beginning is no damage. */
		if (!bad[i])
			continue;
		r = pme_saved_read_blocks(saved, page * PER_PAGE + i, 1, buf, NULL);
		if (r == 0 || r == -ENODATA)
			continue;
		damage->data = true;
		add_damage(damage, page * PER_PAGE + i, 1, end);
		if (error == 0)
			error = r;
	}
	return error;
}

int pme_replica_verify(const struct pme_saved *saved, struct pme_replica_check *check,
		       struct pme_replica_damage *ret)
{
	_cleanup_free_ char *buf = pme_saved_buffer((size_t)BLOCK * PER_PAGE);
	uint64_t size = saved->manifest->size;
	uint64_t blocks = size / BLOCK + (size % BLOCK != 0), end = 0;
	int error = 0;

	*ret = (struct pme_replica_damage){0};
	if (!buf)
		return -ENOMEM;
	if (check->started == 0)
		check->started = pme_os_monotonic();
	for (uint64_t page = 0; page < saved->manifest->n_pages; page++) {
		size_t count = (size_t)pme_min(PER_PAGE, blocks - page * PER_PAGE);
		struct pme_range range = {page * PER_PAGE * BLOCK, count * BLOCK};
		int r;

		/* nobody asks a copy for what was never written */
		if (pme_manifest_is_empty(saved->manifest, range))
			continue;
		r = verify_page(saved, page, count, buf, ret, &end);
		check->bytes += count * BLOCK;
		if (r < 0 && error == 0)
			error = r;
		if (check->progress)
			check->progress(check, check->arg);
		slow_down(check);
	}
	check->damaged += ret->blocks;
	return error;
}
