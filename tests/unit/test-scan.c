/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/scan.c: whole scans of a made-up machine.  Below another root there are neither namespaces
 * nor dm tables nor filesystems that can be asked: disks with lists, partitions, an array, mounts.
 *
 * What is told of XFS, of regions and of volumes is for the tests in the guest.
 */
#include "scan.h"

#include "check.h"
#include "doc.h"
#include "snapshot.h"
#include "tree.h"

struct machine {
	struct tree tree;
	struct pme_scan scan;
};

/* pmem0 with two partitions, of which the first is mounted; sdb and sdc make an array. */
static int setup(void **state)
{
	static struct machine m;

	m = (struct machine){0};
	tree_init(&m.tree);
	tree_disk(&m.tree, "pmem0", "259:0", "8192");
	tree_partition(&m.tree, "pmem0", "pmem0p1", "259:1", "2048", "2048");
	tree_partition(&m.tree, "pmem0", "pmem0p2", "259:2", "4096", "1024");
	tree_file(&m.tree, "sys/class/block/pmem0/badblocks", "2048 8\n4100 2\n");
	tree_disk(&m.tree, "sdb", "8:16", "8192");
	tree_file(&m.tree, "proc/self/mountinfo", "30 27 259:1 / /srv rw - ext9 /dev/pmem0p1 rw\n");
	tree_file(&m.tree, "proc/swaps",
		  "Filename\tType\tSize\tUsed\tPriority\n/dev/pmem0p2 partition 512 0 -2\n");
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	pme_scan_done(&m->scan);
	tree_done(&m->tree);
	return 0;
}

static int run(struct machine *m, struct pme_scan_args args)
{
	args.block_size = 4096;
	args.default_length = 512;
	return pme_scan_run(&m->tree.os, &args, &m->tree.log, &m->scan);
}

static int run_selector(struct machine *m, const char *selector)
{
	char *selectors[] = {(char *)selector};

	return run(m, (struct pme_scan_args){.selectors = selectors, .n_selectors = 1});
}

static int run_range(struct machine *m, const char *range)
{
	char *ranges[] = {(char *)range};

	return run(m, (struct pme_scan_args){.ranges = ranges, .n_ranges = 1});
}

static const struct pme_claim *only_claim(const struct machine *m, size_t finding)
{
	assert_true(finding < m->scan.findings.count);
	assert_int_equal(m->scan.findings.items[finding].n_claims, 1);
	return &m->scan.findings.items[finding].claims[0];
}

static void check_last(const struct pme_claim *claim, const char *device, uint64_t start,
		       uint64_t length)
{
	const struct pme_hop *hop = &claim->hops[claim->n_hops - 1];

	assert_string_equal(hop->dev->name, device);
	assert_int_equal(hop->start, start);
	assert_int_equal(claim->length, length);
}

static void a_mounted_filesystem_of_no_known_kind(void **state)
{
	struct machine *m = *state;
	const struct pme_claim *claim;

	assert_int_equal(run_range(m, "pmem0:1048576+4096"), 0);
	claim = only_claim(m, 0);
	check_last(claim, "pmem0p1", 0, 4096);
	assert_int_equal(claim->kind, PME_OWNER_UNKNOWN);
	assert_int_equal(claim->verdict, PME_VERDICT_UNKNOWN);
	assert_string_equal(claim->reason,
			    "owners of blocks are not known for filesystems of type ext9");
	assert_string_equal(claim->fs->type, "ext9");
	assert_string_equal(claim->fs->mounts[0]->target, "/srv");
	assert_int_equal(m->scan.findings.items[0].known_by, PME_BY_USER);
	assert_true(m->tree.log.incomplete);
	assert_int_equal(pme_scan_exit(&m->scan, &m->tree.log), PME_EXIT_BAD | PME_EXIT_INCOMPLETE);
}

