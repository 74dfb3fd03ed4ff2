/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of lib/rest.c: a made-up tree, devices that are filled in by hand, and what their bytes
 * turn out to be.
 */
#ifndef PME_TESTS_REST_WORLD_H
#define PME_TESTS_REST_WORLD_H

#include "snapshot.h"
#include "tree.h"

#define DISK_SECTORS 4096

struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_tops tops;
};

static inline int setup(void **state)
{
	static struct machine m;

	tree_init(&m.tree);
	snap_init(&m.snap, &m.tree.os);
	m.tops = (struct pme_tops){0};
	*state = &m;
	return 0;
}

static inline int teardown(void **state)
{
	struct machine *m = *state;

	pme_tops_done(&m->tops);
	snap_done(&m->snap);
	tree_done(&m->tree);
	return 0;
}

static inline void rest(struct machine *m, const struct pme_dev *dev, struct pme_range range)
{
	struct pme_hop hop = {.dev = dev, .kind = pme_hop_kind(dev), .start = range.start};

	assert_int_equal(pme_rest(&m->snap.stack, &hop, 1, range, &m->tops), 0);
}

static inline void check_end(const struct machine *m, size_t i, uint64_t start, uint64_t end,
			     enum pme_owner_kind owner, const char *words)
{
	const struct pme_top *top = &m->tops.items[i];
	bool unknown = owner == PME_OWNER_UNKNOWN;

	assert_true(i < m->tops.count);
	assert_false(top->at_fs);
	assert_int_equal(top->hops[0].start, start);
	assert_int_equal(top->length, end - start);
	assert_int_equal(top->owner, owner);
	assert_int_equal(top->certainty, unknown ? PME_UNCERTAIN : PME_EXACT);
	assert_string_equal(unknown ? top->reason : top->detail, words);
	assert_null(unknown ? top->detail : top->reason);
}

static inline struct pme_range whole(const struct pme_dev *dev)
{
	return (struct pme_range){0, dev->size};
}

#endif
