/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/btrfs-chunk.c against a table of every unit of a chunk, filled row by row; lib/btrfs-items.c
 * with items as they stand on disks, whole and cut short; checksums, and what is known to be stale.
 */
#include "btrfs-chunk.h"
#include "btrfs-items.h"

#include <linux/btrfs_tree.h>
#include <string.h>

#include "btrfs-search.h"
#include "btrfs-stale.h"
#include "btrfs-sums.h"
#include "check.h"
#include "random.h"

#define UNIT 65536ULL
#define ROWS 23
#define STRIPES 9
#define PARITY UINT64_MAX
#define LOGICAL (1ULL << 40)

struct profile {
	uint64_t bit;
	uint32_t min, step, mirrors, parities; /* mirrors 0: all stripes */
	bool striped;
	const char *text;
};

static const struct profile profiles[] = {
	{0, 1, 0, 1, 0, false, "data, single"},
	{BTRFS_BLOCK_GROUP_DUP, 2, 0, 0, 0, false, "data, DUP"},
	{BTRFS_BLOCK_GROUP_RAID1, 2, 0, 0, 0, false, "data, RAID1"},
	{BTRFS_BLOCK_GROUP_RAID1C3, 3, 0, 0, 0, false, "data, RAID1C3"},
	{BTRFS_BLOCK_GROUP_RAID1C4, 4, 0, 0, 0, false, "data, RAID1C4"},
	{BTRFS_BLOCK_GROUP_RAID0, 1, 1, 1, 0, true, "data, RAID0"},
	{BTRFS_BLOCK_GROUP_RAID10, 2, 2, 2, 0, true, "data, RAID10"},
	{BTRFS_BLOCK_GROUP_RAID5, 2, 1, 1, 1, true, "data, RAID5"},
	{BTRFS_BLOCK_GROUP_RAID6, 3, 1, 1, 2, true, "data, RAID6"},
};

