/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/manifest.c: what is written is read back; whatever is cut off, flipped or impossible is
 * refused.
 */
#include "manifest.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "tree.h"

#define MIB (1ULL << 20)

static struct pme_extent extent(uint64_t start, uint64_t length, enum pme_extent_state state,
				uint64_t device)
{
	return (struct pme_extent){
		.range = {.start = start, .length = length},
		.state = state,
		.device_start = device,
	};
}

/* 2 MiB and a bit: data, a hole, unwritten, data; three pages of sums. */
static void make(struct pme_manifest *m)
{
	*m = (struct pme_manifest){
		.protection = strdup("0123456789abcdef"),
		.fs_uuid = strdup("32b013a3-2cb1-4595-814c-b458611bb4aa"),
		.path = strdup("/srv/\xff name"),
		.nonce = 0x1122334455667788,
		.generation = 7,
		.taken = 1700000000000000,
		.has_checkpoint = true,
		.settled = true,
		.lacking = true,
		.inode = 131,
		.inode_generation = 4000000000,
		.size = 2 * MIB + 100,
		.mtime = -5,
		.ctime = 1700000000000000123,
		.boot = 0x8899aabbccddeeff,
		.n_pages = 3,
	};
	m->extents.items = calloc(4, sizeof(*m->extents.items));
	m->pages = calloc(3, sizeof(*m->pages));
	assert_non_null(m->extents.items);
	assert_non_null(m->pages);
	m->extents.count = m->extents.alloc = 4;
	m->extents.items[0] = extent(0, 8192, PME_EXTENT_DATA, 1 << 20);
	m->extents.items[1] = extent(8192, MIB, PME_EXTENT_HOLE, 0);
	m->extents.items[2] = extent(8192 + MIB, 4096, PME_EXTENT_UNWRITTEN, 8192);
	m->extents.items[3] = extent(12288 + MIB, MIB - 12288 + 100, PME_EXTENT_DATA, 1 << 30);
	for (size_t i = 0; i < 3; i++)
		m->pages[i] = pme_digest_of(&i, sizeof(i));
	m->amended.items = calloc(3, sizeof(*m->amended.items));
	assert_non_null(m->amended.items);
	m->amended.count = m->amended.alloc = 3;
	for (size_t i = 0; i < 3; i++)
		m->amended.items[i] = (struct pme_amendment){
			.block = i * 300,
			.digest = pme_digest_of(&i, sizeof(i)),
		};
}

static void assert_same(const struct pme_manifest *a, const struct pme_manifest *b)
{
	assert_string_equal(a->protection, b->protection);
	assert_string_equal(a->fs_uuid, b->fs_uuid);
	assert_string_equal(a->path, b->path);
	assert_int_equal(a->nonce, b->nonce);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->taken, b->taken);
	assert_int_equal(a->has_checkpoint, b->has_checkpoint);
	assert_int_equal(a->settled, b->settled);
	assert_int_equal(a->lacking, b->lacking);
	assert_int_equal(a->inode, b->inode);
	assert_int_equal(a->inode_generation, b->inode_generation);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->mtime, b->mtime);
	assert_int_equal(a->ctime, b->ctime);
	assert_int_equal(a->boot, b->boot);
	assert_int_equal(a->extents.count, b->extents.count);
	for (size_t i = 0; i < a->extents.count; i++) {
		const struct pme_extent *x = &a->extents.items[i], *y = &b->extents.items[i];

		assert_int_equal(x->range.start, y->range.start);
		assert_int_equal(x->range.length, y->range.length);
		assert_int_equal(x->state, y->state);
		assert_int_equal(x->device_start, y->device_start);
	}
	assert_int_equal(a->n_pages, b->n_pages);
	assert_memory_equal(a->pages, b->pages, a->n_pages * sizeof(*a->pages));
	assert_int_equal(a->amended.count, b->amended.count);
	assert_memory_equal(a->amended.items, b->amended.items,
			    a->amended.count * sizeof(*a->amended.items));
}

/* Written, and read; @m is done then. */
static void assert_comes_back(struct pme_manifest *m)
{
	struct pme_manifest back;
	char *data;
	size_t len;

	assert_int_equal(pme_manifest_format(m, &data, &len), 0);
	assert_int_equal(pme_manifest_parse(data, len, &back), 0);
	assert_same(m, &back);
	free(data);
	pme_manifest_done(m);
	pme_manifest_done(&back);
}

static void comes_back(void **state)
{
	struct pme_manifest m;

	(void)state;
	make(&m);
	assert_comes_back(&m);
}

