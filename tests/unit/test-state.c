/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state*.c: findings of made-up documents in, events and rows out; and documents that make
 * no sense.
 */
#include "state-watch.h"

static void a_finding_comes_and_goes(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	struct json_object *event;

	scan(w, "complete", "complete", one);
	check_events(w, "finding-added:critical ");
	event = event_at(w, 0);
	assert_string_equal(pme_json_get_text(event, "text"),
			    "1 bad range (4 KiB) on pmem0: 1 file has lost data");
	assert_int_equal(pme_json_get_number(event, "lost_bytes"), 4096);
	assert_int_equal(pme_json_get_number(event, "bad_bytes"), 4096);
	assert_int_equal(pme_json_get_number(event, "incident"), 2000);
	assert_string_equal(pme_json_get_text(pme_json_at(pme_json_get(event, "files"), 0), "path"),
			    "/srv/a");
	assert_int_equal(pme_json_get_number(pme_json_at(pme_json_get(event, "holders"), 0), "pid"),
			 42);
	assert_string_equal(pme_json_get_text(pme_json_get(event, "device"), "identity"), "ns:a");
	assert_int_equal(count_incidents(w), 1);
	scan(w, "complete", "complete", one);
	check_events(w, "");
	scan(w, "complete", "complete", "");
	check_events(w, "finding-gone:notice ");
	event = event_at(w, 0);
	assert_string_equal(pme_json_get_text(event, "text"),
			    "1 bad range (4 KiB) on pmem0 is not listed any more");
	assert_int_equal(pme_json_get_number(event, "incident"), 2000);
	assert_int_equal(count_incidents(w), 0);
}

static void what_a_verdict_is_worth(void **state)
{
	static const struct {
		const char *verdict, *severity, *text;
	} cases[] = {
		{"lost", "critical", "1 bad range (4 KiB) on pmem0: 1 file has lost data"},
		{"metadata-at-risk", "critical",
		 "1 bad range (4 KiB) on pmem0: metadata is at risk"},
		{"unknown", "error", "1 bad range (4 KiB) on pmem0: it is not known what is hit"},
		{"recoverable", "warning", "1 bad range (4 KiB) on pmem0: 1 file can be recovered"},
		{"harmless", "notice", "1 bad range (4 KiB) on pmem0: nothing is lost"},
		{"a word of later", "error",
		 "1 bad range (4 KiB) on pmem0: it is not known what is hit"},
	};
	struct watch *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *one = finding_text((unsigned int)i, "pmem0", i * 8192,
							"'badblocks'", cases[i].verdict, "/a");

		scan(w, "unreadable", "complete", one);
		assert_string_equal(pme_json_get_text(event_at(w, 0), "severity"),
				    cases[i].severity);
		assert_string_equal(pme_json_get_text(event_at(w, 0), "text"), cases[i].text);
		assert_true(*pme_json_get_text(event_at(w, 0), "advice"));
	}
}

static void a_verdict_changes(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *was =
		finding_text(1, "pmem0", 0, "'badblocks'", "recoverable", "/srv/a");
	_cleanup_free_ char *is = finding_text(1, "pmem0", 0, LOST);
	_cleanup_free_ char *other = finding_text(1, "pmem0", 0, "'badblocks'", "lost", "/srv/b");

	scan(w, "complete", "complete", was);
	scan(w, "complete", "complete", is);
	check_events(w, "finding-changed:critical ");
	assert_string_equal(
		pme_json_get_text(event_at(w, 0), "text"),
		"1 bad range (4 KiB) on pmem0 now means something else: 1 file has lost data");
	scan(w, "complete", "complete", other);
	check_events(w, "finding-changed:critical ");
}

/* Bytes of a volume without files that come to be of another one, by a table that is loaded anew.
 */
