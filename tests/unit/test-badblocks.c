/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/badblocks.c.
 *
 * The model is a kernel: a table of at most 512 entries of at most 256 KiB (block/badblocks.c),
 * shown as text that sysfs clips at 4095 bytes (fs/sysfs/file.c).  Whatever is clipped, the parser
 * may never say a byte that the table does not hold, and must say that the list is not whole.
 */
#include <sys/stat.h>

#include "badblocks.h"
#include "check.h"
#include "random.h"

#define ENTRY_SECTORS_MAX 512 /* BB_MAX_LEN */
#define TEXT_MAX (PME_BADBLOCKS_ENTRIES * 32)

struct kernel {
	struct {
		uint64_t first_sect, sects;
	} entries[PME_BADBLOCKS_ENTRIES];
	size_t count;
	char text[TEXT_MAX];
	size_t shown; /* bytes of the text that a read gives */
};

/* Entries in order; sometimes touching, as a range of more than 256 KiB is stored. */
static void kernel_fill(struct kernel *kernel, struct rnd *rnd, size_t count)
{
	uint64_t next_sect = rnd_u64(rnd) >> (14 + rnd_below(rnd, 50));

	kernel->count = count;
	for (size_t i = 0; i < count; i++) {
		uint64_t sects = 1 + rnd_below(rnd, ENTRY_SECTORS_MAX);

		kernel->entries[i].first_sect = next_sect;
		kernel->entries[i].sects = sects;
		next_sect += sects + (rnd_below(rnd, 3) ? 1 + rnd_below(rnd, 100000) : 0);
	}
}

static void kernel_show(struct kernel *kernel)
{
	size_t len = 0;

	for (size_t i = 0; i < kernel->count; i++)
		len += (size_t)snprintf(kernel->text + len, TEXT_MAX - len, "%llu %u\n",
					(unsigned long long)kernel->entries[i].first_sect,
					(unsigned int)kernel->entries[i].sects);
	if (kernel->count == 0)
		kernel->text[len++] = '\n';
	kernel->shown = pme_min(len, PME_BADBLOCKS_CLIP);
}

/* Complete lines within the first @len bytes: the entries that can be known for sure. */
static size_t whole_lines(const char *text, size_t len)
{
	size_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

/* The slow model: the ranges of the first @count entries, touching ones joined one by one. */
static void check_ranges(const struct kernel *kernel, size_t count,
			 const struct pme_range_list *list)
{
	size_t item = 0;

	for (size_t i = 0; i < count; item++) {
		uint64_t start = kernel->entries[i].first_sect * 512, end = start;

		for (; i < count && kernel->entries[i].first_sect * 512 == end; i++)
			end += kernel->entries[i].sects * 512;
		assert_true(item < list->count);
		assert_true(list->items[item].start == start);
		assert_true(list->items[item].length == end - start);
	}
	assert_int_equal(item, list->count);
}

/* Parse a copy of exactly @len bytes, so that the sanitizer sees a read behind it. */
static int parse_sysfs(const char *text, size_t len, struct pme_badblocks *ret, size_t *ret_line)
{
	_cleanup_free_ char *copy = malloc(len + 1);

	memcpy(copy + 1, text, len);
	return pme_badblocks_parse_sysfs(copy + 1, len, ret, ret_line);
}

static int parse_file(const char *text, size_t len, uint64_t block_size, struct pme_badblocks *ret,
		      size_t *ret_line)
{
	_cleanup_free_ char *copy = malloc(len + 1);

	memcpy(copy + 1, text, len);
	return pme_badblocks_parse_file(copy + 1, len, block_size, ret, ret_line);
}

static void check_kernel(struct kernel *kernel)
{
	enum pme_badblocks_state state = PME_BB_COMPLETE;
	struct pme_badblocks bb;
	size_t line, lines;

	kernel_show(kernel);
	lines = kernel->count ? whole_lines(kernel->text, kernel->shown) : 0;
	if (kernel->count == PME_BADBLOCKS_ENTRIES)
		state = PME_BB_FULL;
	if (kernel->shown == PME_BADBLOCKS_CLIP)
		state = PME_BB_CLIPPED;
	assert_int_equal(parse_sysfs(kernel->text, kernel->shown, &bb, &line), 0);
	assert_int_equal(bb.state, state);
	assert_int_equal(bb.entries, lines);
	check_ranges(kernel, lines, &bb.ranges);
	pme_badblocks_done(&bb);
}

static void sysfs_shows_what_the_kernel_holds(void **state)
{
	_cleanup_free_ struct kernel *kernel = calloc(1, sizeof(*kernel));
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 3000; round++) {
		size_t most = round % 2 ? 20 : PME_BADBLOCKS_ENTRIES;

		kernel_fill(kernel, &rnd, rnd_below(&rnd, most + 1));
		check_kernel(kernel);
	}
}

