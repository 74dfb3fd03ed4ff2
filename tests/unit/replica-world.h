/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of test-replica.c and test-replica-lack.c: a source, the directory of its versions, and
 * what is true.
 */
#ifndef PME_TESTS_REPLICA_WORLD_H
#define PME_TESTS_REPLICA_WORLD_H

#include <fcntl.h>
#include <string.h>

#include "check.h"
#include "random.h"
#include "replica.h"
#include "saved-place.h"
#include "tree.h"

#define BLOCK PME_SAVED_BLOCK
#define SIZE (3 * (1U << 20) + 5000)

struct replica_world {
	struct tree tree;
	int dir, source;
	char *truth;
	struct rnd rnd;
};

static inline int replica_world_set_up(void **state)
{
	struct replica_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	tree_init(&w->tree);
	tree_file(&w->tree, "s/source", "");
	tree_dir(&w->tree, "object");
	w->rnd = rnd_start();
	w->source = pme_os_open(&w->tree.os, "s/source", O_RDWR);
	w->dir = pme_os_open(&w->tree.os, "object", O_RDONLY | O_DIRECTORY);
	w->truth = malloc(SIZE);
	assert_true(w->source >= 0 && w->dir >= 0);
	assert_non_null(w->truth);
	for (size_t i = 0; i < SIZE; i++)
		w->truth[i] = (char)rnd_u64(&w->rnd);
	assert_int_equal(pwrite(w->source, w->truth, SIZE, 0), SIZE);
	*state = w;
	return 0;
}

static inline int replica_world_tear_down(void **state)
{
	struct replica_world *w = *state;

	close(w->source);
	close(w->dir);
	free(w->truth);
	tree_done(&w->tree);
	free(w);
	return 0;
}

/* All data, or with a hole of [@hole, @hole + 64 KiB). */
static inline void make_manifest(struct pme_manifest *m, uint64_t version, uint64_t hole)
{
	*m = (struct pme_manifest){
		.protection = strdup("0123456789abcdef"),
		.fs_uuid = strdup("a-b"),
		.path = strdup("/f"),
		.generation = version,
		.inode = 5,
		.size = SIZE,
	};
	m->extents.items = calloc(3, sizeof(*m->extents.items));
	assert_non_null(m->extents.items);
	m->extents.items[0].range.length = hole ? hole : SIZE;
	m->extents.count = hole ? 3 : 1;
	if (!hole)
		return;
	m->extents.items[1].range = (struct pme_range){hole, 65536};
	m->extents.items[1].state = PME_EXTENT_HOLE;
	m->extents.items[2].range = (struct pme_range){hole + 65536, SIZE - hole - 65536};
}

static inline int write_version(struct replica_world *w, uint64_t version,
				const struct pme_saved *base, const struct pme_range_list *changed,
				struct pme_replica_job *ret)
{
	struct pme_manifest m;
	int r;

	make_manifest(&m, version, 0);
	*ret = (struct pme_replica_job){
		.object = w->dir,
		.source = w->source,
		.base = base,
		.changed = changed,
		.manifest = &m,
	};
	r = pme_replica_write(ret);
	pme_manifest_done(&m);
	if (r == 0)
		r = pme_replica_sync(w->dir, version);
	return r < 0 ? r : pme_replica_publish(w->dir, version);
}

static inline void load(const struct replica_world *w, uint64_t version, struct pme_saved *ret)
{
	const char *why;

	assert_int_equal(pme_saved_load(w->dir, version, -1, ret, &why), 0);
	assert_null(why);
}

static inline void flip(const struct replica_world *w, const char *name, off_t at)
{
	int fd = pme_os_open_at(w->dir, name, O_RDWR);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

#endif
