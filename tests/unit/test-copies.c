/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/copies.c: random copies on disks with random bad sectors, below segments and below targets
 * that nobody follows, against a count sector by sector.
 */
#include "copies.h"

#include "random.h"
#include "snapshot.h"

#define DISKS 4
#define DISK_SECTORS 64
#define STEP 16 /* sectors of one step */

enum state { GOOD, DOUBT, BAD };

struct world {
	struct snapshot snap;
	struct pme_dev *disks[DISKS];
	bool bad[DISKS][DISK_SECTORS];
	struct pme_dev *moved;	/* every sector of disk 0, in two segments that are swapped */
	struct pme_dev *opaque; /* on disk 1, by a target that is not followed */
	struct pme_dev *gone;	/* its own list has bad sectors, whatever is below */
	bool gone_bad[DISK_SECTORS];
};

static void world_init(struct world *w)
{
	static const char *const names[DISKS] = {"pmem0", "pmem1", "pmem2", "pmem3"};

	snap_init(&w->snap, NULL);
	for (size_t i = 0; i < DISKS; i++)
		w->disks[i] = snap_disk(&w->snap, names[i], DISK_SECTORS);
	w->moved = snap_dm(&w->snap, "dm-0");
	snap_linear(w->moved, w->disks[0], 40, 24);
	snap_linear(w->moved, w->disks[0], 0, 40);
	w->opaque = snap_dm(&w->snap, "dm-1");
	snap_line(w->opaque, DISK_SECTORS, "of-another-world", strdup("259:1 0"));
	snap_stack(w->disks[1], w->opaque);
	w->gone = snap_dm(&w->snap, "dm-2");
	snap_linear(w->gone, w->disks[3], 0, DISK_SECTORS);
}

static void make_bad(struct world *w, struct rnd *rnd)
{
	memset(w->bad, 0, sizeof(w->bad));
	memset(w->gone_bad, 0, sizeof(w->gone_bad));
	for (unsigned int n = 0; n < 30; n++) {
		size_t disk = rnd_below(rnd, DISKS + 1), sector = rnd_below(rnd, DISK_SECTORS);
		struct pme_range range = {SECTORS(sector), SECTORS(1)};

		if (disk < DISKS)
			w->bad[disk][sector] = true;
		else
			w->gone_bad[sector] = true;
		assert_int_equal(pme_stack_add_bad(&w->snap.stack,
						   disk < DISKS ? w->disks[disk] : w->gone, range),
				 0);
	}
	pme_stack_seal_bad(&w->snap.stack);
}

static enum state state_of(const struct world *w, const struct pme_dev *dev, uint64_t sector)
{
	if (dev == w->moved)
		return w->bad[0][sector < 24 ? sector + 40 : sector - 24] ? BAD : GOOD;
	if (dev == w->opaque)
		return DOUBT;
	if (dev == w->gone)
		return w->gone_bad[sector] || w->bad[3][sector] ? BAD : GOOD;
	for (size_t i = 0; i < DISKS; i++)
		if (dev == w->disks[i])
			return w->bad[i][sector] ? BAD : GOOD;
	fail();
	return BAD;
}

static enum state count_states(const struct world *w, const struct pme_copies *copies,
			       uint64_t sector)
{
	size_t good = 0, maybe = 0;

	for (size_t i = 0; i < copies->count; i++) {
		const struct pme_place *place = &copies->places[i];
		enum state state = state_of(w, place->dev, place->start / PME_SECTOR + sector);

		good += state == GOOD;
		maybe += state == DOUBT;
	}
	return good >= copies->need ? GOOD : good + maybe >= copies->need ? DOUBT : BAD;
}

static enum state said(const struct pme_missing *missing, uint64_t sector, uint64_t from)
{
	struct pme_range range = {from + SECTORS(sector), SECTORS(1)};
	bool bad = pme_range_list_meets(&missing->bad, range);
	bool doubt = pme_range_list_meets(&missing->doubt, range);

	assert_false(bad && doubt);
	return bad ? BAD : doubt ? DOUBT : GOOD;
}

static void one_round(struct world *w, struct rnd *rnd, unsigned int seen[3])
{
	const struct pme_dev *places[] = {w->disks[0], w->disks[1], w->disks[2], w->disks[3],
					  w->moved,    w->opaque,   w->gone};
	size_t count = 1 + rnd_below(rnd, 4);
	struct pme_copies *copies = pme_copies_new("another leg", 1 + rnd_below(rnd, count), count);
	struct pme_range from = {SECTORS(1000 + rnd_below(rnd, 9)), SECTORS(STEP)};
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};

	assert_non_null(copies);
	for (size_t i = 0; i < count; i++)
		copies->places[i] = (struct pme_place){
			places[rnd_below(rnd, PME_ARRAY_SIZE(places))],
			SECTORS(rnd_below(rnd, DISK_SECTORS - STEP + 1)),
		};
	assert_int_equal(pme_copies_missing(&w->snap.stack, copies, from, &missing), 0);
	for (uint64_t s = 0; s < STEP; s++) {
		enum state state = count_states(w, copies, s);

		assert_int_equal(said(&missing, s, from.start), state);
		seen[state]++;
	}
	free(copies);
}

static void random_copies_are_counted(void **state)
{
	struct rnd rnd = rnd_start();
	unsigned int seen[3] = {0};
	struct world w;

	(void)state;
	for (int round = 0; round < 50; round++) {
		world_init(&w);
		make_bad(&w, &rnd);
		for (int i = 0; i < 40; i++)
			one_round(&w, &rnd, seen);
		snap_done(&w.snap);
	}
	assert_true(seen[GOOD] > 1000 && seen[DOUBT] > 1000 && seen[BAD] > 1000);
}