static void a_volume_changes(void **state)
{
	static const char hop[] = "'kind':'disk','start':0,'length':4096}";
	static const char *const volumes[] = {"'a'", "'b'", "null"};
	struct watch *w = *state;
	_cleanup_free_ char *disk = finding_text(1, "pmem0", 0, "'badblocks'", "unknown", "/srv/a");
	const char *at = strstr(disk, hop);

	assert_non_null(at);
	at += strlen(hop);
	scan(w, "complete", "complete", disk);
	for (size_t i = 0; i < PME_ARRAY_SIZE(volumes); i++) {
		_cleanup_free_ char *one = pme_printf("%.*s,{'device':'dm-0','name':%s,'kind':'dm-"
						      "linear','start':0,'length':4096}%s",
						      (int)(at - disk), disk, volumes[i], at);

		scan(w, "complete", "complete", one);
		check_events(w, "finding-changed:error ");
		scan(w, "complete", "complete", one);
		check_events(w, "");
	}
	scan(w, "complete", "complete", disk);
	check_events(w, "finding-changed:error ");
}

/* Who said that it is bad must take it back, in a list that was read whole. */
static void what_is_not_listed_is_not_gone_for_that(void **state)
{
	static const struct {
		const char *known_by, *disk, *region;
		bool gone;
	} cases[] = {
		{"'badblocks'", "complete", "complete", true},
		{"'badblocks'", "complete", "clipped", true},
		{"'badblocks'", "clipped", "complete", false},
		{"'badblocks'", "full", "complete", false},
		{"'badblocks'", "unreadable", "complete", false},
		{"'badblocks'", "none", "complete", true},
		{"'badblocks'", "none", "clipped", false},
		{"'badblocks'", "a word of later", "complete", false},
		{"'region'", "complete", "complete", true},
		{"'region'", "complete", "clipped", false},
		{"'region'", "clipped", "complete", true},
		{"'badblocks','region'", "complete", "complete", true},
		{"'badblocks','region'", "complete", "unreadable", false},
		{"'badblocks','region'", "clipped", "complete", false},
	};
	struct watch *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *one = finding_text((unsigned int)i, "pmem0", i * 8192,
							cases[i].known_by, "lost", "/a");
		_cleanup_free_ char *words = NULL;

		scan(w, "complete", "complete", one);
		assert_string_equal(pme_json_get_text(event_at(w, 0), "type"), "finding-added");
		scan(w, cases[i].disk, cases[i].region, "");
		words = event_words(&w->news);
		assert_int_equal(words && strstr(words, "finding-gone:notice "), cases[i].gone);
		scan(w, "complete", "complete", "");
	}
}

/* The kernel merged two entries: nobody is told that bytes are good. */
static void ranges_that_are_cut_otherwise(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *other = finding_text(2, "pmem0", 8704, LOST);
	struct json_object *event;

	scan(w, "complete", "complete", one);
	scan(w, "complete", "complete", other);
	check_events(w, "finding-added:critical finding-gone:notice ");
	event = event_at(w, 1);
	assert_string_equal(pme_json_get_text(pme_json_get(event, "detail"), "reason"),
			    "regrouped");
	assert_string_equal(pme_json_get_text(event, "advice"),
			    "part of its bytes are bad still, as part of other ranges");
	assert_string_equal(pme_json_get_text(event, "text"),
			    "1 bad range (4 KiB) on pmem0 is listed otherwise now: part of its "
			    "bytes are bad still");
	assert_int_equal(count_incidents(w), 1);
}

/* Also where lists do not tell whole: what is covered by others is counted once. */
static void ranges_that_are_cut_otherwise_in_a_list_that_is_cut_off(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *same = finding_text(2, "pmem0", 8192, LOST);
	_cleanup_free_ char *part = finding_text(3, "pmem0", 8704, LOST);

	scan(w, "complete", "complete", one);
	scan(w, "full", "full", same);
	check_events(w, "finding-added:notice finding-gone:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 1), "text"),
			    "1 bad range (4 KiB) on pmem0 is listed otherwise now: all of its "
			    "bytes are bad still");
	scan(w, "full", "full", part);
	check_events(w, "finding-added:critical ");
}

