/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/xfs-sweep.c: tables of GETBMAPX, also wild ones, and a sweep through a filesystem that is
 * played here: its inodes, those of them that cannot be read, and their extents.
 *
 * pme_os_ioctl() and pme_os_open_handle() are wrapped by the linker.  A descriptor of an inode is a
 * copy of that of /dev/null, and which inode it is stands in a table.
 */
#include "xfs-sweep.h"

#include <fcntl.h>
#include <string.h>

#include "check.h"
#include "os.h"

#define INODES 700
#define FIRST_INO 128
#define BLOCKS(n) ((n)*8) /* of 4096 bytes, as GETBMAPX counts */
#define BYTES(n) ((uint64_t)(n)*512)
#define RT_FILE(block)                                                            \
	{                                                                         \
		.mode = S_IFREG, .xflags = FS_XFLAG_REALTIME, .at = BLOCKS(block) \
	}

struct inode {
	uint32_t mode, xflags;
	bool has_attr;	/* one extent, 10000 blocks behind the data */
	int64_t at;	/* of its extents of 8 sectors each */
	size_t extents; /* 0: one */
	int damage;	/* BULKSTAT fails */
	int open_error, map_error;
	bool stuck; /* GETBMAPX makes no progress */
	bool free;  /* not allocated */
};

static struct inode inodes[INODES];
static size_t n_inodes;
static _Atomic size_t n_stats, n_maps; /* by several threads */
static uint64_t inode_of_fd[1024];
static int batch_error; /* BULKSTAT as a whole */
static struct pme_xfs_geo geo;

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_open_handle(int mount, struct file_handle *handle, int flags);

int __wrap_pme_os_open_handle(int mount, struct file_handle *handle, int flags)
{
	uint64_t ino;
	int fd;

	memcpy(&ino, handle->f_handle, sizeof(ino));
	assert_in_range(ino, FIRST_INO, FIRST_INO + n_inodes - 1);
	if (inodes[ino - FIRST_INO].open_error)
		return inodes[ino - FIRST_INO].open_error;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_in_range(fd, 0, PME_ARRAY_SIZE(inode_of_fd) - 1);
	inode_of_fd[fd] = ino;
	return fd;
}

static int play_stat(struct xfs_bulkstat_req *req)
{
	uint64_t ino = pme_max(req->hdr.ino, FIRST_INO);

	n_stats++;
	req->hdr.ocount = 0;
	if (batch_error)
		return batch_error;
	for (; ino < FIRST_INO + n_inodes && req->hdr.ocount < req->hdr.icount; ino++) {
		const struct inode *inode = &inodes[ino - FIRST_INO];

		if (inode->free)
			continue;
		if (inode->damage && req->hdr.ocount == 0)
			return inode->damage;
		if (inode->damage)
			break;
		req->bulkstat[req->hdr.ocount++] = (struct xfs_bulkstat){
			.bs_ino = ino,
			.bs_gen = 7,
			.bs_mode = (uint16_t)inode->mode,
			.bs_xflags = inode->xflags,
			.bs_extents = inode->at < 0 ? 0 : (uint32_t)pme_max(inode->extents, 1),
			.bs_aextents = inode->has_attr,
		};
	}
	req->hdr.ino = ino;
	return 0;
}

static int play_numbers(struct xfs_inumbers_req *req)
{
	uint64_t chunk = pme_max(req->hdr.ino, FIRST_INO) / 64 * 64;

	req->hdr.ocount = 0;
	for (; chunk < FIRST_INO + n_inodes && req->hdr.ocount < req->hdr.icount; chunk += 64) {
		struct xfs_inumbers *raw = &req->inumbers[req->hdr.ocount++];

		*raw = (struct xfs_inumbers){.xi_startino = chunk};
		for (uint64_t i = 0; i < 64 && chunk + i < FIRST_INO + n_inodes; i++)
			if (!inodes[chunk + i - FIRST_INO].free)
				raw->xi_allocmask |= 1ULL << i;
		raw->xi_alloccount = (uint8_t)__builtin_popcountll(raw->xi_allocmask);
		req->hdr.ino = chunk + 64;
	}
	return 0;
}

static int play_attr(const struct inode *inode, struct getbmapx *map)
{
	map[0].bmv_entries = inode->has_attr;
	map[1] = (struct getbmapx){
		.bmv_block = BLOCKS(10000) + inode->at,
		.bmv_length = 8,
		.bmv_oflags = BMV_OF_LAST,
	};
	return 0;
}

