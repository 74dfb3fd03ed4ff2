/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bare programs of the benchmark share: the list of blocks, and work spread over threads.
 *
 * A bare program does what cannot be avoided for an answer, and nothing else: it is the floor that
 * pmemctl is measured against.  Errors end the program.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BARE_SECTOR 512
#define BARE_THREADS_MAX 64

struct bare_list {
	uint64_t *items; /* byte addresses, in the order of the file */
	size_t count;
};

struct bare_inodes {
	uint64_t *items;
	size_t count, alloc;
};

void bare_inodes_add(struct bare_inodes *inodes, uint64_t ino);
/* Sort them; of each number one is left. */
void bare_inodes_unique(struct bare_inodes *inodes);

/* Lines "SECTOR COUNT" or, with @unit 1, byte addresses; what follows the first number is left. */
struct bare_list bare_read_list(const char *path, uint64_t unit);

/* Items 0 to count-1, each taken by one thread. */
struct bare_work {
	void (*run)(struct bare_work *work); /* in each thread: until bare_next() says 0 */
	size_t count;
	const void *arg;
	int fd;
	atomic_size_t next;
	atomic_ulong found; /* printed in the end, so that the work was not in vain */
};

/* 1 and an item, 0 when all are taken. */
int bare_next(struct bare_work *work, size_t *ret);

/* Run it in @threads threads, the caller's among them. */
void bare_spread(struct bare_work *work, unsigned int threads);

/* 1 to BARE_THREADS_MAX. */
unsigned int bare_threads(const char *arg);

/* The root directory of a filesystem. */
int bare_open(const char *folder);

/* A device number as the kernel's ioctls have it. */
uint32_t bare_device(dev_t devno);

void *bare_alloc(size_t count, size_t size);

#endif
