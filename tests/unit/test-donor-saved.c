/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-saved.c, donor-digest.c, donor-replica.c: versions that were really kept, of a file
 * that is the same or not.  Whether blocks are still those of a checkpoint is played: which ones
 * are is in test-checkpoint.c.
 */
#include "donor-saved.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "donor-answer.h"
#include "kept.h"
#include "random.h"
#include "saved-conf.h"
#include "vault.h"

#define BLOCK 4096
#define SIZE (3 * BLOCK + 100)

static int shares; /* what pme_saved_shares() says */

int __wrap_pme_saved_shares(const struct pme_saved *saved, int fd, struct pme_range range);

int __wrap_pme_saved_shares(const struct pme_saved *saved, int fd, struct pme_range range)
{
	(void)fd;
	assert_true(saved->checkpoint >= 0);
	assert_int_equal(range.start % BLOCK + range.length % BLOCK, 0);
	return shares;
}

struct world {
	struct tree tree;
	struct pme_fs fs;
	struct pme_file file;
	struct pme_want want;
	struct pme_sample sample;
	unsigned char truth[SIZE];
	struct answer answer;
	struct pme_saved_cache saved;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rnd rnd = rnd_start();

	assert_non_null(w);
	kept_owner = 0;
	tree_init(&w->tree);
	tree_file(&w->tree, "srv/file", "");
	w->fs.uuid = (char *)KEPT_UUID;
	w->want = (struct pme_want){
		.os = &w->tree.os,
		.fs = &w->fs,
		.root = pme_os_open(&w->tree.os, "srv", O_RDONLY | O_DIRECTORY),
		.fd = pme_os_open(&w->tree.os, "srv/file", O_RDWR),
		.file = &w->file,
		.range = {BLOCK, 3 * BLOCK},
		.saved = &w->saved,
	};
	assert_true(w->want.fd >= 0 && w->want.root >= 0);
	for (size_t i = 0; i < SIZE; i++)
		w->truth[i] = (unsigned char)rnd_u64(&rnd);
	assert_int_equal(pwrite(w->want.fd, w->truth, SIZE, 0), SIZE);
	assert_int_equal(pme_sample_take(w->want.fd, &w->sample), 0);
	w->file = (struct pme_file){
		.devno = w->sample.devno, .inode = w->sample.inode, .generation = KEPT_GENERATION};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	answer_forget(&w->answer);
	pme_saved_cache_done(&w->saved);
	close(w->want.fd);
	close(w->want.root);
	tree_done(&w->tree);
	free(w);
	return 0;
}

static struct kept version(const struct world *w, uint64_t number, int64_t taken)
{
	struct kept kept = kept_plain(&w->file, w->want.fd, number, taken);

	kept.mtime = w->sample.mtime;
	kept.ctime = w->sample.ctime;
	return kept;
}

static int find(struct world *w, const struct pme_donor_kind *kind)
{
	int r;

	pme_saved_cache_done(&w->saved); /* tests change what is kept */
	r = answer_ask(&w->answer, kind, &w->want, &w->tree.log);
	assert_int_equal(w->tree.log.count, 0);
	return r;
}

static void expect_none(struct world *w, const struct pme_donor_kind *kind, const char *reason)
{
	assert_int_equal(find(w, kind), 0);
	assert_non_null(w->answer.reason);
	if (!strstr(w->answer.reason, reason))
		fail_msg("said: %s", w->answer.reason);
}

static uint64_t generation_of(const struct world *w)
{
	const struct pme_saved *saved;

	assert_int_equal(pme_donor_saved_of(&w->answer.donor, &w->want, &saved), 0);
	return saved->generation;
}

/* Found, and it has the bytes. */
static void expect_version(struct world *w, const struct pme_donor_kind *kind, uint64_t number)
{
	_cleanup_free_ char *detail =
		pme_printf("generation %llu of /srv", (unsigned long long)number);
	unsigned char buf[SIZE - BLOCK];

	assert_int_equal(find(w, kind), 1);
	assert_string_equal(w->answer.donor.detail, detail);
	assert_int_equal(generation_of(w), number);
	assert_int_equal(kind->read(&w->answer.donor, &w->want, BLOCK, sizeof(buf), buf), 0);
	assert_memory_equal(buf, w->truth + BLOCK, sizeof(buf));
}

static void nothing_was_kept(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	expect_none(w, &pme_donor_digest, "no version of this file was kept");
	expect_none(w, &pme_donor_replica, "no checkpoint of this file with a replica");
	kept.inode++;
	kept_make(&w->tree, &kept);
	expect_none(w, &pme_donor_digest, "no version of this file was kept");
	kept.inode--;
	kept_make(&w->tree, &kept);
	w->fs.uuid = (char *)"0000-0000";
	expect_none(w, &pme_donor_digest, "no version of this file was kept");
	w->fs.uuid = NULL; /* then nobody knows which filesystem it is */
	expect_none(w, &pme_donor_digest, "no version of this file was kept");
	expect_none(w, &pme_donor_replica, "no checkpoint of this file with a replica");
}