/* The extents of an inode have holes between them in the file and on the device. */
static int play_map(const struct inode *inode, struct getbmapx *map)
{
	size_t count = inode->extents ? inode->extents : 1;
	size_t i = (size_t)(map[0].bmv_offset + 15) / 16;

	n_maps++;
	if (map[0].bmv_iflags & BMV_IF_ATTRFORK)
		return play_attr(inode, map);
	assert_true(map[0].bmv_iflags & BMV_IF_DELALLOC);
	if (inode->map_error)
		return inode->map_error;
	map[0].bmv_entries = 0;
	for (; i < count && map[0].bmv_entries + 1 < map[0].bmv_count; i++)
		map[++map[0].bmv_entries] = (struct getbmapx){
			.bmv_offset = (int64_t)i * 16,
			.bmv_block = inode->at + (int64_t)i * 16,
			.bmv_length = 8,
			.bmv_oflags = i + 1 == count ? BMV_OF_LAST : 0,
		};
	map[0].bmv_offset = inode->stuck ? 0 : (int64_t)i * 16 - 8;
	return 0;
}

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	if (request == XFS_IOC_BULKSTAT)
		return play_stat(arg);
	if (request == XFS_IOC_INUMBERS)
		return play_numbers(arg);
	assert_int_equal(request, XFS_IOC_GETBMAPX);
	return play_map(&inodes[inode_of_fd[fd] - FIRST_INO], arg);
}

static void play(size_t count)
{
	memset(inodes, 0, sizeof(inodes));
	n_inodes = count;
	n_stats = n_maps = 0;
	batch_error = 0;
	geo = (struct pme_xfs_geo){.ag_count = 1, .agino_bits = 32};
	for (size_t i = 0; i < count; i++)
		inodes[i] = (struct inode)RT_FILE((int64_t)i);
}

static int sweep_of(bool is_realtime, struct pme_range bad, struct pme_xfs_swept *ret)
{
	const struct pme_range_list list = {.items = &bad, .count = 1};
	const struct pme_xfs_scope scope = {
		.fd = -1,
		.geo = &geo,
		.ranges = &list,
		.is_realtime = is_realtime,
	};

	*ret = (struct pme_xfs_swept){0};
	return pme_xfs_sweep(&scope, ret);
}

static int sweep(struct pme_range bad, struct pme_xfs_swept *ret)
{
	return sweep_of(true, bad, ret);
}

static void check_record(const struct pme_xfs_records *records, size_t i, uint64_t ino,
			 uint64_t start, uint64_t length, uint64_t offset)
{
	assert_true(i < records->count);
	assert_int_equal(records->items[i].fmr_owner, ino);
	assert_int_equal(records->items[i].fmr_physical, start);
	assert_int_equal(records->items[i].fmr_length, length);
	assert_int_equal(records->items[i].fmr_offset, offset);
}

static const struct pme_range everything = {0, 1ULL << 40};

static void all_files_are_asked(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(INODES);
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.records.count, INODES);
	assert_int_equal(swept.unread, 0);
	for (size_t i = 0; i < INODES; i++)
		check_record(&swept.records, i, FIRST_INO + i, i * 4096, 4096, 0);
}

/* In allocation groups that one thread or another takes: each file once. */
static void files_of_all_groups_are_asked(void **state)
{
	static const unsigned int bits[] = {6, 7, 8, 9, 10};

	for (size_t k = 0; k < PME_ARRAY_SIZE(bits); k++) {
		_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

		play(INODES);
		geo.agino_bits = bits[k];
		geo.ag_count = ((FIRST_INO + INODES) >> bits[k]) + 1;
		assert_int_equal(sweep(everything, &swept), 0);
		assert_int_equal(swept.records.count, INODES);
		assert_int_equal(n_maps, INODES);
		for (size_t i = 0; i < INODES; i++)
			check_record(&swept.records, i, FIRST_INO + i, i * 4096, 4096, 0);
	}
}

static void more_groups_than_parts(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(INODES);
	geo.agino_bits = 6;
	geo.ag_count = 1000;
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.records.count, INODES);
}

static void only_realtime_files_are_asked(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(5);
	inodes[0].xflags = 0;
	inodes[1].mode = S_IFDIR;
	inodes[2].mode = S_IFLNK;
	inodes[3].xflags = FS_XFLAG_RTINHERIT;
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.records.count, 1);
	assert_int_equal(n_maps, 1);
	check_record(&swept.records, 0, FIRST_INO + 4, BYTES(BLOCKS(4)), 4096, 0);
}

