/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/saved.c: which kept versions are found for a file, and in which order; what is damaged, of
 * another file or filesystem, or in a place that others may write, is left out and hides no other.
 * How their bytes are read is in test-replica.c.
 */
#include "saved.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "kept.h"
#include "saved-place.h"

#define SIZE 10000
#define FIRST "0000000000000001"
#define SECOND "0000000000000002"

struct world {
	struct tree tree;
	int source, root;
	struct pme_file file;
	struct pme_saved_list list;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char bytes[SIZE];

	assert_non_null(w);
	kept_owner = 0;
	tree_init(&w->tree);
	tree_file(&w->tree, "srv/file", "");
	w->root = pme_os_open(&w->tree.os, "srv", O_RDONLY | O_DIRECTORY);
	w->source = pme_os_open(&w->tree.os, "srv/file", O_RDWR);
	assert_true(w->root >= 0 && w->source >= 0);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(pwrite(w->source, bytes, SIZE, 0), SIZE);
	w->file = (struct pme_file){.devno = 77, .inode = 131, .generation = 5};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pme_saved_done(&w->list);
	close(w->source);
	close(w->root);
	tree_done(&w->tree);
	free(w);
	return 0;
}

static struct kept version(const struct world *w, uint64_t version, int64_t taken)
{
	return kept_plain(&w->file, w->source, version, taken);
}

static void find(struct world *w, const char *uuid)
{
	pme_saved_done(&w->list);
	assert_int_equal(
		pme_saved_find(&w->tree.os, w->root, uuid, &w->file, &w->tree.log, &w->list), 0);
}

/* Found, newest first: their numbers, each with a blank. */
static void assert_found(struct world *w, const char *expected)
{
	_cleanup_free_ char *found = strdup("");

	find(w, KEPT_UUID);
	for (size_t i = 0; i < w->list.count; i++) {
		char number[32];

		assert_true(snprintf(number, sizeof(number), "%llx",
				     (unsigned long long)w->list.items[i].generation) > 0);
		words_add(&found, number);
	}
	assert_string_equal(found, expected);
}

/* One more message, of no weight, that has @part in it; none: NULL. */
static void assert_said(struct world *w, const char *part)
{
	struct pme_log *log = &w->tree.log;

	assert_int_equal(log->count, part ? 1 : 0);
	assert_false(log->failed || log->incomplete);
	if (part) {
		assert_int_equal(log->messages[0].severity, PME_INFO);
		if (!strstr(log->messages[0].text, part))
			fail_msg("said: %s", log->messages[0].text);
	}
	pme_log_done(log);
	*log = (struct pme_log){0};
}

static void nothing_is_protected(void **state)
{
	struct world *w = *state;

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
	struct world *w = *state;
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
	struct world *w = *state;
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
	struct world *w = *state;
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
	struct world *w = *state;
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
	struct world *w = *state;
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
	struct world *w = *state;
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

/* A directory that was copied from elsewhere: the manifest says whose it is, not its place. */
static void the_manifest_says_whose_it_is(void **state)
{
	struct world *w = *state;
	struct kept foreign = version(w, 1, 10), moved = version(w, 2, 20);
	_cleanup_free_ char *from = NULL, *to = NULL;

	foreign.id = "0123456789abcdef";
	kept_make(&w->tree, &foreign);
	assert_found(w, "");
	moved.inode++;
	kept_make(&w->tree, &moved);
	from = kept_place(&moved, NULL);
	moved = version(w, 2, 20);
	moved.generation = ++w->file.generation;
	to = kept_place(&moved, NULL);
	assert_int_equal(renameat(w->tree.os.root, from, w->tree.os.root, to), 0);
	assert_found(w, "");
	assert_said(w, NULL);
}

/* ---- what is damaged or missing ---- */

static void change(struct world *w, const struct kept *kept, const char *name, off_t size)
{
	_cleanup_free_ char *place = kept_place(kept, name);
	_cleanup_close_ int fd = pme_os_open(&w->tree.os, place, O_RDWR);

	assert_true(fd >= 0);
	if (size >= 0)
		assert_int_equal(ftruncate(fd, size), 0);
	else
		assert_int_equal(pwrite(fd, "#", 1, -size), 1);
}

static void drop(struct world *w, const struct kept *kept, const char *name)
{
	_cleanup_free_ char *place = kept_place(kept, name);

	assert_int_equal(unlinkat(w->tree.os.root, place, 0), 0);
}

static void damage_is_said_and_hides_no_other(void **state)
{
	static const struct {
		const char *name;
		off_t size; /* negative: this byte is another */
		const char *why;
	} cases[] = {
		{SECOND ".manifest", 0, "no manifest"},
		{SECOND ".manifest", 7, "no manifest"},
		{SECOND ".manifest", 100, "manifest is damaged"},
		{SECOND ".manifest", -1, "no manifest"},
		{SECOND ".manifest", -8, "newer version"},
		{SECOND ".manifest", -40, "manifest is damaged"},
		{SECOND ".data", 0, "longer or shorter"},
		{SECOND ".data", SIZE - 1, "longer or shorter"},
		{SECOND ".data", SIZE + 1, "longer or shorter"},
	};
	struct world *w = *state;
	struct kept good = version(w, 1, 10), bad = version(w, 2, 20);

	kept_make(&w->tree, &good);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		kept_make(&w->tree, &bad);
		change(w, &bad, cases[i].name, cases[i].size);
		assert_found(w, "1 ");
		assert_said(w, cases[i].why);
		drop(w, &bad, SECOND ".manifest");
		drop(w, &bad, SECOND ".data");
		drop(w, &bad, SECOND ".sums");
	}
	assert_found(w, "1 ");
	assert_said(w, NULL);
}

