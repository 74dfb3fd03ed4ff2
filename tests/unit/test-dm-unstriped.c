/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-unstriped.c against a model that deals the sectors of the device to the stripes.
 */
#include "dm-table.h"

/* The sectors of stripe @index, one behind the other; @skip of them belong to earlier lines. */
static void take_stripe(struct model *m, const struct pme_dev *dev, const uint64_t *p,
			uint64_t skip, uint64_t sectors)
{
	uint64_t n = p[0], chunk = p[1], index = p[2], at = p[3];

	for (uint64_t i = 0; sectors > 0; i++)
		for (uint64_t s = 0; s < chunk && sectors > 0; s++, at++) {
			if (i % n != index)
				continue;
			if (skip > 0) {
				skip--;
				continue;
			}
			model_put(m, dev, at);
			sectors--;
		}
}

static void lines_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct table t;
		struct model m = {.upper = &t.dm};

		table_start(&t);
		for (int lines = 0; lines < 2; lines++) {
			uint64_t p[4] = {1 + rnd_below(&rnd, 4), 1 + rnd_below(&rnd, 6), 0,
					 rnd_below(&rnd, 50)};
			uint64_t sectors = 1 + rnd_below(&rnd, 30);
			unsigned int dev = (unsigned int)rnd_below(&rnd, 3);

			p[2] = rnd_below(&rnd, p[0]);
			table_add(
				&t, sectors, "unstriped",
				pme_printf("%lu %lu %lu 259:%u %lu", p[0], p[1], p[2], dev, p[3]));
			take_stripe(&m, &t.lowers[dev], p, m.count, sectors);
		}
		check_model(&pme_layer_dm, &m, &rnd);
		table_free(&t);
	}
}

static const char *const malformed[] = {
	"",
	"2 8 0 259:0",
	"2 8 2 259:0 0",
	"0 8 0 259:0 0",
	"2 0 0 259:0 0",
	"2 8 0 259:0 0 1",
	"18446744073709551615 8 0 259:0 0",
	"2 8 0 259:0 36028797018963967",
};

static void malformed_lines_are_unknown(void **state)
{
	check_malformed("unstriped", malformed, PME_ARRAY_SIZE(malformed), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_as_modelled),
		cmocka_unit_test(malformed_lines_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
