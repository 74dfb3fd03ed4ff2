/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-md.c: the parsers by tables of text, and arrays on made-up trees.
 */
#include "topo.h"

#include "check.h"
#include "tree.h"

#define KIB 1024ULL

static const struct pme_md_text sane = {"raid0", "3", "2", "65536", "none", NULL, NULL, NULL, NULL};

static void test_array_text(void **state)
{
	static const struct {
		struct pme_md_text text;
		int result;
		uint64_t chunk, layout, disks;
		bool layout_known, reshape;
	} cases[] = {
		{{"raid0", "3", "2", "65536", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 2,
		 3,
		 true,
		 false},
		{{"raid1", "2", "0", "0", "none", NULL, NULL, NULL, NULL}, 0, 0, 0, 2, true, false},
		{{"raid0", "3", "", "65536", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 0,
		 3,
		 false,
		 false},
		{{"raid0", "3", NULL, "65536", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 0,
		 3,
		 false,
		 false},
		{{"raid5", "4", "2 (3)", "65536", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 2,
		 4,
		 false,
		 false},
		{{"raid5", "4 (3)", "2", "65536 (32768)", "4096", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 2,
		 4,
		 true,
		 true},
		{{"raid5", "4", "2", "65536 (32768)", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 2,
		 4,
		 true,
		 true},
		{{"raid5", "4 (3)", "2", "65536", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 2,
		 4,
		 true,
		 true},
		{{"raid0", "3", "-1", "65536", "none", NULL, NULL, NULL, NULL},
		 0,
		 65536,
		 0,
		 3,
		 false,
		 false},
		{{NULL, "3", "2", "65536", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"", "3", "2", "65536", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", NULL, "2", "65536", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", NULL, "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", "65536", NULL, NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", "64k", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", "65536 (1", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", "65536 (1) x", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", "65536 ()", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "3", "2", "65536", "soon", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "2147483648", "2", "65536", "none", NULL, NULL, NULL, NULL},
		 -ERANGE,
		 0,
		 0,
		 0,
		 false,
		 false},
		{{"raid0", "18446744073709551616", "2", "1", "none", NULL, NULL, NULL, NULL},
		 -EINVAL,
		 0,
		 0,
		 0,
		 0,
		 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_md md = {0};

		assert_int_equal(pme_md_parse(&cases[i].text, &md), cases[i].result);
		assert_int_equal(md.chunk, cases[i].chunk);
		assert_int_equal(md.raid_disks, cases[i].disks);
		assert_int_equal(md.layout_known, cases[i].layout_known);
		assert_int_equal(md.reshape, cases[i].reshape);
		if (md.layout_known)
			assert_int_equal(md.layout, cases[i].layout);
		pme_md_done(&md);
	}
}

static void test_component_text(void **state)
{
	static const struct {
		struct pme_md_component_text text;
		int result, slot;
		uint64_t offset, size;
	} cases[] = {
		{{"0", "2048", "1024", "in_sync", NULL}, 0, 0, 2048 * 512, 1024 * KIB},
		{{"none", "0", "8", "spare", NULL}, 0, -1, 0, 8 * KIB},
		{{"journal", "0", "8", NULL, NULL}, 0, -1, 0, 8 * KIB},
		{{"", "0", "8", "in_sync", NULL}, -EINVAL, 0, 0, 0},
		{{NULL, "0", "8", "in_sync", NULL}, -EINVAL, 0, 0, 0},
		{{"-1", "0", "8", "in_sync", NULL}, -EINVAL, 0, 0, 0},
		{{"2147483648", "0", "8", "in_sync", NULL}, -ERANGE, 0, 0, 0},
		{{"0", NULL, "8", "in_sync", NULL}, -EINVAL, 0, 0, 0},
		{{"0", "0", "8 KiB", "in_sync", NULL}, -EINVAL, 0, 0, 0},
		{{"0", "36028797018963968", "8", "in_sync", NULL}, -ERANGE, 0, 0, 0},
		{{"0", "0", "18014398509481984", "in_sync", NULL}, -ERANGE, 0, 0, 0},
		{{"0", "36028797018963967", "18014398509481983", "in_sync", NULL},
		 -ERANGE,
		 0,
		 0,
		 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_md_component c = {0};

		assert_int_equal(pme_md_component_parse(&cases[i].text, &c), cases[i].result);
		assert_int_equal(c.slot, cases[i].slot);
		assert_int_equal(c.data_offset, cases[i].offset);
		assert_int_equal(c.size, cases[i].size);
		free(c.state);
	}
}

static int setup(void **state)
{
	static struct tree tree;

	tree_init(&tree);
	*state = &tree;
	return 0;
}

static int teardown(void **state)
{
	tree_done(*state);
	return 0;
}

static void add_component(struct tree *tree, const char *name, const char *slot, const char *offset,
			  const char *size)
{
	const struct {
		const char *attr, *text;
	} attrs[] = {{"slot", slot}, {"offset", offset}, {"size", size}, {"state", "in_sync"}};

	for (size_t i = 0; i < PME_ARRAY_SIZE(attrs); i++) {
		_cleanup_free_ char *attr = pme_printf("md/dev-%s/%s", name, attrs[i].attr);

		tree_attr(tree, "md0", attr, attrs[i].text);
	}
}

static void add_array(struct tree *tree, const struct pme_md_text *text)
{
	tree_disk(tree, "md0", "9:0", "10000");
	tree_disk(tree, "pmem0", "259:0", "8192");
	tree_disk(tree, "pmem1", "259:1", "16384");
	tree_disk(tree, "pmem2", "259:2", "4096");
	tree_attr(tree, "md0", "md/array_state", "clean");
	tree_attr(tree, "md0", "md/level", text->level);
	tree_attr(tree, "md0", "md/raid_disks", text->raid_disks);
	tree_attr(tree, "md0", "md/layout", text->layout);
	tree_attr(tree, "md0", "md/chunk_size", text->chunk_size);
	tree_attr(tree, "md0", "md/reshape_position", text->reshape_position);
}

static struct pme_dev *load_array(struct tree *tree)
{
	struct pme_dev *dev;

	assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), 0);
	dev = pme_topo_find(&tree->topo, "md0");
	assert_int_equal(dev->kind, PME_DEV_MD);
	assert_int_equal(pme_topo_load_md(&tree->topo, dev, &tree->log), 0);
	return dev;
}

static void test_array(void **state)
{
	static const char *const order[] = {"pmem2", "pmem0", "pmem1"};
	struct tree *tree = *state;
	struct pme_dev *dev;

	add_array(tree, &sane);
	add_component(tree, "pmem0", "1", "2048", "3072");
	add_component(tree, "pmem1", "2", "2048", "7168");
	add_component(tree, "pmem2", "0", "1024", "1536");
	dev = load_array(tree);
	assert_int_equal(dev->table_error, 0);
	assert_string_equal(dev->md->level, "raid0");
	assert_int_equal(dev->md->n_components, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(dev->md->components[i].dev->name, order[i]);
		assert_int_equal(dev->md->components[i].slot, i);
	}
	assert_int_equal(dev->md->components[0].data_offset, 1024 * 512);
	assert_int_equal(dev->md->components[0].size, 1536 * KIB);
	assert_int_equal(dev->n_lowers, 3);
	assert_int_equal(tree->log.count, 0);
}

static void test_spare_last(void **state)
{
	struct tree *tree = *state;
	struct pme_dev *dev;

	add_array(tree, &sane);
	add_component(tree, "pmem0", "none", "0", "8");
	add_component(tree, "pmem1", "0", "0", "8");
	add_component(tree, "gone", "none", "0", "8");
	dev = load_array(tree);
	assert_int_equal(dev->md->n_components, 2);
	assert_string_equal(dev->md->components[0].dev->name, "pmem1");
	assert_int_equal(dev->md->components[1].slot, -1);
}

/* Each of these must leave the array unknown, and say so. */
static void test_refused(void **state)
{
	static const struct {
		const char *name, *slot, *offset, *size;
		int error;
	} cases[] = {
		{"gone", "0", "0", "8", -ENODEV},
		{"pmem0", "0", "2048", "3073", -ERANGE},
		{"pmem0", "zero", "0", "8", -EINVAL},
		{"pmem0", "0", "0", "99999999999999999999", -EINVAL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct tree tree;
		struct pme_dev *dev;

		tree_init(&tree);
		add_array(&tree, &sane);
		add_component(&tree, "pmem1", "1", "0", "8");
		add_component(&tree, cases[i].name, cases[i].slot, cases[i].offset, cases[i].size);
		dev = load_array(&tree);
		assert_int_equal(dev->table_error, cases[i].error);
		assert_null(dev->md);
		assert_non_null(tree_message(&tree, "md0"));
		assert_true(tree.log.incomplete);
		tree_done(&tree);
	}
}

static void test_hostile_array(void **state)
{
	struct tree *tree = *state;
	struct pme_dev *dev;

	add_array(tree, &(struct pme_md_text){.level = "raid0",
						 .raid_disks = "3",
						 .layout = "2",
						 .chunk_size = "\001\377",
						 .reshape_position = "none"});
	dev = load_array(tree);
	assert_int_equal(dev->table_error, -EINVAL);
	assert_string_equal(tree_message(tree, "md0"),
			    "cannot make sense of its MD attributes: Invalid argument");
}

static void test_not_running(void **state)
{
	struct tree *tree = *state;
	struct pme_dev *dev;

	add_array(tree, &(struct pme_md_text){.level = "",
						 .raid_disks = "0",
						 .layout = "0",
						 .chunk_size = "0",
						 .reshape_position = "none"});
	tree_attr(tree, "md0", "md/array_state", "inactive");
	dev = load_array(tree);
	assert_int_equal(dev->table_error, -ENODATA);
	assert_null(dev->md);
	assert_false(tree->log.incomplete);
}

static void test_cycle(void **state)
{
	struct tree *tree = *state;
	struct pme_dev *dev;

	add_array(tree, &sane);
	add_component(tree, "md0", "0", "0", "8");
	dev = load_array(tree);
	assert_int_equal(dev->n_lowers, 0);
	assert_true(tree->log.incomplete);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_array_text),
		cmocka_unit_test(test_component_text),
		cmocka_unit_test_setup_teardown(test_array, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spare_last, setup, teardown),
		cmocka_unit_test(test_refused),
		cmocka_unit_test_setup_teardown(test_hostile_array, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cycle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