static void is_refused_when_damaged(void **state)
{
	struct pme_manifest m, back;
	char *data, *longer;
	size_t len;

	(void)state;
	make(&m);
	assert_int_equal(pme_manifest_format(&m, &data, &len), 0);
	for (size_t i = 0; i < len; i++)
		assert_true(pme_manifest_parse(data, i, &back) < 0);
	for (size_t i = 0; i < len * 8; i++) {
		data[i / 8] = (char)(data[i / 8] ^ (1 << i % 8));
		assert_true(pme_manifest_parse(data, len, &back) < 0);
		data[i / 8] = (char)(data[i / 8] ^ (1 << i % 8));
	}
	longer = calloc(1, len + 1);
	assert_non_null(longer);
	memcpy(longer, data, len);
	assert_int_equal(pme_manifest_parse(longer, len + 1, &back), -EBADMSG);
	assert_int_equal(pme_manifest_parse("PNG and more", 12, &back), -EINVAL);
	data[8] = 3;
	assert_int_equal(pme_manifest_parse(data, len, &back), -EPROTONOSUPPORT);
	free(longer);
	free(data);
	pme_manifest_done(&m);
}

/* Impossible, but with a good digest: somebody else made it. */
static void is_refused_when_it_makes_no_sense(void **state)
{
	static const struct {
		size_t i; /* of the extent */
		struct pme_extent extent;
	} bad[] = {
		{1, {.range = {8192, MIB - 1}, .state = PME_EXTENT_HOLE}},
		{1, {.range = {8192, 0}, .state = PME_EXTENT_HOLE}},
		{1, {.range = {8192, UINT64_MAX - 100}, .state = PME_EXTENT_HOLE}},
		{0, {.range = {0, 8192}, .device_start = UINT64_MAX - 5}},
		{3, {.range = {12288 + MIB, MIB - 12288}, .state = PME_EXTENT_DATA}},
		{0, {.range = {0, 8192}, .state = (enum pme_extent_state)9}},
	};
	static const uint64_t blocks[][3] = {{0, 0, 1}, {5, 4, 6}, {0, 1, 768}};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad) + PME_ARRAY_SIZE(blocks); i++) {
		struct pme_manifest m, back;
		size_t row = i - PME_ARRAY_SIZE(bad), len;
		char *data;

		make(&m);
		if (i < PME_ARRAY_SIZE(bad))
			m.extents.items[bad[i].i] = bad[i].extent;
		for (size_t j = 0; i >= PME_ARRAY_SIZE(bad) && j < 3; j++)
			m.amended.items[j].block = blocks[row][j];
		assert_int_equal(pme_manifest_format(&m, &data, &len), 0);
		assert_int_equal(pme_manifest_parse(data, len, &back), -EBADMSG);
		free(data);
		pme_manifest_done(&m);
	}
}

/* One that could be written in fewer bytes would not be written back the same. */
static void numbers_are_as_short_as_can_be(void **state)
{
	struct pme_manifest m, back;
	struct pme_digest digest;
	size_t len, at;
	char *data;

	(void)state;
	make(&m);
	m.amended.items[1].block = 0x80; /* the first of two bytes is 0x80 */
	m.amended.items[2].block = 600;
	assert_int_equal(pme_manifest_format(&m, &data, &len), 0);
	at = len - sizeof(digest) - 2 * sizeof(digest) - 2 - 2;
	assert_int_equal((unsigned char)data[at], 0x80);
	assert_int_equal(data[at + 1], 1);
	data[at + 1] = 0;
	digest = pme_digest_of(data, len - sizeof(digest));
	memcpy(data + len - sizeof(digest), &digest, sizeof(digest));
	assert_int_equal(pme_manifest_parse(data, len, &back), -EBADMSG);
	free(data);
	pme_manifest_done(&m);
}

/* Places anywhere, in any order, up to the last byte there can be. */
static void places_come_back(void **state)
{
	static const uint64_t places[] = {UINT64_MAX / 2 + 5, 0, UINT64_MAX - MIB, 4096};
	struct pme_manifest m;

	(void)state;
	make(&m);
	for (size_t i = 0; i < 4; i++)
		if (m.extents.items[i].state != PME_EXTENT_HOLE)
			m.extents.items[i].device_start = places[i];
	assert_comes_back(&m);
}

/* The digests of a page of sums, by the version with amendments: as many changed as @changed. */
static void assert_shares(size_t page, size_t changed, bool shares)
{
	struct pme_digest stored[PME_MANIFEST_PER_PAGE], now[PME_MANIFEST_PER_PAGE];
	struct pme_manifest m, next;
	size_t before;

	make(&m);
	m.amended.count = page == 2 ? 2 : page; /* those of the pages before */
	for (size_t i = 0; i < PME_MANIFEST_PER_PAGE; i++)
		now[i] = stored[i] = pme_digest_of(&i, sizeof(i));
	for (size_t i = 0; i < changed; i++)
		now[255 - 3 * i].bytes[0] ^= 1;
	before = m.amended.count;
	assert_int_equal(pme_manifest_share_page(&m, page, stored, now), shares);
	assert_int_equal(m.amended.count, before + (shares ? changed : 0));
	if (shares) {
		make(&next);
		next.amended.count = before;
		assert_int_equal(pme_manifest_keep_page(&next, &m, page), 0);
		pme_manifest_amend(&next, page, stored);
		assert_memory_equal(stored, now, sizeof(now));
		assert_true(pme_digest_same(&next.pages[page], &m.pages[page]));
		pme_manifest_done(&next);
	}
	pme_manifest_done(&m);
}

