/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/clear-judge.c and clear-way.c: a table of claims and whether their bytes may be overwritten;
 * ranges that are not whole, and devices that stand on others.
 */
#include "clear.h"
#include "snapshot.h"

struct machine {
	struct snapshot snap;
	struct pme_dev *disk, *pool_disk, *lv;
	struct pme_clear clear;
};

static int setup(void **state)
{
	static struct machine m;
	struct pme_dev *pool;

	m = (struct machine){0};
	snap_init(&m.snap, NULL);
	m.disk = snap_disk(&m.snap, "pmem0", 64);
	m.pool_disk = snap_disk(&m.snap, "pmem1", 64);
	m.lv = snap_dm(&m.snap, "dm-0");
	snap_linear(m.lv, m.disk, 0, 8);
	pool = snap_dm(&m.snap, "dm-1");
	snap_line(pool, 8, "thin-pool", strdup(""));
	snap_stack(m.pool_disk, pool);
	*state = &m;
	return 0;
}

/* The snapshot is freed by its own. */
static void forget(struct machine *m)
{
	m->clear.scan.topo = NULL;
	pme_clear_done(&m->clear);
}

static int teardown(void **state)
{
	struct machine *m = *state;

	forget(m);
	snap_done(&m->snap);
	return 0;
}

static struct pme_finding *add_finding(struct machine *m, const struct pme_dev *dev,
				       struct pme_range range)
{
	struct pme_findings *findings = &m->clear.scan.findings;

	m->clear.scan.topo = m->snap.topo;
	assert_int_equal(pme_grow(&findings->items, &findings->alloc, findings->count,
				  sizeof(*findings->items)),
			 0);
	findings->items[findings->count] = (struct pme_finding){.dev = dev, .range = range};
	return &findings->items[findings->count++];
}

static struct pme_claim *add_claim(struct pme_finding *finding, uint64_t start, uint64_t length,
				   enum pme_owner_kind kind, enum pme_certainty certainty)
{
	struct pme_hop hop = {.dev = finding->dev, .kind = "disk", .start = start};
	struct pme_top top = {.hops = &hop, .n_hops = 1, .length = length};
	struct pme_claim *claim = pme_finding_add_claim(finding, &top, 0, length);

	assert_non_null(claim);
	claim->kind = kind;
	claim->certainty = certainty;
	return claim;
}

static void only_what_nobody_owns_is_written(void **state)
{
	static const struct pme_file parked = {.inode = 7, .vault = 3, .mode = 0100600},
				     checkpoint = {.inode = 8, .vault = 1, .mode = 0100600},
				     staging = {.inode = 9, .vault = 2, .mode = 0100600},
				     live = {.inode = 10, .mode = 0100600};
	static const struct {
		enum pme_owner_kind kind;
		enum pme_certainty certainty;
		const struct pme_file *file;
		bool pool;
		const char *why; /* part of the refusal; NULL: it is written */
	} cases[] = {
		{PME_OWNER_UNUSED, PME_EXACT, NULL, false, NULL},
		{PME_OWNER_UNUSED, PME_EXACT, NULL, true, "decides when these bytes are used"},
		{PME_OWNER_UNUSED, PME_UNCERTAIN, NULL, false, "not known whose"},
		{PME_OWNER_UNKNOWN, PME_UNCERTAIN, NULL, false, "not known whose"},
		{PME_OWNER_FREE, PME_EXACT, NULL, false, "free space"},
		{PME_OWNER_FILE_DATA, PME_EXACT, &parked, false, NULL},
		{PME_OWNER_UNWRITTEN, PME_EXACT, &parked, false, NULL},
		{PME_OWNER_FILE_DATA, PME_REDUNDANT, &parked, false, "kept elsewhere"},
		{PME_OWNER_FILE_DATA, PME_EXACT, &checkpoint, false, "pmemctl itself needs"},
		{PME_OWNER_FILE_DATA, PME_EXACT, &staging, false, "pmemctl itself needs"},
		{PME_OWNER_FILE_DATA, PME_EXACT, &live, false, "in use: file-data"},
		{PME_OWNER_FS_METADATA, PME_EXACT, NULL, false, "in use: fs-metadata"},
		{PME_OWNER_SWAP, PME_EXACT, NULL, false, "in use: swap"},
		{PME_OWNER_RAW_DEVICE, PME_EXACT, NULL, false, "in use: raw-device"},
		{PME_OWNER_RAID_PARITY, PME_REDUNDANT, NULL, false, "kept elsewhere"},
		{PME_OWNER_PARTITION_TABLE, PME_EXACT, NULL, false, "in use: partition-table"},
		{PME_OWNER_COW_STAGING, PME_EXACT, NULL, false, "in use: cow-staging"},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		const struct pme_dev *dev = cases[i].pool ? m->pool_disk : m->disk;
		struct pme_finding *finding =
			add_finding(m, dev, (struct pme_range){SECTORS(16), 4096});
		struct pme_claim *claim =
			add_claim(finding, SECTORS(16), 4096, cases[i].kind, cases[i].certainty);

		claim->file = cases[i].file;
		claim->has_file_start = cases[i].file != NULL;
		claim->own = cases[i].file && cases[i].file->vault > 0;
		assert_int_equal(pme_clear_judge(&m->clear), 0);
		assert_int_equal(m->clear.state,
				 cases[i].why ? PME_CLEAR_REFUSED : PME_CLEAR_PLANNED);
		if (cases[i].why)
			assert_non_null(strstr(m->clear.reason, cases[i].why));
		forget(m);
	}
}

