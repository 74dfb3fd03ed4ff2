/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/saved.c: which kept versions are found for a file, and in which order; those of another file
 * or filesystem are not, and checkpoints only when they are what they were.  Damage is in
 * test-saved-trouble.c; how bytes are read, in test-replica.c.
 */
#include "saved-world.h"

#include <sys/stat.h>

#include "saved-place.h"

static void nothing_is_protected(void **state)
{
	struct saved_world *w = *state;

	assert_found(w, "");
	kept_protect(&w->tree, "/srv", "/backup");
	kept_dirs(&w->tree, "backup/0123456789abcdef");
	assert_found(w, "");
	/* a protection that has kept nothing at all yet has no directory there */
	assert_said(w, "No such file");
}

/* Other files have been kept there, this one has not. */
static void another_file_is_kept(void **state)
{
	struct saved_world *w = *state;
	struct kept others[] = {version(w, 1, 10), version(w, 1, 10), version(w, 1, 10)};

	others[0].inode++;
	others[1].generation++;
	others[2].generation = 0;
	for (size_t i = 0; i < PME_ARRAY_SIZE(others); i++)
		kept_make(&w->tree, &others[i]);
	assert_found(w, "");
	assert_said(w, NULL);
	assert_null(w->list.items);
}

static void one_is_as_it_was_kept(void **state)
{
	struct saved_world *w = *state;
	struct kept kept = version(w, 0xab, 1700000000000000);
	_cleanup_free_ char *place = kept_place(&kept, "00000000000000ab.data");
	_cleanup_free_ char *path = pme_printf("/%s", place);
	const struct pme_saved *saved;
	char buf[SIZE];

	kept.mtime = -5;
	kept.ctime = 1700000000000000123;
	kept_make(&w->tree, &kept);
	assert_found(w, "ab ");
	assert_said(w, NULL);
	saved = &w->list.items[0];
	assert_string_equal(saved->protected, "/srv");
	assert_string_equal(saved->replica, path);
	assert_int_equal(saved->taken, 1700000000000000);
	assert_int_equal(saved->sample.devno, 77);
	assert_int_equal(saved->sample.inode, 131);
	assert_int_equal(saved->sample.generation, 5);
	assert_int_equal(saved->sample.size, SIZE);
	assert_int_equal(saved->sample.mtime, -5);
	assert_int_equal(saved->sample.ctime, 1700000000000000123);
	assert_int_equal(saved->checkpoint, -1);
	assert_int_equal(pme_saved_read(saved, 0, SIZE, buf), 0);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(buf[i], 'x');
	pme_saved_done(&w->list);
	assert_int_equal(w->list.count, 0);
	pme_saved_done(&w->list);
}

/* By the clock, not by number, over all protections: the clock of a file is one. */
static void the_newest_is_first(void **state)
{
	struct saved_world *w = *state;
	struct kept kept[] = {version(w, 1, 30), version(w, 2, 10), version(w, 3, 50),
			      version(w, 4, 40), version(w, 5, -20)};

	for (size_t i = 3; i < PME_ARRAY_SIZE(kept); i++) {
		kept[i].path = "/srv/file";
		kept[i].replica = "/other/place";
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(kept); i++)
		kept_make(&w->tree, &kept[i]);
	assert_found(w, "3 4 1 2 5 ");
	assert_said(w, NULL);
	assert_string_equal(w->list.items[1].protected, "/srv/file");
	assert_string_equal(w->list.items[2].protected, "/srv");
}

static void the_greatest_numbers_are_found(void **state)
{
	struct saved_world *w = *state;
	struct kept kept;

	w->file.inode = UINT64_MAX;
	w->file.generation = UINT32_MAX;
	kept = version(w, UINT64_MAX, INT64_MAX);
	kept_make(&w->tree, &kept);
	kept = version(w, 0, INT64_MIN);
	kept_make(&w->tree, &kept);
	assert_found(w, "ffffffffffffffff 0 ");
}

static void an_empty_file_is_kept(void **state)
{
	struct saved_world *w = *state;
	struct kept kept = version(w, 1, 10);
	char c;

	assert_int_equal(ftruncate(w->source, 0), 0);
	kept_make(&w->tree, &kept);
	assert_found(w, "1 ");
	assert_int_equal(pme_saved_read(&w->list.items[0], 0, 0, &c), 0);
	assert_int_equal(pme_saved_read(&w->list.items[0], 0, 1, &c), -ERANGE);
}

/* The same inode of another filesystem is no version of this file, and no damage either. */
static void filesystems_are_told_apart(void **state)
{
	static const char *const others[] = {
		"",
		"32b013a3-2cb1-4595-814c-b458611bb4a",
		KEPT_UUID "0",
		"32b013a3-2cb1-4595-814c-b458611bb4ab",
	};
	struct saved_world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept_make(&w->tree, &kept);
	for (size_t i = 0; i < PME_ARRAY_SIZE(others); i++) {
		find(w, others[i]);
		assert_int_equal(w->list.count, 0);
	}
	find(w, NULL);
	assert_int_equal(w->list.count, 0);
	assert_said(w, NULL);
	assert_found(w, "1 ");
}

