/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pme_donor_on_bad() of lib/donor.c: does a file whose extents are played lie on bad blocks of a
 * made-up machine?  Only what reading it would touch counts, and only where its extents are bytes
 * of a device.
 */
#include "donor.h"

#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "extent.h"
#include "snapshot.h"

#define EXTENTS 3
#define ANY 1048576

static struct {
	dev_t devno;
	long magic;
	bool realtime;
	struct pme_extent extents[EXTENTS];
	size_t count;
	int error; /* of asking for them */
	struct pme_range asked;
} file;

int __wrap_pme_os_fstat(int fd, struct stat *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);
bool __wrap_pme_fd_is_realtime(int fd);
int __wrap_pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret);

int __wrap_pme_os_fstat(int fd, struct stat *ret)
{
	*ret = (struct stat){.st_dev = file.devno};
	return fd == 5 ? 0 : -EBADF;
}

int __wrap_fstatfs(int fd, struct statfs *ret)
{
	(void)fd;
	*ret = (struct statfs){.f_type = file.magic};
	return 0;
}

bool __wrap_pme_fd_is_realtime(int fd)
{
	(void)fd;
	return file.realtime;
}

int __wrap_pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret)
{
	(void)fd;
	file.asked = range;
	if (file.error < 0)
		return file.error;
	ret->items = calloc(EXTENTS, sizeof(*ret->items));
	assert_non_null(ret->items);
	ret->count = ret->alloc = file.count;
	memcpy(ret->items, file.extents, sizeof(file.extents));
	return 0;
}

struct world {
	struct snapshot snap;
	struct pme_dev *disk, *moved, *strange;
};

/* A disk, a volume whose sector 0 is its sector 100, and one with a target that nobody knows;
 * sector 120 of the disk is bad. */
static int setup(void **state)
{
	static struct world w;

	snap_init(&w.snap, NULL);
	w.disk = snap_disk(&w.snap, "pmem0", 4096);
	w.moved = snap_dm(&w.snap, "dm-0");
	snap_linear(w.moved, w.disk, 100, 1000);
	w.strange = snap_dm(&w.snap, "dm-1");
	snap_line(w.strange, 1000, "of-tomorrow", strdup("259:0 0"));
	snap_stack(w.disk, w.strange);
	assert_int_equal(pme_stack_add_bad(&w.snap.stack, w.disk,
					   (struct pme_range){SECTORS(120), SECTORS(1)}),
			 0);
	pme_stack_seal_bad(&w.snap.stack);
	memset(&file, 0, sizeof(file));
	file.devno = w.disk->devno;
	file.magic = EXT4_SUPER_MAGIC;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	snap_done(&((struct world *)*state)->snap);
	return 0;
}

/* @length sectors of the file from sector @at of its device on, behind what there is already. */
static void add(uint64_t at, uint64_t length, enum pme_extent_state state)
{
	assert_true(file.count < EXTENTS);
	file.extents[file.count++] = (struct pme_extent){
		.range = {ANY + SECTORS(file.count * 64), SECTORS(length)},
		.state = state,
		.device_start = SECTORS(at),
	};
}

static int ask(struct world *w, char **ret_reason)
{
	struct pme_want want = {.topo = w->snap.topo, .stack = &w->snap.stack};

	return pme_donor_on_bad(&want, 5, (struct pme_range){ANY, SECTORS(256)}, ret_reason);
}

static void expect(struct world *w, int expected, const char *reason)
{
	char untouched[] = "untouched", *said = untouched;

	assert_int_equal(ask(w, &said), expected);
	if (expected == 1) {
		assert_string_equal(said, reason);
		free(said);
	} else {
		assert_ptr_equal(said, untouched);
	}
}

