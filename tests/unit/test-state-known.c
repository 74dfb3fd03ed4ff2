/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state-known.c: what is left of a bad range is no new loss; more bytes, a worse verdict,
 * another file or another volume are.
 */
#include "state-watch.h"

#define ADDED "finding-added:"
#define GONE "finding-gone:notice "

#define HOP(device, start, length) \
	"{'device':'" device "','name':null,'kind':'disk','start':" #start ",'length':" #length "}"
#define CLAIM_VIA(via, verdict, kind, path)                                              \
	"{'via':[" via "],'certainty':'exact','reason':null,'owner':{'kind':'" kind      \
	"','detail':null,'filesystem':null,'inode':null,'generation':null,'range':null," \
	"'shared':false,'paths':[{'path':'" path "','raw':null}],'paths_complete':true," \
	"'paths_reason':null,'inodes':[],'holders':[]},'verdict':'" verdict "','donor':null}"
#define CLAIM(start, length, verdict, path) \
	CLAIM_VIA(HOP("pmem0", start, length), verdict, "file-data", path)
#define FINDING(id, start, length, verdict, claims)                                          \
	"{'id':'000000000000000" #id "','device':'pmem0','namespace':'namespace0.0',"        \
	"'mode':'fsdax','region':'region0','dimms':['nmem0'],'range':{'start':" #start       \
	",'length':" #length "},'physical_address':null,'known_by':['badblocks'],'verdict':" \
	"'" verdict "','claims':[" claims "]}"
/* With one claim, of all of it. */
#define ONE(id, start, length, verdict, path) \
	FINDING(id, start, length, verdict, CLAIM(start, length, verdict, path))

/* One of lost bytes of /a; and one of which only half is lost. */
#define WHOLE ONE(1, 8192, 4096, "lost", "/a")
#define HALF                           \
	FINDING(1, 8192, 4096, "lost", \
		CLAIM(8192, 2048, "lost", "/a") "," CLAIM(10240, 2048, "harmless", "/a"))
#define ON_VOLUME(id, start, length, volume)                                              \
	FINDING(id, start, length, "lost",                                                \
		CLAIM_VIA(HOP("pmem0", start, length) "," HOP(volume, 0, length), "lost", \
			  "file-data", "/a"))
#define OF_KIND(id, start, length, verdict, kind) \
	FINDING(id, start, length, verdict,       \
		CLAIM_VIA(HOP("pmem0", start, length), verdict, kind, "/a"))

static const struct {
	const char *was, *is, *events;
} cases[] = {
	/* nothing new */
	{WHOLE, ONE(2, 8704, 3584, "lost", "/a"), ADDED "notice " GONE},
	{WHOLE, ONE(2, 8192, 512, "lost", "/a") "," ONE(3, 9216, 3072, "lost", "/a"),
	 ADDED "notice " GONE},
	{WHOLE, ONE(2, 8192, 512, "recoverable", "/a"), ADDED "notice " GONE},
	{WHOLE, ONE(2, 8192, 512, "harmless", "/b"), ADDED "notice " GONE},
	{HALF, ONE(2, 9216, 1024, "lost", "/a"), ADDED "notice " GONE},
	{ONE(1, 0, 4096, "lost", "/a") "," ONE(2, 4096, 4096, "lost", "/b"),
	 FINDING(3, 0, 8192, "lost",
		 CLAIM(0, 4096, "lost", "/a") "," CLAIM(4096, 4096, "lost", "/b")),
	 ADDED "notice " GONE},
	{ON_VOLUME(1, 8192, 4096, "dm-0"), ON_VOLUME(2, 8192, 512, "dm-0"), ADDED "notice " GONE},
	/* more bytes */
	{WHOLE, ONE(2, 8704, 4096, "lost", "/a"), ADDED "critical " GONE},
	{WHOLE, ONE(2, 7680, 1024, "lost", "/a"), ADDED "critical " GONE},
	{WHOLE, ONE(2, 0, 512, "lost", "/a"), ADDED "critical " GONE},
	{WHOLE, ONE(2, 8192, 512, "lost", "/a") "," ONE(3, 0, 512, "lost", "/a"),
	 ADDED "critical " ADDED "notice " GONE},
	{WHOLE,
	 FINDING(2, 8192, 8192, "lost",
		 CLAIM(8192, 4096, "lost", "/a") "," CLAIM(12288, 4096, "harmless", "/a")),
	 ADDED "critical " GONE},
	/* more bytes that are lost */
	{HALF, ONE(2, 9728, 1024, "lost", "/a"), ADDED "critical " GONE},
	{HALF, ONE(2, 10240, 512, "lost", "/a"), ADDED "critical " GONE},
	/* a worse verdict */
	{ONE(1, 8192, 4096, "recoverable", "/a"), ONE(2, 8704, 512, "lost", "/a"),
	 ADDED "critical " GONE},
	{ONE(1, 8192, 4096, "harmless", "/a"), ONE(2, 8704, 512, "recoverable", "/a"),
	 ADDED "warning " GONE},
	{WHOLE, FINDING(2, 8704, 512, "lost", ""), ADDED "critical " GONE},
	/* another file, of these bytes or of all */
	{WHOLE, ONE(2, 8704, 512, "lost", "/b"), ADDED "critical " GONE},
	{ONE(1, 0, 4096, "lost", "/a") "," ONE(2, 4096, 4096, "lost", "/b"),
	 ONE(3, 0, 512, "lost", "/b"), ADDED "critical " GONE GONE},
	/* another kind of thing, another volume */
	{OF_KIND(1, 8192, 4096, "lost", "file-data"),
	 OF_KIND(2, 8192, 512, "metadata-at-risk", "fs-metadata"), ADDED "critical " GONE},
	{ON_VOLUME(1, 8192, 4096, "dm-0"), ON_VOLUME(2, 8192, 512, "dm-1"), ADDED "critical " GONE},
	{WHOLE, ON_VOLUME(2, 8192, 512, "dm-1"), ADDED "critical " GONE},
};

