/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/simulate.c, fate.c, holders-fs.c and topo-spaces.c over a snapshot and a /proc that never
 * were: two namespaces with mirrors, parity and plain volumes over them, in several mount
 * namespaces.
 */
#include "simulate.h"

#include <sys/sysmacros.h>

#include "doc.h"
#include "fate.h"
#include "snapshot.h"
#include "topo-udev.h"
#include "tree.h"

#define MIB (1ULL << 20)

struct world {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *disk[4], *linear, *md;
};

static void add_process(struct tree *tree, const char *pid, const char *space, const char *maps)
{
	_cleanup_free_ char *smaps = pme_printf("%sVmFlags: rd sf\n", maps);
	const struct {
		const char *name, *text;
	} files[] = {
		{"comm", "worker\n"},
		{"cgroup", "0::/system.slice/db.service\n"},
		{"maps", maps},
		{"smaps", smaps},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = pme_printf("proc/%s/%s", pid, files[i].name);

		tree_file(tree, path, files[i].text);
	}
	_cleanup_free_ char *link = pme_printf("proc/%s/ns/mnt", pid);
	_cleanup_free_ char *dir = pme_printf("proc/%s/fdinfo", pid);

	tree_link(tree, link, space);
	tree_dir(tree, dir);
}

static void add_fd(struct tree *tree, const char *pid, int fd, int mount, int inode,
		   const char *target)
{
	_cleanup_free_ char *info = pme_printf("proc/%s/fdinfo/%d", pid, fd);
	_cleanup_free_ char *link = pme_printf("proc/%s/fd/%d", pid, fd);
	_cleanup_free_ char *text =
		pme_printf("pos:\t0\nflags:\t0100000\nmnt_id:\t%d\nino:\t%d\n", mount, inode);

	tree_file(tree, info, text);
	tree_link(tree, link, target);
}

static const char *devno(const struct pme_dev *dev)
{
	static char text[4][32];
	static int next;
	char *buf = text[next++ % 4];

	snprintf(buf, sizeof(text[0]), "%u:%u", major(dev->devno), minor(dev->devno));
	return buf;
}

static void add_mountinfo(struct world *w)
{
	_cleanup_free_ char *ours =
		pme_printf("20 1 0:5 / /dev rw - devtmpfs devtmpfs rw\n"
			   "31 1 %s / /srv rw - xfs /dev/dm-0 rw,dax=always\n"
			   "32 1 %s /sub /bound rw - xfs /dev/dm-0 rw,dax=always\n"
			   "33 1 %s / /safe rw - ext4 /dev/md0 rw\n"
			   "34 1 259:77 / /gone rw - xfs /dev/pmem7 rw\n",
			   devno(w->linear), devno(w->linear), devno(w->md));
	_cleanup_free_ char *theirs =
		pme_printf("41 1 %s / /data rw - xfs /dev/dm-0 rw,dax=always\n"
			   "42 1 %s / /far rw - ext4 /dev/pmem1 rw\n",
			   devno(w->linear), devno(w->disk[1]));

	tree_file(&w->tree, "proc/self/mountinfo", ours);
	tree_file(&w->tree, "proc/50/mountinfo", theirs);
}

static void member(struct pme_dev *md, struct pme_dev *lower)
{
	snap_member(md, lower, 8, 1000);
}

static int setup(void **state)
{
	static struct world world;
	struct world *w = &world;
	struct pme_dev *region[2];
	_cleanup_free_ char *maps = NULL;

	*w = (struct world){0};
	tree_init(&w->tree);
	snap_init(&w->snap, &w->tree.os);
	region[0] = snap_region(&w->snap, "region0", 1 << 30, 64 * MIB, "nmem0");
	region[1] = snap_region(&w->snap, "region1", 2ULL << 30, 64 * MIB, "nmem1");
	w->disk[0] = snap_namespace(&w->snap, region[0], "namespace0.0", PME_MODE_FSDAX, 0,
				    16 * MIB, MIB, "pmem0");
	w->disk[1] = snap_namespace(&w->snap, region[1], "namespace1.0", PME_MODE_FSDAX, 0,
				    16 * MIB, MIB, "pmem1");
	snap_namespace(&w->snap, region[1], "namespace1.1", PME_MODE_FSDAX, 16 * MIB, 16 * MIB, MIB,
		       NULL);
	w->disk[2] = snap_disk(&w->snap, "sda", 4000);
	w->linear = snap_dm(&w->snap, "dm-0");
	snap_linear(w->linear, w->disk[0], 2048, 1000);
	snap_linear(w->linear, w->disk[2], 0, 1000);
	w->md = snap_md(&w->snap, "md0", "raid1", 0);
	member(w->md, w->disk[0]);
	member(w->md, w->disk[1]);
	w->md->md->resynced = UINT64_MAX;
	add_mountinfo(w);
	maps = pme_printf("1000-3000 rw-s 00000000 %02x:%02x 7 /srv/a\n"
			  "5000-6000 rw-s 00000000 %02x:%02x 7 /srv/a\n",
			  major(w->linear->devno), minor(w->linear->devno), major(w->linear->devno),
			  minor(w->linear->devno));
	tree_link(&w->tree, "proc/self/ns/mnt", "mnt:[1]");
	add_process(&w->tree, "1", "mnt:[1]", "");
	add_process(&w->tree, "50", "mnt:[2]", maps);
	add_fd(&w->tree, "50", 3, 41, 7, "/data/a");
	add_fd(&w->tree, "50", 4, 41, 8, "/data/b");
	add_fd(&w->tree, "50", 5, 41, 8, "/data/b");
	add_fd(&w->tree, "50", 6, 9, 1, "pipe:[1]");
	add_fd(&w->tree, "50", 7, 34, 1, "/gone/x");
	tree_attr(&w->tree, "dm-0", "queue/dax", "1");
	tree_file(&w->tree, "run/udev/data/b8:0", "E:X=y\n");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	snap_done(&w->snap);
	tree_done(&w->tree);
	return 0;
}