static void put(unsigned char *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

/* An item with stripes on devices 1, 2, …, each at its number times 1 GiB. */
static size_t make_item(const struct profile *profile, uint32_t stripes, unsigned char *ret)
{
	uint32_t columns = profile->striped ? stripes / profile->mirrors - profile->parities : 1;

	memset(ret, 0, 48 + (size_t)stripes * 32);
	put(ret, UNIT * ROWS * columns, 8);
	put(ret + 16, UNIT, 8);
	put(ret + 24, BTRFS_BLOCK_GROUP_DATA | profile->bit, 8);
	put(ret + 44, stripes, 2);
	put(ret + 46, profile->mirrors == 2 ? 2 : 1, 2);
	for (uint32_t i = 0; i < stripes; i++) {
		put(ret + 48 + (size_t)i * 32, i + 1, 8);
		put(ret + 56 + (size_t)i * 32, (uint64_t)(i + 1) << 30, 8);
	}
	return 48 + (size_t)stripes * 32;
}

/* What unit @row of each stripe holds: a logical unit, or PARITY. */
static void fill_table(const struct profile *profile, uint32_t stripes,
		       uint64_t table[ROWS][STRIPES])
{
	uint64_t next = 0;

	for (uint32_t row = 0; row < ROWS; row++) {
		uint32_t at = 0;

		if (!profile->striped) {
			for (at = 0; at < stripes; at++)
				table[row][at] = next;
			next++;
			continue;
		}
		/* the columns one after the other, beginning one stripe further in each row */
		for (uint32_t n = 0; n < stripes / profile->mirrors; n++) {
			bool parity = n >= stripes - profile->parities;

			for (uint32_t m = 0; m < profile->mirrors; m++)
				table[row][(at++ + (profile->parities ? row : 0)) % stripes] =
					parity ? PARITY : next;
			next += !parity;
		}
	}
}

static void check_down(const struct pme_btrfs_chunk *chunk, uint64_t logical, uint32_t stripe,
		       uint64_t at)
{
	uint32_t first, mirrors = chunk->striped ? chunk->mirrors : chunk->n_stripes;
	uint64_t found_at, length;

	pme_btrfs_chunk_down(chunk, logical, &first, &found_at, &length);
	assert_int_equal(found_at, at);
	assert_true(stripe >= first && stripe < first + mirrors && length > 0);
}

static void check_others(const struct profile *profile, const struct pme_btrfs_chunk *chunk,
			 uint32_t stripe, uint64_t table[ROWS][STRIPES], uint32_t row)
{
	uint32_t first, count, same = 0;
	uint32_t need = pme_btrfs_chunk_others(chunk, stripe, &first, &count);

	if (profile->parities) {
		assert_int_equal(need, chunk->n_stripes - profile->parities);
		assert_true(first == 0 && count == chunk->n_stripes);
		return;
	}
	for (uint32_t i = 0; i < chunk->n_stripes; i++) {
		bool listed = i >= first && i < first + count;

		assert_true(listed == (table[row][i] == table[row][stripe]));
		same += listed;
	}
	assert_int_equal(need, same > 1);
}

static void check_profile(const struct profile *profile, uint32_t stripes)
{
	uint64_t table[ROWS][STRIPES];
	unsigned char item[48 + STRIPES * 32];
	struct pme_btrfs_chunks chunks = {0};
	const struct pme_btrfs_chunk *chunk;
	struct rnd rnd = rnd_start();
	_cleanup_free_ char *text = NULL;

	assert_int_equal(
		pme_btrfs_chunks_add(&chunks, LOGICAL, item, make_item(profile, stripes, item)), 0);
	chunk = &chunks.items[0];
	text = pme_btrfs_chunk_text(chunk);
	assert_string_equal(text, profile->text);
	assert_int_equal(chunk->dev_length, ROWS * UNIT);
	fill_table(profile, stripes, table);
	for (int round = 0; round < 500; round++) {
		uint32_t row = (uint32_t)rnd_below(&rnd, ROWS);
		uint32_t stripe = (uint32_t)rnd_below(&rnd, stripes);
		uint64_t skip = rnd_below(&rnd, UNIT), max = 1 + rnd_below(&rnd, 2 * UNIT);
		uint64_t at = row * UNIT + skip;
		struct pme_btrfs_part part = pme_btrfs_chunk_up(chunk, stripe, at, max);

		assert_int_equal(part.parity, table[row][stripe] == PARITY);
		assert_true(part.length > 0 && part.length <= max);
		assert_true(!profile->striped || part.length <= UNIT - skip);
		if (!part.parity) {
			assert_int_equal(part.logical, LOGICAL + table[row][stripe] * UNIT + skip);
			check_down(chunk, part.logical, stripe, at);
			check_others(profile, chunk, stripe, table, row);
		}
	}
	pme_btrfs_chunks_done(&chunks);
}

static void every_profile(void **state)
{
	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(profiles); i++)
		for (uint32_t n = profiles[i].min; n <= STRIPES; n += profiles[i].step) {
			check_profile(&profiles[i], n);
			if (profiles[i].step == 0)
				break;
		}
}

static void chunks_that_make_no_sense(void **state)
{
	static const struct {
		size_t at, bytes;
		uint64_t value;
	} cases[] = {
		{0, 8, 0},		     /* no length */
		{0, 8, UINT64_MAX},	     /* overflow */
		{0, 8, UNIT * ROWS * 2 + 1}, /* not whole units */
		{16, 8, 0},		     /* no unit */
		{24, 8, 1ULL << 11},	     /* a profile that is not known */
		{24, 8, 3ULL << 3},	     /* two profiles */
		{44, 2, 0},		     /* no stripes */
		{44, 2, 5},		     /* more than there are */
		{46, 2, 1},		     /* RAID10 of one each */
		{56, 8, UINT64_MAX - 5},     /* behind the end of all devices */
	};
	const struct profile *raid10 = &profiles[6];

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_btrfs_chunks chunks = {0};
		unsigned char item[48 + STRIPES * 32];
		size_t len = make_item(raid10, 4, item);

		put(item + cases[i].at, cases[i].value, cases[i].bytes);
		assert_int_equal(pme_btrfs_chunks_add(&chunks, LOGICAL, item, len), -EINVAL);
		assert_int_equal(pme_btrfs_chunks_add(&chunks, LOGICAL, item, 47), -EINVAL);
		pme_btrfs_chunks_done(&chunks);
	}
}

