/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door to files, what of them is in memory: the page cache; see os.h.
 *
 * cachestat(2) counts every page, also one that is only partly up to date, which mincore(2) does
 * not show.  It reads nothing.  C libraries of today have no name for it.
 */
#include "os.h"

#include <fcntl.h>
#include <sys/syscall.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* Linux 6.5, on all machines that have persistent memory */
#endif

/* linux/mman.h */
struct cachestat_range {
	uint64_t off, len;
};
struct cachestat {
	uint64_t nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted;
};

/* Advice; who does not follow it has no pages, or will not part with them. */
void pme_os_drop_cache(int fd)
{
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* What stands for pages in the tables of a DAX file is nothing that this call can count. */
int pme_os_is_cached(int fd, uint64_t start, uint64_t length)
{
	struct cachestat_range range = {start, length};
	struct cachestat stat = {0};
	int r = pme_os_is_dax(fd);

	if (r != 0)
		return r < 0 ? r : 0;
	return syscall(SYS_cachestat, fd, &range, &stat, 0) < 0 ? -errno : stat.nr_cache > 0;
}