/* A scan of region0 while pmem0 is disabled. */
static void scan_region(struct watch *w, const char *findings)
{
	_cleanup_free_ char *region = region_text("complete");

	assert_int_equal(scan_doc(w, "complete", "", region, findings), 0);
}

/* The bytes of a disabled disk are the region's as long: they are neither new nor good. */
static void bytes_that_change_their_device(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *disk =
		finding_text(1, "pmem0", 8192, "'badblocks','region'", "lost", "/srv/a");
	_cleanup_free_ char *region = finding_text(2, "region0", 8192, "'region'", "unknown", "/x");
	_cleanup_free_ char *more = finding_text(3, "region0", 10240, "'region'", "unknown", "/x");
	struct json_object *event;

	scan(w, "complete", "complete", disk);
	check_events(w, "finding-added:critical ");
	scan_region(w, region);
	check_events(w, "finding-added:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "1 bad range (4 KiB) on region0: known already, of a device that is "
			    "not seen now");
	scan(w, "complete", "complete", disk);
	check_events(w, "finding-gone:notice ");
	event = event_at(w, 0);
	assert_string_equal(pme_json_get_text(pme_json_get(event, "detail"), "reason"),
			    "regrouped");
	assert_string_equal(pme_json_get_text(event, "text"),
			    "1 bad range (4 KiB) on region0 is listed otherwise now: all of its "
			    "bytes are bad still");
	/* Some of it is new: that is told as any. */
	scan_region(w, more);
	check_events(w, "finding-added:error ");
	scan(w, "complete", "complete", disk);
	check_events(w, "finding-gone:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "1 bad range (4 KiB) on region0 is listed otherwise now: part of its "
			    "bytes are bad still");
	scan(w, "complete", "complete", "");
	check_events(w, "finding-gone:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "1 bad range (4 KiB) on pmem0 is not listed any more");
}

static void a_storm_is_a_handful(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *all = strdup("");

	for (unsigned int i = 0; i < 600; i++) {
		_cleanup_free_ char *before = all, *path = pme_printf("/srv/%u", i / 2);
		_cleanup_free_ char *one =
			finding_text(i, "pmem0", i * 8192, "'badblocks'", "lost", path);

		all = pme_printf("%s%s%s", before, i ? "," : "", one);
	}
	scan(w, "complete", "complete", all);
	check_events(w, "finding-added:critical finding-added:critical ");
	assert_int_equal(pme_json_count(pme_json_get(event_at(w, 0), "findings")), 512);
	assert_int_equal(pme_json_count(pme_json_get(event_at(w, 1), "findings")), 88);
	assert_int_equal(pme_json_count(pme_json_get(event_at(w, 0), "files")), 256);
	assert_int_equal(count_incidents(w), 1);
	assert_true(pme_json_get_number(event_at(w, 1), "id") >
		    pme_json_get_number(event_at(w, 0), "id"));
}

static void files_beyond_the_limit_are_counted(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *disk = disk_text("pmem0", "ns:a", "complete"), *text = NULL;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 0, LOST);
	_cleanup_free_ char *doc_words = doc_text("scan", "complete", "", disk, one);
	struct json_object *doc = json(doc_words), *paths, *owner;

	owner = pme_json_get(
		pme_json_at(pme_json_get(pme_json_at(pme_json_get(doc, "findings"), 0), "claims"),
			    0),
		"owner");
	paths = pme_json_get(owner, "paths");
	for (int i = 0; i < 1500; i++) {
		_cleanup_free_ char *name = pme_printf("/srv/%04d", i % 1200);

		json_object_array_add(paths, pme_json_path(name));
	}
	assert_int_equal(pmed_state_scanned(w->state, "region0", doc, 1, &w->last_id, &w->news), 0);
	json_object_put(doc);
	assert_int_equal(pme_json_count(pme_json_get(event_at(w, 0), "files")), 1000);
	assert_int_equal(
		pme_json_get_number(pme_json_get(event_at(w, 0), "detail"), "files_left_out"), 201);
}

