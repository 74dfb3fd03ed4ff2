/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-verity.c against a model that climbs from each data block to the root.
 */
#include "dm-table.h"

#define HASH_BLOCK 512U
#define BLOCKS 300U

/* Hash blocks of all levels: which data blocks have them on their way; 16 sha256 hashes in each. */
static uint64_t build(uint64_t blocks, uint64_t hash_start, uint64_t *first, uint64_t *last)
{
	uint64_t count[8] = {0}, levels = 0, n = blocks, pos = hash_start, start[8];

	while (n > 1) {
		n = (n + 15) / 16;
		count[levels++] = n;
	}
	for (uint64_t l = levels; l-- > 0;) {
		start[l] = pos;
		pos += count[l];
	}
	for (uint64_t b = 0; b < blocks; b++) {
		uint64_t j = b;

		for (uint64_t l = 0; l < levels; l++) {
			j /= 16;
			if (first[start[l] + j] == UINT64_MAX)
				first[start[l] + j] = b;
			last[start[l] + j] = b;
		}
	}
	return pos;
}

static char *params_of(const char *hash, uint64_t blocks, uint64_t hash_start, const char *rest)
{
	return pme_printf("1 259:0 %s 512 %u %lu %lu sha256 %064d -%s", hash, HASH_BLOCK, blocks,
			  hash_start, 7, rest);
}

static void check_hash_blocks(uint64_t blocks, unsigned int hash, uint64_t hash_start)
{
	uint64_t first[1000], last[1000], end;
	struct table t;

	for (size_t i = 0; i < PME_ARRAY_SIZE(first); i++)
		first[i] = UINT64_MAX;
	end = build(blocks, hash_start, first, last);
	table_start(&t);
	table_add(&t, blocks, "verity",
		  params_of(hash == 0 ? "259:0" : "259:1", blocks, hash_start, ""));
	for (uint64_t b = hash_start; b < end; b++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range range = {b * HASH_BLOCK + 3, 9};
		_cleanup_free_ char *tail = NULL;

		assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[hash], range, &up), 0);
		assert_int_equal(up.count, 1);
		assert_int_equal(up.items[0].owner, PME_OWNER_VOLUME_METADATA);
		tail = pme_printf(") of bytes %lu to %lu of vg0/data: `pmemctl scan --range "
				  "vg0/data:%lu+%lu` names the files",
				  first[b] * 512, last[b] * 512 + 511, first[b] * 512,
				  (last[b] - first[b] + 1) * 512);
		assert_string_equal(strchr(up.items[0].detail, ')'), tail);
	}
	table_free(&t);
}

static void hash_blocks_vouch_for_what_is_modelled(void **state)
{
	check_hash_blocks(BLOCKS, 1, 1);
	check_hash_blocks(BLOCKS, 0, BLOCKS + 8);
	check_hash_blocks(257, 1, 0);
	check_hash_blocks(256, 1, 4);
	check_hash_blocks(17, 1, 1);
	check_hash_blocks(16, 1, 1);
	check_hash_blocks(2, 1, 1);
}

static void data_lies_at_the_same_byte(void **state)
{
	struct rnd rnd = rnd_start();
	struct table t;
	struct model m = {.upper = &t.dm};

	table_start(&t);
	table_add(&t, BLOCKS, "verity", params_of("259:1", BLOCKS, 1, ""));
	for (uint64_t i = 0; i < BLOCKS; i++)
		model_put(&m, &t.lowers[0], i);
	check_model(&pme_layer_dm, &m, &rnd);
	table_free(&t);
}

static const struct {
	unsigned int lower;
	uint64_t sector;
	enum pme_owner_kind owner;
	const char *words; /* NULL: in doubt */
} cases[] = {
	{0, 0, 0, NULL},
	{0, 350, PME_OWNER_UNUSED, "not used by vg0/data"},
	{1, 0, PME_OWNER_UNUSED, "not used by vg0/data"},
	{1, 3, PME_OWNER_UNKNOWN, "what lies in front of its hashes was not read"},
	{2, 4, PME_OWNER_UNUSED, "not used by vg0/data"},
	{2, 5, PME_OWNER_RAID_PARITY, "error correction (FEC) of vg0/data"},
	{2, 8, PME_OWNER_RAID_PARITY, "error correction (FEC) of vg0/data"},
	{2, 9, PME_OWNER_UNUSED, "not used by vg0/data"},
};

static void fec_is_doubt_and_parity(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range range = {SECTORS(cases[i].sector), 512};
		struct table t;

		table_start(&t);
		table_add(&t, BLOCKS, "verity",
			  params_of("259:1", BLOCKS, 4,
				    " 8 use_fec_from_device 259:2 fec_blocks 321 fec_start 5 "
				    "fec_roots 2"));
		assert_int_equal(
			pme_layer_dm.up(NULL, &t.dm, &t.lowers[cases[i].lower], range, &up), 0);
		if (cases[i].words) {
			check_end(&up, cases[i].owner, range, cases[i].words);
		} else {
			assert_int_equal(up.count, 1);
			assert_int_equal(up.items[0].certainty, PME_UNCERTAIN);
			assert_ptr_equal(up.items[0].to, &t.dm);
		}
		table_free(&t);
	}
}

static const char *const malformed[] = {
	"",
	"2 259:0 259:1 512 512 300 1 sha256 00112233 -",
	"1 259:0 259:1 512 512 300 1 sha256 00112233",
	"1 259:0 259:1 512 512 300 1 sha256 001 -",
	"1 259:0 259:1 0 512 300 1 sha256 00112233 -",
	"1 259:0 259:1 512 513 300 1 sha256 00112233 -",
	"1 259:0 259:1 512 512 0 1 sha256 00112233 -",
	"1 259:0 259:1 512 512 30 1 sha256 00112233 -", /* less than the line */
	"1 259:0 259:1 512 512 18446744073709551615 1 sha256 00112233 -",
	"1 259:0 259:1 512 512 300 18446744073709551615 sha256 00112233 -",
	"1 259:0 259:1 512 512 300 1 sha256 00112233 - 2 use_fec_from_device x",
	"1 259:0 259:1 512 512 300 1 sha256 00112233 - 2 use_fec_from_device 259:2",
	"1 259:0 259:1 512 512 300 1 sha256 00112233 - 2 use_fec_from_device 259:2 fec_roots 255",
};

static void malformed_lines_are_unknown(void **state)
{
	check_malformed("verity", malformed, PME_ARRAY_SIZE(malformed), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_blocks_vouch_for_what_is_modelled),
		cmocka_unit_test(data_lies_at_the_same_byte),
		cmocka_unit_test(fec_is_doubt_and_parity),
		cmocka_unit_test(malformed_lines_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