static void what_is_new_of_other_ranges(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *words = NULL;
		struct watch *w;

		assert_int_equal(setup(state), 0);
		w = *state;
		scan(w, "complete", "complete", cases[i].was);
		scan(w, "complete", "complete", cases[i].is);
		words = event_words(&w->news);
		if (!words || strcmp(words, cases[i].events) != 0)
			print_error("case %zu\n", i);
		check_events(w, cases[i].events);
		assert_int_equal(count_incidents(w), 1);
		scan(w, "complete", "complete", cases[i].is);
		check_events(w, "");
		teardown(state);
	}
}

static void what_people_are_told(void **state)
{
	struct watch *w = *state;
	struct json_object *event;

	scan(w, "complete", "complete", WHOLE);
	scan(w, "complete", "complete",
	     ONE(2, 8192, 512, "lost", "/a") "," ONE(3, 9216, 3072, "lost", "/a"));
	event = event_at(w, 0);
	assert_string_equal(pme_json_get_text(event, "text"),
			    "2 bad ranges (3.5 KiB) on pmem0: known already, as part of other "
			    "ranges, and bad still");
	assert_int_equal(pme_json_get_number(event, "lost_bytes"), 3584);
	assert_int_equal(pme_json_get_number(event, "incident"), 2000);
	assert_int_equal(pme_json_count(pme_json_get(event, "files")), 1);
	/* Once they were good, they are news again. */
	scan(w, "complete", "complete", ONE(3, 9216, 3072, "lost", "/a"));
	check_events(w, GONE);
	scan(w, "complete", "complete", WHOLE);
	check_events(w, ADDED "critical " GONE);
}

/* Also of a list that is cut off, which takes nothing back. */
static void part_of_one_that_is_not_gone(void **state)
{
	struct watch *w = *state;

	scan(w, "complete", "complete", WHOLE);
	scan(w, "clipped", "clipped", ONE(2, 8704, 512, "lost", "/a"));
	check_events(w, ADDED "notice ");
	scan(w, "complete", "complete", ONE(2, 8704, 512, "lost", "/a"));
	check_events(w, GONE);
}

/* A finding with a claim for each byte. */
static char *crumbs(unsigned int id, uint64_t start, uint64_t length)
{
	_cleanup_free_ char *claims = strdup("");

	for (uint64_t at = start; at < start + length; at++) {
		_cleanup_free_ char *before = claims;

		claims = pme_printf("%s%s{'via':[{'device':'pmem0','name':null,'kind':'disk',"
				    "'start':%llu,'length':1}],'owner':{'kind':'file-data'},"
				    "'verdict':'lost'}",
				    before, *before ? "," : "", (unsigned long long)at);
	}
	return pme_printf("{'id':'%016x','device':'pmem0','range':{'start':%llu,'length':%llu},"
			  "'physical_address':null,'known_by':['badblocks'],'verdict':'lost',"
			  "'claims':[%s]}",
			  id, (unsigned long long)start, (unsigned long long)length, claims);
}

#define CRUMBLED(id, length)               \
	FINDING(id, 0, length, "lost",     \
		"{'via':[" HOP("pmem0", 0, \
			       length) "],'owner':{'kind':'file-data'},'verdict':'lost'}")

/* What is too much to be compared is new. */
static void too_many_claims(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *all = crumbs(1, 0, 4200), *most = crumbs(2, 10, 4000);
	_cleanup_free_ char *end = crumbs(3, 4090, 10), *some = crumbs(4, 20, 100);

	scan(w, "complete", "complete", all);
	scan(w, "complete", "complete", end);
	check_events(w, ADDED "critical " GONE);
	scan(w, "complete", "complete", all);
	scan(w, "complete", "complete", most);
	check_events(w, ADDED "notice " GONE);
	scan(w, "complete", "complete", some);
	check_events(w, ADDED "notice " GONE);
	/* In one claim before. */
	scan(w, "complete", "complete", CRUMBLED(5, 5000));
	scan(w, "complete", "complete", most);
	check_events(w, ADDED "notice " GONE);
	scan(w, "complete", "complete", CRUMBLED(5, 5000));
	scan(w, "complete", "complete", all);
	check_events(w, ADDED "critical " GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_new_of_other_ranges),
		TEST(what_people_are_told),
		TEST(part_of_one_that_is_not_gone),
		TEST(too_many_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
