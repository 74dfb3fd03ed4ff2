/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/source.c: bad ranges of every source.  Merging is compared with a model of one cell per byte;
 * the kernel's lists are files of a made-up tree.
 */
#include "source.h"

#include "random.h"
#include "snapshot.h"
#include "tree.h"

#define MIB (1ULL << 20)
#define MODEL_BYTES 64

struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *region, *disk;
	struct pme_bads bads;
};

/* Region of 32 MiB: 1 MiB unused, a namespace of 8 MiB with 1 MiB of metadata, one for devdax. */
static int setup(void **state)
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

static int teardown(void **state)
{
	struct machine *m = *state;

	pme_bads_done(&m->bads);
	snap_done(&m->snap);
	tree_done(&m->tree);
	return 0;
}

static void check_bad(const struct pme_bads *bads, size_t i, const struct pme_dev *dev,
		      uint64_t start, uint64_t length, unsigned int known_by)
{
	assert_true(i < bads->count);
	assert_ptr_equal(bads->items[i].dev, dev);
	assert_int_equal(bads->items[i].range.start, start);
	assert_int_equal(bads->items[i].range.length, length);
	assert_int_equal(bads->items[i].known_by, known_by);
}

/* Sources of each byte of each of two devices; no bits: not bad. */
struct model {
	unsigned int known_by[2][MODEL_BYTES];
};

static void add_random(struct rnd *rnd, const struct pme_dev devs[2], uint64_t shift,
		       struct pme_bads *bads, struct model *model)
{
	uint64_t dev = rnd_below(rnd, 2), start = rnd_below(rnd, MODEL_BYTES);
	uint64_t length = 1 + rnd_below(rnd, pme_min(MODEL_BYTES - start, 12));
	unsigned int known_by = 1U << rnd_below(rnd, 3);

	assert_int_equal(
		pme_bads_add(bads, &devs[dev], (struct pme_range){shift + start, length}, known_by),
		0);
	for (uint64_t i = 0; i < length; i++)
		model->known_by[dev][start + i] |= known_by;
}

static void check_model(const struct pme_dev devs[2], uint64_t shift, const struct pme_bads *bads,
			struct model *model)
{
	for (size_t i = 0; i < bads->count; i++) {
		const struct pme_bad *bad = &bads->items[i], *last = i ? bad - 1 : NULL;

		if (last && last->dev == bad->dev) {
			assert_true(pme_range_end(last->range) <= bad->range.start);
			assert_true(pme_range_end(last->range) < bad->range.start ||
				    last->known_by != bad->known_by);
		}
		for (uint64_t k = 0; k < bad->range.length; k++) {
			unsigned int *cell =
				&model->known_by[bad->dev - devs][bad->range.start - shift + k];

			assert_int_equal(*cell, bad->known_by);
			*cell = 0;
		}
	}
	for (size_t i = 0; i < 2 * MODEL_BYTES; i++)
		assert_int_equal(model->known_by[i / MODEL_BYTES][i % MODEL_BYTES], 0);
}

/* At the start of the numbers, and up to their very end. */
static void merging_is_as_modelled(void **state)
{
	static const struct pme_dev devs[2] = {{.name = (char *)"a"}, {.name = (char *)"b"}};
	static const uint64_t shifts[] = {0, UINT64_MAX - MODEL_BYTES};
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 4000; round++) {
		uint64_t shift = shifts[round % 2];
		struct pme_bads bads = {0};
		struct model model = {0};

		for (uint64_t n = rnd_below(&rnd, 12); n > 0; n--)
			add_random(&rnd, devs, shift, &bads, &model);
		assert_int_equal(pme_bads_merge(&bads), 0);
		check_model(devs, shift, &bads, &model);
		pme_bads_done(&bads);
	}
}

static void ranges_of_the_user(void **state)
{
	static const struct {
		const char *spec;
		uint64_t start, length;
	} cases[] = {
		{"pmem0:0+4096", 0, 4096},	     {"pmem0:512", 512, 777},
		{"/dev/pmem0:8s+1k", 4096, 1024},    {"namespace0.0:1m+1", 1 << 20, 1},
		{"pmem0:7340031+1", 7 * MIB - 1, 1},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		assert_int_equal(
			pme_source_range(m->snap.topo, cases[i].spec, 777, &m->snap.log, &m->bads),
			0);
		check_bad(&m->bads, i, m->disk, cases[i].start, cases[i].length, PME_BY_USER);
	}
	assert_int_equal(m->snap.log.count, 0);
}

