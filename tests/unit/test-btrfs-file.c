/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/btrfs-file.c: places against the way up of a chunk (btrfs-chunk.c) for all profiles; spans of
 * a file whose items a played kernel knows, and which changes while it is read.
 */
#include "btrfs-file.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>

#include "btrfs-items.h"
#include "check.h"
#include "os.h"
#include "random.h"

#define UNIT 65536ULL
#define ROWS 5
#define STRIPES 8
#define LOGICAL (1ULL << 40)
#define ROOT 256
#define INODE 300
#define BLOCK 4096

/* What the played kernel knows: file extents, sorted. */
static struct known {
	uint64_t root, inode, start;
	uint8_t type, compression;
	uint64_t disk_start, disk_length, offset, length;
} known[8];
static size_t n_known;
static unsigned int searches, change_at; /* the search before which the first extent moves */
static bool crowded;

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);

static void put(unsigned char *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

static void play_search(struct btrfs_ioctl_search_args_v2 *args)
{
	unsigned char *at = (unsigned char *)args->buf;
	uint32_t count = 0;

	for (size_t i = 0; i < n_known && count < args->key.nr_items; i++) {
		const struct known *k = &known[i];
		struct btrfs_ioctl_search_header header = {.objectid = k->inode,
							   .offset = k->start,
							   .type = BTRFS_EXTENT_DATA_KEY,
							   .len = 53};

		if (args->key.tree_id != k->root || args->key.min_objectid != k->inode ||
		    k->start < args->key.min_offset || k->start > args->key.max_offset)
			continue;
		memcpy(at, &header, sizeof(header));
		at += sizeof(header);
		memset(at, 0, 53);
		put(at + 8, k->length, 8);
		at[16] = k->compression;
		at[20] = k->type;
		put(at + 21, k->disk_start, 8);
		put(at + 29, k->disk_length, 8);
		put(at + 37, k->offset, 8);
		put(at + 45, k->length, 8);
		at += 53;
		count++;
	}
	args->key.nr_items = count;
}

static void play_logical(struct btrfs_ioctl_logical_ino_args *args)
{
	unsigned char *at = (unsigned char *)(uintptr_t)args->inodes;
	uint32_t count = 0;

	memset(at, 0, 16);
	for (size_t i = 0; i < n_known; i++) {
		if (known[i].type == PME_BTRFS_INLINE || known[i].disk_start != args->logical)
			continue;
		put(at + 16 + (size_t)count * 24, known[i].inode, 8);
		put(at + 24 + (size_t)count * 24, known[i].start, 8);
		put(at + 32 + (size_t)count * 24, known[i].root, 8);
		count++;
	}
	put(at + 8, count * 3ULL, 4);
	if (crowded)
		put(at + 12, 3ULL << 24, 4); /* missed */
}

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	switch (request) {
	case BTRFS_IOC_TREE_SEARCH_V2:
		if (++searches == change_at)
			known[0].disk_start += 1 << 20;
		play_search(arg);
		return 0;
	case BTRFS_IOC_LOGICAL_INO_V2:
		play_logical(arg);
		return 0;
	case BTRFS_IOC_INO_LOOKUP:
		((struct btrfs_ioctl_ino_lookup_args *)arg)->treeid = ROOT;
		return 0;
	case BTRFS_IOC_START_SYNC:
	case BTRFS_IOC_WAIT_SYNC:
	case FS_IOC_FIEMAP:
		return 0;
	}
	fail_msg("ioctl %#lx was not expected", request);
	return -ENOTTY;
}

static void know(const struct known *table, size_t count)
{
	memcpy(known, table, count * sizeof(*table));
	n_known = count;
	searches = change_at = 0;
	crowded = false;
}

/* "4096+4096 data shared zstd @1000+8192", a line each; or the error. */
static char *spans_of(uint64_t start, uint64_t length)
{
	struct pme_btrfs_view view = {.fd = 3, .block_size = BLOCK};
	struct pme_btrfs_spans spans = {0};
	int r = pme_btrfs_file_spans(&view, 3, INODE, (struct pme_range){start, length}, &spans);
	char *words = NULL;

	if (r < 0)
		words_add(&words, strerror(-r));
	for (size_t i = 0; r == 0 && i < spans.count; i++) {
		const struct pme_btrfs_span *span = &spans.items[i];
		_cleanup_free_ char *text = pme_printf(
			"%llu+%llu %s%s%s%s @%llx+%llu;", (unsigned long long)span->range.start,
			(unsigned long long)span->range.length, pme_extent_state_name(span->state),
			span->shared ? " shared" : "", span->coding ? " " : "",
			span->coding ? span->coding : "", (unsigned long long)span->logical.start,
			(unsigned long long)span->logical.length);

		words_add(&words, text);
	}
	free(spans.items);
	return words;
}

