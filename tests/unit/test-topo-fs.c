/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-fs.c: which devices belong to a mounted filesystem, by odd and by plain mount options.
 *
 * Nothing is below the root of the snapshot: a path leads to a device by its name.
 */
#include <string.h>

#include "snapshot.h"

struct machine {
	struct snapshot snap;
	struct pme_dev *data, *log, *rt, *other;
};

static int setup(void **state)
{
	static struct machine m;

	snap_init(&m.snap, NULL);
	m.data = snap_disk(&m.snap, "pmem0", 4096);
	m.log = snap_disk(&m.snap, "pmem1", 4096);
	m.rt = snap_disk(&m.snap, "pmem2", 4096);
	m.other = snap_disk(&m.snap, "pmem3", 4096);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	snap_done(&m->snap);
	return 0;
}

static struct pme_mount *mount_with(struct machine *m, const struct pme_dev *dev, const char *type,
				    const char *options)
{
	struct pme_mount *mount;

	snap_mount(&m->snap, dev, type, "/mnt");
	mount = &m->snap.topo->mounts[m->snap.topo->n_mounts - 1];
	free(mount->options);
	mount->options = options ? strdup(options) : NULL;
	return mount;
}

static void check_role(const struct machine *m, const struct pme_dev *dev,
		       const struct pme_dev *main, enum pme_fs_role role)
{
	const struct pme_dev *found = NULL;
	enum pme_fs_role is = PME_FS_DATA;

	assert_int_equal(pme_topo_fs_find(m->snap.topo, dev, &found, &is), main ? 1 : 0);
	if (!main)
		return;
	assert_ptr_equal(found, main);
	assert_int_equal(is, role);
}

static void roles_by_options(void **state)
{
	struct machine *m = *state;
	const struct pme_mount *mount = mount_with(
		m, m->data, "xfs", "rw,attr2,logdev=/dev/pmem1,rtdev=/dev/pmem2,noquota");

	check_role(m, m->data, m->data, PME_FS_DATA);
	check_role(m, m->log, m->data, PME_FS_LOG);
	check_role(m, m->rt, m->data, PME_FS_REALTIME);
	check_role(m, m->other, NULL, PME_FS_DATA);
	assert_ptr_equal(pme_topo_fs_device(m->snap.topo, mount, PME_FS_DATA), m->data);
	assert_ptr_equal(pme_topo_fs_device(m->snap.topo, mount, PME_FS_LOG), m->log);
	assert_ptr_equal(pme_topo_fs_device(m->snap.topo, mount, PME_FS_REALTIME), m->rt);
}

/* A device of a btrfs that is not the one shown as mounted; an XFS has no such devices. */
static void roles_by_membership(void **state)
{
	struct machine *m = *state;

	m->data->member_of = strdup("1234");
	m->other->member_of = strdup("1234");
	m->log->member_of = strdup("5678");
	mount_with(m, m->rt, "xfs", "rw");
	check_role(m, m->other, NULL, PME_FS_DATA);
	mount_with(m, m->data, "btrfs", "rw");
	check_role(m, m->data, m->data, PME_FS_DATA);
	check_role(m, m->other, m->data, PME_FS_MEMBER);
	check_role(m, m->log, NULL, PME_FS_DATA);
	check_role(m, m->rt, m->rt, PME_FS_DATA);
}

/* None of these names pmem1 as the log or pmem2 as the realtime device. */
static void options_that_name_nothing(void **state)
{
	static const struct {
		const char *type, *options;
	} cases[] = {
		{"xfs", NULL},
		{"xfs", ""},
		{"xfs", ","},
		{"xfs", "rw,,noquota,"},
		{"xfs", "logdev=,rtdev="},
		{"xfs", "logdev,rtdev"},
		{"xfs", "logdev=/dev/gone,rtdev=/dev/gone"},
		{"xfs", "logdev=/dev/,rtdev=/"},
		{"xfs", "logdev=/dev/pmem1x,rtdev=/dev/pmem22"},
		{"xfs", "xlogdev=/dev/pmem1,xrtdev=/dev/pmem2"},
		{"xfs", "LOGDEV=/dev/pmem1,Rtdev=/dev/pmem2"},
		{"xfs", "rw logdev=/dev/pmem1 rtdev=/dev/pmem2"},
		{"xfs", "logdev=/tmp/pmem1,rtdev=../dev/pmem2"},
		{"ext4", "logdev=/dev/pmem1,rtdev=/dev/pmem2"},
		{"xfs2", "logdev=/dev/pmem1,rtdev=/dev/pmem2"},
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		const struct pme_mount *mount =
			mount_with(m, m->data, cases[i].type, cases[i].options);

		assert_null(pme_topo_fs_device(m->snap.topo, mount, PME_FS_LOG));
		assert_null(pme_topo_fs_device(m->snap.topo, mount, PME_FS_REALTIME));
		check_role(m, m->log, NULL, PME_FS_DATA);
		check_role(m, m->rt, NULL, PME_FS_DATA);
		check_role(m, m->data, m->data, PME_FS_DATA);
	}
}

/* At the front, at the end, alone, twice (the first counts, as one of the kernel's is all). */
static void options_at_every_place(void **state)
{
	static const char *const options[] = {
		"logdev=/dev/pmem1",
		"logdev=/dev/pmem1,rw",
		"rw,logdev=/dev/pmem1",
		",,logdev=/dev/pmem1,,",
		"rw,logdev=/dev/pmem1,logdev=/dev/pmem3",
	};
	struct machine *m = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(options); i++) {
		const struct pme_mount *mount = mount_with(m, m->data, "xfs", options[i]);

		assert_ptr_equal(pme_topo_fs_device(m->snap.topo, mount, PME_FS_LOG), m->log);
		assert_null(pme_topo_fs_device(m->snap.topo, mount, PME_FS_REALTIME));
		check_role(m, m->log, m->data, PME_FS_LOG);
		check_role(m, m->other, NULL, PME_FS_DATA);
	}
}

/* Each mount names its own; what is mounted itself is not a part of another. */
static void several_mounts(void **state)
{
	struct machine *m = *state;

	mount_with(m, m->data, "xfs", "rw,logdev=/dev/pmem1,rtdev=/dev/pmem3");
	mount_with(m, m->data, "xfs", "ro,logdev=/dev/pmem1,rtdev=/dev/pmem3");
	check_role(m, m->other, m->data, PME_FS_REALTIME);
	mount_with(m, m->other, "ext4", "rw");
	mount_with(m, m->rt, "xfs", "rw");
	check_role(m, m->log, m->data, PME_FS_LOG);
	check_role(m, m->rt, m->rt, PME_FS_DATA);
	check_role(m, m->other, m->other, PME_FS_DATA);
}

/* A mount whose own device is not in the snapshot, and a device without a number. */
static void devices_that_are_not_there(void **state)
{
	struct machine *m = *state;

	mount_with(m, m->data, "xfs", "logdev=/dev/pmem1")->devno = 12345;
	check_role(m, m->log, NULL, PME_FS_DATA);
	mount_with(m, m->other, "xfs", "logdev=/dev/pmem1")->devno = 0;
	m->other->devno = 0;
	check_role(m, m->other, NULL, PME_FS_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(roles_by_options, setup, teardown),
		cmocka_unit_test_setup_teardown(roles_by_membership, setup, teardown),
		cmocka_unit_test_setup_teardown(options_that_name_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(options_at_every_place, setup, teardown),
		cmocka_unit_test_setup_teardown(several_mounts, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_that_are_not_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