static void the_text_names_the_places(void **state)
{
	struct pme_copies *copies = pme_copies_new("the rest of the stripe", 2, 2);
	_cleanup_free_ char *text = NULL;
	struct world w;

	(void)state;
	world_init(&w);
	assert_non_null(copies);
	copies->places[0] = (struct pme_place){w.disks[1], 4096};
	copies->places[1] = (struct pme_place){w.disks[2], 0};
	text = pme_copies_text(copies, 512, 1024);
	assert_string_equal(text, "the rest of the stripe: pmem1 bytes 4608 to 5631, "
				  "pmem2 bytes 512 to 1535");
	free(copies);
	snap_done(&w.snap);
}

/* What is asked, and what of it is missing: one sector each. */
static void assert_missing(struct pme_stack *stack, const struct pme_dev *dev, uint64_t sector,
			   enum state expected)
{
	struct pme_range range = {SECTORS(sector), SECTORS(1)};
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};

	assert_int_equal(pme_missing_of(stack, dev, range, &missing), 0);
	assert_int_equal(said(&missing, 0, range.start), expected);
	assert_int_equal(missing.bad.count + missing.doubt.count, expected == GOOD ? 0 : 1);
}

static struct pme_dev *over(struct world *w, const char *name, uint64_t sectors, const char *type,
			    const char *params)
{
	struct pme_dev *dev = snap_dm(&w->snap, name);

	snap_line(dev, sectors, type, strdup(params));
	snap_stack(w->disks[0], dev);
	return dev;
}

static void bad_sector(struct world *w, uint64_t sector)
{
	struct pme_range range = {SECTORS(sector), SECTORS(1)};

	assert_int_equal(pme_stack_add_bad(&w->snap.stack, w->disks[0], range), 0);
	pme_stack_seal_bad(&w->snap.stack);
}

/* Nothing is said of the sector itself, but of one beside it in its block. */
static void a_block_is_lost_as_a_whole(void **state)
{
	static const char crypt[] = "aes-xts-plain64 0123 0 259:0 5 1 sector_size:4096";
	struct pme_copies *copies = pme_copies_new("another leg", 1, 1);
	struct pme_range from = {0, SECTORS(24)};
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	struct pme_dev *blocks, *sectors, *ebs;
	struct world w;

	(void)state;
	world_init(&w);
	blocks = over(&w, "dm-3", 56, "crypt", crypt);
	sectors = over(&w, "dm-4", 56, "crypt", "aes-xts-plain64 0123 0 259:0 5");
	ebs = over(&w, "dm-5", 56, "ebs", "259:0 5 1 8");
	bad_sector(&w, 5 + 10);
	for (uint64_t s = 0; s < 56; s++) {
		assert_missing(&w.snap.stack, blocks, s, s >= 8 && s < 16 ? BAD : GOOD);
		assert_missing(&w.snap.stack, sectors, s, s == 10 ? BAD : GOOD);
		/* blocks of the disk: 8 to 15 are the sectors 3 to 10 */
		assert_missing(&w.snap.stack, ebs, s, s >= 3 && s < 11 ? BAD : GOOD);
	}
	assert_non_null(copies);
	copies->places[0] = (struct pme_place){blocks, 0};
	assert_int_equal(pme_copies_missing(&w.snap.stack, copies, from, &missing), 0);
	assert_int_equal(missing.bad.count, 1);
	assert_int_equal(missing.bad.items[0].start, SECTORS(8));
	assert_int_equal(missing.bad.items[0].length, SECTORS(8));
	free(copies);
	snap_done(&w.snap);
}

/* Superblock 0 to 7, journal 8 to 15, tags 16 to 23, data from 24 on: 4 bytes for each sector. */
static void data_needs_its_tags(void **state)
{
	static const char format[] = "259:0 0 4 %c 5 journal_sectors:8 interleave_sectors:32 "
				     "buffer_sectors:1 block_size:512 fix_padding%s";
	static const struct {
		char mode;
		const char *more;
		uint64_t bad;
		enum state expected;
	} cases[] = {
		{'D', "", 16, BAD},	 {'B', "", 16, BAD},
		{'R', "", 16, GOOD},	 {'D', " recalculate", 16, DOUBT},
		{'J', "", 16, DOUBT},	 {'D', "", 17, GOOD},
		{'D', "", 24 + 7, GOOD}, {'D', "", 24 + 6, BAD},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *params = pme_printf(format, cases[i].mode, cases[i].more);
		struct pme_dev *dev;
		struct world w;

		world_init(&w);
		dev = over(&w, "dm-3", 32, "integrity", params);
		bad_sector(&w, cases[i].bad);
		assert_missing(&w.snap.stack, dev, 6, cases[i].expected);
		snap_done(&w.snap);
	}
}

/* 64 hashes in a block of 4096 bytes; two blocks of data, whose one hash block is number 3. */
static void data_needs_its_hashes(void **state)
{
	static const char verity[] =
		"1 259:0 259:0 4096 4096 2 3 sha512 "
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -";
	struct pme_dev *dev;
	struct world w;

	(void)state;
	world_init(&w);
	dev = over(&w, "dm-3", 16, "verity", verity);
	bad_sector(&w, 3);
	assert_missing(&w.snap.stack, dev, 7, BAD);
	assert_missing(&w.snap.stack, dev, 8, GOOD);
	bad_sector(&w, 8 * 3 + 5);
	assert_missing(&w.snap.stack, dev, 8, BAD);
	snap_done(&w.snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_copies_are_counted),
		cmocka_unit_test(the_text_names_the_places),
		cmocka_unit_test(a_block_is_lost_as_a_whole),
		cmocka_unit_test(data_needs_its_tags),
		cmocka_unit_test(data_needs_its_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