static void check_spans(uint64_t start, uint64_t length, const char *expected)
{
	_cleanup_free_ char *got = spans_of(start, length);

	assert_string_equal(got, expected);
}

static const struct known usual[] = {
	{ROOT, INODE, 0, PME_BTRFS_REGULAR, 0, 0x100000, 65536, 0, 32768},
	/* 32768 to 40959: in no item */
	{ROOT, INODE, 40960, PME_BTRFS_REGULAR, 3, 0x200000, 8192, 0, 65536},
	{ROOT, INODE, 106496, PME_BTRFS_PREALLOC, 0, 0x300000, 16384, 4096, 8192},
	{ROOT, INODE, 114688, PME_BTRFS_REGULAR, 0, 0, 0, 0, 4096},
	/* another file shows some of the first extent, and a part that this one does not */
	{ROOT + 1, INODE, 8192, PME_BTRFS_REGULAR, 0, 0x100000, 65536, 16384, 32768},
};

static void spans_of_a_file(void **state)
{
	(void)state;
	know(usual, PME_ARRAY_SIZE(usual));
	check_spans(0, 200000,
		    "0+16384 data @100000+16384; 16384+16384 data shared @104000+16384; 32768+8192 "
		    "hole @0+0; 40960+65536 data zstd @200000+8192; 106496+8192 unwritten "
		    "@301000+8192; 114688+4096 hole @0+0; 118784+81216 hole @0+0; ");
	/* of what is compressed all is needed */
	check_spans(20000, 30000,
		    "20000+12768 data shared @104e20+12768; 32768+8192 hole @0+0; 40960+9040 data "
		    "zstd @200000+8192; ");
	check_spans(110000, 10, "110000+10 unwritten @301db0+10; ");
	check_spans(1 << 20, 10, "1048576+10 hole @0+0; ");
}

static void small_and_twice_shown(void **state)
{
	static const struct known table[] = {
		{ROOT, INODE, 0, PME_BTRFS_INLINE, 0, 0, 0, 0, 100},
		{ROOT, INODE, 4096, PME_BTRFS_REGULAR, 0, 0x100000, 16384, 0, 8192},
		{ROOT, INODE, 12288, PME_BTRFS_REGULAR, 0, 0x100000, 16384, 4096, 12288},
	};

	(void)state;
	know(table, PME_ARRAY_SIZE(table));
	check_spans(0, 24576,
		    "0+4096 inline @0+0; 4096+4096 data @100000+4096; 8192+4096 data shared "
		    "@101000+4096; 12288+4096 data shared @101000+4096; 16384+8192 data "
		    "@102000+8192; ");
	check_spans(12288, 4096, "12288+4096 data shared @101000+4096; ");
}

static void too_many_owners(void **state)
{
	(void)state;
	know(usual, PME_ARRAY_SIZE(usual));
	crowded = true;
	check_spans(0, 40960, "0+32768 data shared @100000+32768; 32768+8192 hole @0+0; ");
	check_spans(40960, 4096, "40960+4096 data shared zstd @200000+8192; ");
}

static void changes_meanwhile(void **state)
{
	unsigned int all;

	(void)state;
	know(usual, PME_ARRAY_SIZE(usual));
	check_spans(0, 32768,
		    "0+16384 data @100000+16384; 16384+16384 data shared @104000+16384; ");
	all = searches; /* the last one only finds that there is nothing more */
	assert_true(all >= 4);
	for (unsigned int i = 2; i < all; i++) {
		know(usual, PME_ARRAY_SIZE(usual));
		change_at = i;
		check_spans(0, 32768, "Resource temporarily unavailable ");
	}
}

static const struct profile {
	uint64_t bit;
	uint32_t stripes, copies, columns, sub;
} profiles[] = {
	{0, 1, 1, 1, 1},
	{BTRFS_BLOCK_GROUP_DUP, 2, 2, 1, 1},
	{BTRFS_BLOCK_GROUP_RAID1, 2, 2, 1, 1},
	{BTRFS_BLOCK_GROUP_RAID1C3, 3, 3, 1, 1},
	{BTRFS_BLOCK_GROUP_RAID1C4, 4, 4, 1, 1},
	{BTRFS_BLOCK_GROUP_RAID0, 3, 1, 3, 1},
	{BTRFS_BLOCK_GROUP_RAID10, 6, 2, 3, 2},
	{BTRFS_BLOCK_GROUP_RAID5, 4, 1, 3, 1},
	{BTRFS_BLOCK_GROUP_RAID6, 5, 1, 3, 1},
};

