/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-place-write.c on a made-up device that clears as pmem does: a page with bad sectors is
 * cleared first, up to the first sector that cannot be, and written only when all of it was.  After
 * any of it no sector reads with wrong bytes, or it is said.
 */
#include <linux/fs.h>

#include "check.h"
#include "random.h"
#include "repair-place.h"

#define PAGE 4096
#define PAGES 4
#define SIZE ((size_t)PAGE * PAGES)
#define SECTORS_ALL (SIZE / PME_SECTOR)
#define START (1U << 20) /* byte of the device where the step begins */
#define DEVNO 0x10300

static struct device {
	unsigned char bytes[SIZE];
	bool bad[SECTORS_ALL];		 /* cannot be read */
	bool stuck[SECTORS_ALL];	 /* cannot be cleared */
	unsigned int writes, fail_after; /* no write succeeds after so many */
	unsigned int leased, moved;	 /* lease and blocks last for so many questions */
	int sync_error;
} device;

int __wrap_pme_media_open_write(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_os_fstat(int fd, struct stat *ret);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_os_pwrite(int fd, const void *buf, size_t size, uint64_t offset);
int __wrap_pme_os_sync(int fd);
int __wrap_pme_remap_lease_holds(int fd);
int __wrap_pme_work_place_same(const struct pme_work *work, uint64_t at, uint64_t length);

int __wrap_pme_media_open_write(const struct pme_topo *topo, const struct pme_dev *dev)
{
	(void)topo;
	(void)dev;
	return dup(STDOUT_FILENO);
}

int __wrap_pme_os_fstat(int fd, struct stat *ret)
{
	(void)fd;
	*ret = (struct stat){.st_dev = DEVNO};
	return 0;
}

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	assert_int_equal(request, BLKSSZGET);
	*(int *)arg = PME_SECTOR;
	return 0;
}

static bool any(const bool *flags, uint64_t offset, size_t size)
{
	for (size_t s = (offset - START) / PME_SECTOR; s < (offset - START + size) / PME_SECTOR;
	     s++)
		if (flags[s])
			return true;
	return false;
}

int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	(void)fd;
	assert_true(offset >= START && offset - START + size <= SIZE);
	assert_int_equal(offset % PME_SECTOR + size % PME_SECTOR, 0);
	if (any(device.bad, offset, size))
		return -EIO;
	memcpy(buf, device.bytes + (offset - START), size);
	return 0;
}

/* Clear what is bad, up to what cannot be: what was cleared has any bytes. */
static bool clear(uint64_t offset, size_t size)
{
	for (size_t s = (offset - START) / PME_SECTOR; s < (offset - START + size) / PME_SECTOR;
	     s++) {
		if (device.bad[s] && device.stuck[s])
			return false;
		device.bad[s] = false;
		memset(device.bytes + s * PME_SECTOR, 0xee, PME_SECTOR);
	}
	return true;
}

int __wrap_pme_os_pwrite(int fd, const void *buf, size_t size, uint64_t offset)
{
	(void)fd;
	assert_true(offset >= START && offset - START + size <= SIZE);
	if (device.writes++ >= device.fail_after && !any(device.bad, offset, size))
		return -EIO;
	if (any(device.bad, offset, size) && !clear(offset, size))
		return -EIO;
	memcpy(device.bytes + (offset - START), buf, size);
	return 0;
}

int __wrap_pme_os_sync(int fd)
{
	(void)fd;
	return device.sync_error;
}

int __wrap_pme_remap_lease_holds(int fd)
{
	(void)fd;
	return device.leased > 0 ? device.leased-- > 0 : 0;
}

int __wrap_pme_work_place_same(const struct pme_work *work, uint64_t at, uint64_t length)
{
	(void)work;
	assert_int_equal(at % PAGE, 0);
	assert_int_equal(length, PAGE);
	return device.moved > 0 ? device.moved-- > 0 : 0;
}

/* ---- the world ---- */

struct world {
	struct pme_dev dev;
	struct pme_fs fs;
	struct pme_work_target target;
	struct pme_work_part part;
	uint64_t start;
	struct pme_work work;
	unsigned char good[SIZE];
};

static void world_init(struct world *w, struct rnd *random)
{
	*w = (struct world){.dev = {.name = (char *)"pmem0", .devno = DEVNO},
			    .part = {.device = {START, SIZE}},
			    .target = {.path = (char *)"/srv/a", .fd = -1}};
	w->target.starts = &w->start;
	w->fs = (struct pme_fs){.dev = &w->dev};
	w->work = (struct pme_work){.fs = &w->fs,
				    .targets = &w->target,
				    .n_targets = 1,
				    .parts = &w->part,
				    .n_parts = 1,
				    .length = SIZE,
				    .good = w->good};
	for (size_t i = 0; i < SIZE; i++)
		w->good[i] = (unsigned char)rnd_below(random, 256);
	device = (struct device){.fail_after = 1000, .leased = 1000, .moved = 1000};
	memcpy(device.bytes, w->good, SIZE); /* what reads is right: that was looked at */
}

