/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/extent.c, lib/extent-map.c: files of the build directory where their filesystem knows FIEMAP,
 * and answers of a kernel that is played here, in order, also wild ones.
 *
 * pme_os_ioctl() is wrapped by the linker: with a script the answers come from it, else from the
 * kernel.
 */
#include "extent.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/vfs.h>

#include "check.h"
#include "os.h"

#define K 4096ULL

/* One answer: extents up to one of length 0 and without flags. */
struct answer {
	uint64_t start; /* expected fm_start */
	int error;
	uint32_t mapped; /* claimed number of extents; 0: as many as there are */
	struct fiemap_extent extents[6];
};

static const struct answer *script; /* NULL: the kernel is asked */
static size_t answers, asked;
static uint64_t script_end;

/* Blocks of a file that knows no FIEMAP; the last one: an error.  NULL: not played. */
static const int *blocks;
static size_t n_blocks;
static int block_size;

int __real_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	struct fiemap *map = arg;
	const struct answer *answer;
	uint32_t n = 0;

	if (blocks && request == FIGETBSZ) {
		*(int *)arg = block_size;
		return 0;
	}
	if (blocks) {
		int *block = arg;

		assert_int_equal(request, FIBMAP);
		assert_true(*block >= 0 && (size_t)*block < n_blocks);
		*block = blocks[*block];
		return *block == INT_MIN ? -EPERM : 0;
	}
	if (!script)
		return __real_pme_os_ioctl(fd, request, arg);
	assert_int_equal(request, FS_IOC_FIEMAP);
	assert_true(asked < answers);
	answer = &script[asked++];
	assert_int_equal(map->fm_start, answer->start);
	assert_int_equal(map->fm_start + map->fm_length, script_end);
	assert_int_equal(map->fm_flags, FIEMAP_FLAG_SYNC);
	for (; n < PME_ARRAY_SIZE(answer->extents); n++) {
		const struct fiemap_extent *fe = &answer->extents[n];

		if (fe->fe_length == 0 && fe->fe_flags == 0)
			break;
		assert_true(n < map->fm_extent_count);
		map->fm_extents[n] = *fe;
	}
	map->fm_mapped_extents = answer->mapped ? answer->mapped : n;
	return answer->error;
}

static int play(const struct answer *lines, size_t count, struct pme_range range,
		struct pme_extents *ret)
{
	int r;

	*ret = (struct pme_extents){0};
	script = lines;
	answers = count;
	asked = 0;
	script_end = pme_range_end(range);
	r = pme_extents_read(-1, range, ret);
	assert_int_equal(asked, count);
	script = NULL;
	return r;
}

#define FE(logical, physical, length, flags)                                               \
	{                                                                                  \
		.fe_logical = (logical), .fe_physical = (physical), .fe_length = (length), \
		.fe_flags = (flags)                                                        \
	}

static void check_extent(const struct pme_extents *extents, size_t i, uint64_t start,
			 uint64_t length, enum pme_extent_state state, uint64_t device_start)
{
	const struct pme_extent *extent = &extents->items[i];

	assert_true(i < extents->count);
	assert_int_equal(extent->range.start, start);
	assert_int_equal(extent->range.length, length);
	assert_int_equal(extent->state, state);
	if (state == PME_EXTENT_DATA || state == PME_EXTENT_UNWRITTEN)
		assert_int_equal(extent->device_start, device_start);
}

static void extents_and_holes_are_clipped(void **state)
{
	static const struct answer lines[] = {
		{.start = 100,
		 .extents = {FE(0, 1 * K, K, 0), FE(2 * K, 9 * K, K, FIEMAP_EXTENT_UNWRITTEN),
			     FE(3 * K, 20 * K, 4 * K, FIEMAP_EXTENT_SHARED | FIEMAP_EXTENT_LAST)}},
	};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(play(lines, 1, (struct pme_range){100, 4 * K}, &extents), 0);
	assert_int_equal(extents.count, 4);
	check_extent(&extents, 0, 100, K - 100, PME_EXTENT_DATA, K + 100);
	check_extent(&extents, 1, K, K, PME_EXTENT_HOLE, 0);
	check_extent(&extents, 2, 2 * K, K, PME_EXTENT_UNWRITTEN, 9 * K);
	check_extent(&extents, 3, 3 * K, K + 100, PME_EXTENT_DATA, 20 * K);
	assert_true(extents.items[3].shared);
	assert_false(extents.items[0].shared);
}

