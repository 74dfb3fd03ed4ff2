/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib/ext4-dirent.c: blocks of directories, made by hand, also ones that make no sense. */
#include "ext4-dirent.h"

#include <string.h>

#include "check.h"

#define SIZE 1024U

static unsigned char block[65536];

static void put16(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}

static uint32_t put(uint32_t at, uint32_t ino, uint32_t len, const char *name)
{
	put16(block + at, ino & 0xffff);
	put16(block + at + 2, ino >> 16);
	put16(block + at + 4, len);
	block[at + 6] = (unsigned char)strlen(name);
	block[at + 7] = 1;
	memcpy(block + at + 8, name, strlen(name));
	return at + len;
}

/* "12:name " of each entry; "!" where it ends with an error. */
static char *read_block(uint32_t size)
{
	struct pme_ext4_dirent entry;
	uint32_t pos = 0;
	char *words = NULL;
	int r;

	while ((r = pme_ext4_dirent_next(block, size, &pos, &entry)) > 0) {
		_cleanup_free_ char *word =
			pme_printf("%u:%.*s", entry.ino, (int)entry.len, entry.name);

		words_add(&words, word);
	}
	if (r < 0) {
		assert_int_equal(r, -EUCLEAN);
		words_add(&words, "!");
	}
	return words ? words : strdup("");
}

static void check_block(uint32_t size, const char *words)
{
	_cleanup_free_ char *got = read_block(size);

	assert_string_equal(got, words);
}

static void test_linear(void **state)
{
	_cleanup_free_ char *words = NULL;
	char longest[256];
	uint32_t at;

	memset(block, 0, sizeof(block));
	memset(longest, 'n', 255);
	longest[255] = '\0';
	at = put(0, 12, 12, ".");
	at = put(at, 2, 12, "..");
	at = put(at, 0, 16, "deleted");
	at = put(at, 0x12345, 264, longest);
	put(at, 14, SIZE - 12 - at, "last");
	put(SIZE - 12, 0, 12, ""); /* where the checksum is */
	put16(block + SIZE - 4, 0xabcd);
	words = pme_printf("12:. 2:.. 74565:%s 14:last ", longest);
	check_block(SIZE, words);
}

static void test_hash_tree(void **state)
{
	memset(block, 0xa5, sizeof(block)); /* hashes and numbers of blocks */
	put(put(0, 12, 12, "."), 2, SIZE - 12, "..");
	check_block(SIZE, "12:. 2:.. ");
	put(0, 0, SIZE, "");
	check_block(SIZE, "");
}

static void test_large_blocks(void **state)
{
	memset(block, 0, sizeof(block));
	put(0, 12, 65535, "whole");
	check_block(65536, "12:whole ");
	put(0, 12, 0, "whole");
	check_block(65536, "12:whole ");
	check_block(32768, "! ");
	put(0, 12, 32768, "half");
	put(32768, 13, 32768, "half");
	check_block(65536, "12:half 13:half ");
	put16(block + 4, 1); /* 65536, by its lowest bits */
	check_block(65536, "12:half ");
	put16(block + 4, 2); /* 131072 */
	check_block(65536, "! ");
}

static void test_damaged(void **state)
{
	static const uint32_t lengths[] = {0, 4, 8, 11, 13, 14, 1028, 65532};

	for (size_t i = 0; i < PME_ARRAY_SIZE(lengths); i++) {
		memset(block, 0, sizeof(block));
		put(put(0, 12, 12, "a"), 13, lengths[i], "b");
		check_block(SIZE, "12:a ! ");
	}
	memset(block, 0, sizeof(block));
	put(put(0, 12, 12, "a"), 13, 12, "b");
	block[12 + 6] = 5; /* longer than its entry */
	check_block(SIZE, "12:a ! ");
	put(put(0, 12, 12, "a"), 13, SIZE - 12 - 8, "b"); /* no room behind it */
	check_block(SIZE, "12:a 13:b ! ");
}

static bool is_name(const char *name, size_t len)
{
	const struct pme_ext4_dirent entry = {12, name, len};

	return pme_ext4_dirent_is_name(&entry);
}

static void test_names(void **state)
{
	assert_true(is_name("a", 1));
	assert_true(is_name("...", 3));
	assert_true(is_name("..a", 3));
	assert_true(is_name("\377\n", 2));
	assert_false(is_name("", 0));
	assert_false(is_name(".", 1));
	assert_false(is_name("..", 2));
	assert_false(is_name("../a", 4));
	assert_false(is_name("/", 1));
	assert_false(is_name("a\0b", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),	     cmocka_unit_test(test_hash_tree),
		cmocka_unit_test(test_large_blocks), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