/* Directories that were copied from elsewhere: the manifest says whose they are, not the place. */
static void the_manifest_says_whose_it_is(void **state)
{
	struct saved_world *w = *state;
	struct kept foreign = version(w, 1, 10);

	foreign.id = "0123456789abcdef";
	kept_make(&w->tree, &foreign);
	assert_found(w, "");
	for (uint32_t i = 0; i < 2; i++) {
		struct kept mine, other;
		_cleanup_free_ char *from = NULL, *to = NULL;

		w->file.generation++;
		mine = other = version(w, 2, 20);
		other.inode += i;
		other.generation += i ? 0 : 100;
		kept_make(&w->tree, &other);
		from = kept_place(&other, NULL);
		to = kept_place(&mine, NULL);
		assert_int_equal(renameat(w->tree.os.root, from, w->tree.os.root, to), 0);
		assert_found(w, "");
	}
	assert_said(w, NULL);
}

/* ---- checkpoints ---- */

#define CHECKPOINTS "srv/.pmemctl/checkpoints"

/* Where the checkpoint of @kept is, below the directory @sub. */
static char *checkpoint_place(const struct kept *kept, const char *sub)
{
	struct pme_manifest m = {.inode = kept->inode,
				 .inode_generation = kept->generation,
				 .generation = kept->version,
				 .nonce = 0x77};
	_cleanup_free_ char *id = pme_protection_id(kept->path);
	_cleanup_free_ char *name = pme_saved_checkpoint_name(&m);
	char *place = pme_printf(CHECKPOINTS "/%s/%s%s", id, sub, name);

	assert_true(id && name && place);
	return place;
}

static void make_checkpoint(struct saved_world *w, const char *place, off_t size)
{
	_cleanup_free_ char *dir = strdup(place);
	_cleanup_close_ int fd = -1;

	assert_non_null(dir);
	*strrchr(dir, '/') = '\0';
	kept_dirs(&w->tree, dir);
	fd = openat(w->tree.os.root, place, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
}

/* The version is found in any case: without its checkpoint nothing but that proof is lost. */
static void assert_checkpoint(struct saved_world *w, bool expected)
{
	assert_found(w, "1 ");
	assert_said(w, NULL);
	assert_int_equal(w->list.items[0].checkpoint >= 0, expected);
	assert_int_equal(pme_saved_unchanged(&w->list.items[0], w->source), 0);
}

static void checkpoints_are_what_they_were(void **state)
{
	struct saved_world *w = *state;
	struct kept kept = version(w, 1, 10);
	_cleanup_free_ char *place = checkpoint_place(&kept, "");
	_cleanup_free_ char *dax = checkpoint_place(&kept, "dax/");
	int root = w->tree.os.root;

	kept.has_checkpoint = true;
	kept_make(&w->tree, &kept);
	assert_checkpoint(w, false);
	make_checkpoint(w, place, SIZE);
	assert_checkpoint(w, true);
	make_checkpoint(w, place, SIZE - 1);
	assert_checkpoint(w, false);
	make_checkpoint(w, place, SIZE + 1);
	assert_checkpoint(w, false);
	assert_int_equal(unlinkat(root, place, 0), 0);
	make_checkpoint(w, dax, SIZE);
	assert_checkpoint(w, true);
	assert_int_equal(symlinkat("../../../../file", root, place), 0);
	assert_checkpoint(w, false);
	assert_int_equal(unlinkat(root, place, 0), 0);
	assert_int_equal(mkfifoat(root, place, 0600), 0);
	assert_checkpoint(w, false);
	assert_int_equal(unlinkat(root, place, 0), 0);
	assert_checkpoint(w, true);
	assert_int_equal(fchmodat(root, CHECKPOINTS, 0755, 0), 0);
	assert_checkpoint(w, false);
}

/* The manifest says that none was made: whoever put one there. */
static void a_checkpoint_that_was_never_made(void **state)
{
	struct saved_world *w = *state;
	struct kept kept = version(w, 1, 10);
	_cleanup_free_ char *place = checkpoint_place(&kept, "");

	kept_make(&w->tree, &kept);
	make_checkpoint(w, place, SIZE);
	assert_found(w, "1 ");
	assert_int_equal(w->list.items[0].checkpoint, -1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, saved_world_set_up, saved_world_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_protected),	      CASE(another_file_is_kept),
		CASE(one_is_as_it_was_kept),	      CASE(the_newest_is_first),
		CASE(the_greatest_numbers_are_found), CASE(an_empty_file_is_kept),
		CASE(filesystems_are_told_apart),     CASE(the_manifest_says_whose_it_is),
		CASE(checkpoints_are_what_they_were), CASE(a_checkpoint_that_was_never_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