static void chunks_are_found(void **state)
{
	struct pme_btrfs_chunks chunks = {0};
	unsigned char item[48 + STRIPES * 32];
	size_t len = make_item(&profiles[0], 1, item);

	(void)state;
	for (uint64_t i = 9; i > 0; i--)
		assert_int_equal(pme_btrfs_chunks_add(&chunks, i * 2 * ROWS * UNIT, item, len), 0);
	assert_int_equal(pme_btrfs_chunks_seal(&chunks), 0);
	assert_null(pme_btrfs_chunks_find(&chunks, 0));
	assert_null(pme_btrfs_chunks_find(&chunks, 2 * ROWS * UNIT - 1));
	assert_ptr_equal(pme_btrfs_chunks_find(&chunks, 2 * ROWS * UNIT), &chunks.items[0]);
	assert_ptr_equal(pme_btrfs_chunks_find(&chunks, 3 * ROWS * UNIT - 1), &chunks.items[0]);
	assert_null(pme_btrfs_chunks_find(&chunks, 3 * ROWS * UNIT));
	assert_ptr_equal(pme_btrfs_chunks_find(&chunks, 18 * ROWS * UNIT), &chunks.items[8]);
	assert_int_equal(pme_btrfs_chunks_add(&chunks, 18 * ROWS * UNIT + 5, item, len), 0);
	assert_int_equal(pme_btrfs_chunks_seal(&chunks), -EINVAL);
	pme_btrfs_chunks_done(&chunks);
}

static void extents_and_their_references(void **state)
{
	unsigned char item[24 + 18 + 9 + 9] = {0};
	struct pme_btrfs_extent extent;
	struct pme_btrfs_ref ref;
	size_t pos;

	(void)state;
	put(item + 16, 2, 8);
	item[24 + 17] = 3;
	item[42] = BTRFS_TREE_BLOCK_REF_KEY;
	put(item + 43, 257, 8);
	item[51] = BTRFS_SHARED_BLOCK_REF_KEY;
	put(item + 52, 1 << 20, 8);
	assert_int_equal(
		pme_btrfs_extent_parse(BTRFS_EXTENT_ITEM_KEY, 16384, item, sizeof(item), &extent),
		0);
	assert_true(extent.is_tree && extent.level == 3 && extent.refs_at == 42);
	pos = extent.refs_at;
	assert_int_equal(pme_btrfs_ref_next(item, sizeof(item), &pos, &ref), 1);
	assert_true(ref.type == BTRFS_TREE_BLOCK_REF_KEY && ref.value == 257);
	assert_int_equal(pme_btrfs_ref_next(item, sizeof(item), &pos, &ref), 1);
	assert_true(ref.type == BTRFS_SHARED_BLOCK_REF_KEY && ref.value == 1 << 20);
	assert_int_equal(pme_btrfs_ref_next(item, sizeof(item), &pos, &ref), 0);
	pos = 51;
	assert_int_equal(pme_btrfs_ref_next(item, sizeof(item) - 1, &pos, &ref), -EINVAL);
	item[51] = 99;
	assert_int_equal(pme_btrfs_ref_next(item, sizeof(item), &pos, &ref), -EINVAL);

	assert_int_equal(pme_btrfs_extent_parse(BTRFS_METADATA_ITEM_KEY, 1, item, 24, &extent), 0);
	assert_true(extent.level == 1 && extent.refs_at == 24);
	assert_int_equal(pme_btrfs_extent_parse(BTRFS_METADATA_ITEM_KEY, 8, item, 24, &extent),
			 -EINVAL);
	assert_int_equal(pme_btrfs_extent_parse(BTRFS_EXTENT_ITEM_KEY, 1, item, 41, &extent),
			 -EINVAL);
	assert_int_equal(pme_btrfs_extent_parse(BTRFS_EXTENT_ITEM_KEY, 1, item, 23, &extent),
			 -EINVAL);
	put(item + 8, 77, 8);
	put(item + 16, 1, 8);
	assert_int_equal(pme_btrfs_extent_parse(BTRFS_EXTENT_ITEM_KEY, 1, item, 24, &extent), 0);
	assert_false(extent.is_tree);
	assert_int_equal(extent.generation, 77);
	assert_int_equal(pme_btrfs_extent_parse(BTRFS_METADATA_ITEM_KEY, 1, item, 24, &extent),
			 -EINVAL);
}

