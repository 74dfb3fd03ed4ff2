/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo.c, topo-find.c and topo-identity.c: names, look-ups, edges, identities, addresses, and
 * the whole snapshot of a made-up machine.
 */
#include "topo.h"

#include <sys/sysmacros.h>

#include "check.h"
#include "tree.h"

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

static void test_lvm_names(void **state)
{
	static const char *const cases[][2] = {
		{"vg0-data", "vg0/data"},
		{"my--vg-data", "my-vg/data"},
		{"my--vg-my--data", "my-vg/my-data"},
		{"a----b-c", "a--b/c"},
		{"vg---lv", "vg-/lv"},
		{"vg-pool_tdata", "vg/pool_tdata"},
		{"vg0-data-real", NULL},
		{"plain", NULL},
		{"only--doubled", NULL},
		{"vg-", NULL},
		{"-lv", NULL},
		{"-", NULL},
		{"", NULL},
		{"a/b-c", NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = pme_lvm_name(cases[i][0]);

		if (cases[i][1])
			assert_string_equal(name, cases[i][1]);
		else
			assert_null(name);
	}
}

static void test_devno(void **state)
{
	dev_t devno = 0;

	assert_int_equal(pme_devno_parse("259:12", 6, &devno), 0);
	assert_int_equal(devno, makedev(259, 12));
	assert_int_equal(pme_devno_parse("259:123", 6, &devno), 0);
	assert_int_equal(pme_devno_parse("4095:1048575", 12, &devno), 0);
	assert_int_equal(pme_devno_parse("4096:0", 6, &devno), -EINVAL);
	assert_int_equal(pme_devno_parse("0:1048576", 9, &devno), -EINVAL);
	assert_int_equal(pme_devno_parse("1:2 ", 4, &devno), -EINVAL);
	assert_int_equal(pme_devno_parse("", 0, &devno), -EINVAL);
	assert_int_equal(devno, makedev(4095, 1048575));
}

static void test_modes(void **state)
{
	assert_string_equal(pme_mode_name(PME_MODE_FSDAX), "fsdax");
	assert_string_equal(pme_mode_name(PME_MODE_RAW), "raw");
	assert_null(pme_mode_name(PME_MODE_UNKNOWN));
}

static struct pme_dev *add(struct tree *tree, const char *name)
{
	struct pme_dev *dev = pme_topo_add_dev(&tree->topo, name, PME_DEV_DISK);

	assert_non_null(dev);
	return dev;
}

static void test_edges(void **state)
{
	struct tree *tree = *state;
	struct pme_dev *a = add(tree, "a"), *b = add(tree, "b"), *c = add(tree, "c");

	assert_int_equal(pme_topo_add_edge(a, b), 0);
	assert_int_equal(pme_topo_add_edge(a, b), 0);
	assert_int_equal(pme_topo_add_edge(b, c), 0);
	assert_int_equal(pme_topo_add_edge(a, c), 0);
	assert_int_equal(a->n_uppers, 2);
	assert_int_equal(c->n_lowers, 2);
	assert_int_equal(pme_topo_add_edge(a, a), -ELOOP);
	assert_int_equal(pme_topo_add_edge(b, a), -ELOOP);
	assert_int_equal(pme_topo_add_edge(c, a), -ELOOP);
	assert_int_equal(a->n_lowers, 0);
	assert_int_equal(c->n_uppers, 0);
}

/* A ladder of diamonds has 2^N ways up, a chain is as deep as it is long: neither may hurt. */
static void test_many_ways(void **state)
{
	struct tree *tree = *state;
	struct pme_dev *bottom = add(tree, "bottom"), *top = bottom;

	for (int i = 0; i < 2000; i++) {
		struct pme_dev *left = add(tree, "left"), *right = add(tree, "right");
		struct pme_dev *next = add(tree, "next");

		assert_int_equal(pme_topo_add_edge(left, next), 0);
		assert_int_equal(pme_topo_add_edge(right, next), 0);
		assert_int_equal(pme_topo_add_edge(top, left), 0);
		assert_int_equal(pme_topo_add_edge(top, right), 0);
		top = next;
	}
	assert_int_equal(pme_topo_add_edge(top, bottom), -ELOOP);
}

static void assert_spec(const struct tree *tree, const char *spec, const char *name)
{
	const struct pme_dev *dev = pme_topo_dev_by_spec(&tree->topo, spec);

	if (name) {
		assert_non_null(dev);
		assert_string_equal(dev->name, name);
	} else {
		assert_null(dev);
	}
}

static void add_dm(struct tree *tree, const char *name, const char *devno, const char *dm_name,
		   const char *uuid)
{
	tree_disk(tree, name, devno, "2048");
	tree_attr(tree, name, "dm/name", dm_name);
	tree_attr(tree, name, "dm/uuid", uuid);
}

static void add_machine(struct tree *tree)
{
	tree_disk(tree, "pmem0", "259:0", "4096");
	tree_partition(tree, "pmem0", "pmem0p1", "259:1", "8", "16");
	tree_disk(tree, "cciss!c0d0", "104:0", "8");
	tree_disk(tree, "loop0", "7:0", "8");
	add_dm(tree, "dm-0", "254:0", "vg0-my--data", "LVM-x");
	add_dm(tree, "dm-1", "254:1", "plain-name", "CRYPT-y");
	tree_file(tree, "proc/self/mountinfo", "30 27 254:0 / /srv rw - xfs /dev/dm-0 rw\n");
}

static void test_specs(void **state)
{
	struct tree *tree = *state;

	add_machine(tree);
	assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), 0);
	assert_spec(tree, "pmem0", "pmem0");
	assert_spec(tree, "/dev/pmem0", "pmem0");
	assert_spec(tree, "/dev/cciss/c0d0", "cciss!c0d0");
	assert_spec(tree, "cciss/c0d0", "cciss!c0d0");
	assert_spec(tree, "vg0/my-data", "dm-0");
	assert_spec(tree, "/dev/vg0/my-data", "dm-0");
	assert_spec(tree, "/dev/mapper/vg0-my--data", "dm-0");
	assert_spec(tree, "vg0-my--data", "dm-0");
	assert_spec(tree, "/dev/mapper/plain-name", "dm-1");
	assert_spec(tree, "plain-name", "dm-1");
	assert_spec(tree, "plain/name", NULL);
	assert_spec(tree, "/srv", NULL);
	assert_spec(tree, "/dev/", NULL);
	assert_spec(tree, "/dev/mapper/", NULL);
	assert_spec(tree, "", NULL);
	assert_spec(tree, "pmem1", NULL);
}

