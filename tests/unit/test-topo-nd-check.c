/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-nd-check.c: what sysfs knows and the snapshot does not, on made-up trees.
 */
#include "topo.h"

#include "check.h"
#include "tree.h"

#define ND "sys/bus/nd/devices/"

static char dimm0[] = "nmem0", dimm1[] = "nmem1";
static char *dimms[] = {dimm0, dimm1};
static char region0[] = "region0", namespace00[] = "namespace0.0", uuid[] = "u";
static struct pme_region region = {.name = region0, .dimms = dimms, .n_dimms = 2};
static struct pme_namespace ns = {.name = namespace00, .uuid = uuid, .region = &region};
static struct pme_region *regions[] = {&region};
static struct pme_namespace *namespaces[] = {&ns};

/* A region of two DIMMs, a namespace, a seed, and things that are none of our business. */
static void make_tree(struct tree *tree)
{
	tree_init(tree);
	tree_file(tree, ND "region0/mappings", "2\n");
	tree_file(tree, ND "namespace0.0/size", "4096\n");
	tree_file(tree, ND "namespace0.0/uuid", "u\n");
	tree_file(tree, ND "namespace0.1/size", "0\n");
	tree_file(tree, ND "nmem0/state", "active\n");
	tree_file(tree, ND "region_align/x", "1\n");
}

/* Check a snapshot that has so much of it: the subject of the message, NULL when it is quiet. */
static const char *missing(struct tree *tree, size_t n_regions, size_t n_namespaces)
{
	struct pme_topo topo = {
		.os = &tree->os,
		.regions = regions,
		.n_regions = n_regions,
		.namespaces = namespaces,
		.n_namespaces = n_namespaces,
	};

	assert_int_equal(pme_topo_check_nd(&topo, &tree->log), 0);
	assert_int_equal(tree->log.incomplete, tree->log.count > 0);
	return tree->log.count > 0 ? tree->log.messages[0].subject : NULL;
}

static void test_all_there(void **state)
{
	struct tree tree;

	make_tree(&tree);
	assert_null(missing(&tree, 1, 1));
	tree_done(&tree);
}

static void test_region_missing(void **state)
{
	struct tree tree;

	make_tree(&tree);
	assert_string_equal(missing(&tree, 0, 1), "region0");
	tree_done(&tree);
}

static void test_namespace_missing(void **state)
{
	struct tree tree;

	make_tree(&tree);
	assert_string_equal(missing(&tree, 1, 0), "namespace0.0");
	tree_done(&tree);
}

static void test_size_unreadable(void **state)
{
	struct tree tree;

	make_tree(&tree);
	tree_file(&tree, ND "namespace0.2/size", "much\n");
	assert_string_equal(missing(&tree, 1, 1), "namespace0.2");
	tree_done(&tree);
}

static void test_dimm_missing(void **state)
{
	struct tree tree;

	make_tree(&tree);
	region.n_dimms = 1;
	assert_string_equal(missing(&tree, 1, 1), "region0");
	region.n_dimms = 2;
	tree_done(&tree);
}

static void test_uuid_missing(void **state)
{
	struct tree tree;

	make_tree(&tree);
	ns.uuid = NULL;
	assert_string_equal(missing(&tree, 1, 1), "namespace0.0");
	ns.uuid = uuid;
	tree_done(&tree);
}

static void test_mode_missing(void **state)
{
	struct tree tree;

	make_tree(&tree);
	ns.mode = PME_MODE_UNKNOWN;
	assert_null(missing(&tree, 1, 1));
	ns.device = uuid;
	assert_string_equal(missing(&tree, 1, 1), "namespace0.0");
	ns.device = NULL;
	ns.mode = PME_MODE_FSDAX;
	tree_done(&tree);
}

static void test_disk_of_nobody(void **state)
{
	struct pme_dev disk = {.name = (char *)"pmem0", .kind = PME_DEV_DISK};
	struct pme_dev *devs[] = {&disk};
	struct tree tree;

	make_tree(&tree);
	struct pme_topo topo = {
		.os = &tree.os,
		.regions = regions,
		.n_regions = 1,
		.namespaces = namespaces,
		.n_namespaces = 1,
		.devs = devs,
		.n_devs = 1,
	};

	assert_int_equal(pme_topo_check_nd(&topo, &tree.log), 0);
	assert_non_null(tree_message(&tree, "pmem0"));
	disk.ns = &ns;
	pme_log_done(&tree.log);
	assert_int_equal(pme_topo_check_nd(&topo, &tree.log), 0);
	assert_false(tree.log.incomplete);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_there),	  cmocka_unit_test(test_region_missing),
		cmocka_unit_test(test_namespace_missing), cmocka_unit_test(test_size_unreadable),
		cmocka_unit_test(test_dimm_missing),	  cmocka_unit_test(test_uuid_missing),
		cmocka_unit_test(test_mode_missing),	  cmocka_unit_test(test_disk_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