static void spoil(size_t sector, bool stuck)
{
	device.bad[sector] = true;
	device.stuck[sector] = stuck;
	memset(device.bytes + sector * PME_SECTOR, 0x55, PME_SECTOR);
}

static size_t count_bad(void)
{
	size_t n = 0;

	for (size_t s = 0; s < SECTORS_ALL; s++)
		n += device.bad[s];
	return n;
}

static bool has_wrong(const struct world *w)
{
	for (size_t s = 0; s < SECTORS_ALL; s++)
		if (!device.bad[s] && memcmp(device.bytes + s * PME_SECTOR,
					     w->good + s * PME_SECTOR, PME_SECTOR) != 0)
			return true;
	return false;
}

static void world_done(struct world *w)
{
	free(w->work.error);
}

/* ---- tests ---- */

static void what_clears_is_right(void **state)
{
	struct rnd random = {1};
	struct world w;

	(void)state;
	world_init(&w, &random);
	spoil(3, false);
	spoil(8, false);
	spoil(31, false);
	assert_int_equal(pme_work_place_write(&w.work), 0);
	assert_int_equal(count_bad(), 0);
	assert_false(has_wrong(&w) || w.work.switched);
	assert_int_equal(device.writes, 3); /* the page without a bad sector was let be */
	world_done(&w);
}

/* Any sectors bad, any of them stuck. */
static void nothing_wrong_is_ever_readable(void **state)
{
	struct rnd random = {7};

	(void)state;
	for (unsigned int round = 0; round < 2000; round++) {
		bool stuck = false;
		struct world w;
		int r;

		world_init(&w, &random);
		for (size_t s = 0; s < SECTORS_ALL; s++)
			if (rnd_below(&random, 4) == 0) {
				spoil(s, rnd_below(&random, 6) == 0);
				stuck |= device.stuck[s];
			}
		r = pme_work_place_write(&w.work);
		assert_int_equal(r, stuck ? -EIO : 0);
		assert_int_equal(stuck, count_bad() > 0);
		assert_false(has_wrong(&w) || w.work.switched);
		if (stuck)
			assert_non_null(strstr(w.work.error, "it stays an error"));
		world_done(&w);
	}
}

/* What was cleared cannot be written, either: this must be known. */
static void what_cannot_be_mended_is_said(void **state)
{
	struct rnd random = {3};
	struct world w;

	(void)state;
	world_init(&w, &random);
	spoil(8, false);
	spoil(9, true);
	device.fail_after = 1;
	assert_int_equal(pme_work_place_write(&w.work), -EIO);
	assert_true(has_wrong(&w));
	assert_true(w.work.switched);
	assert_non_null(strstr(w.work.error, "has wrong bytes now"));
	world_done(&w);
}

static void a_flush_that_fails_is_not_forgotten(void **state)
{
	struct rnd random = {4};
	struct world w;

	(void)state;
	world_init(&w, &random);
	spoil(0, false);
	device.sync_error = -EIO;
	assert_int_equal(pme_work_place_write(&w.work), -EIO);
	assert_true(w.work.switched);
	world_done(&w);
}

/* Somebody wants the file, or its blocks are others: the pages behind are not touched. */
static void it_stops_between_pages(void **state)
{
	for (int moved = 0; moved < 2; moved++) {
		struct rnd random = {5};
		struct world w;

		(void)state;
		world_init(&w, &random);
		for (size_t s = 0; s < SECTORS_ALL; s += PAGE / PME_SECTOR)
			spoil(s, false);
		*(moved ? &device.moved : &device.leased) = 2;
		assert_int_equal(pme_work_place_write(&w.work), moved ? -EUCLEAN : -EAGAIN);
		assert_int_equal(device.writes, 2);
		assert_int_equal(count_bad(), PAGES - 2);
		assert_false(has_wrong(&w) || w.work.switched);
		world_done(&w);
	}
}

static void another_device_is_not_written(void **state)
{
	struct rnd random = {6};
	struct world w;

	(void)state;
	world_init(&w, &random);
	spoil(0, false);
	w.dev.devno = DEVNO + 1;
	assert_int_equal(pme_work_place_write(&w.work), -EXDEV);
	assert_int_equal(device.writes, 0);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_clears_is_right),
		cmocka_unit_test(nothing_wrong_is_ever_readable),
		cmocka_unit_test(what_cannot_be_mended_is_said),
		cmocka_unit_test(a_flush_that_fails_is_not_forgotten),
		cmocka_unit_test(it_stops_between_pages),
		cmocka_unit_test(another_device_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
