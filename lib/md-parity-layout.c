/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layouts of raid4, raid5 and raid6 (drivers/md/raid5.h: ALGORITHM_*, raid5_compute_sector).
 *
 * Parity rotates to the left or to the right, or stays.  Asymmetric: data goes in the order of the
 * slots, around the parity.  Symmetric: data begins behind the parity and goes round.  The
 * surprises: the same number means different things for raid5 and raid6; 16 to 20 are raid5 over
 * all members but the last one, which has all Q; and for "N continue" Q is in front of P.
 */
#include "md-parity-layout.h"

enum layout {
	LEFT_ASYMMETRIC = 0,
	RIGHT_ASYMMETRIC = 1,
	LEFT_SYMMETRIC = 2,
	RIGHT_SYMMETRIC = 3,
	PARITY_0 = 4,
	PARITY_N = 5,
	ZERO_RESTART = 8,
	N_RESTART = 9,
	N_CONTINUE = 10,
	LEFT_ASYMMETRIC_6 = 16,
	RIGHT_ASYMMETRIC_6 = 17,
	LEFT_SYMMETRIC_6 = 18,
	RIGHT_SYMMETRIC_6 = 19,
	PARITY_0_6 = 20,
};

/* One rotating or fixed parity over the first @ring slots. */
static int one_parity(uint64_t layout, uint64_t stripe, struct pme_md_row *row)
{
	bool symmetric = layout == LEFT_SYMMETRIC || layout == RIGHT_SYMMETRIC;

	switch (layout) {
	case LEFT_ASYMMETRIC:
	case LEFT_SYMMETRIC:
		row->p = row->ring - 1 - stripe % row->ring;
		break;
	case RIGHT_ASYMMETRIC:
	case RIGHT_SYMMETRIC:
		row->p = stripe % row->ring;
		break;
	case PARITY_0:
		row->p = 0;
		break;
	case PARITY_N:
		row->p = row->ring - 1;
		break;
	default:
		return -EINVAL;
	}
	row->first = symmetric ? (row->p + 1) % row->ring : 0;
	return 0;
}

static int two_parities(uint64_t layout, uint64_t stripe, struct pme_md_row *row)
{
	uint64_t n = row->disks, rotation = layout;

	if (layout >= LEFT_ASYMMETRIC_6 && layout <= PARITY_0_6) {
		row->ring = n - 1;
		row->q = n - 1;
		return one_parity(layout - LEFT_ASYMMETRIC_6, stripe, row);
	}
	if (layout == ZERO_RESTART)
		rotation = RIGHT_ASYMMETRIC;
	if (layout == N_RESTART || layout == N_CONTINUE)
		rotation = LEFT_ASYMMETRIC;
	if (layout == N_RESTART)
		stripe = stripe % n + 1;
	if (layout == PARITY_N) {
		row->p = n - 2;
		row->q = n - 1;
		row->first = 0;
		return 0;
	}
	if (one_parity(rotation, stripe, row) < 0)
		return -EINVAL;
	row->q = (row->p + 1) % n;
	if (layout == N_CONTINUE) {
		row->q = (row->p + n - 1) % n;
		row->first = (row->p + 1) % n;
	}
	return 0;
}

int pme_md_row_of(unsigned int level, uint64_t layout, uint64_t disks, uint64_t stripe,
		  struct pme_md_row *ret)
{
	struct pme_md_row row = {.disks = disks, .q = disks, .ring = disks};
	int r;

	if (disks < (level == 6 ? 3 : 2))
		return -EINVAL;
	if (level == 6)
		r = two_parities(layout, stripe, &row);
	else
		r = one_parity(level == 4 ? PARITY_N : layout, stripe, &row);
	if (r == 0)
		*ret = row;
	return r;
}

/* How many slots @slot is behind the first one; those outside of the ring are behind all. */
static uint64_t distance(const struct pme_md_row *row, uint64_t slot)
{
	return slot < row->ring ? (slot + row->ring - row->first) % row->ring : slot;
}

uint64_t pme_md_row_index(const struct pme_md_row *row, uint64_t slot)
{
	uint64_t index = distance(row, slot), before = distance(row, row->p) < index;

	return index - before - (row->q < row->disks && distance(row, row->q) < index);
}

uint64_t pme_md_row_slot(const struct pme_md_row *row, uint64_t index)
{
	uint64_t slot = row->first;

	for (;; slot = (slot + 1) % row->ring)
		if (slot != row->p && slot != row->q && index-- == 0)
			return slot;
}
