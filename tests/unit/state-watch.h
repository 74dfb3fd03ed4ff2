/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of daemon/state*.c with made-up documents: a state that is given scans and lists, and
 * the events that it had to tell about the last one.
 */
#ifndef PME_TESTS_STATE_WATCH_H
#define PME_TESTS_STATE_WATCH_H

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state*.c: made-up documents in, events and rows out.
 */
#include "state-docs.h"

struct watch {
	struct pmed_state *state;
	struct pmed_news news;
	int64_t now, last_id;
};

static inline int setup(void **state)
{
	static struct watch w;

	w = (struct watch){.now = 1000};
	assert_int_equal(pmed_state_new(&w.state), 0);
	assert_int_equal(pmed_news_new(&w.news), 0);
	*state = &w;
	return 0;
}

static inline int teardown(void **state)
{
	struct watch *w = *state;

	pmed_news_done(&w->news);
	w->state = pmed_state_free(w->state);
	return 0;
}

static inline void fresh(struct watch *w)
{
	pmed_news_done(&w->news);
	assert_int_equal(pmed_news_new(&w->news), 0);
	w->now += 1000;
}

static inline int scan_doc(struct watch *w, const char *coverage, const char *messages,
			   const char *devices, const char *findings)
{
	_cleanup_free_ char *text = doc_text("scan", coverage, messages, devices, findings);
	struct json_object *doc = json(text);
	int r;

	fresh(w);
	r = pmed_state_scanned(w->state, "region0", doc, w->now, &w->last_id, &w->news);
	json_object_put(doc);
	return r;
}

/* A scan of pmem0 and region0 with lists in these states. */
static inline void scan(struct watch *w, const char *disk_list, const char *region_list,
			const char *findings)
{
	_cleanup_free_ char *disk = disk_text("pmem0", "ns:a", disk_list);
	_cleanup_free_ char *region = region_text(region_list);
	_cleanup_free_ char *devices = pme_printf("%s,%s", disk, region);

	assert_int_equal(scan_doc(w, "complete", "", devices, findings), 0);
}

static inline int list_doc(struct watch *w, const char *messages, const char *devices)
{
	_cleanup_free_ char *text =
		doc_text("list", *messages ? "incomplete" : "complete", messages, devices, "");
	struct json_object *doc = json(text);
	int r;

	fresh(w);
	r = pmed_state_inventory(w->state, doc, w->now, &w->last_id, &w->news);
	json_object_put(doc);
	return r;
}

static inline void check_events(const struct watch *w, const char *expected)
{
	_cleanup_free_ char *words = event_words(&w->news);

	assert_string_equal(words ? words : "", expected);
}

static inline struct json_object *event_at(const struct watch *w, size_t i)
{
	struct json_object *event = pme_json_at(w->news.events, i);

	assert_non_null(event);
	return event;
}

static inline uint64_t count_incidents(const struct watch *w)
{
	struct json_object *doc = json_object_new_object();
	uint64_t count;

	pmed_state_json(w->state, doc);
	count = pme_json_count(pme_json_get(doc, "incidents"));
	json_object_put(doc);
	return count;
}

#define LOST "'badblocks'", "lost", "/srv/a"
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