/* Of the data device: all forks, but not the data of realtime files. */
static void forks_of_the_data_device(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(5);
	inodes[0] = (struct inode){.mode = S_IFREG, .has_attr = true};
	inodes[1] = (struct inode){.mode = S_IFDIR, .at = BLOCKS(1)};
	inodes[2].has_attr = true;
	inodes[3] = (struct inode){.mode = S_IFLNK, .at = BLOCKS(3)}; /* cannot be asked */
	inodes[4] = (struct inode){.mode = S_IFLNK, .at = -1};	      /* within the inode */
	assert_int_equal(sweep_of(false, everything, &swept), 0);
	assert_int_equal(swept.unread, 1);
	assert_int_equal(swept.records.count, 4);
	check_record(&swept.records, 0, FIRST_INO, 0, 4096, 0);
	check_record(&swept.records, 1, FIRST_INO, 10000 * 4096, 4096, 0);
	assert_int_equal(swept.records.items[1].fmr_flags, FMR_OF_ATTR_FORK);
	check_record(&swept.records, 2, FIRST_INO + 1, 4096, 4096, 0);
	check_record(&swept.records, 3, FIRST_INO + 2, 10002 * 4096, 4096, 0);
}

static void no_inodes(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(0);
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.records.count, 0);
}

/* More extents than one ioctl holds. */
static void long_maps_are_read_on(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(1);
	inodes[0].extents = 1500;
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.records.count, 1500);
	assert_int_equal(n_maps, 3);
	for (size_t i = 0; i < swept.records.count; i++)
		check_record(&swept.records, i, FIRST_INO, i * 8192, 4096, i * 8192);
}

/* BULKSTAT stops at each; the sweep goes on behind it and counts it. */
static void damaged_inodes_are_counted(void **state)
{
	static const size_t damaged[] = {0, 1, 63, 64, 255, 256, 300, 699};
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(INODES);
	for (size_t i = 0; i < PME_ARRAY_SIZE(damaged); i++)
		inodes[damaged[i]].damage = i % 2 ? -EIO : -EUCLEAN;
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.unread, PME_ARRAY_SIZE(damaged));
	assert_int_equal(swept.records.count, INODES - PME_ARRAY_SIZE(damaged));
}

/* Free ones at the end of what a thread takes at once, a damaged one behind them: counted once. */
static void free_inodes_are_passed_over(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;
	size_t n_free = 0;

	play(INODES);
	for (size_t i = 250; i < 256; i++, n_free++)
		inodes[i].free = true;
	inodes[256].damage = -EUCLEAN;
	for (size_t i = 320; i < 384; i++, n_free++)
		inodes[i].free = true;
	assert_int_equal(sweep(everything, &swept), 0);
	assert_int_equal(swept.unread, 1);
	assert_int_equal(swept.records.count, INODES - n_free - 1);
	assert_int_equal(n_maps, INODES - n_free - 1);
	assert_true(n_stats <= 6);
}

static void files_that_cannot_be_asked(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(6);
	inodes[0].open_error = -ESTALE; /* gone */
	inodes[1].open_error = -ENOENT;
	inodes[2].open_error = -EIO;
	inodes[3].map_error = -EUCLEAN;
	inodes[4].extents = 1000;
	inodes[4].stuck = true;
	assert_int_equal(sweep((struct pme_range){BYTES(BLOCKS(5)), 1}, &swept), 0);
	assert_int_equal(swept.unread, 3);
	assert_int_equal(swept.records.count, 1);
	check_record(&swept.records, 0, FIRST_INO + 5, BYTES(BLOCKS(5)), 4096, 0);
}

static void errors_of_the_call_are_errors(void **state)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept;

	play(3);
	batch_error = -EPERM;
	assert_int_equal(sweep(everything, &swept), -EPERM);
	assert_int_equal(swept.records.count, 0);
}

static void found_owners_are_asked_again(void **state)
{
	struct pme_range bad = everything;
	const struct pme_range_list list = {.items = &bad, .count = 1};
	const struct pme_xfs_scope scope = {.fd = -1, .ranges = &list, .is_realtime = true};
	_cleanup_(pme_xfs_inodes_done) struct pme_xfs_inodes owners = {0};
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept = {0};

	play(10);
	assert_int_equal(pme_xfs_inodes_add(&owners, FIRST_INO + 2), 0);
	assert_int_equal(pme_xfs_inodes_add(&owners, FIRST_INO + 3), 0);
	assert_int_equal(pme_xfs_inodes_add(&owners, FIRST_INO + 9), 0);
	for (size_t i = 0; i < owners.count; i++) {
		owners.items[i].mode = S_IFREG;
		owners.items[i].is_realtime = true;
	}
	inodes[3].open_error = -ESTALE;
	assert_int_equal(pme_xfs_sweep_again(&scope, &owners, &swept), 0);
	assert_int_equal(n_stats, 0);
	assert_int_equal(n_maps, 2);
	assert_int_equal(swept.records.count, 2);
	check_record(&swept.records, 0, FIRST_INO + 2, BYTES(BLOCKS(2)), 4096, 0);
	check_record(&swept.records, 1, FIRST_INO + 9, BYTES(BLOCKS(9)), 4096, 0);
}

/* ---- tables ---- */

