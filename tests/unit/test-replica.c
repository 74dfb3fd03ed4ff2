/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/replica.c, lib/saved.c: versions in a directory of the machine, written from a plain file:
 * what is read is what was there, and nothing is read that is not what it was.
 */
#include "replica-world.h"

#include <sys/stat.h>

#include "checkpoint.h"

static void assert_reads(const struct replica_world *w, const struct pme_saved *saved)
{
	_cleanup_free_ char *buf = malloc(SIZE + BLOCK);
	struct rnd rnd = w->rnd;

	assert_non_null(buf);
	assert_int_equal(pme_saved_read(saved, 0, SIZE, buf), 0);
	assert_memory_equal(buf, w->truth, SIZE);
	for (int i = 0; i < 200; i++) {
		uint64_t at = rnd_below(&rnd, SIZE);
		size_t size = (size_t)rnd_below(&rnd, SIZE - at) % 40000;

		memset(buf, 1, size + 1);
		assert_int_equal(pme_saved_read(saved, at, size, buf), 0);
		assert_memory_equal(buf, w->truth + at, size);
		assert_int_equal(buf[size], 1);
	}
}

/* What is whole is not written over, nor taken away by a write that fails. */
static void is_written_once(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_job job;
	struct pme_saved saved;

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	assert_int_equal(pwrite(w->source, "other", 5, 0), 5);
	assert_int_equal(write_version(w, 1, NULL, NULL, &job), -EEXIST);
	load(w, 1, &saved);
	assert_reads(w, &saved);
	pme_saved_free(&saved);
}

/* What a killed sync left is seen by the number of names. */
static void leftovers_are_counted(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_job job;
	uint64_t *versions;
	size_t count, others;

	assert_int_equal(write_version(w, 3, NULL, NULL, &job), 0);
	assert_int_equal(write_version(w, 5, NULL, NULL, &job), 0);
	assert_int_equal(pme_saved_look(w->dir, &versions, &count, &others), 0);
	assert_int_equal(count, 2);
	assert_int_equal(versions[0], 5);
	assert_int_equal(others, 4);
	free(versions);
	assert_int_equal(pme_replica_forget(w->dir, 3), 0);
	assert_int_equal(pme_saved_look(w->dir, &versions, &count, &others), 0);
	assert_int_equal(count, 1);
	assert_int_equal(others, 4);
	free(versions);
	assert_int_equal(pme_replica_sweep(w->dir), 0);
	assert_int_equal(pme_saved_look(w->dir, &versions, &count, &others), 0);
	assert_int_equal(others, 2);
	free(versions);
}

/* That a file was not met is no part of a version, whatever its number; it goes with a sweep. */
static void that_it_was_not_met_is_found(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_job job;
	uint64_t *versions, since = 9;
	size_t count, others;

	assert_int_equal(write_version(w, 3, NULL, NULL, &job), 0);
	assert_int_equal(pme_saved_unseen(w->dir, &since), 0);
	tree_file(&w->tree, "object/000000000000000x.unseen", "");
	tree_file(&w->tree, "object/unseen", "");
	assert_int_equal(pme_saved_unseen(w->dir, &since), 0);
	tree_file(&w->tree, "object/0000000000000003.unseen", "");
	tree_file(&w->tree, "object/0000000000000014.unseen", "");
	assert_int_equal(pme_saved_unseen(w->dir, &since), 1);
	assert_int_equal(since, 3);
	assert_int_equal(pme_saved_look(w->dir, &versions, &count, &others), 0);
	assert_int_equal(count, 1);
	assert_int_equal(versions[0], 3);
	assert_true(others == SIZE_MAX);
	free(versions);
	assert_int_equal(pme_replica_sweep(w->dir), 0);
	assert_int_equal(pme_saved_unseen(w->dir, &since), 0);
	assert_int_equal(pme_saved_look(w->dir, &versions, &count, &others), 0);
	assert_int_equal(others, 2);
	free(versions);
}