/* Two chunks, one behind the other; device 2 is missing. */
static void add_chunks(const struct profile *profile, struct pme_btrfs_chunks *ret)
{
	unsigned char item[48 + STRIPES * 32] = {0};
	size_t len = 48 + (size_t)profile->stripes * 32;

	put(item, UNIT * ROWS * profile->columns, 8);
	put(item + 16, UNIT, 8);
	put(item + 24, BTRFS_BLOCK_GROUP_DATA | profile->bit, 8);
	put(item + 44, profile->stripes, 2);
	put(item + 46, profile->sub, 2);
	for (uint64_t n = 0; n < 2; n++) {
		for (uint32_t i = 0; i < profile->stripes; i++) {
			put(item + 48 + (size_t)i * 32, i + 1, 8);
			put(item + 56 + (size_t)i * 32, (i + 1 + 20 * n) << 30, 8);
		}
		assert_int_equal(pme_btrfs_chunks_add(ret,
						      LOGICAL + n * UNIT * ROWS * profile->columns,
						      item, len),
				 0);
	}
	assert_int_equal(pme_btrfs_chunks_seal(ret), 0);
}

/* Every byte of a spot goes up again to where it came from. */
static void check_spot(const struct pme_btrfs_chunks *chunks, const struct pme_btrfs_spot *spot,
		       uint64_t logical)
{
	bool found = false;

	for (size_t c = 0; c < chunks->count; c++)
		for (uint32_t i = 0; i < chunks->items[c].n_stripes; i++) {
			const struct pme_btrfs_stripe *stripe = &chunks->items[c].stripes[i];
			struct pme_range whole = {stripe->start, chunks->items[c].dev_length};
			struct pme_range common;
			struct pme_btrfs_part part;

			if (stripe->devid != spot->devid ||
			    !pme_range_intersect(whole, spot->range, &common))
				continue;
			assert_int_equal(common.length, spot->range.length);
			part = pme_btrfs_chunk_up(&chunks->items[c], i,
						  spot->range.start - stripe->start, UINT64_MAX);
			assert_false(part.parity);
			assert_int_equal(part.logical, logical + spot->skip);
			assert_true(part.length >= spot->range.length);
			found = true;
		}
	assert_true(found);
}

static void check_profile(const struct profile *profile, struct rnd *rnd)
{
	struct pme_dev dev = {0};
	struct pme_btrfs_member members[STRIPES];
	struct pme_btrfs_view view = {.fd = -1, .members = members, .n_members = STRIPES};
	struct pme_btrfs_chunks chunks = {0};
	uint64_t size = 2 * UNIT * ROWS * profile->columns;

	for (uint64_t i = 0; i < STRIPES; i++)
		members[i] = (struct pme_btrfs_member){
			.devid = i + 1,
			.dev = i == 1 ? NULL : &dev,
			.total_bytes = 1ULL << 40,
		};
	add_chunks(profile, &chunks);
	for (int round = 0; round < 200; round++) {
		struct pme_btrfs_spots spots = {0};
		uint64_t start = rnd_below(rnd, size), at = 0;
		struct pme_range logical = {LOGICAL + start, 1 + rnd_below(rnd, size - start)};

		assert_int_equal(pme_btrfs_file_spots(&view, &chunks, logical, &spots), 0);
		assert_int_equal(spots.count % profile->copies, 0);
		for (size_t i = 0; i < spots.count; i++) {
			const struct pme_btrfs_spot *spot = &spots.items[i];

			assert_int_equal(spot->skip, at);
			assert_int_equal(spot->dev == NULL, spot->devid == 2);
			assert_true(i % profile->copies == 0 ||
				    spot->devid != spots.items[i - 1].devid);
			check_spot(&chunks, spot, logical.start);
			at += i % profile->copies == profile->copies - 1 ? spot->range.length : 0;
		}
		assert_int_equal(at, logical.length);
		free(spots.items);
	}
	pme_btrfs_chunks_done(&chunks);
}

static void places_of_all_profiles(void **state)
{
	struct rnd rnd = rnd_start();

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(profiles); i++)
		check_profile(&profiles[i], &rnd);
}

static void bytes_without_a_chunk(void **state)
{
	struct pme_btrfs_view view = {.fd = -1};
	struct pme_btrfs_chunks chunks = {0};
	struct pme_btrfs_spots spots = {0};
	uint64_t end = LOGICAL + 2 * UNIT * ROWS;

	(void)state;
	add_chunks(&profiles[0], &chunks);
	assert_int_equal(
		pme_btrfs_file_spots(&view, &chunks, (struct pme_range){end - 10, 11}, &spots),
		-EAGAIN);
	assert_int_equal(
		pme_btrfs_file_spots(&view, &chunks, (struct pme_range){LOGICAL - 1, 1}, &spots),
		-EAGAIN);
	free(spots.items);
	pme_btrfs_chunks_done(&chunks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_of_a_file),	  cmocka_unit_test(small_and_twice_shown),
		cmocka_unit_test(too_many_owners),	  cmocka_unit_test(changes_meanwhile),
		cmocka_unit_test(places_of_all_profiles), cmocka_unit_test(bytes_without_a_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