#define EXTENT(offset, block, length, flags)                                          \
	{                                                                             \
		.bmv_offset = (offset), .bmv_block = (block), .bmv_length = (length), \
		.bmv_oflags = (flags)                                                 \
	}

static int take(struct getbmapx *map, int32_t entries, size_t room, struct pme_range bad,
		struct pme_xfs_records *ret)
{
	const struct pme_range_list list = {.items = &bad, .count = 1};

	*ret = (struct pme_xfs_records){0};
	map[0].bmv_entries = entries;
	return pme_xfs_sweep_extents(map, room, &(struct fsmap){.fmr_owner = 99}, &list, ret);
}

static void kinds_of_extents(void **state)
{
	struct getbmapx map[] = {
		{.bmv_count = 7},
		EXTENT(0, 80, 8, 0),
		EXTENT(8, -1, 8, 0),  /* hole */
		EXTENT(16, -2, 8, 1), /* delayed allocation */
		EXTENT(24, 88, 16, BMV_OF_PREALLOC),
		EXTENT(40, 800, 8, 0), /* elsewhere */
		EXTENT(48, 0, 8, BMV_OF_LAST),
	};
	_cleanup_(pme_xfs_records_done) struct pme_xfs_records records;

	assert_int_equal(take(map, 6, 6, (struct pme_range){0, BYTES(104)}, &records), 0);
	assert_int_equal(records.count, 3);
	check_record(&records, 0, 99, BYTES(80), BYTES(8), 0);
	assert_int_equal(records.items[0].fmr_flags, 0);
	check_record(&records, 1, 99, BYTES(88), BYTES(16), BYTES(24));
	assert_int_equal(records.items[1].fmr_flags, FMR_OF_PREALLOC);
	check_record(&records, 2, 99, 0, BYTES(8), BYTES(48));
}

/* One byte of overlap is enough, none is not. */
static void only_what_meets_the_ranges(void **state)
{
	static const struct {
		uint64_t start, length;
		size_t count;
	} cases[] = {
		{BYTES(80) - 1, 1, 0}, {BYTES(80) - 1, 2, 1}, {BYTES(88) - 1, 1, 1},
		{BYTES(88), 1, 0},     {0, BYTES(80), 0},     {0, UINT64_MAX, 1},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct getbmapx map[] = {{0}, EXTENT(0, 80, 8, 0)};
		_cleanup_(pme_xfs_records_done) struct pme_xfs_records records;

		assert_int_equal(take(map, 1, 1,
				      (struct pme_range){cases[i].start, cases[i].length},
				      &records),
				 0);
		assert_int_equal(records.count, cases[i].count);
	}
}

static void wild_numbers_are_refused(void **state)
{
	static const struct getbmapx cases[] = {
		EXTENT(-1, 80, 8, 0),	     EXTENT(INT64_MIN, 80, 8, 0),
		EXTENT(0, 80, 0, 0),	     EXTENT(0, 80, -8, 0),
		EXTENT(0, INT64_MAX, 8, 0),  EXTENT(0, 80, INT64_MAX, 0),
		EXTENT(INT64_MAX, 80, 8, 0), EXTENT(0, INT64_MAX / 256, INT64_MAX / 256, 0),
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct getbmapx map[] = {{0}, cases[i]};
		_cleanup_(pme_xfs_records_done) struct pme_xfs_records records;

		assert_int_equal(take(map, 1, 1, everything, &records), -EPROTO);
		assert_int_equal(records.count, 0);
	}
}

static void wild_counts_are_refused(void **state)
{
	static const int32_t counts[] = {-1, INT32_MIN, 2, INT32_MAX};

	for (size_t i = 0; i < PME_ARRAY_SIZE(counts); i++) {
		struct getbmapx map[] = {{0}, EXTENT(0, 80, 8, 0)};
		_cleanup_(pme_xfs_records_done) struct pme_xfs_records records;

		assert_int_equal(take(map, counts[i], 1, everything, &records), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_files_are_asked),
		cmocka_unit_test(files_of_all_groups_are_asked),
		cmocka_unit_test(more_groups_than_parts),
		cmocka_unit_test(only_realtime_files_are_asked),
		cmocka_unit_test(forks_of_the_data_device),
		cmocka_unit_test(no_inodes),
		cmocka_unit_test(long_maps_are_read_on),
		cmocka_unit_test(damaged_inodes_are_counted),
		cmocka_unit_test(free_inodes_are_passed_over),
		cmocka_unit_test(files_that_cannot_be_asked),
		cmocka_unit_test(errors_of_the_call_are_errors),
		cmocka_unit_test(found_owners_are_asked_again),
		cmocka_unit_test(kinds_of_extents),
		cmocka_unit_test(only_what_meets_the_ranges),
		cmocka_unit_test(wild_numbers_are_refused),
		cmocka_unit_test(wild_counts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