static void is_read_back(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_check check = {0};
	struct pme_replica_damage damage;
	struct pme_replica_job job;
	struct pme_saved saved;
	uint64_t end = (SIZE + BLOCK - 1) / BLOCK * BLOCK;
	char tail[BLOCK];

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	assert_int_equal(job.bytes_written, SIZE);
	load(w, 1, &saved);
	assert_reads(w, &saved);
	/* Between the end of the file and that of its last block there are zeros; then nothing. */
	assert_int_equal(pme_saved_read(&saved, SIZE, (size_t)(end - SIZE), tail), 0);
	for (size_t i = 0; i < end - SIZE; i++)
		assert_int_equal(tail[i], 0);
	assert_int_equal(pme_saved_read(&saved, end - 1, 2, tail), -ERANGE);
	assert_int_equal(pme_saved_read(&saved, UINT64_MAX, 2, tail), -ERANGE);
	assert_int_equal(pme_replica_verify(&saved, &check, &damage), 0);
	assert_int_equal(check.damaged, 0);
	pme_saved_free(&saved);
}

static void one_bit_is_found(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_check check = {0};
	struct pme_replica_damage damage;
	struct pme_replica_job job;
	struct pme_saved saved;
	char buf[BLOCK];

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	flip(w, "0000000000000001.data", 5 * BLOCK + 77);
	load(w, 1, &saved);
	assert_int_equal(pme_saved_read(&saved, 5 * BLOCK, BLOCK, buf), -EBADMSG);
	assert_int_equal(pme_saved_read(&saved, 5 * BLOCK + 4000, 10, buf), -EBADMSG);
	assert_int_equal(pme_saved_read(&saved, 6 * BLOCK, BLOCK, buf), 0);
	assert_memory_equal(buf, w->truth + 6 * BLOCK, BLOCK);
	assert_int_equal(pme_replica_verify(&saved, &check, &damage), -EBADMSG);
	assert_int_equal(check.damaged, 1);
	assert_true(damage.data && !damage.digests);
	assert_int_equal(damage.ranges, 1);
	assert_int_equal(damage.first[0].start, 5 * BLOCK);
	assert_int_equal(damage.first[0].length, BLOCK);
	/* and of the digests: all of their page */
	flip(w, "0000000000000001.sums", 4096 + 5);
	assert_int_equal(pme_saved_read(&saved, 1 << 20, 10, buf), -EBADMSG);
	assert_int_equal(pme_saved_read(&saved, 2 << 20, 10, buf), 0);
	check = (struct pme_replica_check){0};
	assert_int_equal(pme_replica_verify(&saved, &check, &damage), -EBADMSG);
	assert_int_equal(check.damaged, 257);
	assert_true(damage.data && damage.digests);
	assert_int_equal(damage.ranges, 2);
	assert_int_equal(damage.first[1].start, 1 << 20);
	assert_int_equal(damage.first[1].length, 1 << 20);
	pme_saved_free(&saved);
}

/* Neighbours are one range, of one page or of two; the first ranges have their places. */
static void ranges_are_counted(void **state)
{
	static const off_t blocks[] = {1, 2, 9, 255, 256, 300, 400};
	struct replica_world *w = *state;
	struct pme_replica_check check = {0};
	struct pme_replica_damage damage;
	struct pme_replica_job job;
	struct pme_saved saved;

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(blocks); i++)
		flip(w, "0000000000000001.data", blocks[i] * BLOCK);
	load(w, 1, &saved);
	assert_int_equal(pme_replica_verify(&saved, &check, &damage), -EBADMSG);
	assert_int_equal(damage.blocks, 7);
	assert_int_equal(damage.ranges, 5);
	assert_int_equal(damage.first[0].start, BLOCK);
	assert_int_equal(damage.first[0].length, 2 * BLOCK);
	assert_int_equal(damage.first[1].start, 9 * BLOCK);
	assert_int_equal(damage.first[1].length, BLOCK);
	assert_int_equal(damage.first[2].start, 255 * BLOCK);
	assert_int_equal(damage.first[2].length, 2 * BLOCK);
	pme_saved_free(&saved);
}

