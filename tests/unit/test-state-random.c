/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state*.c against a slow, obvious model: histories of documents made at random, with lists
 * that are whole or not, devices that come and go, and restarts with what a store would have.
 */
#include "random.h"
#include "state-docs.h"

#define SLOTS 6
#define DISKS 2

/* What is true of the machine, and what the watch should know by now. */
struct model {
	bool bad[DISKS][SLOTS], known[DISKS][SLOTS];
	bool there[DISKS], met[DISKS], online[DISKS];
	uint64_t told_added[DISKS][SLOTS], told_gone[DISKS][SLOTS];
	uint64_t want_added[DISKS][SLOTS], want_gone[DISKS][SLOTS];
};

static const char *const disks[DISKS] = {"pmem0", "pmem1"};
static const char *const identities[DISKS] = {"ns:a", "ns:b"};

static void append(char **text, char *more)
{
	_cleanup_free_ char *before = *text, *own = more;

	*text = pme_printf("%s%s%s", before, *before ? "," : "", own);
	assert_non_null(*text);
}

static unsigned int id_of(size_t disk, size_t slot)
{
	return (unsigned int)(disk * 100 + slot + 1);
}

/* Findings of a disk as a scan shows them: a list that is cut off has only the first ones. */
static void show(const struct model *m, size_t disk, size_t shown, char **findings)
{
	for (size_t s = 0; s < shown; s++)
		if (m->bad[disk][s])
			append(findings,
			       finding_text(id_of(disk, s), disks[disk], disk * 65536 + s * 8192,
					    "'badblocks'", "lost", "/srv/a"));
}

static void scan(struct model *m, struct rnd *rnd, struct pmed_state *state, int64_t now,
		 int64_t *last_id, struct pmed_news *news)
{
	static const char *const lists[] = {"complete", "clipped", "full", "unreadable"};
	_cleanup_free_ char *devices = region_text("complete"), *findings = strdup(""),
			    *text = NULL;
	struct json_object *doc;

	for (size_t d = 0; d < DISKS; d++) {
		uint64_t list = rnd_below(rnd, 2) ? 0 : rnd_below(rnd, 4);
		size_t shown = list == 0 ? SLOTS : list == 3 ? 0 : rnd_below(rnd, SLOTS);

		if (!m->there[d])
			continue;
		append(&devices, disk_text(disks[d], identities[d], lists[list]));
		show(m, d, shown, &findings);
		m->met[d] = m->online[d] = true;
		for (size_t s = 0; s < SLOTS; s++) {
			bool listed = s < shown && m->bad[d][s];

			m->want_added[d][s] += listed && !m->known[d][s];
			m->want_gone[d][s] += list == 0 && !listed && m->known[d][s];
			m->known[d][s] = listed || (m->known[d][s] && list != 0);
		}
	}
	text = doc_text("scan", "complete", "", devices, findings);
	doc = json(text);
	assert_int_equal(pmed_state_scanned(state, "region0", doc, now, last_id, news), 0);
	json_object_put(doc);
}

static uint64_t count_type(const struct pmed_news *news, const char *type)
{
	uint64_t count = 0;

	for (size_t i = 0; i < pme_json_count(news->events); i++)
		count += strcmp(pme_json_get_text(pme_json_at(news->events, i), "type"), type) == 0;
	return count;
}

static void list(struct model *m, struct pmed_state *state, int64_t now, int64_t *last_id,
		 struct pmed_news *news)
{
	_cleanup_free_ char *devices = region_text("complete"), *text = NULL;
	struct json_object *doc;
	uint64_t gone = 0;

	for (size_t d = 0; d < DISKS; d++) {
		if (m->there[d])
			append(&devices, disk_text(disks[d], identities[d], "complete"));
		gone += m->met[d] && m->online[d] && !m->there[d];
		m->met[d] = m->met[d] || m->there[d];
		m->online[d] = m->there[d];
	}
	text = doc_text("list", "complete", "", devices, "");
	doc = json(text);
	assert_int_equal(pmed_state_inventory(state, doc, now, last_id, news), 0);
	json_object_put(doc);
	assert_int_equal(count_type(news, "device-offline"), gone);
	assert_int_equal(count_type(news, "finding-gone"), 0);
}