static void borders_are_exact(void **state)
{
	static const struct {
		uint64_t at, length;
		int bad;
	} cases[] = {
		{112, 8, 0}, {113, 8, 1}, {120, 1, 1}, {120, 8, 1},
		{121, 8, 0}, {119, 1, 0}, {0, 120, 0}, {0, 4096, 1},
	};
	struct world *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		file.count = 0;
		add(cases[i].at, cases[i].length, PME_EXTENT_DATA);
		expect(w, cases[i].bad, "it lies on bad blocks itself (pmem0, near byte 61440)");
	}
	assert_int_equal(file.asked.start, ANY);
	assert_int_equal(file.asked.length, SECTORS(256));
}

/* Of many extents any one will do; none is fine. */
static void all_extents_count(void **state)
{
	struct world *w = *state;

	expect(w, 0, NULL);
	add(0, 8, PME_EXTENT_DATA);
	add(200, 8, PME_EXTENT_DATA);
	expect(w, 0, NULL);
	add(116, 8, PME_EXTENT_DATA);
	expect(w, 1, "it lies on bad blocks itself (pmem0, near byte 61440)");
}

/* What reads as zeros, or from memory, touches no media. */
static void only_data_is_read(void **state)
{
	static const enum pme_extent_state none[] = {PME_EXTENT_UNWRITTEN, PME_EXTENT_HOLE,
						     PME_EXTENT_INLINE, PME_EXTENT_DELALLOC};
	struct world *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(none); i++) {
		file.count = 0;
		add(120, 8, none[i]);
		expect(w, 0, NULL);
	}
}

/* The volume is clean itself: what is below it is not. */
static void what_is_below_counts(void **state)
{
	struct world *w = *state;

	file.devno = w->moved->devno;
	add(12, 8, PME_EXTENT_DATA);
	expect(w, 0, NULL);
	file.count = 0;
	add(13, 8, PME_EXTENT_DATA);
	expect(w, 1, "it lies on bad blocks itself (dm-0, near byte 10240)");
}

/* Reading could meet what is bad, so it is not read; but it is not said to be bad. */
static void what_is_below_may_be_unknown(void **state)
{
	struct world *w = *state;

	file.devno = w->strange->devno;
	add(12, 8, PME_EXTENT_DATA);
	expect(w, 1, "nobody knows whether it lies on bad blocks itself (dm-1, near byte 6144)");
}

/* Then reading has to tell. */
static void nobody_can_tell(void **state)
{
	const struct pme_range any = {ANY, SECTORS(8)}, none = {ANY, 0};
	struct world *w = *state;
	struct pme_want want = {.topo = w->snap.topo, .stack = &w->snap.stack};

	add(120, 8, PME_EXTENT_DATA);
	assert_int_equal(pme_donor_on_bad(&want, 5, none, NULL), 0);
	assert_int_equal(pme_donor_on_bad(&want, -1, any, NULL), 0);
	want.stack = NULL;
	assert_int_equal(pme_donor_on_bad(&want, 5, any, NULL), 0);
	file.magic = TMPFS_MAGIC;
	expect(w, 0, NULL);
	file.magic = BTRFS_SUPER_MAGIC;
	expect(w, 0, NULL);
	file.magic = XFS_SUPER_MAGIC;
	expect(w, 1, "it lies on bad blocks itself (pmem0, near byte 61440)");
	file.realtime = true;
	expect(w, 0, NULL);
	file.realtime = false;
	file.devno = makedev(7, 7);
	expect(w, 0, NULL);
}

static void errors_of_extents(void **state)
{
	static const int errors[] = {-EIO, -EOPNOTSUPP, -E2BIG};
	struct world *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(errors); i++) {
		file.error = errors[i];
		expect(w, 0, NULL);
	}
	file.error = -ENOMEM;
	expect(w, -ENOMEM, NULL);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(borders_are_exact),
		CASE(all_extents_count),
		CASE(only_data_is_read),
		CASE(what_is_below_counts),
		CASE(what_is_below_may_be_unknown),
		CASE(nobody_can_tell),
		CASE(errors_of_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