static void heads_and_sums(void **state)
{
	/* of "123456789": the check value of CRC-32C, and XXH64 with seed 0 */
	static const unsigned char crc[] = {0x83, 0x92, 0x06, 0xe3};
	static const unsigned char xxh[] = {0x83, 0xae, 0xe6, 0x40, 0xdb, 0x41, 0xb8, 0x8c};
	const struct pme_btrfs_sums crc32c = {0, 4}, xxhash = {1, 8}, sha256 = {2, 32};
	unsigned char block[101] = {0};
	struct pme_btrfs_head head;

	(void)state;
	put(block + 48, 1 << 30, 8);
	put(block + 80, 77, 8);
	assert_int_equal(pme_btrfs_head_parse(block, 101, &head), 0);
	assert_true(head.start == 1 << 30 && head.generation == 77);
	assert_int_equal(pme_btrfs_head_parse(block, 100, &head), -EINVAL);
	assert_int_equal(pme_btrfs_sums_check(&crc32c, "123456789", 9, crc), 1);
	assert_int_equal(pme_btrfs_sums_check(&crc32c, "123456780", 9, crc), 0);
	assert_int_equal(pme_btrfs_sums_check(&xxhash, "123456789", 9, xxh), 1);
	assert_int_equal(pme_btrfs_sums_check(&xxhash, "123456780", 9, xxh), 0);
	assert_int_equal(pme_btrfs_sums_check(&sha256, "123456789", 9, crc), -EOPNOTSUPP);
}

static void stale_bytes(void **state)
{
	struct pme_range ranges[] = {{100, 10}, {200, 50}};
	const struct pme_btrfs_member member = {.stale = {.items = ranges, .count = 2}}, none = {0};
	uint64_t length = 1000;

	(void)state;
	assert_false(pme_btrfs_stale_is(&none, 0, &length));
	assert_int_equal(length, 1000);
	assert_false(pme_btrfs_stale_is(&member, 250, &length));
	assert_int_equal(length, 1000);
	assert_true(pme_btrfs_stale_is(&member, 210, &length));
	assert_int_equal(length, 40);
	length = 1000;
	assert_false(pme_btrfs_stale_is(&member, 110, &length));
	assert_int_equal(length, 90);
	length = 5;
	assert_true(pme_btrfs_stale_is(&member, 100, &length));
	assert_int_equal(length, 5);
}

static void file_extents(void **state)
{
	unsigned char item[53] = {0};
	struct pme_btrfs_file_extent extent;

	(void)state;
	item[16] = 3;
	item[20] = PME_BTRFS_REGULAR;
	put(item + 21, 1 << 30, 8);
	put(item + 29, 4096, 8);
	put(item + 37, 65536, 8);
	put(item + 45, 8192, 8);
	assert_int_equal(pme_btrfs_file_extent_parse(item, 53, &extent), 0);
	assert_true(extent.encoded && extent.compression == 3 && extent.disk_start == 1 << 30 &&
		    extent.disk_length == 4096 && extent.offset == 65536 && extent.length == 8192);
	item[16] = 0; /* what is not compressed cannot show more than there is */
	assert_int_equal(pme_btrfs_file_extent_parse(item, 53, &extent), -EINVAL);
	put(item + 37, 0, 8);
	put(item + 45, 4096, 8);
	assert_int_equal(pme_btrfs_file_extent_parse(item, 53, &extent), 0);
	assert_int_equal(pme_btrfs_file_extent_parse(item, 52, &extent), -EINVAL);
	item[20] = 3;
	assert_int_equal(pme_btrfs_file_extent_parse(item, 53, &extent), -EINVAL);
	item[20] = PME_BTRFS_INLINE;
	assert_int_equal(pme_btrfs_file_extent_parse(item, 22, &extent), 0);
	assert_int_equal(pme_btrfs_file_extent_parse(item, 21, &extent), -EINVAL);
}