/* The last colon ends the name. */
static void names_may_have_colons(void **state)
{
	struct machine *m = *state;
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	dm->alias = strdup("a:b:c");
	dm->size = 4096;
	assert_int_equal(pme_source_range(m->snap.topo, "a:b:c:1+2", 1, &m->snap.log, &m->bads), 0);
	check_bad(&m->bads, 0, dm, 1, 2, PME_BY_USER);
}

static void ranges_that_are_refused(void **state)
{
	static const char syntax[] = "not a range: expected DEV:START+LENGTH, each number in bytes "
				     "or with suffix s, k, m, g or t";
	static const char missing[] = "no such block device, namespace or region";
	static const struct {
		const char *spec;
		int error;
		const char *subject, *words;
	} cases[] = {
		{"", -EINVAL, "", syntax},
		{"pmem0", -EINVAL, "pmem0", syntax},
		{":0+1", -EINVAL, ":0+1", syntax},
		{"pmem0:", -EINVAL, "pmem0:", syntax},
		{"pmem0:0+0", -EINVAL, "pmem0:0+0", syntax},
		{"pmem0:1-2", -EINVAL, "pmem0:1-2", syntax},
		{"pmem0:1++2", -EINVAL, "pmem0:1++2", syntax},
		{"pmem0:+2", -EINVAL, "pmem0:+2", syntax},
		{"pmem0:1:2", -ENODEV, "pmem0:1", missing},
		{"pmem0:18446744073709551615+1", -EINVAL, "pmem0:18446744073709551615+1", syntax},
		{"pmem9:0+1", -ENODEV, "pmem9", missing},
		{"pmem0:7340031+2", -ERANGE, "pmem0:7340031+2",
		 "bytes 7340031 to 7340032 lie behind the end of pmem0 (7340032 bytes)"},
		{"pmem0:7340032", -ERANGE, "pmem0:7340032",
		 "bytes 7340032 to 7340032 lie behind the end of pmem0 (7340032 bytes)"},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_log log = {0};

		assert_int_equal(pme_source_range(m->snap.topo, cases[i].spec, 1, &log, &m->bads),
				 cases[i].error);
		assert_true(log.failed);
		assert_int_equal(log.count, 1);
		assert_string_equal(log.messages[0].subject, cases[i].subject);
		assert_string_equal(log.messages[0].text, cases[i].words);
		pme_log_done(&log);
	}
	assert_int_equal(m->bads.count, 0);
}

/* "TREE/NAME:DEV" */
static char *file_spec(const struct machine *m, const char *rest)
{
	char *spec = pme_printf("%s/%s", m->tree.path, rest);

	assert_non_null(spec);
	return spec;
}

static int read_list(struct machine *m, const char *rest)
{
	_cleanup_free_ char *spec = file_spec(m, rest);

	return pme_source_file(m->snap.topo, spec, 4096, &m->snap.log, &m->bads);
}

static void lists_of_the_user(void **state)
{
	struct machine *m = *state;

	tree_file(&m->tree, "lists/kernel", "8 8\n100 1\n16 8\n");
	tree_file(&m->tree, "lists/one:two", "# blocks\n3\n\n5\n");
	tree_file(&m->tree, "lists/empty", "");
	assert_int_equal(read_list(m, "lists/kernel:pmem0"), 0);
	assert_int_equal(m->bads.count, 2);
	check_bad(&m->bads, 0, m->disk, SECTORS(8), SECTORS(16), PME_BY_USER);
	check_bad(&m->bads, 1, m->disk, SECTORS(100), 512, PME_BY_USER);
	assert_int_equal(read_list(m, "lists/one:two:/dev/pmem0"), 0);
	assert_int_equal(m->bads.count, 4);
	check_bad(&m->bads, 3, m->disk, 5 * 4096, 4096, PME_BY_USER);
	assert_int_equal(read_list(m, "lists/empty:pmem0"), 0);
	assert_int_equal(m->bads.count, 4);
	assert_int_equal(m->snap.log.count, 0);
}

/* FILE:DEV where DEV has a colon: the first colon behind a file that exists counts. */
static void devices_of_lists_may_have_colons(void **state)
{
	struct machine *m = *state;
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	dm->alias = strdup("a:b");
	dm->size = 4096;
	tree_file(&m->tree, "lists/x", "0 1\n");
	assert_int_equal(read_list(m, "lists/x:a:b"), 0);
	check_bad(&m->bads, 0, dm, 0, 512, PME_BY_USER);
}