static void an_unchanged_file_is_proof(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 3, 1700000000000000);
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
	unsigned char tail[BLOCK];

	kept_make(&w->tree, &kept);
	expect_version(w, &pme_donor_digest, 3);
	assert_null(w->answer.reason);
	assert_int_equal(w->answer.donor.proof, PME_PROOF_DIGEST);
	assert_int_equal(w->answer.donor.taken, 1700000000000000);
	assert_non_null(strstr(w->answer.donor.path, "/0000000000000003.data"));
	assert_null(w->answer.donor.file);
	/* behind the end of the file there are zeros */
	assert_int_equal(pme_donor_digest.read(&w->answer.donor, &w->want, 3 * BLOCK, BLOCK, tail),
			 0);
	assert_memory_equal(tail, w->truth + 3 * BLOCK, 100);
	for (size_t i = 100; i < BLOCK; i++)
		assert_int_equal(tail[i], 0);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 1);
	assert_int_equal(futimens(w->want.fd, times), 0); /* the same bytes */
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 0);
	expect_none(w, &pme_donor_digest, "Z): the file changed since");
	expect_none(w, &pme_donor_replica, "no checkpoint of this file with a replica");
}

/* What was on its way into the file then shows in nothing that can be asked for now. */
static void a_file_that_was_open_for_writing_is_none(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 3, 10);

	kept.unsettled = true;
	kept_make(&w->tree, &kept);
	expect_none(w, &pme_donor_digest, "open for writing when it was copied");
}

static void any_difference_is_a_change(void **state)
{
	struct world *w = *state;
	struct kept kept[] = {version(w, 1, 10), version(w, 2, 20), version(w, 3, 30)};

	kept[0].mtime++;
	kept[1].ctime--;
	kept[2].mtime = kept[2].ctime;
	kept[2].ctime = INT64_MIN;
	for (size_t i = 0; i < PME_ARRAY_SIZE(kept); i++)
		kept_make(&w->tree, &kept[i]);
	expect_none(w, &pme_donor_digest, "generation 3 in /backup/");
	assert_non_null(strstr(w->answer.reason, "generation 2 in /backup/"));
	assert_non_null(strstr(w->answer.reason, "generation 1 in /backup/"));
	kept[0] = version(w, 4, 5);
	kept_make(&w->tree, &kept[0]);
	expect_version(w, &pme_donor_digest, 4);
	w->file.devno++; /* another device has come to be called that */
	expect_none(w, &pme_donor_digest, "the file changed since");
}

/* A byte of the copy of version @number. */
static void flip(struct world *w, uint64_t number, off_t at)
{
	_cleanup_free_ char *name = pme_printf("%016llx.data", (unsigned long long)number);
	struct kept kept = version(w, number, 0);
	_cleanup_free_ char *place = kept_place(&kept, name);
	_cleanup_close_ int fd = pme_os_open(&w->tree.os, place, O_RDWR);
	unsigned char byte = (unsigned char)~w->truth[at];

	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	assert_int_equal(fsync(fd), 0);
}

/* The older one is as good, when nothing was written in between; what was wrong is told. */
static void a_damaged_version_hides_no_older_one(void **state)
{
	struct world *w = *state;
	struct kept older = version(w, 1, 10), newer = version(w, 2, 20);

	kept_make(&w->tree, &older);
	kept_make(&w->tree, &newer);
	expect_version(w, &pme_donor_digest, 2);
	flip(w, 2, 0); /* beside what is wanted: that matters to nobody */
	expect_version(w, &pme_donor_digest, 2);
	flip(w, 2, BLOCK);
	expect_version(w, &pme_donor_digest, 1);
	assert_non_null(strstr(w->answer.reason, "generation 2 in "));
	assert_non_null(
		strstr(w->answer.reason, "its replica is damaged there (a digest differs)"));
	flip(w, 1, SIZE - 1);
	expect_none(w, &pme_donor_digest, "generation 1 in ");
	w->want.range = (struct pme_range){2 * BLOCK, BLOCK};
	assert_int_equal(find(w, &pme_donor_digest), 1);
	assert_int_equal(generation_of(w), 2);
}

/* ---- checkpoints ---- */

