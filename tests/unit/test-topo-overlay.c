/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-overlay*.c: lines of mountinfo as kernels show them, and made-up namespaces.
 */
#include "topo-overlay.h"

#include <sys/sysmacros.h>

#include "check.h"
#include "tree.h"

#define HEAD "39 24 0:35 /sub\\040dir /m\\134\\040x rw,relatime shared:7 master:1 - overlay none "

static int parse(const char *line, struct pme_overlay *ret)
{
	return pme_overlay_parse(line, strlen(line), "7", ret);
}

static void test_line(void **state)
{
	struct pme_overlay o = {0};

	assert_int_equal(parse(HEAD "rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,uuid=on", &o), 1);
	assert_int_equal(o.shown, makedev(0, 35));
	assert_int_equal(o.n_layers, 3);
	assert_string_equal(o.layers[0].path, "/u");
	assert_string_equal(o.layers[1].path, "/a");
	assert_string_equal(o.layers[2].path, "/b");
	assert_true(o.has_upper && o.follows && !o.redirects && !o.metacopy);
	assert_int_equal(o.n_mounts, 1);
	assert_string_equal(o.mounts[0].root, "/sub dir");
	assert_string_equal(o.mounts[0].target, "/m\\ x");
	assert_string_equal(o.mounts[0].pid, "7");
	pme_overlay_done(&o);
}

/* An empty source, no optional field, and options that come in another order. */
static void test_odd(void **state)
{
	struct pme_overlay o = {0};

	assert_int_equal(parse("39 24 0:35 / / rw - overlay  ro,upperdir=/u,lowerdir=/a", &o), 1);
	assert_string_equal(o.layers[0].path, "/u");
	assert_string_equal(o.layers[1].path, "/a");
	pme_overlay_done(&o);
	assert_int_equal(parse("39 24 0:35 / / rw - overlay none ro", &o), 1);
	assert_int_equal(o.n_layers, 0);
	assert_false(o.has_upper);
	pme_overlay_done(&o);
}

static void test_escapes(void **state)
{
	static const struct {
		const char *options, *paths[4], *literal; /* of the first one */
	} cases[] = {
		{"lowerdir=x/l1:x/l\\134:2:x/l3", {"x/l1", "x/l:2", "x/l3"}, NULL},
		{"lowerdir=/a\\054b\\134\\134c\\012d\\040e", {"/a,b\\c\nd e"}, NULL},
		{"lowerdir=/a\\075b", {"/a=b"}, NULL},
		{"lowerdir=/a\\:b:c", {"/a:b", "c"}, NULL}, /* not octal, so kept for us */
		{"lowerdir+=/a:b,lowerdir+=/c\\134d", {"/a:b", "/c\\d"}, NULL},
		{"lowerdir+=/c\\134:d", {"/c\\:d"}, "/c:d"},
		{"upperdir=/c\\134:d", {"/c:d"}, "/c\\:d"},
		{"upperdir=/a:b", {"/a:b"}, NULL},
		{"lowerdir=a\\134", {"a\\"}, NULL},
		{"lowerdir=/\\303\\251", {"/\xc3\xa9"}, NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *line = pme_printf(HEAD "rw,%s", cases[i].options);
		struct pme_overlay o = {0};

		assert_int_equal(parse(line, &o), 1);
		for (size_t l = 0; cases[i].paths[l] || l < o.n_layers; l++) {
			if (!cases[i].paths[l] && i != 0)
				break;
			assert_true(l < o.n_layers);
			assert_string_equal(o.layers[l].path, cases[i].paths[l]);
		}
		if (cases[i].literal)
			assert_string_equal(o.layers[0].literal, cases[i].literal);
		pme_overlay_done(&o);
	}
}

static void test_modes(void **state)
{
	struct pme_overlay o = {0};

	assert_int_equal(parse(HEAD "ro,lowerdir=a:b::c::d,redirect_dir=nofollow,metacopy=on", &o),
			 1);
	assert_int_equal(o.n_layers, 4);
	assert_true(!o.layers[0].data && !o.layers[1].data && o.layers[2].data && o.layers[3].data);
	assert_true(!o.has_upper && !o.follows && !o.redirects && o.metacopy);
	pme_overlay_done(&o);
	assert_int_equal(parse(HEAD "ro,lowerdir+=a,datadir+=d::e,redirect_dir=on", &o), 1);
	assert_int_equal(o.n_layers, 2);
	assert_true(o.layers[1].data && o.redirects && o.follows);
	assert_string_equal(o.layers[1].path, "d::e");
	pme_overlay_done(&o);
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"39 24 0:35 / / rw overlay none rw",
		"39 24 0:35 / / rw - overlay none",
		"39 24 0:35 / / rw - overlay none rw,lowerdir=a trailing",
		"39 24 0-35 / / rw - overlay none rw",
		"39 24 0:35:1 / / rw - overlay none rw",
		"39 24 0:99999999999 / / rw - overlay none rw",
		"39 24 0:35 a / rw - overlay none rw",
		"39 24 0:35 / / rw - overlay none rw,upperdir=a,upperdir=b",
	};
	struct pme_overlay o = {0};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		assert_int_equal(parse(cases[i], &o), -EINVAL);
	assert_int_equal(parse("39 24 8:1 / / rw - xfs /dev/overlay rw,lowerdir=a", &o), 0);
	assert_null(o.layers);
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
	struct tree *tree = *state;

	pme_overlays_free(tree->topo.overlays);
	tree->topo.overlays = NULL;
	tree_done(tree);
	return 0;
}

