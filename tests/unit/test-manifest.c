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
		.inode = 131,
		.inode_generation = 4000000000,
		.size = 2 * MIB + 100,
		.mtime = -5,
		.ctime = 1700000000000000123,
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
	assert_int_equal(a->inode, b->inode);
	assert_int_equal(a->inode_generation, b->inode_generation);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->mtime, b->mtime);
	assert_int_equal(a->ctime, b->ctime);
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
}

static void comes_back(void **state)
{
	struct pme_manifest m, back;
	char *data;
	size_t len;

	(void)state;
	make(&m);
	assert_int_equal(pme_manifest_format(&m, &data, &len), 0);
	assert_int_equal(pme_manifest_parse(data, len, &back), 0);
	assert_same(&m, &back);
	free(data);
	pme_manifest_done(&m);
	pme_manifest_done(&back);
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
	data[8] = 2;
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
		{1, {.range = {4096, MIB + 4096}, .state = PME_EXTENT_HOLE}},
		{0, {.range = {0, 0}, .state = PME_EXTENT_DATA}},
		{1, {.range = {8192, UINT64_MAX - 100}, .state = PME_EXTENT_HOLE}},
		{0, {.range = {0, 8192}, .device_start = UINT64_MAX - 5}},
		{3, {.range = {12288 + MIB, MIB - 12288}, .state = PME_EXTENT_DATA}},
		{0, {.range = {0, 8192}, .state = (enum pme_extent_state)9}},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++) {
		struct pme_manifest m, back;
		char *data;
		size_t len;

		make(&m);
		m.extents.items[bad[i].i] = bad[i].extent;
		assert_int_equal(pme_manifest_format(&m, &data, &len), 0);
		assert_int_equal(pme_manifest_parse(data, len, &back), -EBADMSG);
		free(data);
		pme_manifest_done(&m);
	}
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
		cmocka_unit_test(knows_what_is_empty),
		cmocka_unit_test(is_replaced_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