/* What is no file is neither followed nor waited for. */
static void only_files_are_opened(void **state)
{
	static const struct {
		const char *name, *link, *missing;
	} cases[] = {
		{SECOND ".manifest", "symbolic link", NULL},
		{SECOND ".data", "cannot be opened", "cannot be opened"},
		{SECOND ".sums", "cannot be opened", "cannot be opened"},
	};
	struct world *w = *state;
	struct kept good = version(w, 1, 10), bad = version(w, 2, 20);
	_cleanup_free_ char *aside = kept_place(&bad, "aside");
	int root = w->tree.os.root;

	kept_make(&w->tree, &good);
	kept_make(&w->tree, &bad);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *place = kept_place(&bad, cases[i].name);

		assert_int_equal(renameat(root, place, root, aside), 0);
		assert_found(w, "1 ");
		assert_said(w, cases[i].missing);
		assert_int_equal(symlinkat("aside", root, place), 0);
		assert_found(w, "1 ");
		assert_said(w, cases[i].link);
		assert_int_equal(unlinkat(root, place, 0), 0);
		assert_int_equal(renameat(root, aside, root, place), 0);
	}
	assert_found(w, "2 1 ");
	assert_said(w, NULL);
}

static void pipes_are_not_waited_for(void **state)
{
	static const struct {
		const char *name, *why;
	} cases[] = {{SECOND ".manifest", "no manifest"}, {SECOND ".data", "longer or shorter"}};
	struct world *w = *state;
	struct kept good = version(w, 1, 10), bad = version(w, 2, 20);

	kept_make(&w->tree, &good);
	kept_make(&w->tree, &bad);
	for (size_t i = PME_ARRAY_SIZE(cases); i-- > 0;) {
		_cleanup_free_ char *place = kept_place(&bad, cases[i].name);

		drop(w, &bad, cases[i].name);
		assert_int_equal(mkfifoat(w->tree.os.root, place, 0600), 0);
		assert_found(w, "1 ");
		assert_said(w, cases[i].why);
	}
}

static void a_manifest_of_another_version_is_refused(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);
	_cleanup_free_ char *first = kept_place(&kept, FIRST ".manifest");
	_cleanup_free_ char *second = kept_place(&kept, SECOND ".manifest");

	kept_make(&w->tree, &kept);
	assert_int_equal(linkat(w->tree.os.root, first, w->tree.os.root, second, 0), 0);
	assert_found(w, "1 ");
	assert_said(w, "another version");
}

static void other_names_are_no_versions(void **state)
{
	static const char *const names[] = {
		".manifest",
		"1.manifest",
		"000000000000000A.manifest",
		"00000000000000001.manifest",
		FIRST ".manifest.new",
		FIRST,
		"damaged",
		"\xff\n.manifest",
	};
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept_make(&w->tree, &kept);
	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *place = kept_place(&kept, names[i]);

		tree_file(&w->tree, place, "junk");
	}
	assert_found(w, "1 ");
	assert_said(w, NULL);
}

