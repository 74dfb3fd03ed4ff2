/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bare programs of the benchmark share; see bare.h.
 */
#include "bare.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

void *bare_alloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		err(1, "calloc");
	return p;
}

struct bare_list bare_read_list(const char *path, uint64_t unit)
{
	struct bare_list list = {0};
	FILE *file = fopen(path, "re");
	size_t alloc = 0, size = 0;
	char *line = NULL;

	if (!file)
		err(1, "%s", path);
	while (getline(&line, &size, file) > 0) {
		char *end;

		if (list.count == alloc) {
			alloc = alloc * 2 + 64;
			list.items = realloc(list.items, alloc * sizeof(*list.items));
			if (!list.items)
				err(1, "realloc");
		}
		list.items[list.count++] = strtoull(line, &end, 10) * unit;
		if (end == line)
			errx(1, "%s: no number: %s", path, line);
	}
	free(line);
	fclose(file);
	return list;
}

int bare_next(struct bare_work *work, size_t *ret)
{
	*ret = atomic_fetch_add(&work->next, 1);
	return *ret < work->count;
}

static void *run_thread(void *arg)
{
	struct bare_work *work = arg;

	work->run(work);
	return NULL;
}

void bare_spread(struct bare_work *work, unsigned int threads)
{
	pthread_t ids[BARE_THREADS_MAX];

	for (unsigned int i = 1; i < threads; i++) {
		int r = pthread_create(&ids[i], NULL, run_thread, work);

		if (r != 0)
			errx(1, "pthread_create: %s", strerror(r));
	}
	work->run(work);
	for (unsigned int i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
}

unsigned int bare_threads(const char *arg)
{
	unsigned long threads = strtoul(arg, NULL, 10);

	if (threads == 0 || threads > BARE_THREADS_MAX)
		errx(1, "%s: 1 to %d threads", arg, BARE_THREADS_MAX);
	return (unsigned int)threads;
}

int bare_open(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", folder);
	return fd;
}

uint32_t bare_device(dev_t devno)
{
	/* new_encode_dev() of the kernel */
	return (minor(devno) & 0xff) | major(devno) << 8 | (minor(devno) & ~0xffU) << 12;
}

void bare_inodes_add(struct bare_inodes *inodes, uint64_t ino)
{
	if (inodes->count == inodes->alloc) {
		inodes->alloc = inodes->alloc * 2 + 64;
		inodes->items = realloc(inodes->items, inodes->alloc * sizeof(*inodes->items));
		if (!inodes->items)
			err(1, "realloc");
	}
	inodes->items[inodes->count++] = ino;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

void bare_inodes_unique(struct bare_inodes *inodes)
{
	size_t kept = 0;

	qsort(inodes->items, inodes->count, sizeof(*inodes->items), by_number);
	for (size_t i = 0; i < inodes->count; i++)
		if (kept == 0 || inodes->items[i] != inodes->items[kept - 1])
			inodes->items[kept++] = inodes->items[i];
	inodes->count = kept;
}