/* Wherever the text is cut, no entry is invented or altered, and the cut is said. */
static void sysfs_cut_anywhere(void **state)
{
	_cleanup_free_ struct kernel *kernel = calloc(1, sizeof(*kernel));
	struct rnd rnd = rnd_start();

	kernel_fill(kernel, &rnd, 30);
	kernel_show(kernel);
	for (size_t len = 0; len <= kernel->shown; len++) {
		bool whole = len == 0 || kernel->text[len - 1] == '\n';
		struct pme_badblocks bb;
		size_t line;

		assert_int_equal(parse_sysfs(kernel->text, len, &bb, &line), 0);
		assert_int_equal(bb.state, whole ? PME_BB_COMPLETE : PME_BB_CLIPPED);
		check_ranges(kernel, whole_lines(kernel->text, len), &bb.ranges);
		pme_badblocks_done(&bb);
	}
}

/* 4095 bytes that end with a newline are clipped too: the next line may be missing. */
static void sysfs_clipped_at_a_newline(void **state)
{
	struct pme_badblocks bb;
	char text[PME_BADBLOCKS_CLIP + 1];
	size_t line, len = 0;

	for (unsigned int i = 0; len < PME_BADBLOCKS_CLIP; i++) /* 273 lines of 15 bytes */
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%012u 1\n", 2 * i);
	assert_int_equal(len, PME_BADBLOCKS_CLIP);
	assert_int_equal(parse_sysfs(text, len, &bb, &line), 0);
	assert_int_equal(bb.state, PME_BB_CLIPPED);
	assert_int_equal(bb.entries, 273);
	pme_badblocks_done(&bb);
	assert_int_equal(parse_sysfs(text, len - 15, &bb, &line), 0);
	assert_int_equal(bb.state, PME_BB_COMPLETE);
	pme_badblocks_done(&bb);
}

/* 512 entries can be shown in 4095 bytes only with small numbers; then the table is full. */
static void sysfs_full_table(void **state)
{
	_cleanup_free_ struct kernel *kernel = calloc(1, sizeof(*kernel));

	for (size_t i = 0; i < PME_BADBLOCKS_ENTRIES; i++) {
		kernel->entries[i].first_sect = 2 * i;
		kernel->entries[i].sects = 1;
	}
	kernel->count = PME_BADBLOCKS_ENTRIES;
	check_kernel(kernel);
	assert_true(kernel->shown < PME_BADBLOCKS_CLIP);
	kernel->count--;
	check_kernel(kernel);
}

static void sysfs_without_errors(void **state)
{
	static const char *const texts[] = {"", "\n"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(texts); i++) {
		struct pme_badblocks bb;
		size_t line;

		assert_int_equal(parse_sysfs(texts[i], strlen(texts[i]), &bb, &line), 0);
		assert_int_equal(bb.state, PME_BB_COMPLETE);
		assert_int_equal(bb.ranges.count, 0);
		pme_badblocks_done(&bb);
	}
}

static const struct {
	const char *text;
	int result;
	size_t line;
} malformed[] = {
	{"1\n", -EINVAL, 1},
	{"1 2 3\n", -EINVAL, 1},
	{"1 0\n", -EINVAL, 1},
	{"a 1\n", -EINVAL, 1},
	{"1 1\n1 b\n", -EINVAL, 2},
	{"1 1\n-1 1\n", -EINVAL, 2},
	{"1 1\n+1 1\n", -EINVAL, 2},
	{"0x1 1\n", -EINVAL, 1},
	{"1,1\n", -EINVAL, 1},
	{"1 1\n\n3 x\n", -EINVAL, 3},
	{"1 1\f\n", -EINVAL, 1},
	{"18446744073709551615 1\n", -ERANGE, 1},
	{"18446744073709551616 1\n", -ERANGE, 1},
	{"1 36028797018963968\n", -ERANGE, 1},
	{"36028797018963967 1\n", -ERANGE, 1},
	{"36028797018963967 2\n", -ERANGE, 1},
};

