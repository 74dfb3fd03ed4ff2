/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/replica-lack.c: what a version lacks because it could not be read, is read again by the next
 * one, and is found in others that have it.
 */
#include "replica-world.h"

static int unreadable_fd = -1;
static const uint64_t unreadable[] = {5, 6, 300, 769};
static const struct pme_range lacking[] = {
	{5ULL * BLOCK, 2ULL * BLOCK}, {300ULL * BLOCK, BLOCK}, {769ULL * BLOCK, BLOCK}};

int __real_pme_saved_read_raw(int fd, void *buf, size_t size, uint64_t offset, uint64_t end);
int __wrap_pme_saved_read_raw(int fd, void *buf, size_t size, uint64_t offset, uint64_t end);

int __wrap_pme_saved_read_raw(int fd, void *buf, size_t size, uint64_t offset, uint64_t end)
{
	for (size_t i = 0; fd == unreadable_fd && i < PME_ARRAY_SIZE(unreadable); i++)
		if (unreadable[i] * BLOCK < offset + size && offset <= unreadable[i] * BLOCK)
			return -EIO;
	return __real_pme_saved_read_raw(fd, buf, size, offset, end);
}

/* Version 1 has all, version 2 lacks four blocks. */
static int set_up_two(void **state)
{
	struct replica_world *w;
	struct pme_replica_job job;

	replica_world_set_up(state);
	w = *state;
	unreadable_fd = -1;
	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	assert_int_equal(job.unreadable, 0);
	unreadable_fd = w->source;
	assert_int_equal(write_version(w, 2, NULL, NULL, &job), 0);
	assert_int_equal(job.unreadable, PME_ARRAY_SIZE(unreadable));
	unreadable_fd = -1;
	return 0;
}

static void assert_ranges(const struct pme_range_list *list, const struct pme_range *expected,
			  size_t count)
{
	assert_int_equal(list->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list->items[i].start, expected[i].start);
		assert_int_equal(list->items[i].length, expected[i].length);
	}
}

/* What version 2 lacks. */
static void find_lacking(const struct replica_world *w, struct pme_range_list *ret)
{
	struct pme_saved saved;
	int unread;

	load(w, 2, &saved);
	assert_true(saved.manifest->lacking);
	assert_int_equal(pme_replica_lacking(&saved, ret, &unread), 0);
	assert_int_equal(unread, 0);
	pme_saved_free(&saved);
	assert_ranges(ret, lacking, PME_ARRAY_SIZE(lacking));
}

static void what_was_not_read_is_lacking(void **state)
{
	struct replica_world *w = *state;
	struct pme_range_list list = {0};
	struct pme_saved saved;
	int unread;

	load(w, 1, &saved);
	assert_false(saved.manifest->lacking);
	assert_int_equal(pme_replica_lacking(&saved, &list, &unread), 0);
	assert_int_equal(list.count, 0);
	pme_saved_free(&saved);
	find_lacking(w, &list);
	pme_range_list_done(&list);
}

/* All blocks of a page whose digests are damaged; and which error that was. */
static void what_cannot_be_proven_is_lacking(void **state)
{
	static const struct pme_range expected[] = {
		lacking[0], {256ULL * BLOCK, 256ULL * BLOCK}, lacking[2]};
	struct replica_world *w = *state;
	struct pme_range_list list = {0};
	struct pme_saved saved;
	int unread;

	flip(w, "0000000000000002.sums", PME_MANIFEST_PAGE + 5);
	load(w, 2, &saved);
	assert_int_equal(pme_replica_lacking(&saved, &list, &unread), 0);
	assert_int_equal(unread, -EBADMSG);
	assert_ranges(&list, expected, PME_ARRAY_SIZE(expected));
	pme_saved_free(&saved);
	pme_range_list_done(&list);
}

/* Nothing has changed, but that they can be read, or some of them. */
static void the_next_version_reads_them_again(void **state)
{
	const struct pme_range_list nothing = {0};
	struct replica_world *w = *state;
	struct pme_replica_job job;
	struct pme_saved base, saved;

	load(w, 2, &base);
	unreadable_fd = w->source;
	assert_int_equal(write_version(w, 3, &base, &nothing, &job), 0);
	assert_int_equal(job.unreadable, PME_ARRAY_SIZE(unreadable));
	unreadable_fd = -1;
	load(w, 3, &saved);
	assert_true(saved.manifest->lacking);
	pme_saved_free(&saved);
	assert_int_equal(write_version(w, 4, &base, &nothing, &job), 0);
	assert_int_equal(job.bytes_read, PME_ARRAY_SIZE(unreadable) * BLOCK);
	pme_saved_free(&base);
	load(w, 4, &saved);
	assert_false(saved.manifest->lacking);
	pme_saved_free(&saved);
}

static void fill(const struct replica_world *w, uint64_t version, struct pme_range_list *list,
		 int expected)
{
	struct pme_saved saved;

	load(w, version, &saved);
	assert_int_equal(pme_replica_fill(&saved, list), expected);
	pme_saved_free(&saved);
}

static void a_version_fills_what_it_has(void **state)
{
	static const struct pme_range damaged[] = {{6ULL * BLOCK, BLOCK}};
	struct replica_world *w = *state;
	struct pme_range_list list = {0};

	find_lacking(w, &list);
	fill(w, 2, &list, 0);
	assert_ranges(&list, lacking, PME_ARRAY_SIZE(lacking));
	fill(w, 1, &list, 1);
	assert_int_equal(list.count, 0);
	fill(w, 1, &list, 0);
	pme_range_list_done(&list);
	/* not what is damaged in it */
	flip(w, "0000000000000001.data", 6 * BLOCK + 9);
	find_lacking(w, &list);
	fill(w, 1, &list, 1);
	assert_ranges(&list, damaged, 1);
	fill(w, 1, &list, 0);
	assert_ranges(&list, damaged, 1);
	pme_range_list_done(&list);
}

/* Zeros that nobody wrote, and what is behind the end, are no bytes that could have been lost. */
static void holes_fill_nothing(void **state)
{
	static const struct pme_range blocks[] = {{30ULL * BLOCK, BLOCK}, {2000ULL * BLOCK, BLOCK}};
	struct replica_world *w = *state;
	struct pme_range_list list = {0};
	struct pme_manifest m;
	struct pme_replica_job job = {.object = w->dir, .source = w->source, .manifest = &m};

	make_manifest(&m, 3, 20ULL * BLOCK);
	assert_int_equal(pme_replica_write(&job), 0);
	pme_manifest_done(&m);
	assert_int_equal(pme_replica_publish(w->dir, 3), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(blocks); i++)
		assert_int_equal(pme_range_list_add(&list, blocks[i].start, BLOCK), 0);
	fill(w, 3, &list, 0);
	assert_ranges(&list, blocks, PME_ARRAY_SIZE(blocks));
	pme_range_list_done(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_not_read_is_lacking, set_up_two,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_proven_is_lacking, set_up_two,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(the_next_version_reads_them_again, set_up_two,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(a_version_fills_what_it_has, set_up_two,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(holes_fill_nothing, set_up_two,
						replica_world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
