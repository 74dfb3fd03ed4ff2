/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of lib/source.c: a region with two namespaces, and a made-up tree for the kernel's
 * lists of bad blocks.
 */
#ifndef PME_TESTS_SOURCE_MACHINE_H
#define PME_TESTS_SOURCE_MACHINE_H

#include "snapshot.h"
#include "source.h"
#include "tree.h"

#define MIB (1ULL << 20)

struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *region, *disk;
	struct pme_bads bads;
};

/* Region of 32 MiB: 1 MiB unused, a namespace of 8 MiB with 1 MiB of metadata, one for devdax. */
static inline int setup(void **state)
{
	static struct machine m;

	m = (struct machine){0};
	tree_init(&m.tree);
	snap_init(&m.snap, &m.tree.os);
	m.region = snap_region(&m.snap, "region0", 1 << 30, 32 * MIB, "nmem0");
	m.disk = snap_namespace(&m.snap, m.region, "namespace0.0", PME_MODE_FSDAX, MIB, 8 * MIB,
				MIB, "pmem0");
	snap_namespace(&m.snap, m.region, "namespace0.1", PME_MODE_DEVDAX, 16 * MIB, 8 * MIB, MIB,
		       "dax0.1");
	*state = &m;
	return 0;
}

static inline int teardown(void **state)
{
	struct machine *m = *state;

	pme_bads_done(&m->bads);
	snap_done(&m->snap);
	tree_done(&m->tree);
	return 0;
}

static inline void check_bad(const struct pme_bads *bads, size_t i, const struct pme_dev *dev,
			     uint64_t start, uint64_t length, unsigned int known_by)
{
	assert_true(i < bads->count);
	assert_ptr_equal(bads->items[i].dev, dev);
	assert_int_equal(bads->items[i].range.start, start);
	assert_int_equal(bads->items[i].range.length, length);
	assert_int_equal(bads->items[i].known_by, known_by);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