static void few_changes_share_a_page(void **state)
{
	(void)state;
	assert_shares(0, 0, true);
	assert_shares(0, 1, true);
	assert_shares(1, 9, true);
	assert_shares(2, 10, true);
	assert_shares(0, 9, false);
	assert_shares(2, 80, false);
}

/* A file with sums of one page and a bit: each is checked, and then amended. */
static void sums_are_amended(void **state)
{
	struct pme_digest sums[2][PME_MANIFEST_PER_PAGE], got[PME_MANIFEST_PER_PAGE];
	struct pme_manifest m;
	struct tree tree;
	int fd;

	(void)state;
	tree_init(&tree);
	tree_file(&tree, "d/sums", "");
	fd = pme_os_open(&tree.os, "d/sums", O_RDWR);
	memset(sums, 7, sizeof(sums));
	assert_int_equal(pme_os_pwrite(fd, sums, sizeof(sums), 0), 0);
	make(&m);
	m.pages[0] = pme_digest_of(sums[0], sizeof(sums[0]));
	m.pages[1] = pme_digest_of(sums[1], sizeof(sums[1]));
	assert_int_equal(pme_manifest_stored(&m, fd, 1, got), 0);
	assert_memory_equal(got, sums[1], sizeof(got));
	assert_int_equal(pme_manifest_sums(&m, fd, 1, got), 0);
	sums[1][300 - PME_MANIFEST_PER_PAGE] = m.amended.items[1].digest;
	assert_memory_equal(got, sums[1], sizeof(got));
	assert_int_equal(pme_os_pwrite(fd, "x", 1, PME_MANIFEST_PAGE + 5), 0);
	assert_int_equal(pme_manifest_sums(&m, fd, 1, got), -EBADMSG);
	assert_int_equal(pme_manifest_sums(&m, fd, 2, got), -EBADMSG); /* behind its end */
	assert_int_equal(pme_manifest_sums(&m, fd, 3, got), -ERANGE);
	close(fd);
	pme_manifest_done(&m);
	tree_done(&tree);
}

static void knows_what_is_empty(void **state)
{
	struct pme_manifest m;

	(void)state;
	make(&m);
	assert_false(pme_manifest_is_empty(&m, (struct pme_range){4096, 4096}));
	assert_true(pme_manifest_is_empty(&m, (struct pme_range){8192, 4096}));
	assert_true(pme_manifest_is_empty(&m, (struct pme_range){8192, MIB + 4096}));
	assert_false(pme_manifest_is_empty(&m, (struct pme_range){8192, MIB + 4097}));
	assert_false(pme_manifest_is_empty(&m, (struct pme_range){8191, 2}));
	assert_int_equal(pme_manifest_pages(0), 0);
	assert_int_equal(pme_manifest_pages(1), 1);
	assert_int_equal(pme_manifest_pages(MIB), 1);
	assert_int_equal(pme_manifest_pages(MIB + 1), 2);
	pme_manifest_done(&m);
}

static void is_replaced_whole(void **state)
{
	struct pme_manifest m, back;
	struct tree tree;
	struct stat st;
	int dir;

	(void)state;
	tree_init(&tree);
	tree_dir(&tree, "d");
	dir = pme_os_open(&tree.os, "d", O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	make(&m);
	tree_file(&tree, "d/m", "old");
	assert_int_equal(pme_manifest_read(dir, "m", &back), -EINVAL);
	assert_int_equal(pme_manifest_write(dir, "m", &m), 0);
	assert_int_equal(pme_os_stat_at(dir, "m", false, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(pme_manifest_read(dir, "m", &back), 0);
	assert_same(&m, &back);
	assert_int_equal(pme_manifest_read(dir, "none", &m), -ENOENT);
	close(dir);
	pme_manifest_done(&back);
	pme_manifest_done(&m);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(is_refused_when_damaged),
		cmocka_unit_test(is_refused_when_it_makes_no_sense),
		cmocka_unit_test(numbers_are_as_short_as_can_be),
		cmocka_unit_test(places_come_back),
		cmocka_unit_test(few_changes_share_a_page),
		cmocka_unit_test(sums_are_amended),
		cmocka_unit_test(knows_what_is_empty),
		cmocka_unit_test(is_replaced_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