static void malformed_lines(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(malformed); i++) {
		size_t len = strlen(malformed[i].text), line = 77;
		struct pme_badblocks bb = {0};
		int r = parse_sysfs(malformed[i].text, len, &bb, &line);

		if (r != malformed[i].result || line != malformed[i].line || bb.ranges.items)
			fail_msg("sysfs \"%s\": %d in line %zu", malformed[i].text, r, line);
	}
}

static void sysfs_holds_no_carriage_return_and_no_nul(void **state)
{
	struct pme_badblocks bb;
	size_t line;

	assert_int_equal(parse_sysfs("1 1\r\n", 5, &bb, &line), -EINVAL);
	assert_int_equal(parse_sysfs("1\0001\n", 4, &bb, &line), -EINVAL);
	assert_int_equal(parse_sysfs("1 1\0\n", 5, &bb, &line), -EINVAL);
	assert_int_equal(parse_sysfs("# 1\n", 4, &bb, &line), -EINVAL);
}

static const struct {
	const char *text;
	uint64_t block_size;
	int result;
	size_t line;
	struct pme_range ranges[3];
} files[] = {
	{"", 1024, 0, 0, {{0}}},
	{"\n\n", 1024, 0, 2, {{0}}},
	{"# nothing\n", 1024, 0, 1, {{0}}},
	{"#", 1024, 0, 1, {{0}}},
	{"8\n", 1024, 0, 1, {{8192, 1024}}},
	{"8", 4096, 0, 1, {{32768, 4096}}},
	{"8\r\n9\r\n", 1024, 0, 2, {{8192, 2048}}},
	{"9\n8\n# end\n\n20\n", 1024, 0, 5, {{8192, 2048}, {20480, 1024}}},
	{"  9\t\n", 512, 0, 1, {{4608, 512}}},
	{"8\n8\n8\n", 1, 0, 3, {{8, 1}}},
	{"8 2\n", 4096, 0, 1, {{4096, 1024}}}, /* kernel format: always sectors */
	{"8 2\n10 2\n0 1", 4096, 0, 3, {{0, 512}, {4096, 2048}}},
	{"0 36028797018963967\n", 4096, 0, 1, {{0, 36028797018963967ULL * 512}}},
	{"8 2\n9\n", 1024, -EINVAL, 2, {{0}}}, /* mixed */
	{"9\n8 2\n", 1024, -EINVAL, 2, {{0}}},
	{"9\n#\n\n-8\n", 1024, -EINVAL, 4, {{0}}},
	{"8 0\n", 1024, -EINVAL, 1, {{0}}},
	{"8 1 1\n", 1024, -EINVAL, 1, {{0}}},
	{"8x\n", 1024, -EINVAL, 1, {{0}}},
	{"x", 1024, -EINVAL, 1, {{0}}},
	{" # indented\n", 1024, -EINVAL, 1, {{0}}},
	{"8 # behind\n", 1024, -EINVAL, 1, {{0}}},
	{"8\r\r\n", 1024, -EINVAL, 1, {{0}}},
	{"8\n", 0, -EINVAL, 1, {{0}}},
	{"18446744073709551615\n", 1, -ERANGE, 1, {{0}}},
	{"18446744073709551614\n", 1, 0, 1, {{UINT64_MAX - 1, 1}}},
	{"9007199254740992\n", 2048, -ERANGE, 1, {{0}}},
	{"99999999999999999999999\n", 1024, -ERANGE, 1, {{0}}},
};

static void check_file(size_t i)
{
	const struct pme_range *expected = files[i].ranges;
	struct pme_badblocks bb = {0};
	size_t line = 77, n = 0;
	int r = parse_file(files[i].text, strlen(files[i].text), files[i].block_size, &bb, &line);

	while (n < 3 && expected[n].length)
		n++;
	if (r != files[i].result || line != files[i].line || bb.ranges.count != n)
		fail_msg("\"%s\": %d in line %zu, %zu ranges", files[i].text, r, line,
			 bb.ranges.count);
	for (size_t k = 0; k < n; k++)
		if (bb.ranges.items[k].start != expected[k].start ||
		    bb.ranges.items[k].length != expected[k].length)
			fail_msg("\"%s\": range %zu", files[i].text, k);
	assert_int_equal(bb.state, PME_BB_COMPLETE);
	pme_badblocks_done(&bb);
}

