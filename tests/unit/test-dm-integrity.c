/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-integrity.c against a model that lays a device out forward, sector by sector, and
 * finds for each sector of tags which data has its tags in the same buffer.
 */
#include <inttypes.h>

#include "dm-table.h"

struct shape {
	uint64_t start, tag, journal, area, buffer, block; /* sectors, but for tag */
	char mode;
	uint64_t sectors; /* of the line */
};

static const struct shape shapes[] = {
	{0, 4, 16, 32, 8, 1, 'D', 100},	   {16, 20, 24, 64, 8, 1, 'B', 200},
	{8, 32, 8, 16, 8, 2, 'D', 64},	   {3, 33, 40, 64, 8, 8, 'R', 128},
	{0, 64, 16, 128, 16, 1, 'D', 300}, {5, 4, 0, 1024, 8, 8, 'J', 160},
};

/* Sectors of tags in front of each area, with fix_padding. */
static uint64_t run_of(const struct shape *s)
{
	uint64_t bytes = s->tag * (s->area / s->block);

	while (bytes % 4096 != 0)
		bytes++;
	return bytes / 512;
}

static void add_line(struct table *t, const struct shape *s)
{
	table_add(t, s->sectors, "integrity",
		  pme_printf("259:0 %lu %lu %c 6 block_size:%lu journal_sectors:%lu "
			     "interleave_sectors:%lu buffer_sectors:%lu fix_padding "
			     "internal_hash:hmac(sha256):5ec7e7",
			     s->start, s->tag, s->mode, s->block * 512, s->journal, s->area,
			     s->buffer));
}

/* Where each sector of the line lies: run, area, run, area… */
static uint64_t lay_out(const struct shape *s, uint64_t *at)
{
	uint64_t pos = s->start + 8 + s->journal;

	for (uint64_t u = 0; u < s->sectors; u++, pos++) {
		if (u % s->area == 0)
			pos += run_of(s);
		at[u] = pos;
	}
	return pos;
}

/* Is the tag of the block of sector @u in the buffer of tags that holds sector @bad? */
static bool tag_is_hit(const struct shape *s, uint64_t u, uint64_t bad)
{
	uint64_t a = u / s->area, run = s->start + 8 + s->journal + a * (run_of(s) + s->area);
	uint64_t first = (u % s->area) / s->block * s->tag, buffer = s->buffer * 512;

	if (bad < run || bad >= run + run_of(s))
		return false;
	for (uint64_t byte = first; byte < first + s->tag; byte++)
		if (byte / buffer == (bad - run) * 512 / buffer)
			return true;
	return false;
}

static void check_tags(const struct shape *s, const struct pme_step *step, uint64_t bad)
{
	_cleanup_free_ char *words = NULL;
	uint64_t first = UINT64_MAX, last = 0;

	for (uint64_t u = 0; u < s->sectors; u++)
		if (tag_is_hit(s, u, bad)) {
			first = pme_min(first, u * 512);
			last = u * 512 + 511;
		}
	if (first == UINT64_MAX) {
		assert_int_equal(step->owner, PME_OWNER_UNUSED);
		return;
	}
	words = pme_printf("integrity tags of bytes %lu to %lu of vg0/data%s: `pmemctl scan "
			   "--range vg0/data:%lu+%lu` names the files",
			   first, last, s->mode == 'R' ? " (not read in mode R)" : "", first,
			   last + 1 - first);
	assert_int_equal(step->owner, PME_OWNER_VOLUME_METADATA);
	assert_string_equal(step->detail, words);
}

static void check_sector(struct table *t, const struct shape *s, const uint64_t *at, uint64_t bad,
			 uint64_t end)
{
	_cleanup_(pme_steps_done) struct pme_steps up = {0};
	struct pme_range range = {SECTORS(bad), PME_SECTOR};
	bool data = false;

	assert_int_equal(pme_layer_dm.up(NULL, &t->dm, &t->lowers[0], range, &up), 0);
	check_inside(&up, range);
	for (uint64_t u = 0; u < s->sectors; u++) {
		uint64_t own = u / s->block * s->block;
		bool lost = false;

		for (uint64_t v = own; v < own + s->block && v < s->sectors; v++)
			lost = lost || at[v] == bad;
		data = data || lost;
		assert_int_equal(bytes_between(&up, &t->dm, bad, u), lost ? 512 : 0);
	}
	if (data) {
		assert_int_equal(up.items[0].certainty, s->mode == 'J' ? PME_UNCERTAIN : PME_EXACT);
		return;
	}
	assert_int_equal(up.count, 1);
	if (bad < s->start || bad >= end)
		assert_int_equal(up.items[0].owner, PME_OWNER_UNUSED);
	else if (bad < s->start + 8 + s->journal)
		assert_int_equal(up.items[0].owner, PME_OWNER_VOLUME_METADATA);
	else
		check_tags(s, &up.items[0], bad);
}