/* Count what was told, by the ids in the events. */
static void hear(struct model *m, const struct pmed_news *news, int64_t *last)
{
	for (size_t i = 0; i < pme_json_count(news->events); i++) {
		struct json_object *event = pme_json_at(news->events, i);
		struct json_object *findings = pme_json_get(event, "findings");
		const char *type = pme_json_get_text(event, "type");
		int64_t id = (int64_t)pme_json_get_number(event, "id");

		assert_true(id > *last);
		*last = id;
		for (size_t f = 0; f < pme_json_count(findings); f++) {
			const char *text = pme_json_get_text(pme_json_at(findings, f), "id");
			uint64_t n = strtoull(text, NULL, 16) - 1;

			assert_true(n / 100 < DISKS && n % 100 < SLOTS);
			m->told_added[n / 100][n % 100] += strcmp(type, "finding-added") == 0;
			m->told_gone[n / 100][n % 100] += strcmp(type, "finding-gone") == 0;
		}
	}
}

/* What a store would give back: the rows that are not gone, by their tables. */
static void restart(struct pmed_state **state)
{
	struct json_object *changes = pmed_state_rows(*state, 1), *rows = json_object_new_object();
	static const char *const tables[] = {"devices", "findings", "incidents"};

	for (size_t t = 0; t < PME_ARRAY_SIZE(tables); t++)
		json_object_object_add(rows, tables[t], json_object_new_array());
	for (size_t i = 1; i < pme_json_count(changes); i++) {
		struct json_object *change = pme_json_at(changes, i);

		json_object_array_add(pme_json_get(rows, pme_json_get_text(change, "table")),
				      json_object_get(pme_json_get(change, "row")));
	}
	*state = pmed_state_free(*state);
	assert_int_equal(pmed_state_new(state), 0);
	assert_int_equal(pmed_state_load(*state, rows), 0);
	json_object_put(rows);
	json_object_put(changes);
}

static void compare(const struct model *m, const struct pmed_state *state)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *findings;
	size_t known = 0, len, again;

	assert_int_equal(pmed_state_findings_text(state, SIZE_MAX, &text, &len), 0);
	assert_int_equal(strlen(text), len);
	findings = json_tokener_parse(text);
	free(pme_take_ptr(text));
	assert_int_equal(pmed_state_findings_text(state, len - 1, &text, &again), -E2BIG);
	assert_int_equal(again, len);
	assert_null(text);
	assert_int_equal(pmed_state_findings_text(state, len, &text, &again), 0);
	for (size_t d = 0; d < DISKS; d++)
		for (size_t s = 0; s < SLOTS; s++) {
			known += m->known[d][s];
			assert_int_equal(m->told_added[d][s], m->want_added[d][s]);
			assert_int_equal(m->told_gone[d][s], m->want_gone[d][s]);
		}
	assert_int_equal(pme_json_count(findings), known);
	json_object_put(findings);
}

static void one_history(struct rnd *rnd)
{
	struct model m = {.there = {true, true}};
	struct pmed_state *state;
	int64_t last_id = 0, heard = 0;

	assert_int_equal(pmed_state_new(&state), 0);
	for (int64_t now = 1000; now < 1040; now++) {
		struct pmed_news news;
		uint64_t d = rnd_below(rnd, DISKS), s = rnd_below(rnd, SLOTS);

		assert_int_equal(pmed_news_new(&news), 0);
		switch (rnd_below(rnd, 6)) {
		case 0:
		case 1:
			m.bad[d][s] = !m.bad[d][s];
			break;
		case 2:
			m.there[d] = !m.there[d];
			list(&m, state, now, &last_id, &news);
			break;
		case 3:
			restart(&state);
			break;
		default:
			/* A device that is away is not offline before the inventory says so. */
			list(&m, state, now, &last_id, &news);
			scan(&m, rnd, state, now, &last_id, &news);
		}
		hear(&m, &news, &heard);
		compare(&m, state);
		pmed_news_done(&news);
	}
	pmed_state_free(state);
}

static void histories_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	(void)state;
	for (int round = 0; round < 150; round++)
		one_history(&rnd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(histories_are_as_modelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
