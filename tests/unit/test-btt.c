/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/btt.c: info blocks, areas, entries of the map and of the log.  The numbers of the arena are
 * those that a kernel 6.12 made of 64 MiB.
 */
#include "btt.h"

#include <string.h>

#include "check.h"

#define SIZE (64ULL << 20)

static void put32(unsigned char *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(value >> 8 * i);
}

static void put_checksum(unsigned char *info)
{
	uint32_t low = 0, high = 0;

	memset(info + 4088, 0, 8);
	for (size_t i = 0; i < 4096; i += 4) {
		low += (uint32_t)info[i] | (uint32_t)info[i + 1] << 8 |
		       (uint32_t)info[i + 2] << 16 | (uint32_t)info[i + 3] << 24;
		high += low;
	}
	put32(info + 4088, low);
	put32(info + 4092, high);
}

static void make(unsigned char *info)
{
	memset(info, 0, 4096);
	memcpy(info, "BTT_ARENA_INFO", 14);
	info[52] = 1;
	info[54] = 1;
	put32(info + 56, 4096);
	put32(info + 60, 0x3ee8);
	put32(info + 64, 4096);
	put32(info + 68, 0x3fe8);
	put32(info + 72, 256);
	put32(info + 76, 4096);
	put32(info + 88, 0x1000);
	put32(info + 96, 0x3fea000);
	put32(info + 104, 0x3ffa000);
	put32(info + 112, 0x3ffe000);
	put_checksum(info);
}

static void an_arena_of_the_kernel(void **state)
{
	unsigned char info[4096];
	struct pme_btt_arena arena;

	make(info);
	assert_int_equal(pme_btt_info_parse(info, 4096, SIZE, &arena), 0);
	assert_int_equal(arena.data, 0x2000);
	assert_int_equal(arena.map, 0x3feb000);
	assert_int_equal(arena.log, 0x3ffb000);
	assert_int_equal(arena.info2, 0x3fff000);
	assert_int_equal(arena.blocks, 0x3ee8);
	assert_int_equal(arena.n_free, 256);
	assert_int_equal(arena.next, 0);
	assert_int_equal(pme_btt_sector_bytes(&arena), 4096);
}

static void areas_of_an_arena(void **state)
{
	static const struct {
		uint64_t at, end;
		enum pme_btt_area area;
	} cases[] = {
		{0, 4096, PME_BTT_OUTSIDE},
		{4096, 8192, PME_BTT_INFO},
		{8191, 8192, PME_BTT_INFO},
		{8192, 0x3fea000, PME_BTT_DATA},
		{0x3fe9fff, 0x3fea000, PME_BTT_DATA},
		{0x3fea000, 0x3feb000, PME_BTT_PAD},
		{0x3feb000, 0x3feb000 + 4 * 0x3ee8, PME_BTT_MAP},
		{0x3ffafff, 0x3ffb000, PME_BTT_PAD},
		{0x3ffb000, 0x3fff000, PME_BTT_LOG},
		{0x3fff000, 0x4000000, PME_BTT_INFO2},
		{0x4000000, UINT64_MAX, PME_BTT_OUTSIDE},
	};
	unsigned char info[4096];
	struct pme_btt_arena arena;

	make(info);
	assert_int_equal(pme_btt_info_parse(info, 4096, SIZE, &arena), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		uint64_t end;

		assert_int_equal(pme_btt_area_at(&arena, cases[i].at, &end), cases[i].area);
		assert_int_equal(end, cases[i].end);
	}
}

/* Each of these alone makes it no arena. */
static void nonsense_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} cases[] = {
		{56, 256},	  /* blocks too small */
		{64, 512},	  /* places smaller than blocks */
		{60, 0},	  /* no blocks */
		{60, 0x3fe9},	  /* more blocks than places */
		{72, 0x200},	  /* more free blocks than places are left */
		{68, 0x7fffffff}, /* more than 30 bits */
		{80, 4096},	  /* the next arena inside of this one */
		{88, 0},	  /* data on the info block */
		{96, 0x3fe0000},  /* the map in the data */
		{104, 0x3fea000}, /* the log in the map */
		{112, 0x3ffa000}, /* the copy in the log */
		{112, 0x3fff000}, /* the copy behind the end */
		{92, 1},	  /* data behind everything */
	};
	struct pme_btt_arena arena;
	unsigned char info[4096];

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		make(info);
		put32(info + cases[i].at, cases[i].value);
		assert_int_equal(pme_btt_info_parse(info, 4096, SIZE, &arena), -EBADMSG);
		put_checksum(info);
		assert_int_equal(pme_btt_info_parse(info, 4096, SIZE, &arena), -EINVAL);
	}
	info[0] = 'b';
	assert_int_equal(pme_btt_info_parse(info, 4096, SIZE, &arena), -ENOENT);
}

static void entries_of_the_map(void **state)
{
	static const struct {
		uint32_t raw, block;
		bool zero, error;
	} cases[] = {
		{0, 77, false, false},
		{0xc0000005, 5, false, false},
		{0x80000005, 5, true, false},
		{0x40000005, 5, false, true},
		{0xffffffff, 0x3fffffff, false, false},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		unsigned char raw[4];
		struct pme_btt_entry entry;

		put32(raw, cases[i].raw);
		entry = pme_btt_entry_parse(raw, 77);
		assert_int_equal(entry.block, cases[i].block);
		assert_int_equal(entry.is_zero, cases[i].zero);
		assert_int_equal(entry.is_error, cases[i].error);
	}
}

static void make_lane(unsigned char *lane, uint32_t a, uint32_t b, uint32_t third)
{
	memset(lane, 0, 64);
	put32(lane + 4, 100);
	put32(lane + 8, 0xc0000000 | 101);
	put32(lane + 12, a);
	if (b) {
		put32(lane + 16 + 4, 200);
		put32(lane + 16 + 12, b);
	}
	if (third) {
		put32(lane + 32 + 4, 300);
		put32(lane + 32 + 12, third);
	}
}

/* btt.c: btt_log_get_old(): 1, 2, 3, 1, …; a sequence number of 0 was never written. */
static void the_newest_of_a_lane(void **state)
{
	static const struct {
		uint32_t a, b, third;
		int r;
		uint32_t block;
	} cases[] = {
		{1, 0, 0, 0, 100},     {1, 2, 0, 0, 200},     {3, 2, 0, 0, 100},
		{3, 1, 0, 0, 200},     {1, 3, 0, 0, 100},     {2, 3, 0, 0, 200},
		{2, 1, 0, 0, 100},     {2, 2, 0, -EINVAL, 0}, {4, 1, 0, -EINVAL, 0},
		{0, 0, 0, -EINVAL, 0}, {1, 0, 2, 0, 300},     {3, 0, 2, 0, 100},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_btt_write write = {0};
		unsigned char lane[64];
		bool padded;

		make_lane(lane, cases[i].a, cases[i].b, cases[i].third);
		padded = pme_btt_log_is_padded(lane, 1);
		assert_int_equal(padded, cases[i].third != 0);
		assert_int_equal(pme_btt_lane_parse(lane, padded, &write), cases[i].r);
		assert_int_equal(write.old_block, cases[i].block);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arena_of_the_kernel), cmocka_unit_test(areas_of_an_arena),
		cmocka_unit_test(nonsense_is_refused),	  cmocka_unit_test(entries_of_the_map),
		cmocka_unit_test(the_newest_of_a_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
