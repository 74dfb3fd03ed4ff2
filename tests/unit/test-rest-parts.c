/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/rest-parts-disk.c: headers of GPT and tables of an MBR built here.
 */
#include "gpt-image.h"

#define DISK_SIZE (1ULL << 20)

static void good_headers(void **state)
{
	static const uint64_t blocks[] = {512, 4096};
	unsigned char buf[4096];
	struct pme_gpt gpt;

	for (size_t i = 0; i < PME_ARRAY_SIZE(blocks); i++) {
		uint64_t block = blocks[i], last = DISK_SIZE / block - 1;

		make_header(buf, block, 1, last);
		assert_int_equal(pme_gpt_parse(buf, block, block, DISK_SIZE, &gpt), 0);
		assert_int_equal(gpt.entries.start, 2 * block);
		assert_int_equal(gpt.entries.length, 16384);
		assert_int_equal(gpt.other, last * block);
		assert_int_equal(pme_gpt_parse(buf, block, 2 * block, DISK_SIZE, &gpt), -EINVAL);
	}
}

static void headers_that_make_no_sense(void **state)
{
	static const struct {
		size_t at, len;
		uint64_t value;
	} cases[] = {
		{0, 1, 0},	     {12, 4, 91},	  {12, 4, 513},	 {32, 8, UINT64_MAX},
		{32, 8, 2048},	     {72, 8, UINT64_MAX}, {72, 8, 2047}, {80, 4, 0},
		{80, 4, UINT32_MAX}, {84, 4, UINT32_MAX}, {84, 4, 64},
	};
	unsigned char buf[512];
	struct pme_gpt gpt;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		make_header(buf, 512, 1, 2047);
		put(buf + cases[i].at, cases[i].value, cases[i].len);
		seal(buf);
		assert_int_equal(pme_gpt_parse(buf, 512, 512, DISK_SIZE, &gpt), -EINVAL);
	}
	make_header(buf, 512, 1, 2047);
	buf[60] ^= 1; /* not sealed */
	assert_int_equal(pme_gpt_parse(buf, 512, 512, DISK_SIZE, &gpt), -EINVAL);
}

static void entries_without_a_type_are_not_used(void **state)
{
	static unsigned char entries[GPT_ENTRIES_BYTES];
	unsigned char buf[512];
	struct pme_gpt gpt;

	make_header(buf, 512, 1, 2047);
	assert_int_equal(pme_gpt_parse(buf, 512, 512, DISK_SIZE, &gpt), 0);
	assert_int_equal(gpt.entry, 128);
	assert_true(pme_gpt_is_empty(entries, &gpt));
	entries[127 * 128 + 16] = 1; /* what a tool left of one that was removed */
	assert_true(pme_gpt_is_empty(entries, &gpt));
	entries[127 * 128 + 15] = 1;
	assert_false(pme_gpt_is_empty(entries, &gpt));
}

static void tables_of_mbr(void **state)
{
	static const unsigned char types[] = {0x05, 0x0f, 0x85};
	unsigned char buf[PME_MBR_BYTES] = {0};
	struct pme_mbr mbr;

	assert_int_equal(pme_mbr_parse(buf, &mbr), -EINVAL);
	buf[510] = 0x55;
	buf[511] = 0xaa;
	assert_int_equal(pme_mbr_parse(buf, &mbr), 0);
	assert_true(mbr.empty);
	buf[509] = 1;
	assert_int_equal(pme_mbr_parse(buf, &mbr), 0);
	assert_false(mbr.empty);
	buf[446 + 4] = 0x83;
	put(buf + 446 + 8, 2048, 4);
	put(buf + 446 + 12, 100, 4);
	assert_int_equal(pme_mbr_parse(buf, &mbr), 0);
	assert_int_equal(mbr.next, 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(types); i++) {
		buf[462 + 4] = types[i];
		put(buf + 462 + 8, 4096, 4);
		put(buf + 462 + 12, 50, 4);
		assert_int_equal(pme_mbr_parse(buf, &mbr), 0);
		assert_int_equal(mbr.next, 4096);
		assert_int_equal(mbr.length, 50);
	}
}

/* Numbers are those of blocks of 512 bytes; a chain that leads back must end all the same. */
static void chains(void **state)
{
	static const struct pme_mbr last = {0}, first = {.next = 63, .length = 1000},
				    other = {.next = 500, .length = 10},
				    far = {.next = UINT32_MAX, .length = 1};
	struct pme_ebr_walk walk = {.count = 0};
	size_t count = 0;

	assert_int_equal(pme_ebr_next(&walk, &last, 512, DISK_SIZE), 0);
	assert_int_equal(pme_ebr_next(&walk, &first, 512, DISK_SIZE), 1);
	assert_int_equal(walk.start, 63 * 512);
	assert_int_equal(pme_ebr_next(&walk, &other, 512, DISK_SIZE), 1);
	assert_int_equal(walk.start, 563 * 512);
	assert_int_equal(pme_ebr_next(&walk, &other, 512, DISK_SIZE), 1);
	assert_int_equal(walk.start, 563 * 512); /* leads back; from the first table, not this */
	assert_int_equal(pme_ebr_next(&walk, &far, 512, DISK_SIZE), -EINVAL);
	assert_int_equal(pme_ebr_next(&walk, &far, 65536, UINT64_MAX), 1);
	while (pme_ebr_next(&walk, &other, 512, DISK_SIZE) == 1)
		count++;
	assert_in_range(count, 100, PME_EBR_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers),
		cmocka_unit_test(headers_that_make_no_sense),
		cmocka_unit_test(entries_without_a_type_are_not_used),
		cmocka_unit_test(tables_of_mbr),
		cmocka_unit_test(chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