static void what_is_cut_or_foreign_is_refused(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_job job;
	struct pme_saved saved;
	const char *why = NULL;

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	assert_int_equal(
		renameat(w->dir, "0000000000000001.manifest", w->dir, "0000000000000002.manifest"),
		0);
	assert_int_equal(pme_saved_load(w->dir, 2, -1, &saved, &why), -EBADMSG);
	assert_string_equal(why, "its manifest is that of another version");
	assert_int_equal(
		renameat(w->dir, "0000000000000002.manifest", w->dir, "0000000000000001.manifest"),
		0);
	flip(w, "0000000000000001.manifest", 30);
	assert_int_equal(pme_saved_load(w->dir, 1, -1, &saved, &why), -EBADMSG);
	assert_string_equal(why, "its manifest is damaged");
	flip(w, "0000000000000001.manifest", 30);
	{
		int fd = pme_os_open_at(w->dir, "0000000000000001.data", O_RDWR);

		assert_int_equal(ftruncate(fd, SIZE - 1), 0);
		close(fd);
	}
	assert_int_equal(pme_saved_load(w->dir, 1, -1, &saved, &why), -EBADMSG);
	assert_string_equal(why, "the copy is longer or shorter than it was");
}

/* Only what changed is read of the source; the rest is that of the version before. */
static void next_version_reads_what_changed(void **state)
{
	struct replica_world *w = *state;
	struct pme_range_list changed = {0};
	struct pme_replica_job job;
	struct pme_saved base, saved;

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	load(w, 1, &base);
	for (uint64_t at = 3; at < SIZE / BLOCK; at += 97) {
		memset(w->truth + at * BLOCK, (int)at, BLOCK);
		assert_int_equal(
			pwrite(w->source, w->truth + at * BLOCK, BLOCK, (off_t)(at * BLOCK)),
			BLOCK);
		assert_int_equal(pme_range_list_add(&changed, at * BLOCK, BLOCK), 0);
	}
	assert_int_equal(write_version(w, 2, &base, &changed, &job), 0);
	assert_int_equal(job.bytes_read, pme_range_list_bytes(&changed));
	load(w, 2, &saved);
	assert_reads(w, &saved);
	pme_saved_free(&saved);
	pme_saved_free(&base);
	pme_range_list_done(&changed);
}

/* What became a hole is zero, whatever the version before had there. */
static void hole_comes_and_goes(void **state)
{
	struct replica_world *w = *state;
	const uint64_t hole = 20ULL * BLOCK;
	struct pme_range_list changed = {0};
	struct pme_replica_job job;
	struct pme_saved base, saved;
	struct pme_manifest m;

	assert_int_equal(write_version(w, 1, NULL, NULL, &job), 0);
	load(w, 1, &base);
	memset(w->truth + hole, 0, 65536);
	assert_int_equal(pwrite(w->source, w->truth, SIZE, 0), SIZE);
	assert_int_equal(pme_range_list_add(&changed, hole, 65536), 0);
	make_manifest(&m, 2, hole);
	job = (struct pme_replica_job){
		.object = w->dir,
		.source = w->source,
		.base = &base,
		.changed = &changed,
		.manifest = &m,
	};
	assert_int_equal(pme_replica_write(&job), 0);
	assert_int_equal(pme_replica_publish(w->dir, 2), 0);
	assert_int_equal(job.bytes_read, 0);
	load(w, 2, &saved);
	assert_reads(w, &saved);
	pme_saved_free(&base);
	base = saved;
	memset(w->truth + hole, 7, 65536);
	assert_int_equal(pwrite(w->source, w->truth, SIZE, 0), SIZE);
	assert_int_equal(write_version(w, 3, &base, &changed, &job), 0);
	load(w, 3, &saved);
	assert_reads(w, &saved);
	pme_saved_free(&saved);
	pme_saved_free(&base);
	pme_manifest_done(&m);
	pme_range_list_done(&changed);
}

