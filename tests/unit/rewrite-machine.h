/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of what md writes anew (lib/repair-rewrite.c, repair-md*.c): an array of four disks.
 *
 * The made-up sysfs does nothing by itself: who writes "check" finds "check", and a position that
 * the test has put there.
 */
#ifndef PME_TESTS_REWRITE_MACHINE_H
#define PME_TESTS_REWRITE_MACHINE_H

#include "check.h"
#include "repair-journal.h"
#include "repair-rewrite.h"
#include "snapshot.h"
#include "tree.h"

struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *disks[4], *array, *other;
	struct pme_repair_journal *journal;
};

static const struct {
	const char *what, *value;
} attributes[] = {
	{"array_state", "clean"},     {"degraded", "0"},
	{"sync_action", "idle"},      {"resync_start", "none"},
	{"reshape_position", "none"}, {"sync_min", "0"},
	{"sync_max", "max"},	      {"sync_completed", "none"},
	{"mismatch_cnt", "8"},
};

static inline void set(struct machine *m, const char *what, const char *value)
{
	_cleanup_free_ char *path = pme_printf("sys/block/md0/md/%s", what);
	_cleanup_free_ char *line = pme_printf("%s\n", value);

	tree_file(&m->tree, path, line);
}

static inline void check_attr(struct machine *m, const char *what, const char *value)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(pme_os_read_line(&m->tree.os, &text, "sys/block/md0/md/%s", what), 0);
	assert_string_equal(text, value);
}

static inline int setup(void **state)
{
	static struct machine m;
	_cleanup_free_ char *store = NULL;

	m = (struct machine){0};
	tree_init(&m.tree);
	for (size_t i = 0; i < PME_ARRAY_SIZE(attributes); i++)
		set(&m, attributes[i].what, attributes[i].value);
	snap_init(&m.snap, &m.tree.os);
	for (size_t i = 0; i < 4; i++) {
		_cleanup_free_ char *name = pme_printf("sd%c", (int)('a' + i));

		m.disks[i] = snap_disk(&m.snap, name, 4096);
	}
	m.other = snap_disk(&m.snap, "sdz", 4096);
	m.array = pme_topo_add_dev(m.snap.topo, "md0", PME_DEV_MD);
	assert_non_null(m.array);
	m.array->size = SECTORS(2048);
	m.array->uuid = strdup("0:1:2:3");
	m.array->md = calloc(1, sizeof(*m.array->md));
	m.array->md->components = calloc(4, sizeof(*m.array->md->components));
	m.array->md->n_components = 4;
	m.array->md->level = strdup("raid1");
	m.array->md->metadata = strdup("1.2");
	m.array->md->layout_known = true;
	m.array->md->raid_disks = 4;
	m.array->md->resynced = UINT64_MAX;
	for (size_t i = 0; i < 4; i++) {
		m.array->md->components[i] = (struct pme_md_component){
			.dev = m.disks[i],
			.slot = (int)i,
			.data_offset = SECTORS(16),
			.size = SECTORS(2048),
			.state = strdup("in_sync"),
			.synced = UINT64_MAX,
		};
		assert_int_equal(pme_topo_add_edge(m.disks[i], m.array), 0);
	}
	store = pme_printf("%s/store/store.db", m.tree.path);
	assert_int_equal(pme_repair_journal_open(store, &m.snap.log, &m.journal), 0);
	*state = &m;
	return 0;
}

static inline int teardown(void **state)
{
	struct machine *m = *state;

	pme_repair_journal_close(m->journal);
	snap_done(&m->snap);
	tree_done(&m->tree);
	return 0;
}

static inline void set_level(struct machine *m, const char *level, uint64_t chunk_sect)
{
	free(m->array->md->level);
	m->array->md->level = strdup(level);
	m->array->md->chunk = SECTORS(chunk_sect);
}

static struct pme_hop last_hops[2];
static struct pme_claim last_claim;
static struct pme_rewrite_piece last_piece;

static inline struct pme_rewrite rewrite_of(struct machine *m)
{
	last_hops[0] = (struct pme_hop){m->disks[1], "disk", SECTORS(16) + 8192};
	last_hops[1] = (struct pme_hop){m->array, "md-raid1", 8192};
	last_claim = (struct pme_claim){
		.hops = last_hops, .n_hops = 2, .length = 4096, .certainty = PME_REDUNDANT};
	assert_int_equal(pme_md_piece(&last_claim, &last_piece), 1);
	last_piece.claim = &last_claim;
	return (struct pme_rewrite){
		.how = PME_REWRITE_MD_CHECK,
		.layer = m->array,
		.window = last_piece.window,
		.pieces = &last_piece,
		.n_pieces = 1,
		.mismatches = PME_UNKNOWN,
	};
}

#endif