/* One range over the end of the filesystem: a claim for each part. */
static void a_range_over_two_users(void **state)
{
	struct machine *m = *state;
	const struct pme_finding *finding;

	assert_int_equal(run_range(m, "pmem0:4095s+2s"), 0);
	finding = &m->scan.findings.items[0];
	assert_int_equal(m->scan.findings.count, 1);
	assert_int_equal(finding->n_claims, 2);
	check_last(&finding->claims[0], "pmem0p1", 2047 * 512, 512);
	check_last(&finding->claims[1], "pmem0p2", 0, 512);
}

/* The disk's list, of which the selector keeps what passes it. */
static void selectors_filter_claims(void **state)
{
	static const struct {
		const char *selector;
		size_t findings;
	} cases[] = {{"pmem0", 2}, {"pmem0p1", 1}, {"pmem0p2", 1}, {"/srv/", 1}, {"sdb", 0}};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		assert_int_equal(run_selector(m, cases[i].selector), 0);
		assert_int_equal(m->scan.findings.count, cases[i].findings);
		pme_scan_done(&m->scan);
		m->scan = (struct pme_scan){0};
	}
}

static void lists_stop_before_the_climb(void **state)
{
	struct machine *m = *state;
	char *selectors[] = {(char *)"pmem0"};

	assert_int_equal(run(m, (struct pme_scan_args){.selectors = selectors,
						       .n_selectors = 1,
						       .only_kernel_lists = true}),
			 0);
	assert_int_equal(m->scan.bads.count, 2);
	assert_int_equal(m->scan.bads.items[0].known_by, PME_BY_BADBLOCKS);
	assert_int_equal(m->scan.findings.count, 0);
}

/* Without persistent memory there is nothing to look at, which is fine. */
static void nothing_selected(void **state)
{
	struct machine *m = *state;

	assert_int_equal(run(m, (struct pme_scan_args){0}), 0);
	assert_int_equal(m->scan.selection.bases.count, 0);
	assert_int_equal(m->scan.findings.count, 0);
	assert_false(m->tree.log.failed);
}

/* Overlapping questions are one finding for each byte. */
static void questions_are_merged(void **state)
{
	struct machine *m = *state;
	char *ranges[] = {(char *)"pmem0:2048s+8s", (char *)"pmem0p1:0+8s",
			  (char *)"pmem0:2050s+10s"};

	assert_int_equal(run(m, (struct pme_scan_args){.ranges = ranges, .n_ranges = 3}), 0);
	assert_int_equal(m->scan.findings.count, 2);
	check_last(only_claim(m, 0), "pmem0p1", 0, 12 * 512);
	check_last(only_claim(m, 1), "pmem0p1", 0, 8 * 512);
	assert_int_equal(m->scan.findings.n_fs, 1);
}

/* Every wrong question is said, and the first of them is the error. */
static void wrong_questions(void **state)
{
	struct machine *m = *state;
	char *ranges[] = {(char *)"pmem9:0", (char *)"pmem0:x", (char *)"pmem0:0"};
	char *lists[] = {(char *)"/nowhere:pmem0"};

	assert_int_equal(run(m, (struct pme_scan_args){.ranges = ranges,
						       .n_ranges = 3,
						       .lists = lists,
						       .n_lists = 1}),
			 -ENODEV);
	assert_non_null(tree_message(&m->tree, "pmem9"));
	assert_non_null(tree_message(&m->tree, "pmem0:x"));
	assert_non_null(tree_message(&m->tree, "/nowhere:pmem0"));
	assert_int_equal(m->scan.findings.count, 0);
	assert_true(pme_scan_exit(&m->scan, &m->tree.log) & PME_EXIT_ERROR);
}

static void a_wrong_selector(void **state)
{
	struct machine *m = *state;

	assert_int_equal(run_selector(m, "pmem9"), -ENODEV);
	assert_non_null(tree_message(&m->tree, "pmem9"));
}

static void a_machine_that_cannot_be_read(void **state)
{
	static const struct pme_os nowhere = {.root = -1};
	struct pme_scan_args args = {0};
	struct machine *m = *state;

	assert_true(pme_scan_run(&nowhere, &args, &m->tree.log, &m->scan) < 0);
	assert_non_null(tree_message(&m->tree, "/sys"));
	assert_true(pme_scan_exit(&m->scan, &m->tree.log) & PME_EXIT_ERROR);
}

