/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses a filesystem, over a made-up /proc: by mounts that were known, by one that came since,
 * and by one that no table shows.
 */
#include "check.h"

#include <inttypes.h>
#include <sys/sysmacros.h>

#include "holders-fs.h"
#include "tree.h"

#define OLD_MOUNT "30 1 259:1 / /mnt/old rw - xfs /dev/pmem0 rw\n"
#define NEW_MOUNT "40 1 259:1 / /mnt/new rw - xfs /dev/pmem0 rw\n"

struct fixture {
	struct tree tree;
	struct pme_spaces spaces;
	struct pme_fs_use use;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	tree_init(&fixture->tree);
	fixture->use.shown = makedev(259, 1);
	tree_file(&fixture->tree, "proc/1/mountinfo", OLD_MOUNT);
	tree_file(&fixture->tree, "proc/1/maps", "");
	tree_dir(&fixture->tree, "proc/1/fdinfo");
	tree_link(&fixture->tree, "proc/1/ns/mnt", "mnt:[1]");
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	pme_fs_use_done(&fixture->use);
	pme_spaces_done(&fixture->spaces);
	tree_done(&fixture->tree);
	free(fixture);
	return 0;
}

/* The process 7 with one descriptor. */
static void make_process(struct tree *tree, unsigned int mount, const char *target)
{
	_cleanup_free_ char *info =
		pme_printf("pos:\t0\nflags:\t02\nmnt_id:\t%u\nino:\t131\n", mount);

	assert_non_null(info);
	tree_file(tree, "proc/7/comm", "program\n");
	tree_file(tree, "proc/7/cgroup", "0::/system.slice/x.service\n");
	tree_file(tree, "proc/7/maps", "");
	tree_file(tree, "proc/7/mountinfo", OLD_MOUNT);
	tree_link(tree, "proc/7/ns/mnt", "mnt:[1]");
	tree_file(tree, "proc/7/fdinfo/3", info);
	tree_link(tree, "proc/7/fd/3", target);
}

static void load(struct fixture *fixture)
{
	assert_int_equal(pme_spaces_load(&fixture->tree.topo, &fixture->tree.log, &fixture->spaces),
			 0);
	assert_int_equal(fixture->spaces.n_mounts, 1);
}

static void find(struct fixture *fixture)
{
	assert_int_equal(pme_fs_holders_find(&fixture->tree.topo, &fixture->spaces, &fixture->use,
					     1, &fixture->tree.log),
			 0);
}

static void assert_holder(const struct fixture *fixture)
{
	assert_int_equal(fixture->use.n_holders, 1);
	assert_int_equal(fixture->use.holders[0].who.pid, 7);
	assert_int_equal(fixture->use.holders[0].n_open, 1);
	assert_string_equal(fixture->use.holders[0].who.unit, "x.service");
	assert_null(tree_message(&fixture->tree, "/proc"));
}

static void test_known(void **state)
{
	struct fixture *fixture = *state;

	make_process(&fixture->tree, 30, "/mnt/old/file");
	load(fixture);
	find(fixture);
	assert_holder(fixture);
}

static void test_came_since(void **state)
{
	struct fixture *fixture = *state;

	make_process(&fixture->tree, 40, "/mnt/new/file");
	load(fixture);
	tree_file(&fixture->tree, "proc/7/mountinfo", OLD_MOUNT NEW_MOUNT);
	find(fixture);
	assert_holder(fixture);
}

static void test_lost(void **state)
{
	struct fixture *fixture = *state;

	make_process(&fixture->tree, 40, "/mnt/new/file");
	tree_link(&fixture->tree, "proc/7/fd/4", "/mnt/new/other");
	tree_file(&fixture->tree, "proc/7/fdinfo/4",
		  "pos:\t0\nflags:\t02\nmnt_id:\t40\nino:\t132\n");
	load(fixture);
	find(fixture);
	assert_int_equal(fixture->use.n_holders, 0);
	assert_non_null(strstr(tree_message(&fixture->tree, "/proc"), "2 open files"));
}

/* Pipes and memory have mounts of the kernel's own. */
static void test_own_mount(void **state)
{
	struct fixture *fixture = *state;

	make_process(&fixture->tree, 14, "pipe:[5]");
	load(fixture);
	find(fixture);
	assert_int_equal(fixture->use.n_holders, 0);
	assert_null(tree_message(&fixture->tree, "/proc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_came_since, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_own_mount, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
