/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-md-legs.c: P and Q against a slow model.
 */
#include "check.h"
#include "md-parity-layout.h"
#include "random.h"
#include "repair-md-legs.h"

#define DISKS_MAX 7
#define SIZE 16

/* The product in GF(2^8) bit by bit. */
static unsigned char product(unsigned char a, unsigned char b)
{
	unsigned int sum = 0;

	for (unsigned int bit = 0; bit < 8; bit++)
		if (b >> bit & 1)
			sum ^= (unsigned int)a << bit;
	for (unsigned int bit = 15; bit >= 8; bit--)
		if (sum >> bit & 1)
			sum ^= 0x11dU << (bit - 8);
	return (unsigned char)sum;
}

/* Fill P and Q of a row whose data is there: chunks counted for Q from the one behind Q on. */
static void fill_parity(const struct pme_md_row *row, unsigned char sectors[][SIZE])
{
	for (size_t i = 0; i < SIZE; i++) {
		unsigned char p = 0, q = 0, power = 1;

		for (uint64_t n = 1; n <= row->disks; n++) {
			uint64_t slot = (row->q + n) % row->disks;

			if (row->q == row->disks)
				slot = n - 1;
			if (slot == row->p || slot == row->q)
				continue;
			p ^= sectors[slot][i];
			q ^= product(power, sectors[slot][i]);
			power = product(power, 2);
		}
		sectors[row->p][i] = p;
		if (row->q < row->disks)
			sectors[row->q][i] = q;
	}
}

static void check_row(struct rnd *random, unsigned int level, uint64_t layout, uint64_t disks)
{
	unsigned char sectors[DISKS_MAX][SIZE], *at[DISKS_MAX];
	struct pme_md_row row;
	uint64_t spoilt = rnd_below(random, disks), gone;

	assert_int_equal(pme_md_row_of(level, layout, disks, rnd_below(random, 1000), &row), 0);
	for (uint64_t d = 0; d < disks; d++) {
		at[d] = sectors[d];
		for (size_t i = 0; i < SIZE; i++)
			sectors[d][i] = (unsigned char)rnd_below(random, 256);
	}
	fill_parity(&row, sectors);
	assert_int_equal(pme_parity_agrees(&row, at, SIZE), 1);
	for (gone = 0; gone < disks; gone++) {
		at[gone] = NULL;
		assert_int_equal(pme_parity_agrees(&row, at, SIZE), 1);
		at[gone] = sectors[gone];
	}
	/* one bit: seen, unless its sector cannot be read */
	sectors[spoilt][rnd_below(random, SIZE)] ^= (unsigned char)(1U << rnd_below(random, 8));
	assert_int_equal(pme_parity_agrees(&row, at, SIZE), 0);
	for (gone = 0; gone < disks; gone++) {
		bool seen = level == 6 && gone != spoilt;

		at[gone] = NULL;
		assert_int_equal(pme_parity_agrees(&row, at, SIZE), !seen);
		at[gone] = sectors[gone];
	}
	/* two are gone: nobody can say */
	at[0] = at[1] = NULL;
	assert_int_equal(pme_parity_agrees(&row, at, SIZE), 1);
}

static void test_parity(void **state)
{
	static const uint64_t layouts5[] = {0, 1, 2, 3, 4, 5};
	static const uint64_t layouts6[] = {0, 1, 2, 3, 4, 5, 16, 17, 18, 19, 20};
	struct rnd random = rnd_start();

	(void)state;
	for (int i = 0; i < 300; i++) {
		check_row(&random, 5, layouts5[rnd_below(&random, 6)],
			  3 + rnd_below(&random, DISKS_MAX - 2));
		check_row(&random, 6, layouts6[rnd_below(&random, 11)],
			  4 + rnd_below(&random, DISKS_MAX - 3));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