#define MIB (1ULL << 20)

/*
 * Scan for @selector a region of 32 MiB with an fsdax namespace (1 MiB of metadata) and one in
 * sector mode, a volume on each, and bad bytes in the metadata, in the data and in the sector
 * namespace.
 */
static void scan_region(struct machine *m, const char *selector)
{
	struct pme_dev *region, *disk, *btt, *dm;
	char *selectors[] = {(char *)selector};
	struct pme_scan_args args = {.selectors = selectors, .n_selectors = 1};
	struct snapshot snap;

	snap_init(&snap, &m->tree.os);
	region = snap_region(&snap, "region0", 1 << 30, 32 * MIB, "nmem0");
	disk = snap_namespace(&snap, region, "namespace0.0", PME_MODE_FSDAX, 0, 16 * MIB, MIB,
			      "pmem0");
	btt = snap_namespace(&snap, region, "namespace0.1", PME_MODE_SECTOR, 16 * MIB, 16 * MIB,
			     MIB, "pmem0.1s");
	dm = snap_dm(&snap, "dm-0");
	snap_linear(dm, disk, 0, 8192);
	dm->swap = true;
	snap_linear(snap_dm(&snap, "dm-1"), btt, 0, 8192);
	tree_file(&m->tree, "sys/class/block/pmem0/badblocks", "");
	tree_file(&m->tree, "sys/class/block/pmem0.1s/badblocks", "");
	tree_file(&m->tree, "sys/bus/nd/devices/region0/badblocks", "0 8\n4096 8\n49152 8\n");
	m->scan.topo = snap.topo;
	snap.topo = NULL;
	assert_int_equal(pme_scan_snapshot(&args, &m->tree.log, &m->scan), 0);
	snap_done(&snap);
}

/* Kinds of owners of all claims, a blank behind each. */
static void check_owners(const struct machine *m, const char *expected)
{
	_cleanup_free_ char *got = NULL;

	for (size_t i = 0; i < m->scan.findings.count; i++)
		for (size_t c = 0; c < m->scan.findings.items[i].n_claims; c++)
			words_add(&got, pme_owner_name(m->scan.findings.items[i].claims[c].kind));
	assert_string_equal(got, expected);
}

/*
 * Where a block of a namespace in sector mode is cannot be known: it may be of every volume on it.
 * Nor can any volume do without the metadata of its namespace.
 */
static void what_a_volume_stands_on_is_told(void **state)
{
	static const struct {
		const char *selector, *owners;
	} cases[] = {
		{"region0", "swap namespace-metadata unknown "},
		{"nmem0", "swap namespace-metadata unknown "},
		{"pmem0", "swap namespace-metadata "},
		{"pmem0.1s", "unknown "},
		{"dm-0", "swap namespace-metadata "},
		{"dm-1", "unknown "},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		scan_region(m, cases[i].selector);
		check_owners(m, cases[i].owners);
		pme_scan_done(&m->scan);
		m->scan = (struct pme_scan){0};
	}
}

static void no_scan_is_an_empty_document(void **state)
{
	struct json_object *doc = pme_json_object();

	pme_scan_json_empty(doc);
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "summary"), "findings"), 0);
	assert_true(json_object_is_type(pme_json_get(doc, "findings"), json_type_array));
	json_object_put(doc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_mounted_filesystem_of_no_known_kind),
		TEST(a_range_over_two_users),
		TEST(selectors_filter_claims),
		TEST(lists_stop_before_the_climb),
		TEST(nothing_selected),
		TEST(questions_are_merged),
		TEST(wrong_questions),
		TEST(a_wrong_selector),
		TEST(a_machine_that_cannot_be_read),
		TEST(what_a_volume_stands_on_is_told),
		cmocka_unit_test(no_scan_is_an_empty_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