/* One sharer that is no file in quarantine is enough, and so is a byte of which nothing is said. */
static void all_claims_count(void **state)
{
	static const struct pme_file parked = {.inode = 7, .vault = 3}, live = {.inode = 8};
	struct machine *m = *state;
	struct pme_finding *finding = add_finding(m, m->disk, (struct pme_range){0, 4096});
	struct pme_claim *claim = add_claim(finding, 0, 4096, PME_OWNER_FILE_DATA, PME_EXACT);

	claim->file = &parked;
	claim->own = claim->has_file_start = true;
	claim = add_claim(finding, 512, 512, PME_OWNER_FILE_DATA, PME_EXACT);
	claim->file = &live;
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	assert_int_equal(m->clear.state, PME_CLEAR_REFUSED);
	assert_null(m->clear.pieces[0].refusal);
	assert_non_null(m->clear.pieces[1].refusal);
	forget(m);

	finding = add_finding(m, m->disk, (struct pme_range){0, 4096});
	add_claim(finding, 0, 3584, PME_OWNER_UNUSED, PME_EXACT);
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	assert_int_equal(m->clear.state, PME_CLEAR_REFUSED);
	assert_non_null(strstr(m->clear.reason, "nothing is known"));
}

static void ranges_are_whole_sectors_of_a_disk(void **state)
{
	struct machine *m = *state;
	const struct {
		const struct pme_dev *dev;
		struct pme_range range;
		enum pme_clear_state state;
	} cases[] = {
		{m->disk, {512, 512}, PME_CLEAR_PLANNED},
		{m->disk, {513, 512}, PME_CLEAR_REFUSED},
		{m->disk, {512, 511}, PME_CLEAR_REFUSED},
		{m->lv, {512, 512}, PME_CLEAR_REFUSED},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_finding *finding = add_finding(m, cases[i].dev, cases[i].range);

		add_claim(finding, cases[i].range.start, cases[i].range.length, PME_OWNER_UNUSED,
			  PME_EXACT);
		assert_int_equal(pme_clear_judge(&m->clear), 0);
		assert_int_equal(m->clear.state, cases[i].state);
		assert_int_equal(m->clear.way.works, PME_CLEAR_UNKNOWN);
		forget(m);
	}
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	assert_int_equal(m->clear.state, PME_CLEAR_REFUSED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_nobody_owns_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(all_claims_count, setup, teardown),
		cmocka_unit_test_setup_teardown(ranges_are_whole_sectors_of_a_disk, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