static void lists_that_are_refused(void **state)
{
	static const struct {
		const char *rest;
		int error;
		const char *words;
	} cases[] = {
		{"lists/none:pmem0", -ENOENT, "no such file: expected FILE:DEV"},
		{"lists/good", -EINVAL, "not a list of bad blocks: expected FILE:DEV"},
		{"lists/good:", -ENOENT, "no such file: expected FILE:DEV"},
		{"lists/good:pmem9", -ENODEV, "no such block device, namespace or region"},
		{"lists/bad:pmem0", -EINVAL,
		 "line 2: expected \"SECTOR COUNT\", or one block number per line"},
		{"lists/huge:pmem0", -EINVAL,
		 "line 1: expected \"SECTOR COUNT\", or one block number per line"},
		{"lists/behind:pmem0", -ERANGE,
		 "bytes 7339520 to 7340543 lie behind the end of pmem0 (7340032 bytes)"},
		{"lists:pmem0", -EIO, "cannot read the list: Is a directory"},
	};
	struct machine *m = *state;

	tree_file(&m->tree, "lists/good", "0 1\n");
	tree_file(&m->tree, "lists/bad", "0 1\n0x10 1\n");
	tree_file(&m->tree, "lists/huge", "18446744073709551615 1\n");
	tree_file(&m->tree, "lists/behind", "14335 2\n");
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_log log = {0};
		_cleanup_free_ char *spec = file_spec(m, cases[i].rest);

		assert_int_equal(pme_source_file(m->snap.topo, spec, 4096, &log, &m->bads),
				 cases[i].error);
		assert_true(log.failed);
		assert_int_equal(log.count, 1);
		assert_string_equal(log.messages[0].text, cases[i].words);
		pme_log_done(&log);
	}
}

/* The lists of the kernel, for these selectors. */
static void read_kernel(struct machine *m, const char *selector)
{
	_cleanup_(pme_selection_done) struct pme_selection selection = {0};
	char *selectors[] = {(char *)selector};

	assert_int_equal(
		pme_select(m->snap.topo, selectors, selector ? 1 : 0, &m->snap.log, &selection), 0);
	assert_int_equal(pme_source_kernel(m->snap.topo, &selection, &m->snap.log, &m->bads), 0);
	assert_int_equal(pme_bads_merge(&m->bads), 0);
}

static void put_lists(struct machine *m, const char *disk, const char *region)
{
	if (disk)
		tree_file(&m->tree, "sys/class/block/pmem0/badblocks", disk);
	if (region)
		tree_file(&m->tree, "sys/bus/nd/devices/region0/badblocks", region);
}

/* 2 MiB of the region is byte 0 of the disk. */
static void a_region_speaks_of_its_disk(void **state)
{
	struct machine *m = *state;

	put_lists(m, "0 8\n", "4096 16\n");
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 2);
	check_bad(&m->bads, 0, m->disk, 0, 4096, PME_BY_BADBLOCKS | PME_BY_REGION);
	check_bad(&m->bads, 1, m->disk, 4096, 4096, PME_BY_REGION);
	assert_int_equal(m->snap.log.count, 0);
}

/* From the unused front over the metadata into the data, and the devdax namespace. */
static void what_no_disk_has_stays_with_the_region(void **state)
{
	struct machine *m = *state;

	put_lists(m, "", "2040 16\n4088 16\n32768 8\n49144 16\n");
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 5);
	check_bad(&m->bads, 0, m->disk, 0, 4096, PME_BY_REGION);
	check_bad(&m->bads, 1, m->region, SECTORS(2040), SECTORS(16), PME_BY_REGION);
	check_bad(&m->bads, 2, m->region, SECTORS(4088), SECTORS(8), PME_BY_REGION);
	check_bad(&m->bads, 3, m->region, SECTORS(32768), SECTORS(8), PME_BY_REGION);
	check_bad(&m->bads, 4, m->region, SECTORS(49144), SECTORS(16), PME_BY_REGION);
}

/* Only namespaces whose device is selected are looked at. */
static void disks_that_are_not_selected_are_left_out(void **state)
{
	struct machine *m = *state;
	struct pme_dev *other = snap_namespace(&m->snap, m->region, "namespace0.2", PME_MODE_RAW,
					       24 * MIB, 4 * MIB, 0, "pmem2");

	put_lists(m, "0 8\n", "49152 8\n4096 8\n");
	tree_file(&m->tree, "sys/class/block/pmem2/badblocks", "");
	read_kernel(m, "pmem2");
	assert_int_equal(m->bads.count, 1);
	check_bad(&m->bads, 0, other, 0, 4096, PME_BY_REGION);
}

static void without_addresses_all_stays_with_the_region(void **state)
{
	struct machine *m = *state;

	((struct pme_region *)m->region->region)->resource = PME_UNKNOWN;
	put_lists(m, "8 8\n", "4096 16\n");
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 2);
	check_bad(&m->bads, 0, m->disk, 4096, 4096, PME_BY_BADBLOCKS);
	check_bad(&m->bads, 1, m->region, 2 * MIB, 8192, PME_BY_REGION);
}

