/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/saved.c: kept versions that are damaged, incomplete, or in a place that others may write are
 * left out, which is said, and hide no other.
 */
#include "saved-world.h"

#include <sys/stat.h>

#define FIRST "0000000000000001"
#define SECOND "0000000000000002"

static void change(struct saved_world *w, const struct kept *kept, const char *name, off_t size)
{
	_cleanup_free_ char *place = kept_place(kept, name);
	_cleanup_close_ int fd = pme_os_open(&w->tree.os, place, O_RDWR);

	assert_true(fd >= 0);
	if (size >= 0)
		assert_int_equal(ftruncate(fd, size), 0);
	else
		assert_int_equal(pwrite(fd, "#", 1, -size), 1);
}

static void drop(struct saved_world *w, const struct kept *kept, const char *name)
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
	struct saved_world *w = *state;
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
	struct saved_world *w = *state;
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
	struct saved_world *w = *state;
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
	struct saved_world *w = *state;
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
	struct saved_world *w = *state;
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
static void set_mode(struct saved_world *w, const struct kept *kept, int up, mode_t mode)
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
	struct saved_world *w = *state;
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
	struct saved_world *w = *state;
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
	struct saved_world *w = *state;
	struct kept here = version(w, 1, 10), gone = version(w, 2, 20);
	struct stat st;

	gone.path = "/srv/file";
	gone.replica = "/gone";
	kept_make(&w->tree, &here);
	kept_make(&w->tree, &gone);
	assert_found(w, "2 1 ");
	assert_int_equal(renameat(w->tree.os.root, "gone", w->tree.os.root, "else"), 0);
	assert_found(w, "1 ");
	assert_said(w, "what is kept there of /srv/file cannot be used: No such file");
	/* what it protects is on the filesystem of the file: it could have kept it */
	assert_int_equal(fstat(w->source, &st), 0);
	w->file.devno = st.st_dev;
	assert_found(w, "1 ");
	assert_true(w->tree.log.incomplete);
	assert_string_equal(w->tree.log.messages[0].subject, "/gone");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, saved_world_set_up, saved_world_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(damage_is_said_and_hides_no_other),
		CASE(only_files_are_opened),
		CASE(pipes_are_not_waited_for),
		CASE(a_manifest_of_another_version_is_refused),
		CASE(other_names_are_no_versions),
		CASE(places_of_others_are_not_believed),
		CASE(links_are_not_followed),
		CASE(a_replica_that_is_gone_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