static struct json_object *simulate(struct world *w, const char *selector, int want)
{
	char *selectors[] = {(char *)selector};
	struct json_object *doc = pme_json_object();

	assert_int_equal(pme_simulate_snapshot(w->snap.topo, selectors, 1, &w->snap.log, doc),
			 want);
	return doc;
}

/* The one object in the array @key whose @name is @value. */
static struct json_object *pick(struct json_object *doc, const char *key, const char *name,
				const char *value)
{
	struct json_object *array = pme_json_get(doc, key), *found = NULL;

	for (size_t i = 0; i < pme_json_count(array); i++)
		if (strcmp(pme_json_get_text(pme_json_at(array, i), name), value) == 0)
			found = pme_json_at(array, i);
	assert_non_null(found);
	return found;
}

static void check_fate(struct json_object *object, enum pme_fate want)
{
	struct json_object *survives = pme_json_get(object, "survives");

	if (want == PME_FATE_UNKNOWN)
		assert_null(survives);
	else
		assert_int_equal(json_object_get_boolean(survives), want == PME_SURVIVES);
}

static void test_blast(void **state)
{
	struct world *w = *state;
	struct json_object *doc = simulate(w, "pmem0", 0), *fs, *holder, *far;

	check_fate(pick(doc, "stack", "device", "dm-0"), PME_FAILS);
	check_fate(pick(doc, "stack", "device", "md0"), PME_SURVIVES);
	assert_int_equal(pme_json_count(pme_json_get(doc, "stack")), 2);
	fs = pick(doc, "filesystems", "device", "dm-0");
	check_fate(fs, PME_FAILS);
	assert_int_equal(pme_json_count(pme_json_get(fs, "mounts")), 2);
	assert_true(pme_json_get_bool(fs, "dax") && pme_json_get_bool(fs, "device_dax"));
	far = pme_json_at(pme_json_get(fs, "mounts_elsewhere"), 0);
	assert_string_equal(pme_json_get_text(far, "path"), "/data");
	assert_string_equal(pme_json_get_text(far, "unit"), "db.service");
	assert_int_equal(pme_json_count(pme_json_get(fs, "holders")), 1);
	holder = pme_json_at(pme_json_get(fs, "holders"), 0);
	assert_int_equal(pme_json_get_number(holder, "pid"), 50);
	assert_int_equal(pme_json_get_number(holder, "files_open"), 2);
	assert_int_equal(pme_json_get_number(holder, "files_mapped"), 1);
	assert_true(pme_json_get_bool(holder, "map_sync"));
	check_fate(pick(doc, "filesystems", "device", "md0"), PME_SURVIVES);
	assert_int_equal(pme_json_count(pme_json_get(doc, "filesystems")), 2);
	assert_false(w->snap.log.incomplete);
	json_object_put(doc);
}

/* A filesystem that no mount of ours shows, and one leg of the mirror. */
static void test_region(void **state)
{
	struct world *w = *state;
	struct json_object *doc = simulate(w, "region1", 0), *fs;

	assert_int_equal(pme_json_count(pme_json_get(doc, "devices")), 2);
	fs = pick(doc, "filesystems", "device", "pmem1");
	assert_int_equal(pme_json_count(pme_json_get(fs, "mounts")), 0);
	assert_string_equal(
		pme_json_get_text(pme_json_at(pme_json_get(fs, "mounts_elsewhere"), 0), "path"),
		"/far");
	check_fate(fs, PME_FAILS);
	json_object_put(doc);
}

static void test_selectors(void **state)
{
	struct world *w = *state;
	struct json_object *doc = simulate(w, "/gone", 0), *fs;

	assert_int_equal(pme_json_count(pme_json_get(doc, "devices")), 0);
	fs = pme_json_at(pme_json_get(doc, "filesystems"), 0);
	check_fate(fs, PME_FAILS);
	assert_string_equal(pme_json_get_text(fs, "source"), "/dev/pmem7");
	assert_int_equal(pme_json_count(pme_json_get(fs, "holders")), 1);
	json_object_put(doc);
	doc = simulate(w, "namespace1.1", 0);
	assert_int_equal(pme_json_count(pme_json_get(doc, "devices")), 0);
	assert_non_null(snap_message(&w->snap, "namespace1.1"));
	json_object_put(doc);
	json_object_put(simulate(w, "nonesuch", -ENODEV));
}

