/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A donor: the page cache.  On a mount without DAX a page that is still in memory is the file: what
 * every reader gets, whatever became of the media.
 *
 * The media is never touched for it.  The surprise: a read with RWF_NOWAIT of what is not in memory
 * fails, but may set readahead going, so that mincore(2) is asked first.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "donor.h"

struct cached {
	struct pme_range range; /* bytes of the file, before its end */
	unsigned char bytes[];
};

/* Are all pages of @range in memory and up to date?  1, 0, -errno. */
static int is_resident(int fd, struct pme_range range)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = range.start / page * page;
	size_t length = (size_t)(pme_range_end(range) - start);
	size_t pages = (length + page - 1) / page;
	_cleanup_free_ unsigned char *states = calloc(pages, 1);
	void *map;
	int r = 1;

	if (!states)
		return -ENOMEM;
	map = mmap(NULL, length, PROT_NONE, MAP_SHARED, fd, (off_t)start);
	if (map == MAP_FAILED)
		return -errno;
	if (mincore(map, length, states) < 0)
		r = -errno;
	munmap(map, length);
	for (size_t i = 0; r > 0 && i < pages; i++)
		r = states[i] & 1;
	return r;
}

/* All of @range from memory: 0, -EAGAIN when a part is not there, -errno. */
static int read_cached(int fd, struct pme_range range, unsigned char *buf)
{
	size_t done = 0;

	while (done < range.length) {
		struct iovec iov = {.iov_base = buf + done, .iov_len = range.length - done};
		ssize_t n = preadv2(fd, &iov, 1, (off_t)(range.start + done), RWF_NOWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EAGAIN;
		done += (size_t)n;
	}
	return 0;
}

static int look(int fd, struct pme_range range, unsigned char *buf)
{
	int r = pme_os_is_dax(fd);

	if (r != 0)
		return r < 0 ? r : -EOPNOTSUPP;
	r = is_resident(fd, range);
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	return read_cached(fd, range, buf);
}

static char *why_not(int error)
{
	if (error == -EOPNOTSUPP)
		return strdup("the file has none: it is mounted with DAX");
	if (error == -EAGAIN)
		return strdup("not all of these bytes are in memory");
	return pme_printf("cannot be read: %s", strerror(-error));
}

static int find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		char **ret_reason)
{
	_cleanup_free_ struct cached *cached = NULL;
	uint64_t inside;
	int r = pme_want_inside(want, &inside);

	(void)log;
	if (r < 0 || inside == 0)
		return r;
	cached = malloc(sizeof(*cached) + inside);
	if (!cached)
		return -ENOMEM;
	cached->range = (struct pme_range){want->range.start, inside};
	r = look(want->fd, cached->range, cached->bytes);
	if (r < 0) {
		*ret_reason = why_not(r);
		return *ret_reason ? 0 : -ENOMEM;
	}
	ret->proof = PME_PROOF_PAGE_CACHE;
	ret->state = pme_take_ptr(cached);
	return 1;
}

/* What was written to the file since is in other bytes of memory, or there no more. */
static int holds(const struct pme_donor *donor, const struct pme_want *want)
{
	const struct cached *cached = donor->state;
	_cleanup_free_ unsigned char *now = malloc(cached->range.length);
	int r = now ? look(want->fd, cached->range, now) : -ENOMEM;

	if (r == -EAGAIN)
		return 0;
	return r < 0 ? r : memcmp(now, cached->bytes, cached->range.length) == 0;
}

static int read_bytes(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		      size_t size, void *buf)
{
	const struct cached *cached = donor->state;

	(void)want;
	memset(buf, 0, size);
	if (offset < cached->range.start)
		return -ERANGE;
	if (offset < pme_range_end(cached->range))
		memcpy(buf, cached->bytes + (offset - cached->range.start),
		       pme_min(size, pme_range_end(cached->range) - offset));
	return 0;
}

static void done(struct pme_donor *donor)
{
	free(donor->state);
}

const struct pme_donor_kind pme_donor_page_cache = {
	.name = "page-cache",
	.find = find,
	.holds = holds,
	.read = read_bytes,
	.done = done,
};