static void every_sector_is_as_modelled(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];
		uint64_t at[512], end;
		struct table t;

		table_start(&t);
		t.lowers[0].size = SECTORS(2000);
		add_line(&t, s);
		end = lay_out(s, at);
		for (uint64_t bad = 0; bad < end + 20; bad++)
			check_sector(&t, s, at, bad, end);
		for (uint64_t u = 0; u < s->sectors; u++) {
			_cleanup_(pme_steps_done) struct pme_steps down = {0};

			assert_int_equal(pme_layer_dm.down(NULL, &t.dm,
							   (struct pme_range){SECTORS(u), 512},
							   &down),
					 0);
			assert_int_equal(bytes_between(&down, &t.lowers[0], u, at[u]), 512);
			assert_int_equal(down.count, 1);
		}
		table_free(&t);
	}
}

static const struct {
	const char *params;
	unsigned int lower;
	uint64_t sector;
	const char *detail; /* NULL: leads to @to */
	uint64_t to;
	enum pme_owner_kind owner;
} cases[] = {
	/* data is not shifted by the start: that is of the other device */
	{"259:0 16 4 D 4 meta_device:259:1 journal_sectors:8 interleave_sectors:1 buffer_sectors:8",
	 0, 20, NULL, 20, 0},
	{"259:0 16 4 D 4 meta_device:259:1 journal_sectors:8 interleave_sectors:1 buffer_sectors:8",
	 1, 17, "integrity superblock of vg0/data", 0, PME_OWNER_VOLUME_METADATA},
	{"259:0 16 256 D 4 meta_device:259:1 journal_sectors:8 interleave_sectors:1 "
	 "buffer_sectors:8",
	 1, 40,
	 "integrity tags of bytes 8192 to 16383 of vg0/data: `pmemctl scan --range "
	 "vg0/data:8192+8192` names the files",
	 0, PME_OWNER_VOLUME_METADATA},
	{"259:0 16 4 D 4 meta_device:259:1 journal_sectors:8 interleave_sectors:1 buffer_sectors:8",
	 0, 70, "behind the end of vg0/data", 0, PME_OWNER_UNUSED},
	{"259:0 16 4 I 0", 0, 24, NULL, 0, 0},
	{"259:0 16 4 I 0", 0, 16, "integrity superblock of vg0/data", 0, PME_OWNER_VOLUME_METADATA},
	{"259:0 0 4 B 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8", 0, 8,
	 "integrity bitmap of vg0/data: read at its next activation, after which every read of "
	 "vg0/data fails",
	 0, PME_OWNER_VOLUME_METADATA},
	{"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8", 0, 15,
	 "integrity journal (not written in this mode) of vg0/data: read at its next activation, "
	 "after which every read of vg0/data fails",
	 0, PME_OWNER_VOLUME_METADATA},
	{"259:0 0 4 R 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8", 0, 15,
	 "integrity journal (not in use) of vg0/data", 0, PME_OWNER_VOLUME_METADATA},
	/* without fix_padding a run of tags is 128 KiB */
	{"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8", 0, 16 + 256,
	 NULL, 0, 0},
	{"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8", 0, 16 + 8,
	 "room for integrity tags of vg0/data that are not needed", 0, PME_OWNER_UNUSED},
};

static void other_layouts(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range range = {SECTORS(cases[i].sector), 512};
		struct table t;

		table_start(&t);
		table_add(&t, 64, "integrity", strdup(cases[i].params));
		assert_int_equal(
			pme_layer_dm.up(NULL, &t.dm, &t.lowers[cases[i].lower], range, &up), 0);
		if (cases[i].detail) {
			check_end(&up, cases[i].owner, range, cases[i].detail);
		} else {
			assert_int_equal(up.count, 1);
			assert_ptr_equal(up.items[0].to, &t.dm);
			assert_int_equal(up.items[0].to_start, SECTORS(cases[i].to));
		}
		table_free(&t);
	}
}

static const char *const malformed[] = {
	"",
	"259:0 0 4",
	"259:0 0 4 X 0",
	"259:0 0 4 DD 0",
	"259:0 0 0 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8",
	"259:0 0 4 D 3 interleave_sectors:32 buffer_sectors:8",
	"259:0 0 4 D 3 journal_sectors:8 buffer_sectors:8",
	"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:33 buffer_sectors:8",
	"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:0",
	"259:0 0 4 D 3 journal_sectors:x interleave_sectors:32 buffer_sectors:8",
	"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8 block_size:513",
	"259:0 0 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8 meta_device:x",
	"259:0 0 4 I 5 meta_device:259:1 journal_sectors:8 interleave_sectors:32 buffer_sectors:8 "
	"x",
	"259:0 0 4 D 3 journal_sectors:18446744073709551615 interleave_sectors:32 buffer_sectors:8",
	"259:0 0 5000 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8",
	"259:0 36028797018963967 4 D 3 journal_sectors:8 interleave_sectors:32 buffer_sectors:8",
};

static void malformed_lines_are_unknown(void **state)
{
	check_malformed("integrity", malformed, PME_ARRAY_SIZE(malformed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sector_is_as_modelled),
		cmocka_unit_test(other_layouts),
		cmocka_unit_test(malformed_lines_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
