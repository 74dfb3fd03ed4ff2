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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_copies_are_counted),
		cmocka_unit_test(the_text_names_the_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