static void names_of_inodes(void **state)
{
	unsigned char item[] = {7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 'a', 'b',
				8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 'c'};
	unsigned char far[] = {1, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 'd'};
	struct pme_btrfs_name name;
	size_t pos = 0;

	(void)state;
	assert_int_equal(pme_btrfs_name_next(BTRFS_INODE_REF_KEY, 256, item, 23, &pos, &name), 1);
	assert_true(name.dir == 256 && name.len == 2 && memcmp(name.name, "ab", 2) == 0);
	assert_int_equal(pme_btrfs_name_next(BTRFS_INODE_REF_KEY, 256, item, 23, &pos, &name), 1);
	assert_true(name.dir == 256 && name.len == 1 && name.name[0] == 'c');
	assert_int_equal(pme_btrfs_name_next(BTRFS_INODE_REF_KEY, 256, item, 23, &pos, &name), 0);
	pos = 0;
	assert_int_equal(pme_btrfs_name_next(BTRFS_INODE_REF_KEY, 256, item, 11, &pos, &name),
			 -EINVAL);
	item[10] = '/';
	assert_int_equal(pme_btrfs_name_next(BTRFS_INODE_REF_KEY, 256, item, 23, &pos, &name),
			 -EINVAL);
	assert_int_equal(pme_btrfs_name_next(BTRFS_INODE_EXTREF_KEY, 5, far, 19, &pos, &name), 1);
	assert_true(name.dir == 257 && name.len == 1 && name.name[0] == 'd');
	pos = 0;
	assert_int_equal(pme_btrfs_name_next(BTRFS_ROOT_BACKREF_KEY, 5, far, 19, &pos, &name), 1);
	assert_int_equal(name.dir, 257);
}

static void places_of_the_kernel(void **state)
{
	unsigned char buf[16 + 48] = {0};
	struct pme_btrfs_container container;
	struct pme_btrfs_place place;

	(void)state;
	put(buf + 8, 6, 4);
	put(buf + 16 + 24, 260, 8);
	put(buf + 16 + 32, 4096, 8);
	put(buf + 16 + 40, 5, 8);
	assert_int_equal(pme_btrfs_container_parse(buf, sizeof(buf), &container), 0);
	assert_true(container.n_places == 2 && container.missing == 0);
	place = pme_btrfs_container_place(buf, 1);
	assert_true(place.inode == 260 && place.offset == 4096 && place.root == 5);
	put(buf + 12, 3, 4);
	assert_int_equal(pme_btrfs_container_parse(buf, sizeof(buf), &container), 0);
	assert_int_equal(container.missing, 24);
	put(buf + 8, 7, 4);
	assert_int_equal(pme_btrfs_container_parse(buf, sizeof(buf), &container), -EINVAL);
	put(buf + 8, 9, 4);
	assert_int_equal(pme_btrfs_container_parse(buf, sizeof(buf), &container), -EINVAL);
	assert_int_equal(pme_btrfs_container_parse(buf, 15, &container), -EINVAL);
}

static void trees_and_superblocks(void **state)
{
	static const struct {
		uint64_t tree;
		const char *text;
	} cases[] = {
		{2, "extent tree"},
		{5, "tree of the top-level subvolume (ID 5)"},
		{300, "tree of the subvolume with ID 300"},
		{(uint64_t)-9, "data relocation tree"},
		{77, "tree 77"},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = pme_btrfs_tree_text(cases[i].tree);

		assert_string_equal(text, cases[i].text);
	}
	assert_int_equal(pme_btrfs_super_at(0), 64 << 10);
	assert_int_equal(pme_btrfs_super_at(1), 64 << 20);
	assert_int_equal(pme_btrfs_super_at(2), 256ULL << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_profile),
		cmocka_unit_test(chunks_that_make_no_sense),
		cmocka_unit_test(chunks_are_found),
		cmocka_unit_test(extents_and_their_references),
		cmocka_unit_test(heads_and_sums),
		cmocka_unit_test(stale_bytes),
		cmocka_unit_test(file_extents),
		cmocka_unit_test(names_of_inodes),
		cmocka_unit_test(places_of_the_kernel),
		cmocka_unit_test(trees_and_superblocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