static void flags_become_states(void **state)
{
	static const struct {
		uint32_t flags;
		enum pme_extent_state state;
	} cases[] = {
		{FIEMAP_EXTENT_MERGED, PME_EXTENT_DATA},
		{FIEMAP_EXTENT_UNWRITTEN, PME_EXTENT_UNWRITTEN},
		{FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN, PME_EXTENT_DELALLOC},
		{FIEMAP_EXTENT_UNKNOWN, PME_EXTENT_DELALLOC},
		{FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED, PME_EXTENT_INLINE},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct answer line = {
			.extents = {FE(0, K, K, cases[i].flags | FIEMAP_EXTENT_LAST)},
		};
		_cleanup_(pme_extents_done) struct pme_extents extents;

		assert_int_equal(play(&line, 1, (struct pme_range){0, K}, &extents), 0);
		assert_int_equal(extents.count, 1);
		assert_int_equal(extents.items[0].state, cases[i].state);
	}
}

/* FIEMAP tells a part, and is asked for the rest. */
static void further_calls_continue(void **state)
{
	static const struct answer lines[] = {
		{.start = 0, .extents = {FE(0, 10 * K, K, 0)}},
		{.start = K, .extents = {FE(2 * K, 30 * K, K, 0)}},
		{.start = 3 * K},
	};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(play(lines, 3, (struct pme_range){0, 5 * K}, &extents), 0);
	assert_int_equal(extents.count, 4);
	check_extent(&extents, 1, K, K, PME_EXTENT_HOLE, 0);
	check_extent(&extents, 2, 2 * K, K, PME_EXTENT_DATA, 30 * K);
	check_extent(&extents, 3, 3 * K, 2 * K, PME_EXTENT_HOLE, 0);
}

/* A running program writes: between two calls an extent has grown to the front. */
static void an_extent_that_grew_between_two_calls(void **state)
{
	static const struct answer lines[] = {
		{.start = 0, .extents = {FE(0, 10 * K, 2 * K, 0)}},
		{.start = 2 * K, .extents = {FE(K, 11 * K, 3 * K, FIEMAP_EXTENT_LAST)}},
	};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(play(lines, 2, (struct pme_range){0, 4 * K}, &extents), 0);
	assert_int_equal(extents.count, 2);
	check_extent(&extents, 0, 0, 2 * K, PME_EXTENT_DATA, 10 * K);
	check_extent(&extents, 1, 2 * K, 2 * K, PME_EXTENT_DATA, 12 * K);
}

static void an_empty_file_is_a_hole(void **state)
{
	static const struct answer line = {.start = 7};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(play(&line, 1, (struct pme_range){7, K}, &extents), 0);
	assert_int_equal(extents.count, 1);
	check_extent(&extents, 0, 7, K, PME_EXTENT_HOLE, 0);
}

static void wild_answers_are_refused(void **state)
{
	static const struct answer cases[] = {
		{.error = -EOPNOTSUPP},
		{.mapped = 1U << 31},
		{.extents = {FE(K, K, K, 0), FE(0, K, K, FIEMAP_EXTENT_LAST)}}, /* out of order */
		{.extents = {FE(0, K, 2 * K, 0), FE(K, K, K, FIEMAP_EXTENT_LAST)}}, /* overlap */
		{.extents = {FE(K, K, UINT64_MAX, FIEMAP_EXTENT_LAST)}},
		{.extents = {FE(0, UINT64_MAX - 5, K, FIEMAP_EXTENT_LAST)}},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_extents_done) struct pme_extents extents;
		int expected = cases[i].error ? cases[i].error : -EINVAL;

		assert_int_equal(play(&cases[i], 1, (struct pme_range){0, 4 * K}, &extents),
				 expected);
	}
}

/* The same answer for ever must not be asked for for ever. */
static void an_answer_without_progress_is_refused(void **state)
{
	static const struct answer lines[] = {
		{.start = 2 * K, .extents = {FE(2 * K, 9 * K, K, 0)}},
		{.start = 3 * K, .extents = {FE(0, 10 * K, K, 0)}},
	};
	static const struct answer empty = {.extents = {FE(0, K, 0, FIEMAP_EXTENT_MERGED)}};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(play(lines, 2, (struct pme_range){2 * K, 4 * K}, &extents), -EINVAL);
	pme_extents_done(&extents);
	assert_int_equal(play(&empty, 1, (struct pme_range){0, 4 * K}, &extents), -EINVAL);
}

/* A file with 4 blocks written, a hole of 4, 4 allocated only, and a hole up to 16. */
static int make_file(void)
{
	char path[] = "extent-XXXXXX", block[4 * K];
	int fd = mkstemp(path);
	struct statfs fs;

	assert_true(fd >= 0);
	unlink(path);
	memset(block, 'x', sizeof(block));
	assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	assert_int_equal(fstatfs(fd, &fs), 0);
	if (fs.f_bsize == K && fallocate(fd, 0, 8 * K, 4 * K) == 0 && ftruncate(fd, 16 * K) == 0)
		return fd;
	close(fd);
	return -1;
}

