/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/claim.c: the words of the JSON interface, and the verdict of every kind of
 * owner, written down a second time from the documentation.
 */
#include "check.h"
#include "claim.h"

/* In the order of the enum: name, verdict when the bytes are the only copy. */
static const struct {
	const char *name;
	enum pme_verdict exact;
} owners[] = {
	{"file-data", PME_LOST},
	{"file-xattr", PME_LOST},
	{"directory", PME_METADATA_AT_RISK},
	{"symlink", PME_LOST},
	{"fs-metadata", PME_METADATA_AT_RISK},
	{"fs-journal", PME_METADATA_AT_RISK},
	{"unwritten", PME_HARMLESS},
	{"free", PME_HARMLESS},
	{"cow-staging", PME_HARMLESS},
	{"swap", PME_LOST},
	{"raw-device", PME_LOST},
	{"devdax", PME_LOST},
	{"raid-parity", PME_HARMLESS},
	{"raid-metadata", PME_METADATA_AT_RISK},
	{"volume-metadata", PME_METADATA_AT_RISK},
	{"cache-copy", PME_LOST},
	{"snapshot-store", PME_LOST},
	{"partition-table", PME_METADATA_AT_RISK},
	{"namespace-metadata", PME_METADATA_AT_RISK},
	{"unused", PME_HARMLESS},
	{"unknown", PME_VERDICT_UNKNOWN},
};

static void owners_have_the_documented_names(void **state)
{
	assert_int_equal(PME_ARRAY_SIZE(owners), PME_OWNER_UNKNOWN + 1);
	for (unsigned int i = 0; i < PME_ARRAY_SIZE(owners); i++)
		assert_string_equal(pme_owner_name((enum pme_owner_kind)i), owners[i].name);
}

static void certainties_and_verdicts_have_names(void **state)
{
	assert_string_equal(pme_certainty_name(PME_EXACT), "exact");
	assert_string_equal(pme_certainty_name(PME_REDUNDANT), "redundant");
	assert_string_equal(pme_certainty_name(PME_UNCERTAIN), "unknown");
	assert_string_equal(pme_verdict_name(PME_HARMLESS), "harmless");
	assert_string_equal(pme_verdict_name(PME_RECOVERABLE), "recoverable");
	assert_string_equal(pme_verdict_name(PME_VERDICT_UNKNOWN), "unknown");
	assert_string_equal(pme_verdict_name(PME_METADATA_AT_RISK), "metadata-at-risk");
	assert_string_equal(pme_verdict_name(PME_LOST), "lost");
}

static void verdict_of_each_kind(void **state)
{
	for (unsigned int i = 0; i < PME_ARRAY_SIZE(owners); i++) {
		enum pme_owner_kind kind = (enum pme_owner_kind)i;
		enum pme_verdict exact = owners[i].exact;

		assert_int_equal(pme_verdict_of(kind, PME_EXACT), exact);
		assert_int_equal(pme_verdict_of(kind, PME_UNCERTAIN), PME_VERDICT_UNKNOWN);
		assert_int_equal(pme_verdict_of(kind, PME_REDUNDANT),
				 exact == PME_HARMLESS || kind == PME_OWNER_CACHE_COPY
					 ? PME_HARMLESS
					 : PME_RECOVERABLE);
	}
}

static void verdicts_are_ordered_from_mildest_to_worst(void **state)
{
	assert_true(PME_HARMLESS < PME_RECOVERABLE);
	assert_true(PME_RECOVERABLE < PME_VERDICT_UNKNOWN);
	assert_true(PME_VERDICT_UNKNOWN < PME_METADATA_AT_RISK);
	assert_true(PME_METADATA_AT_RISK < PME_LOST);
}

static void a_file_owns_its_paths_and_holders(void **state)
{
	struct pme_file *file = calloc(1, sizeof(*file));

	for (int i = 0; i < 20; i++)
		assert_int_equal(pme_file_add_path(file, pme_printf("/srv/%d", i)), 0);
	assert_int_equal(file->n_paths, 20);
	assert_string_equal(file->paths[19], "/srv/19");
	assert_int_equal(pme_file_add_path(file, NULL), -ENOMEM);
	assert_int_equal(file->n_paths, 20);

	file->holders = calloc(1, sizeof(*file->holders));
	file->n_holders = 1;
	file->holders[0].command = strdup("postgres");
	file->holders[0].unit = strdup("postgresql.service");
	file->holders[0].container = strdup("c");
	file->holders[0].map_entry = strdup("7f00-7f10");
	assert_int_equal(pme_range_list_add(&file->holders[0].mapped_ranges, 0, 1), 0);
	file->paths_reason = strdup("unlinked, still open");
	assert_null(pme_file_free(file)); /* the leak checker sees what is forgotten */
}

static void a_path_that_does_not_fit_is_freed(void **state)
{
	struct pme_file file = {.n_paths = PME_ITEMS_MAX, .alloc_paths = PME_ITEMS_MAX};

	assert_int_equal(pme_file_add_path(&file, strdup("/one/too/many")), -E2BIG);
}

static void destructors_take_nothing_and_halves(void **state)
{
	struct pme_holder holder = {.pid = 1, .fd = 3};

	assert_null(pme_file_free(NULL));
	assert_null(pme_file_free(calloc(1, sizeof(struct pme_file))));
	pme_holder_done(&holder);
	pme_holder_done(&holder);
	assert_int_equal(holder.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_have_the_documented_names),
		cmocka_unit_test(certainties_and_verdicts_have_names),
		cmocka_unit_test(verdict_of_each_kind),
		cmocka_unit_test(verdicts_are_ordered_from_mildest_to_worst),
		cmocka_unit_test(a_file_owns_its_paths_and_holders),
		cmocka_unit_test(a_path_that_does_not_fit_is_freed),
		cmocka_unit_test(destructors_take_nothing_and_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