/* Nothing half done: the state says the same as before. */
static char *all_rows(const struct watch *w)
{
	struct json_object *rows = pmed_state_rows(w->state, 1);
	char *text = strdup(json_object_to_json_string(rows));

	json_object_put(rows);
	assert_non_null(text);
	return text;
}

static void hostile_documents(void **state)
{
	static const char *const docs[] = {
		"null",
		"[]",
		"{}",
		"{'format':'pmemctl.list'}",
		"{'format':'pmemctl.scan','format_version':[2,0],'coverage':'complete',"
		"'messages':[],'devices':[],'findings':[]}",
		"{'format':'pmemctl.scan','format_version':[1,0],'coverage':'complete',"
		"'messages':[7],'devices':[],'findings':[]}",
		"{'format':'pmemctl.scan','format_version':[1,0],'coverage':'complete',"
		"'messages':[],'devices':[{}],'findings':[]}",
		"{'format':'pmemctl.scan','format_version':[1,0],'coverage':'complete',"
		"'messages':[],'devices':{},'findings':[]}",
	};
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *disk = disk_text("pmem0", "ns:a", "complete");
	_cleanup_free_ char *text = doc_text("scan", "complete", "", disk, one);
	_cleanup_free_ char *before = NULL, *after = NULL;

	scan(w, "complete", "complete", one);
	before = all_rows(w);
	fresh(w);
	for (size_t i = 0; i < PME_ARRAY_SIZE(docs); i++) {
		struct json_object *doc = strcmp(docs[i], "null") ? json(docs[i]) : NULL;

		assert_int_equal(
			pmed_state_scanned(w->state, "region0", doc, w->now, &w->last_id, &w->news),
			-EINVAL);
		assert_int_equal(pmed_state_inventory(w->state, doc, w->now, &w->last_id, &w->news),
				 -EINVAL);
		assert_int_equal(pmed_state_snapshot(w->state, "region0", doc, w->now, &w->last_id,
						     &w->news),
				 -EINVAL);
		json_object_put(doc);
	}
	for (size_t cut = 0; cut < 6; cut++) {
		static const char *const spoil[][2] = {
			{"0000000000000001", "000000000000000X"},
			{"4096}", "0}"},
			{"'range'", "'renge'"},
			{"[{'id'", "[7,{'id'"},
			{"'pmem0','namespace'", "'pmem5','namespace'"},
			{"'length':4096}", "'length':-1}"},
		};
		char *at = strstr(text, spoil[cut][0]);
		_cleanup_free_ char *spoilt = pme_printf("%.*s%s%s", (int)(at - text), text,
							 spoil[cut][1], at + strlen(spoil[cut][0]));
		struct json_object *doc = json(spoilt);

		assert_int_equal(
			pmed_state_scanned(w->state, "region0", doc, w->now, &w->last_id, &w->news),
			-EINVAL);
		json_object_put(doc);
	}
	after = all_rows(w);
	assert_string_equal(before, after);
	check_events(w, "");
	assert_int_equal(pme_json_count(w->news.changes), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_finding_comes_and_goes),
		TEST(what_a_verdict_is_worth),
		TEST(a_verdict_changes),
		TEST(a_volume_changes),
		TEST(what_is_not_listed_is_not_gone_for_that),
		TEST(ranges_that_are_cut_otherwise),
		TEST(ranges_that_are_cut_otherwise_in_a_list_that_is_cut_off),
		TEST(bytes_that_change_their_device),
		TEST(a_storm_is_a_handful),
		TEST(files_beyond_the_limit_are_counted),
		TEST(hostile_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