static void source_that_is_shorter_is_refused(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_job job;
	uint64_t *versions = NULL;
	char **names = NULL;
	size_t count = 9, n_names = 9;
	const struct pme_os here = {.root = w->dir};

	assert_int_equal(ftruncate(w->source, SIZE - 5000), 0);
	assert_int_equal(write_version(w, 1, NULL, NULL, &job), -ESTALE);
	assert_int_equal(pme_saved_versions(w->dir, &versions, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(pme_os_list(&here, ".", &names, &n_names), 0);
	assert_int_equal(n_names, 0);
	pme_os_free_names(names, n_names);
	free(versions);
}

static void is_not_there_before_it_is_published(void **state)
{
	struct replica_world *w = *state;
	uint64_t *versions = NULL;
	size_t count = 9;
	struct pme_manifest m;
	struct pme_replica_job job = {.object = w->dir, .source = w->source, .manifest = &m};

	make_manifest(&m, 3, 0);
	assert_int_equal(pme_replica_write(&job), 0);
	pme_manifest_done(&m);
	assert_int_equal(pme_saved_versions(w->dir, &versions, &count), 0);
	assert_int_equal(count, 0);
	free(versions);
	assert_int_equal(pme_replica_publish(w->dir, 3), 0);
	assert_int_equal(pme_replica_publish(w->dir, 3), -ENOENT);
	assert_int_equal(pme_saved_versions(w->dir, &versions, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(versions[0], 3);
	free(versions);
}

static void sweeps_what_has_no_manifest(void **state)
{
	struct replica_world *w = *state;
	struct pme_replica_job job;
	const struct pme_os here = {.root = w->dir};
	char **names = NULL;
	size_t count;

	assert_int_equal(write_version(w, 7, NULL, NULL, &job), 0);
	tree_file(&w->tree, "object/0000000000000008.data", "x");
	tree_file(&w->tree, "object/0000000000000008.sums", "x");
	tree_file(&w->tree, "object/0000000000000007.manifest.new", "x");
	tree_file(&w->tree, "object/damaged", "");
	assert_int_equal(pme_replica_sweep(w->dir), 0);
	assert_int_equal(pme_os_list(&here, ".", &names, &count), 0);
	assert_int_equal(count, 4);
	assert_string_equal(names[0], "0000000000000007.data");
	assert_string_equal(names[1], "0000000000000007.manifest");
	assert_string_equal(names[2], "0000000000000007.sums");
	assert_string_equal(names[3], "damaged");
	pme_os_free_names(names, count);
	assert_int_equal(pme_replica_remove(w->dir, 7, -1), 0);
	assert_int_equal(pme_os_list(&here, ".", &names, &count), 0);
	assert_int_equal(count, 1);
	pme_os_free_names(names, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_read_back, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(is_written_once, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(leftovers_are_counted, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(that_it_was_not_met_is_found, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(one_bit_is_found, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(ranges_are_counted, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(what_is_cut_or_foreign_is_refused,
						replica_world_set_up, replica_world_tear_down),
		cmocka_unit_test_setup_teardown(next_version_reads_what_changed,
						replica_world_set_up, replica_world_tear_down),
		cmocka_unit_test_setup_teardown(hole_comes_and_goes, replica_world_set_up,
						replica_world_tear_down),
		cmocka_unit_test_setup_teardown(source_that_is_shorter_is_refused,
						replica_world_set_up, replica_world_tear_down),
		cmocka_unit_test_setup_teardown(is_not_there_before_it_is_published,
						replica_world_set_up, replica_world_tear_down),
		cmocka_unit_test_setup_teardown(sweeps_what_has_no_manifest, replica_world_set_up,
						replica_world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