static void a_real_file(void **state)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	_cleanup_close_ int fd = make_file();
	static const enum pme_extent_state states[4] = {PME_EXTENT_DATA, PME_EXTENT_HOLE,
							PME_EXTENT_UNWRITTEN, PME_EXTENT_HOLE};
	uint64_t pos = 5;
	int r = fd < 0 ? -EOPNOTSUPP
		       : pme_extents_read(fd, (struct pme_range){5, 16 * K - 10}, &extents);

	if (r == -EOPNOTSUPP || r == -ENOTTY) {
		print_message("# no FIEMAP, fallocate or blocks of 4096 bytes here\n");
		skip();
	}
	assert_int_equal(r, 0);
	for (size_t i = 0; i < extents.count; i++) {
		const struct pme_extent *extent = &extents.items[i];

		assert_int_equal(extent->range.start, pos);
		assert_int_equal(extent->state, states[pos / (4 * K)]);
		assert_true((pos % (4 * K)) + extent->range.length <= 4 * K);
		assert_false(extent->shared);
		if (extent->state == PME_EXTENT_DATA)
			assert_int_equal(extent->device_start % K, pos % K);
		pos = pme_range_end(extent->range);
	}
	assert_int_equal(pos, 16 * K - 5);
}

static int play_blocks(const int *list, size_t count, int size, struct pme_range range,
		       struct pme_extents *ret)
{
	int r;

	*ret = (struct pme_extents){0};
	blocks = list;
	n_blocks = count;
	block_size = size;
	r = pme_extents_map(-1, PME_MAPPING_FIBMAP, range, ret);
	blocks = NULL;
	return r;
}

static void blocks_become_extents(void **state)
{
	static const int list[] = {7, 8, 9, 0, 0, 20, 22, 23};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(
		play_blocks(list, 8, 512, (struct pme_range){100, 8 * 512 - 200}, &extents), 0);
	assert_int_equal(extents.count, 4);
	check_extent(&extents, 0, 100, 3 * 512 - 100, PME_EXTENT_DATA, 7 * 512 + 100);
	check_extent(&extents, 1, 3 * 512, 2 * 512, PME_EXTENT_HOLE, 0);
	check_extent(&extents, 2, 5 * 512, 512, PME_EXTENT_DATA, 20 * 512);
	check_extent(&extents, 3, 6 * 512, 2 * 512 - 100, PME_EXTENT_DATA, 22 * 512);
}

static void wild_blocks_are_refused(void **state)
{
	static const int negative[] = {7, -1}, error[] = {7, INT_MIN};
	const struct pme_range two = {0, 8192}, far = {(uint64_t)INT32_MAX * 512 + 512, 512};
	_cleanup_(pme_extents_done) struct pme_extents extents;

	assert_int_equal(play_blocks(negative, 2, 4096, two, &extents), -ERANGE);
	pme_extents_done(&extents);
	assert_int_equal(play_blocks(error, 2, 4096, two, &extents), -EPERM);
	pme_extents_done(&extents);
	assert_int_equal(play_blocks(error, 2, 0, two, &extents), -EPROTO);
	assert_int_equal(play_blocks(error, 2, 1 << 30, two, &extents), -EPROTO);
	assert_int_equal(play_blocks(error, 2, -4096, two, &extents), -EPROTO);
	assert_int_equal(play_blocks(error, 2, 512, far, &extents), -ERANGE);
}

static void names_and_kinds(void **state)
{
	assert_string_equal(pme_extent_state_name(PME_EXTENT_DATA), "data");
	assert_string_equal(pme_extent_state_name(PME_EXTENT_DELALLOC), "delalloc");
	assert_true(pme_extents_physical("xfs") && pme_extents_physical("ext4"));
	assert_true(pme_extents_physical("ext2") && pme_extents_physical("ext3"));
	assert_false(pme_extents_physical("btrfs") || pme_extents_physical("xfs2"));
	assert_false(pme_extents_physical(""));
	assert_int_equal(pme_extents_mapping("vfat"), PME_MAPPING_FIBMAP);
	assert_int_equal(pme_extents_mapping("f2fs"), PME_MAPPING_FIEMAP);
	assert_int_equal(pme_extents_mapping("btrfs"), PME_MAPPING_NONE);
	assert_int_equal(pme_extents_mapping("bcachefs"), PME_MAPPING_NONE);
	assert_int_equal(pme_extents_map(-1, PME_MAPPING_NONE, (struct pme_range){0}, NULL),
			 -EOPNOTSUPP);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(extents_and_holes_are_clipped),
		cmocka_unit_test(flags_become_states),
		cmocka_unit_test(further_calls_continue),
		cmocka_unit_test(an_extent_that_grew_between_two_calls),
		cmocka_unit_test(an_empty_file_is_a_hole),
		cmocka_unit_test(wild_answers_are_refused),
		cmocka_unit_test(an_answer_without_progress_is_refused),
		cmocka_unit_test(a_real_file),
		cmocka_unit_test(blocks_become_extents),
		cmocka_unit_test(wild_blocks_are_refused),
		cmocka_unit_test(names_and_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
