/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of media.c: a device of 40 pages and one sector, where some sectors cannot be read.  Byte
 * n of it is n / 512.
 */
#include "check.h"
#include "media.h"

#include <errno.h>
#include <linux/fs.h>

#define FD 100000 /* nobody's descriptor */
#define SIZE (40 * 4096 + PME_SECTOR)

static uint64_t bad; /* sector */
static int block;    /* the device reads so many bytes at least */
static int reads;

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	assert_int_equal(fd, FD);
	if (request == BLKGETSIZE64)
		*(uint64_t *)arg = SIZE;
	else if (request == BLKSSZGET && block)
		*(int *)arg = block;
	else
		return -ENOTTY;
	return 0;
}

int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	uint64_t unit = block ? (uint64_t)block : PME_SECTOR;
	unsigned char *out = buf;

	reads++;
	assert_int_equal(fd, FD);
	assert_int_equal((uintptr_t)buf % unit, 0);
	assert_int_equal(offset % unit, 0);
	assert_true(offset + size == SIZE || size % unit == 0);
	assert_true(offset + size <= SIZE);
	if (offset <= bad * PME_SECTOR && bad * PME_SECTOR < offset + size)
		return -EIO;
	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)((offset + i) / PME_SECTOR);
	return 0;
}

static int read_at(uint64_t offset, size_t size)
{
	unsigned char buf[3 * 4096];
	int r = pme_media_read(FD, buf, size, offset);

	for (size_t i = 0; r == 0 && i < size; i++)
		assert_int_equal(buf[i], (unsigned char)((offset + i) / PME_SECTOR));
	return r;
}

static void good_sectors_in_any_alignment(void **state)
{
	bad = UINT64_MAX / PME_SECTOR;
	block = 512;
	reads = 0;
	assert_int_equal(read_at(0, 1), 0);
	assert_int_equal(read_at(4095, 4098), 0);
	assert_int_equal(read_at(SIZE - 5, 5), 0);
	assert_int_equal(reads, 3);
	assert_int_equal(read_at(SIZE - 5, 6), -ENODATA);
}

/* A superblock with a bad sector behind it in its page. */
static void a_bad_sector_beside(void **state)
{
	bad = 10;
	block = 512;
	assert_int_equal(read_at(8 * 512, 2 * 512), 0);
	assert_int_equal(read_at(9 * 512 + 7, 505), 0);
	assert_int_equal(read_at(11 * 512, 4096), 0);
	assert_int_equal(read_at(9 * 512 + 7, 506), -EIO);
	assert_int_equal(read_at(10 * 512 + 3, 1), -EIO);
	assert_int_equal(read_at(0, 8192), -EIO);
}

static void a_device_that_reads_pages(void **state)
{
	bad = 10;
	block = 4096;
	assert_int_equal(read_at(8 * 512, 512), -EIO);
	assert_int_equal(read_at(16 * 512, 512), 0);
	block = 1024;
	assert_int_equal(read_at(11 * 512, 512), -EIO);
	assert_int_equal(read_at(12 * 512, 512), 0);
	block = 0; /* it does not say */
	assert_int_equal(read_at(8 * 512, 512), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_sectors_in_any_alignment),
		cmocka_unit_test(a_bad_sector_beside),
		cmocka_unit_test(a_device_that_reads_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
