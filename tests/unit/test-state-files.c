/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state-facts.c: what is one file, and when a finding means something else: hard links,
 * files that only processes have, snapshots, files without names.
 */
#include "state-watch.h"

#define NAME(path) "{'path':'" path "','raw':null}"

/* A finding of one file of the filesystem @type with @uuid; its JSON. */
static char *file_text(unsigned int id, const char *type, const char *uuid, unsigned int inode,
		       const char *paths)
{
	return pme_printf(
		"{'id':'%016x','device':'pmem0','namespace':'namespace0.0','mode':'fsdax',"
		"'region':'region0','dimms':['nmem0'],'range':{'start':%u,'length':4096},"
		"'physical_address':null,'known_by':['badblocks'],'verdict':'lost','claims':[{'via'"
		":"
		"[{'device':'pmem0','name':null,'kind':'disk','start':%u,'length':4096}],"
		"'certainty':'exact','reason':null,'owner':{'kind':'file-data','detail':null,"
		"'filesystem':{'type':'%s','uuid':'%s','source':'/dev/pmem0','mounts':[]},"
		"'inode':%u,'generation':1,'range':null,'shared':false,'paths':[%s],"
		"'paths_complete':true,'paths_reason':null,'inodes':[],'holders':[]},"
		"'verdict':'lost','donor':null}]}",
		id, id * 8192, id * 8192, type, uuid, inode, paths);
}

/* All of them are scanned; takes them. */
static void scan_all(struct watch *w, char *a, char *b)
{
	_cleanup_free_ char *first = a, *second = b;
	_cleanup_free_ char *all = pme_printf("%s%s%s", a, b ? "," : "", b ? b : "");

	assert_non_null(all);
	scan(w, "complete", "complete", all);
}

static const char *text_at(const struct watch *w, size_t i)
{
	return pme_json_get_text(event_at(w, i), "text");
}

static void hard_links_are_one_file(void **state)
{
	struct watch *w = *state;

	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/srv/a") "," NAME("/srv/b")), NULL);
	assert_string_equal(text_at(w, 0), "1 bad range (4 KiB) on pmem0: 1 file has lost data");
	assert_int_equal(pme_json_count(pme_json_get(event_at(w, 0), "files")), 2);
	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/srv/a")), NULL);
	check_events(w, "finding-changed:critical ");
}

static void a_file_of_two_findings_is_one(void **state)
{
	struct watch *w = *state;

	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/srv/a")),
		 file_text(2, "xfs", "u", 7, NAME("/srv/a")));
	assert_string_equal(text_at(w, 0), "2 bad ranges (8 KiB) on pmem0: 1 file has lost data");
}

static void inodes_of_two_filesystems_are_two(void **state)
{
	struct watch *w = *state;

	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/srv/a")),
		 file_text(2, "xfs", "v", 7, NAME("/srv/a")));
	assert_string_equal(text_at(w, 0), "2 bad ranges (8 KiB) on pmem0: 2 files have lost data");
}

/* Who has it open says nothing of what is lost. */
static void an_unlinked_file_is_one(void **state)
{
	struct watch *w = *state;

	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/proc/12/fd/3") "," NAME("/proc/13/fd/3")),
		 NULL);
	assert_string_equal(text_at(w, 0), "1 bad range (4 KiB) on pmem0: 1 file has lost data");
	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/proc/13/fd/3")), NULL);
	check_events(w, "");
	scan_all(w, file_text(1, "xfs", "u", 7, NAME("/proc/14/fd/9") "," NAME("/proc/13/fd/3")),
		 NULL);
	check_events(w, "");
	scan_all(w, file_text(1, "xfs", "u", 8, NAME("/proc/13/fd/3")), NULL);
	check_events(w, "finding-changed:critical ");
}

static void a_file_without_a_name_is_one(void **state)
{
	struct watch *w = *state;

	scan_all(w, file_text(1, "xfs", "u", 7, ""), file_text(2, "xfs", "u", 8, ""));
	assert_string_equal(text_at(w, 0), "2 bad ranges (8 KiB) on pmem0: 2 files have lost data");
	assert_int_equal(pme_json_count(pme_json_get(event_at(w, 0), "files")), 0);
}

/* They have the inodes of what they were made of. */
static void snapshots_are_files_of_their_own(void **state)
{
	struct watch *w = *state;

	scan_all(
		w, file_text(1, "btrfs", "u", 7, NAME("/srv/a") "," NAME("/srv/b")),
		file_text(2, "btrfs", "u", 7, NAME("/srv/snapshot/a") "," NAME("/srv/snapshot/b")));
	assert_string_equal(text_at(w, 0), "2 bad ranges (8 KiB) on pmem0: 2 files have lost data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hard_links_are_one_file),		 TEST(a_file_of_two_findings_is_one),
		TEST(inodes_of_two_filesystems_are_two), TEST(an_unlinked_file_is_one),
		TEST(a_file_without_a_name_is_one),	 TEST(snapshots_are_files_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