/* A file whose mount nobody shows any more makes the answer incomplete. */
static void test_lazy(void **state)
{
	struct world *w = *state;

	add_fd(&w->tree, "50", 9, 99, 1, "/memfd:x (deleted)");
	json_object_put(simulate(w, "pmem0", 0));
	assert_false(w->snap.log.incomplete);
	add_fd(&w->tree, "50", 10, 99, 1, "/x");
	json_object_put(simulate(w, "pmem0", 0));
	assert_true(w->snap.log.incomplete);
	assert_non_null(strstr(snap_message(&w->snap, "/proc"), "1 open files"));
}

static enum pme_fate md_fate(struct world *w, size_t failing)
{
	const struct pme_dev *disks[] = {w->disk[0], w->disk[1], w->disk[2], w->disk[3]};
	struct pme_fates fates = {0};
	enum pme_fate fate;

	assert_int_equal(pme_fates_judge(w->snap.topo, disks, failing, &fates), 0);
	fate = pme_fates_of(&fates, w->md)->fate;
	pme_fates_done(&fates);
	return fate;
}

/* How many of the members of an array may fail, slot after slot. */
static void test_levels(void **state)
{
	static const struct {
		const char *level;
		uint64_t layout, disks;
		enum pme_fate fate[5]; /* when so many fail */
	} cases[] = {
		{"raid0", 0, 4, {PME_SURVIVES, PME_FAILS, PME_FAILS, PME_FAILS, PME_FAILS}},
		{"raid5", 2, 4, {PME_SURVIVES, PME_SURVIVES, PME_FAILS, PME_FAILS, PME_FAILS}},
		{"raid6", 2, 4, {PME_SURVIVES, PME_SURVIVES, PME_SURVIVES, PME_FAILS, PME_FAILS}},
		{"raid1",
		 0,
		 4,
		 {PME_SURVIVES, PME_SURVIVES, PME_SURVIVES, PME_SURVIVES, PME_FAILS}},
		/* near 2: slots 0 and 1 have the same */
		{"raid10", 0x102, 4, {PME_SURVIVES, PME_SURVIVES, PME_FAILS, PME_FAILS, PME_FAILS}},
		/* far 2: which chunks meet is not worked out */
		{"raid10",
		 0x201,
		 4,
		 {PME_SURVIVES, PME_SURVIVES, PME_FATE_UNKNOWN, PME_FATE_UNKNOWN,
		  PME_FATE_UNKNOWN}},
		{"odd",
		 0,
		 4,
		 {PME_SURVIVES, PME_FATE_UNKNOWN, PME_FATE_UNKNOWN, PME_FATE_UNKNOWN,
		  PME_FATE_UNKNOWN}},
		/* one is missing from the start */
		{"raid5", 2, 5, {PME_SURVIVES, PME_FAILS, PME_FAILS, PME_FAILS, PME_FAILS}},
	};
	struct world *w = *state;

	w->disk[3] = snap_disk(&w->snap, "sdb", 4000);
	member(w->md, w->disk[2]);
	member(w->md, w->disk[3]);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		free(w->md->md->level);
		w->md->md->level = strdup(cases[i].level);
		w->md->md->layout = cases[i].layout;
		w->md->md->layout_known = true;
		w->md->md->raid_disks = cases[i].disks;
		for (size_t n = 0; n < 5; n++)
			assert_int_equal(md_fate(w, n), cases[i].fate[n]);
	}
}

static void test_resync(void **state)
{
	struct world *w = *state;

	w->md->md->resynced = 512;
	assert_int_equal(md_fate(w, 1), PME_FATE_UNKNOWN);
	w->md->md->resynced = UINT64_MAX;
	assert_int_equal(md_fate(w, 1), PME_SURVIVES);
	free(w->md->md->components[1].state);
	w->md->md->components[1].state = strdup("spare");
	assert_int_equal(md_fate(w, 1), PME_FAILS);
}

static void test_udev(void **state)
{
	static const char text[] = "S:x\nE:ID_FS_UUID_ENC=no\nE:ID_FS_UUID=1-2\nE:LAST=z";
	_cleanup_free_ char *uuid = NULL, *last = NULL, *none = NULL;

	assert_int_equal(pme_udev_property_parse(text, strlen(text), "ID_FS_UUID", &uuid), 1);
	assert_string_equal(uuid, "1-2");
	assert_int_equal(pme_udev_property_parse(text, strlen(text), "LAST", &last), 1);
	assert_string_equal(last, "z");
	assert_int_equal(pme_udev_property_parse(text, strlen(text), "ID_FS", &none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_blast, setup, teardown),
		cmocka_unit_test_setup_teardown(test_region, setup, teardown),
		cmocka_unit_test_setup_teardown(test_selectors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lazy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resync, setup, teardown),
		cmocka_unit_test(test_udev),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
