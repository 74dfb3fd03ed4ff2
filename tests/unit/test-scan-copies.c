/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/scan-copies.c: an owner with a copy, of which some bytes are bad and of some nobody knows.
 */
#include "scan-copies.h"

#include "snapshot.h"

struct machine {
	struct snapshot snap;
	struct pme_dev *disk, *opaque, *other;
};

static int setup(void **state)
{
	static struct machine m;

	snap_init(&m.snap, NULL);
	m.disk = snap_disk(&m.snap, "pmem0", 64);
	m.other = snap_disk(&m.snap, "pmem1", 64);
	/* 32 sectors of the other disk, then 32 of which nobody knows */
	m.opaque = snap_dm(&m.snap, "dm-0");
	snap_linear(m.opaque, m.other, 0, 32);
	snap_line(m.opaque, 32, "of-another-world", strdup("259:1 32"));
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	snap_done(&m->snap);
	return 0;
}

/* Sectors @start on, @length of them, of a file from its byte 4096 on; a copy at @copy. */
static struct pme_fs_owner *add_owner(const struct machine *m, struct pme_fs_result *result,
				      struct pme_file *file, uint64_t start, uint64_t length,
				      uint64_t copy)
{
	const struct pme_range range = {SECTORS(start), SECTORS(length)};
	struct pme_fs_owner *owner = pme_fs_result_add(result, range, PME_OWNER_FILE_DATA);

	assert_non_null(owner);
	owner->file = file;
	owner->has_file_start = true;
	owner->file_start = 4096;
	owner->detail = strdup("words");
	owner->copies = pme_copies_new("another copy has them", 1, 1);
	assert_true(owner->detail && owner->copies);
	owner->copies->places[0] = (struct pme_place){m->opaque, SECTORS(copy)};
	return owner;
}

static void check(const struct pme_fs_result *result, size_t i, uint64_t start, uint64_t length,
		  enum pme_certainty certainty, const char *reason)
{
	const struct pme_fs_owner *owner = &result->owners[i];

	assert_int_equal(owner->range.start, SECTORS(start));
	assert_int_equal(owner->range.length, SECTORS(length));
	assert_int_equal(owner->file_start, 4096 + owner->range.start - SECTORS(8));
	assert_int_equal(owner->certainty, certainty);
	assert_string_equal(owner->detail, "words");
	assert_null(owner->copies);
	if (reason)
		assert_string_equal(owner->reason, reason);
	else
		assert_null(owner->reason);
}

static void owners_are_cut(void **state)
{
	struct machine *m = *state;
	struct pme_fs_result result = {0};
	struct pme_file file = {.inode = 7};

	assert_int_equal(pme_stack_add_bad(&m->snap.stack, m->other,
					   (struct pme_range){SECTORS(28), SECTORS(2)}),
			 0);
	pme_stack_seal_bad(&m->snap.stack);
	add_owner(m, &result, &file, 8, 10, 26);
	assert_int_equal(pme_scan_judge_copies(&m->snap.stack, &result), 0);
	assert_int_equal(result.n_owners, 4);
	check(&result, 0, 8, 2, PME_REDUNDANT, "another copy has them: dm-0 bytes 13312 to 14335");
	check(&result, 1, 10, 2, PME_EXACT, NULL);
	check(&result, 2, 12, 2, PME_REDUNDANT, "another copy has them: dm-0 bytes 15360 to 16383");
	check(&result, 3, 14, 4, PME_UNCERTAIN,
	      "cannot tell whether a copy can be read: another copy has them: dm-0 bytes 16384 to "
	      "18431");
	pme_fs_result_done(&result);
}

/* Of the copy only whole units of four sectors can be read; the owner has parts of two. */
static void units_are_missing_as_a_whole(void **state)
{
	struct machine *m = *state;
	struct pme_fs_result result = {0};
	struct pme_file file = {.inode = 7};
	struct pme_fs_owner *owner;

	assert_int_equal(pme_stack_add_bad(&m->snap.stack, m->other,
					   (struct pme_range){SECTORS(21), SECTORS(1)}),
			 0);
	pme_stack_seal_bad(&m->snap.stack);
	/* sectors 8 to 13 are 18 to 23 of the copy; units begin at 6, 10, 14 */
	owner = add_owner(m, &result, &file, 8, 6, 18);
	owner->unit = SECTORS(4);
	owner->unit_at = SECTORS(2);
	assert_int_equal(pme_scan_judge_copies(&m->snap.stack, &result), 0);
	assert_int_equal(result.n_owners, 2);
	check(&result, 0, 8, 2, PME_REDUNDANT, "another copy has them: dm-0 bytes 9216 to 10239");
	check(&result, 1, 10, 4, PME_EXACT, NULL);
	pme_fs_result_done(&result);

	/* the bad sector is that of another part of the unit that the owner begins in */
	result = (struct pme_fs_result){0};
	owner = add_owner(m, &result, &file, 8, 2, 23);
	owner->unit = SECTORS(4);
	owner->unit_at = SECTORS(6);
	assert_int_equal(pme_scan_judge_copies(&m->snap.stack, &result), 0);
	assert_int_equal(result.n_owners, 1);
	check(&result, 0, 8, 2, PME_EXACT, NULL);
	pme_fs_result_done(&result);
}

static void without_copies_nothing_changes(void **state)
{
	struct machine *m = *state;
	struct pme_fs_result result = {0};
	const struct pme_range range = {512, 512};
	struct pme_fs_owner *owner = pme_fs_result_add(&result, range, PME_OWNER_FILE_DATA);

	assert_int_equal(pme_scan_judge_copies(&m->snap.stack, &result), 0);
	assert_int_equal(result.n_owners, 1);
	assert_ptr_equal(&result.owners[0], owner);
	pme_fs_result_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(owners_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(units_are_missing_as_a_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(without_copies_nothing_changes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