static void make_checkpoint(struct world *w, const struct kept *kept)
{
	_cleanup_free_ char *id = pme_protection_id(kept->path);
	_cleanup_free_ char *dir = pme_printf("srv/.pmemctl/checkpoints/%s", id);
	_cleanup_free_ char *place =
		pme_printf("%s/%016llx-%08x-%016llx-%016x", dir, (unsigned long long)kept->inode,
			   kept->generation, (unsigned long long)kept->version, 0x77);
	_cleanup_close_ int fd = -1;

	kept_dirs(&w->tree, dir);
	tree_file(&w->tree, place, "");
	fd = pme_os_open(&w->tree.os, place, O_RDWR);
	assert_int_equal(ftruncate(fd, SIZE), 0);
}

static void shared_blocks_are_proof(void **state)
{
	static const char written[] = "these blocks were written since";
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept.has_checkpoint = true;
	kept.mtime = 0; /* what else was written to the file does not matter */
	kept_make(&w->tree, &kept);
	make_checkpoint(w, &kept);
	shares = 1;
	expect_version(w, &pme_donor_replica, 1);
	assert_int_equal(w->answer.donor.proof, PME_PROOF_SHARED);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 1);
	shares = 0;
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 0);
	expect_none(w, &pme_donor_replica, written);
	shares = -EIO;
	expect_none(w, &pme_donor_replica, "cannot be compared: Input/output error");
	shares = -ENOMEM;
	assert_int_equal(find(w, &pme_donor_replica), -ENOMEM);
	/* the blocks are the same, the copy of them is not */
	shares = 1;
	flip(w, 1, 2 * BLOCK);
	expect_none(w, &pme_donor_replica, "damaged there");
}

/* The checkpoint is the target: a clone has its blocks, the file that it is of has others by now.
 */
static void a_checkpoint_has_the_versions_of_its_file(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);
	char path[128];
	char *paths[] = {path};

	kept.has_checkpoint = true;
	kept_make(&w->tree, &kept);
	make_checkpoint(w, &kept);
	snprintf(path, sizeof(path), "/srv/.pmemctl/checkpoints/x/%016llx-%08x-%016x-%016x",
		 (unsigned long long)w->file.inode, KEPT_GENERATION, 1, 0x77);
	w->file.inode++;
	w->file.paths = paths;
	w->file.n_paths = 1;
	shares = 1;
	expect_none(w, &pme_donor_replica, "no checkpoint of this file with a replica");
	w->file.vault = 1 + PME_VAULT_CHECKPOINTS;
	expect_version(w, &pme_donor_replica, 1);
	assert_int_equal(w->answer.donor.proof, PME_PROOF_SHARED);
	path[sizeof("/srv/.pmemctl/checkpoints/x/")] = 'x'; /* no name of a checkpoint */
	expect_none(w, &pme_donor_replica, "no checkpoint of this file with a replica");
}

/* Its sample proves nothing, and nobody says that the file changed: it did not. */
static void a_checkpoint_that_is_gone_proves_nothing(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept.has_checkpoint = true;
	kept_make(&w->tree, &kept);
	expect_none(w, &pme_donor_replica, "no checkpoint of this file with a replica");
	expect_none(w, &pme_donor_digest, "generation 1 in ");
	assert_null(strstr(w->answer.reason, "changed"));
	make_checkpoint(w, &kept);
	expect_none(w, &pme_donor_digest, "generation 1 in ");
}

/* Its times are the same, but a power cut may have taken later ones. */
static void another_boot_proves_nothing(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept.other_boot = true;
	kept_make(&w->tree, &kept);
	expect_none(w, &pme_donor_digest, "the machine was started anew since it was copied");
	kept.version = 2;
	kept.other_boot = false;
	kept_make(&w->tree, &kept);
	expect_version(w, &pme_donor_digest, 2);
}

/* The file became longer than what was kept; its blocks are the same up to there. */
static void a_replica_may_end_before(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept.has_checkpoint = true;
	kept_make(&w->tree, &kept);
	make_checkpoint(w, &kept);
	shares = 1;
	assert_int_equal(ftruncate(w->want.fd, 6 * BLOCK), 0);
	w->want.range = (struct pme_range){0, 4 * BLOCK};
	assert_int_equal(find(w, &pme_donor_replica), 1);
	w->want.range = (struct pme_range){3 * BLOCK, 2 * BLOCK};
	expect_none(w, &pme_donor_replica, "its replica ends before these bytes");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(nothing_was_kept),
		CASE(an_unchanged_file_is_proof),
		CASE(a_file_that_was_open_for_writing_is_none),
		CASE(any_difference_is_a_change),
		CASE(a_damaged_version_hides_no_older_one),
		CASE(shared_blocks_are_proof),
		CASE(a_checkpoint_has_the_versions_of_its_file),
		CASE(a_checkpoint_that_is_gone_proves_nothing),
		CASE(another_boot_proves_nothing),
		CASE(a_replica_may_end_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