/* ---- places that others may write ---- */

/* The directory that is @up levels above the versions, with this mode. */
static void set_mode(struct world *w, const struct kept *kept, int up, mode_t mode)
{
	_cleanup_free_ char *place = kept_place(kept, NULL);

	while (up-- > 0)
		*strrchr(place, '/') = '\0';
	assert_int_equal(fchmodat(w->tree.os.root, place, mode, 0), 0);
}

static void places_of_others_are_not_believed(void **state)
{
	static const struct {
		int up;
		mode_t mode;
		bool good;
	} cases[] = {
		{0, 0710, false}, {0, 0701, false}, {0, 0500, true},  {1, 0750, false},
		{1, 0704, false}, {2, 0755, true},  {2, 0775, false}, {2, 0757, false},
	};
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept_make(&w->tree, &kept);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		set_mode(w, &kept, cases[i].up, cases[i].mode);
		assert_found(w, cases[i].good ? "1 " : "");
		assert_said(w, cases[i].good ? NULL : "Operation not permitted");
		set_mode(w, &kept, cases[i].up, cases[i].up == 2 ? 0755 : 0700);
	}
	kept_owner = 1000;
	assert_found(w, "");
	assert_said(w, "Operation not permitted");
}

static void links_are_not_followed(void **state)
{
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);

	kept_make(&w->tree, &kept);
	for (int up = 0; up < 3; up++) {
		_cleanup_free_ char *place = kept_place(&kept, NULL);
		int root = w->tree.os.root;

		for (int i = 0; i < up; i++)
			*strrchr(place, '/') = '\0';
		assert_int_equal(renameat(root, place, root, "aside"), 0);
		/* an absolute one would lead out of the made-up root */
		assert_int_equal(symlinkat(up == 0   ? "../../aside"
					   : up == 1 ? "../aside"
						     : "aside",
					   root, place),
				 0);
		assert_found(w, "");
		assert_said(w, "Operation not permitted");
		assert_int_equal(unlinkat(root, place, 0), 0);
		assert_int_equal(renameat(root, "aside", root, place), 0);
	}
	assert_found(w, "1 ");
}

/* A replica that is not there (not mounted) hides no other one. */
static void a_replica_that_is_gone_is_said(void **state)
{
	struct world *w = *state;
	struct kept here = version(w, 1, 10), gone = version(w, 2, 20);

	gone.path = "/srv/file";
	gone.replica = "/gone";
	kept_make(&w->tree, &here);
	kept_make(&w->tree, &gone);
	assert_found(w, "2 1 ");
	assert_int_equal(renameat(w->tree.os.root, "gone", w->tree.os.root, "else"), 0);
	assert_found(w, "1 ");
	assert_said(w, "what is kept there of /srv/file cannot be used: No such file");
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

static void make_checkpoint(struct world *w, const char *place, off_t size)
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
static void assert_checkpoint(struct world *w, bool expected)
{
	assert_found(w, "1 ");
	assert_said(w, NULL);
	assert_int_equal(w->list.items[0].checkpoint >= 0, expected);
	assert_int_equal(pme_saved_unchanged(&w->list.items[0], w->source), 0);
}

static void checkpoints_are_what_they_were(void **state)
{
	struct world *w = *state;
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
	struct world *w = *state;
	struct kept kept = version(w, 1, 10);
	_cleanup_free_ char *place = checkpoint_place(&kept, "");

	kept_make(&w->tree, &kept);
	make_checkpoint(w, place, SIZE);
	assert_found(w, "1 ");
	assert_int_equal(w->list.items[0].checkpoint, -1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_protected),
		CASE(another_file_is_kept),
		CASE(one_is_as_it_was_kept),
		CASE(the_newest_is_first),
		CASE(the_greatest_numbers_are_found),
		CASE(an_empty_file_is_kept),
		CASE(filesystems_are_told_apart),
		CASE(the_manifest_says_whose_it_is),
		CASE(damage_is_said_and_hides_no_other),
		CASE(only_files_are_opened),
		CASE(pipes_are_not_waited_for),
		CASE(a_manifest_of_another_version_is_refused),
		CASE(other_names_are_no_versions),
		CASE(places_of_others_are_not_believed),
		CASE(links_are_not_followed),
		CASE(a_replica_that_is_gone_is_said),
		CASE(checkpoints_are_what_they_were),
		CASE(a_checkpoint_that_was_never_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