/* Lists that stop too early, make no sense or are not there: said, and never "complete". */
static void lists_that_are_not_whole(void **state)
{
	static const struct {
		const char *disk, *region, *subject, *words;
		size_t bads;
	} cases[] = {
		{"0 8\n16 1", "", "pmem0",
		 "the kernel's list of bad blocks is cut off at 4095 bytes: at least 1 entries, "
		 "more are not shown; clear or replace what is listed, then scan again",
		 1},
		{"0 8\nx 1\n", "", "pmem0",
		 "the kernel's list of bad blocks is malformed in line 2", 0},
		{"", "0 8\n65536 1\n", "region0",
		 "the kernel lists bad blocks behind the end of the device", 1},
		{"14335 2\n", "", "pmem0",
		 "the kernel lists bad blocks behind the end of the device", 1},
		{NULL, "", "pmem0", "cannot read badblocks: No such file or directory", 0},
		{"", NULL, "region0", "cannot read badblocks: No such file or directory", 0},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		put_lists(m, cases[i].disk, cases[i].region);
		read_kernel(m, NULL);
		assert_int_equal(m->bads.count, cases[i].bads);
		assert_int_equal(m->snap.log.count, 1);
		assert_string_equal(snap_message(&m->snap, cases[i].subject), cases[i].words);
		assert_true(m->snap.log.incomplete);
		assert_false(m->snap.log.failed);
		pme_bads_done(&m->bads);
		pme_log_done(&m->snap.log);
		unlinkat(m->tree.os.root, "sys/class/block/pmem0/badblocks", 0);
		unlinkat(m->tree.os.root, "sys/bus/nd/devices/region0/badblocks", 0);
	}
}

/* 512 entries are all that the kernel's table holds; 4095 bytes all that it shows. */
static void full_and_clipped_tables(void **state)
{
	struct machine *m = *state;
	char full[8192] = "", clipped[4096];
	size_t used = 0;

	for (int i = 0; i < 512; i++)
		used += (size_t)snprintf(full + used, sizeof(full) - used, "%d 1\n", 2 * i);
	memset(clipped, '\n', 4095);
	clipped[4095] = '\0';
	memcpy(clipped, "8 8", 3);
	used = strlen(full);
	assert_true(used < 4095);
	put_lists(m, full, clipped);
	read_kernel(m, NULL);
	assert_int_equal(m->bads.count, 513);
	assert_string_equal(snap_message(&m->snap, "pmem0"),
			    "the kernel's table of bad blocks is full (512 entries): later errors "
			    "were dropped; clear or replace what is listed, then scrub");
	assert_string_equal(snap_message(&m->snap, "region0"),
			    "the kernel's list of bad blocks is cut off at 4095 bytes: at least 1 "
			    "entries, more are not shown; clear or replace what is listed, then "
			    "scan again");
	assert_true(m->snap.log.incomplete);
}

/* A disk of another kind: whether its kernel driver keeps a list is no fault. */
static void disks_without_a_list(void **state)
{
	struct machine *m = *state;

	snap_disk(&m->snap, "sda", 100);
	read_kernel(m, "sda");
	assert_int_equal(m->bads.count, 0);
	assert_string_equal(snap_message(&m->snap, "sda"),
			    "the kernel keeps no list of bad blocks for this device");
	assert_false(m->snap.log.incomplete);
}

/* Its bad blocks are in lists of devices that are not known: not the same as no bad blocks. */
static void volumes_on_nothing_are_incomplete(void **state)
{
	struct machine *m = *state;
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	snap_line(dm, 8, "linear", strdup("8:1 0"));
	read_kernel(m, "dm-0");
	assert_string_equal(snap_message(&m->snap, "dm-0"),
			    "the devices below it are not known: their bad blocks are not read");
	assert_true(m->snap.log.incomplete);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(merging_is_as_modelled),
		TEST(ranges_of_the_user),
		TEST(names_may_have_colons),
		TEST(ranges_that_are_refused),
		TEST(lists_of_the_user),
		TEST(devices_of_lists_may_have_colons),
		TEST(lists_that_are_refused),
		TEST(a_region_speaks_of_its_disk),
		TEST(what_no_disk_has_stays_with_the_region),
		TEST(disks_that_are_not_selected_are_left_out),
		TEST(without_addresses_all_stays_with_the_region),
		TEST(lists_that_are_not_whole),
		TEST(full_and_clipped_tables),
		TEST(disks_without_a_list),
		TEST(volumes_on_nothing_are_incomplete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