static void file_table(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(files); i++)
		check_file(i);
}

/* A user's list is read whole, however long, in any order, with or without a last newline. */
static void file_longer_than_sysfs(void **state)
{
	_cleanup_free_ struct kernel *kernel = calloc(1, sizeof(*kernel));
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 200; round++) {
		struct pme_badblocks bb;
		size_t line, len;

		kernel_fill(kernel, &rnd, 1 + rnd_below(&rnd, PME_BADBLOCKS_ENTRIES));
		kernel_show(kernel);
		len = strlen(kernel->text) - rnd_below(&rnd, 2);
		assert_int_equal(parse_file(kernel->text, len, 4096, &bb, &line), 0);
		assert_int_equal(bb.state, PME_BB_COMPLETE);
		assert_int_equal(line, kernel->count);
		check_ranges(kernel, kernel->count, &bb.ranges);
		pme_badblocks_done(&bb);
		memset(kernel, 0, sizeof(*kernel));
	}
}

/* The same blocks one number per line, shuffled: the same ranges. */
static void file_of_badblocks_8(void **state)
{
	_cleanup_free_ struct kernel *kernel = calloc(1, sizeof(*kernel));
	_cleanup_free_ char *text = malloc(64 * ENTRY_SECTORS_MAX * 24);
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 30; round++) {
		size_t len = 0, line, count = 1 + rnd_below(&rnd, 8);
		struct pme_badblocks bb;

		kernel_fill(kernel, &rnd, count);
		for (size_t i = count; i-- > 0;)
			for (uint64_t s = kernel->entries[i].sects; s-- > 0;)
				len += (size_t)snprintf(
					text + len, 24, "%llu\n",
					(unsigned long long)(kernel->entries[i].first_sect + s));
		assert_int_equal(parse_file(text, len, 512, &bb, &line), 0);
		check_ranges(kernel, count, &bb.ranges);
		pme_badblocks_done(&bb);
	}
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void read_gives_what_the_file_holds(void **state)
{
	char dir[] = "/tmp/test-badblocks-XXXXXX", text[5000];
	_cleanup_free_ char *path = NULL;
	struct pme_badblocks bb = {0};
	struct pme_os os;
	size_t line;

	memset(text, '1', sizeof(text));
	assert_non_null(mkdtemp(dir));
	path = pme_printf("%s/badblocks", dir);
	assert_int_equal(pme_os_open_root(dir, &os), 0);
	assert_int_equal(pme_badblocks_read(&os, "badblocks", &bb, &line), -ENOENT);
	write_file(path, "8 8\n16 8\n", 9);
	assert_int_equal(pme_badblocks_read(&os, "badblocks", &bb, &line), 0);
	assert_int_equal(bb.ranges.count, 1);
	assert_true(bb.ranges.items[0].start == 4096 && bb.ranges.items[0].length == 8192);
	pme_badblocks_done(&bb);
	write_file(path, "8 8\nx\n", 6);
	assert_int_equal(pme_badblocks_read(&os, "badblocks", &bb, &line), -EINVAL);
	assert_int_equal(line, 2);
	memcpy(text, "8 8\n", 4); /* longer than a page: larger pages, or no sysfs at all */
	write_file(path, text, sizeof(text));
	assert_int_equal(pme_badblocks_read(&os, "badblocks", &bb, &line), 0);
	assert_int_equal(bb.state, PME_BB_CLIPPED);
	assert_int_equal(bb.entries, 1);
	pme_badblocks_done(&bb);
	pme_os_close(&os);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysfs_shows_what_the_kernel_holds),
		cmocka_unit_test(sysfs_cut_anywhere),
		cmocka_unit_test(sysfs_clipped_at_a_newline),
		cmocka_unit_test(sysfs_full_table),
		cmocka_unit_test(sysfs_without_errors),
		cmocka_unit_test(malformed_lines),
		cmocka_unit_test(sysfs_holds_no_carriage_return_and_no_nul),
		cmocka_unit_test(file_table),
		cmocka_unit_test(file_longer_than_sysfs),
		cmocka_unit_test(file_of_badblocks_8),
		cmocka_unit_test(read_gives_what_the_file_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
