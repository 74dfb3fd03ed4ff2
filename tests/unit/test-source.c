/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/source.c: bad ranges of the user, and merging, which is compared with a model of one cell per
 * byte.
 */
#include "random.h"
#include "source-machine.h"

#define MODEL_BYTES 64

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