/* Links below /dev are followed; the number of the node decides, not its name. */
static void test_nodes(void **state)
{
	struct tree *tree = *state;
	bool nodes;

	add_machine(tree);
	assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), 0);
	tree_dir(tree, "dev/disk/by-id");
	nodes = mknodat(tree->os.root, "dev/misleading", S_IFBLK | 0600, makedev(259, 1)) == 0 &&
		mknodat(tree->os.root, "dev/pmem0", S_IFBLK | 0600, makedev(259, 77)) == 0;
	tree_link(tree, "dev/disk/by-id/x", "../../misleading");
	tree_file(tree, "dev/loop0", "a file, not a device");
	if (nodes) { /* needs root */
		assert_spec(tree, "/dev/disk/by-id/x", "pmem0p1");
		assert_spec(tree, "/dev/misleading", "pmem0p1");
		assert_spec(tree, "/dev/pmem0", NULL);
	}
	assert_spec(tree, "/dev/loop0", NULL);
}

static void test_identities(void **state)
{
	static const char *const cases[][2] = {
		{"pmem0", "ns:1234"},
		{"pmem0p1", "ns:1234:part1"},
		{"dm-0", "dm:LVM-x"},
		{"dm-1", "dm:CRYPT-y"},
		{"loop0", "loop:/img file+512"},
		{"cciss!c0d0", "serial:abc"},
		{"region0", "iset:0xbeef"},
		{"md0", "name:md0"},
		{"md1", "md:5678"},
		{"sda", "wwid:naa.5000"},
		{"sdb", "name:sdb"},
		{"dm-9", "dmname:nine"},
	};
	const struct pme_namespace ns = {.uuid = (char[]){"1234"}};
	struct tree *tree = *state;

	add_machine(tree);
	tree_attr(tree, "loop0", "loop/backing_file", "/img file");
	tree_attr(tree, "loop0", "loop/offset", "512");
	tree_attr(tree, "cciss!c0d0", "serial", "  abc  ");
	tree_disk(tree, "md0", "9:0", "8");
	tree_attr(tree, "md0", "md/level", "raid0");
	tree_disk(tree, "md1", "9:1", "8");
	tree_attr(tree, "md1", "md/uuid", "5678");
	tree_disk(tree, "sda", "8:0", "8");
	tree_attr(tree, "sda", "device/wwid", "naa.5000");
	tree_disk(tree, "sdb", "8:16", "8");
	tree_attr(tree, "sdb", "device/wwid", "bad\377");
	add_dm(tree, "dm-9", "254:9", "nine", "");
	tree_file(tree, "sys/bus/nd/devices/region0/set_cookie", "0xbeef\n");
	assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), 0);
	assert_non_null(pme_topo_add_dev(&tree->topo, "region0", PME_DEV_REGION));
	pme_topo_find(&tree->topo, "pmem0")->ns = &ns;
	assert_int_equal(pme_topo_identify(&tree->topo, &tree->log), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		assert_string_equal(pme_topo_find(&tree->topo, cases[i][0])->identity, cases[i][1]);
}