static void make_space(struct tree *tree, const char *pid, const char *id, const char *mountinfo)
{
	_cleanup_free_ char *link = pme_printf("proc/%s/ns/mnt", pid);
	_cleanup_free_ char *path = pme_printf("proc/%s/mountinfo", pid);

	tree_link(tree, link, id);
	tree_file(tree, path, mountinfo);
}

/* Copies of a mount are one; the same place in another namespace can be another overlay. */
static void test_spaces(void **state)
{
	static const char one[] = "39 24 0:35 / /m rw - overlay none rw,lowerdir=/a:/b\n";
	static const char two[] = "50 24 0:36 / /m rw - overlay none rw,lowerdir=/a:/c\n"
				  "51 24 0:35 / /n rw - overlay none rw,lowerdir=/a:/b\n"
				  "52 24 8:1 / /x rw - xfs /dev/sda1 rw\n"
				  "53 51 0:35 /sub /n rw - overlay none rw,lowerdir=/a:/b\n";
	struct tree *tree = *state;
	const struct pme_overlays *all;

	tree_file(tree, "proc/filesystems", "nodev\tproc\nnodev\toverlay\n\txfs\n");
	make_space(tree, "self", "mnt:[1]", one);
	make_space(tree, "1", "mnt:[1]", "nothing of it is read\n");
	make_space(tree, "100", "mnt:[3]", "nothing of it is read\n");
	make_space(tree, "17", "mnt:[2]", one);
	make_space(tree, "18", "mnt:[3]", two);
	make_space(tree, "19", "mnt:[3]", "nothing of it is read\n");
	assert_int_equal(pme_topo_load_overlays(&tree->topo), 0);
	all = tree->topo.overlays;
	assert_non_null(all);
	assert_int_equal(all->count, 2);
	assert_false(all->cut);
	assert_int_equal(all->items[0].n_mounts, 2);
	assert_string_equal(all->items[0].mounts[0].pid, "self");
	assert_string_equal(all->items[0].mounts[1].pid, "18");
	assert_string_equal(all->items[0].mounts[1].target, "/n");
	assert_string_equal(all->items[0].mounts[1].root, "/sub"); /* over the other one */
	assert_string_equal(all->items[1].mounts[0].pid, "18");
}

static void test_none(void **state)
{
	struct tree *tree = *state;

	tree_file(tree, "proc/self/mountinfo", "39 24 0:35 / / rw - overlay none rw,lowerdir=/a\n");
	assert_int_equal(pme_topo_load_overlays(&tree->topo), 0);
	assert_null(tree->topo.overlays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test_setup_teardown(test_spaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
