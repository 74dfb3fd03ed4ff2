/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-rewrite.c, repair-md.c: which claims md can write anew and what it goes over; each
 * state of an array in which nothing may be done.
 */
#include "rewrite-machine.h"

/* ---- windows and claims ---- */

static void test_window(void **state)
{
	static const struct {
		struct pme_range range;
		uint64_t chunk;
		struct pme_range window;
	} cases[] = {
		{{0, 512}, 0, {0, 4096}},
		{{4096, 4096}, 0, {4096, 4096}},
		{{4608, 4096}, 0, {4096, 8192}},
		{{70000, 512}, 65536, {69632, 131072 - 69632}},
		{{65536, 65536}, 65536, {65536, 65536}},
		{{512, 512}, 1024, {0, 4096}},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_range w = pme_rewrite_window(cases[i].range, cases[i].chunk);

		assert_int_equal(w.start, cases[i].window.start);
		assert_int_equal(w.length, cases[i].window.length);
	}
}

static void test_pieces(void **state)
{
	struct machine *m = *state;
	struct pme_hop hops[] = {{m->disks[1], "disk", SECTORS(16) + 5120},
				 {m->array, "md-raid1", 1 << 20}};
	struct pme_claim claim = {
		.hops = hops, .n_hops = 2, .length = 512, .certainty = PME_REDUNDANT};
	struct pme_rewrite_piece piece;

	assert_int_equal(pme_md_piece(&claim, &piece), 1);
	assert_ptr_equal(piece.layer, m->array);
	assert_int_equal(piece.at.start, 5120);
	assert_int_equal(piece.window.start, 4096);
	assert_int_equal(piece.window.length, 4096);
	/* raid10 counts bytes of the array */
	set_level(m, "raid10", 128);
	assert_int_equal(pme_md_piece(&claim, &piece), 1);
	assert_int_equal(piece.at.start, 1 << 20);
	assert_int_equal(piece.window.length, 65536);
	/* nothing of an array that holds everything once */
	set_level(m, "raid0", 128);
	assert_int_equal(pme_md_piece(&claim, &piece), 0);
	set_level(m, "raid5", 128);
	claim.certainty = PME_EXACT;
	assert_int_equal(pme_md_piece(&claim, &piece), 0);
	claim.certainty = PME_UNCERTAIN;
	assert_int_equal(pme_md_piece(&claim, &piece), 0);
	/* before the data area */
	claim.certainty = PME_REDUNDANT;
	hops[0].start = SECTORS(8);
	assert_int_equal(pme_md_piece(&claim, &piece), 0);
	/* parity ends at the member */
	hops[0].start = SECTORS(16) + 65536;
	claim.n_hops = 1;
	claim.kind = PME_OWNER_RAID_PARITY;
	claim.certainty = PME_EXACT;
	assert_int_equal(pme_md_piece(&claim, &piece), 1);
	assert_int_equal(piece.at.start, 65536);
	hops[0].dev = m->other;
	assert_int_equal(pme_md_piece(&claim, &piece), 0);
}

/* ---- refusals ---- */

static void set_state(struct machine *m, size_t i, const char *state)
{
	free(m->array->md->components[i].state);
	m->array->md->components[i].state = strdup(state);
}

/* @part of the refusal; NULL: there is none. */
static void check_refusal(struct machine *m, const char *part)
{
	struct pme_rewrite rewrite = rewrite_of(m);
	_cleanup_free_ char *refusal = NULL;

	assert_int_equal(pme_md_refusal(m->snap.topo, &rewrite, &refusal), 0);
	if (!part) {
		assert_null(refusal);
		return;
	}
	assert_non_null(refusal);
	assert_non_null(strstr(refusal, part));
}

static void test_refusals_of_arrays(void **state)
{
	static const struct {
		const char *what, *value, *part;
	} cases[] = {
		{"array_state", "readonly", "read-only or not running"},
		{"array_state", "read-auto", "read-only or not running"},
		{"array_state", "suspended", "read-only or not running"},
		{"array_state", "write-pending", NULL},
		{"array_state", "active", NULL},
		{"degraded", "1", "degraded"},
		{"sync_action", "resync", "sync_action"},
		{"sync_action", "recover", "sync_action"},
		{"sync_action", "check", "sync_action"},
		{"sync_action", "frozen", "sync_action"},
		{"resync_start", "0", "resync_start"},
		{"reshape_position", "128", "reshaped"},
	};
	struct machine *m = *state;

	check_refusal(m, NULL);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *before = NULL;

		assert_int_equal(pme_os_read_line(&m->tree.os, &before, "sys/block/md0/md/%s",
						  cases[i].what),
				 0);
		set(m, cases[i].what, cases[i].value);
		check_refusal(m, cases[i].part);
		set(m, cases[i].what, before);
	}
	m->array->md->journal_back = true;
	check_refusal(m, "write-back journal");
	m->array->md->journal_back = false;
	m->array->md->reshape = true;
	check_refusal(m, "reshaped");
	m->array->md->reshape = false;
	free(m->array->md->metadata);
	m->array->md->metadata = strdup("external:imsm");
	check_refusal(m, "another program");
	free(m->array->md->metadata);
	m->array->md->metadata = strdup("1.2");
	set_level(m, "raid6", 128);
	m->array->md->layout = 10;
	check_refusal(m, "DDF");
	m->array->md->layout = 2;
	check_refusal(m, NULL);
}

static void test_refusals_of_members(void **state)
{
	static const struct {
		const char *state, *part;
	} cases[] = {
		{"in_sync,write_mostly", NULL},
		{"in_sync,want_replacement", NULL},
		{"in_sync,write_error", NULL},
		{"in_sync,failfast", "failfast"},
		{"in_sync,replacement", "replaces another"},
		{"faulty", "failed, or not rebuilt"},
		{"spare", "failed, or not rebuilt"},
		{"", "failed, or not rebuilt"},
	};
	struct machine *m = *state;
	struct pme_md_component *component = &m->array->md->components[2];

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		set_state(m, 2, cases[i].state);
		check_refusal(m, cases[i].part);
	}
	set_state(m, 2, "in_sync");
	component->synced = 4096;
	check_refusal(m, "not rebuilt");
	component->synced = UINT64_MAX;
	/* in its own list: in the window, beside it */
	assert_int_equal(pme_range_list_add(&component->bad, SECTORS(16) + 8192 + 512, 512), 0);
	check_refusal(m, "own list");
	component->bad.items[0].start = SECTORS(16) + 12288;
	check_refusal(m, NULL);
	set_level(m, "raid10", 8);
	check_refusal(m, "own list");
	pme_range_list_done(&component->bad);
	component->bad = (struct pme_range_list){0};
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_of_arrays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_of_members, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