/* Names of files may have newlines; what cannot be read is said. */
static void test_loop_names(void **state)
{
	struct tree *tree = *state;
	const struct pme_dev *dev;

	tree_disk(tree, "loop0", "7:0", "8");
	tree_attr(tree, "loop0", "loop/backing_file", "/im\ng\n");
	tree_attr(tree, "loop0", "loop/offset", "512");
	tree_disk(tree, "loop1", "7:1", "8");
	tree_dir(tree, "sys/class/block/loop1/loop/backing_file");
	assert_int_equal(pme_topo_load_block(&tree->topo, &tree->log), 0);
	assert_int_equal(pme_topo_load_loops(&tree->topo, &tree->log), 0);
	dev = pme_topo_find(&tree->topo, "loop0");
	assert_non_null(dev->loop);
	assert_string_equal(dev->loop->file, "/im\ng\n");
	assert_int_equal(dev->loop->offset, 512);
	assert_null(pme_topo_find(&tree->topo, "loop1")->loop);
	assert_non_null(strstr(tree_message(tree, "loop1"), "cannot read which file is behind it"));
	assert_true(tree->log.incomplete);
}

static void test_physical(void **state)
{
	static const struct pme_namespace ns = {.data_start = 1 << 20};
	static const struct pme_namespace unknown = {.data_start = PME_UNKNOWN};
	static const struct pme_region region = {.resource = UINT64_MAX - 100};
	struct pme_dev dev = {.size = 4096};

	assert_int_equal(pme_dev_physical(&dev, 0), PME_UNKNOWN);
	dev.ns = &ns;
	assert_int_equal(pme_dev_physical(&dev, 4095), (1 << 20) + 4095);
	assert_int_equal(pme_dev_physical(&dev, 4096), PME_UNKNOWN);
	dev.ns = &unknown;
	assert_int_equal(pme_dev_physical(&dev, 0), PME_UNKNOWN);
	dev.region = &region;
	assert_int_equal(pme_dev_physical(&dev, 0), UINT64_MAX - 100);
	assert_int_equal(pme_dev_physical(&dev, 200), PME_UNKNOWN);
}

static void test_dimms(void **state)
{
	struct tree *tree = *state;
	char *names[] = {(char[]){"nmem0"}, (char[]){"nmem1"}};
	const struct pme_region region = {.bus = (char[]){"ndbus0"}, .dimms = names, .n_dimms = 2};
	_cleanup_free_ const char **dimms = NULL;
	size_t count;

	assert_int_equal(pme_topo_dimms_at(&tree->topo, &region, 4096, &dimms, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(dimms[1], "nmem1");
}

/* The libraries would describe the machine that runs the test: they must not be asked. */
static void test_whole(void **state)
{
	struct tree *tree = *state;
	struct pme_topo *topo;

	add_machine(tree);
	tree_dir(tree, "sys/bus/nd/devices");
	assert_int_equal(pme_topo_load(&tree->os, &tree->log, &topo), 0);
	assert_int_equal(topo->n_namespaces, 0);
	assert_int_equal(topo->n_mounts, 1);
	assert_string_equal(pme_topo_dev_by_devno(topo, topo->mounts[0].devno)->name, "dm-0");
	assert_null(pme_topo_dev_by_devno(topo, 0));
	assert_int_equal(pme_topo_dev_by_name(topo, "dm-1")->table_error, -EOPNOTSUPP);
	assert_non_null(tree_message(tree, "device-mapper"));
	assert_true(tree->log.incomplete);
	pme_topo_free(topo);
	assert_null(pme_topo_free(NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lvm_names),
		cmocka_unit_test(test_devno),
		cmocka_unit_test(test_modes),
		cmocka_unit_test_setup_teardown(test_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_specs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_names, setup, teardown),
		cmocka_unit_test(test_physical),
		cmocka_unit_test_setup_teardown(test_dimms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
