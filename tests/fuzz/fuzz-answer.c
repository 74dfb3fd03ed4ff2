/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what a worker says, until the state, the store and the watch document have it: its
 * output is these bytes, behind the exit status as one character, 'a' for 0.
 * Parsers: answer dimms state-check state-facts state-inventory state-standing
 */
#include "answer.h"
#include "dimms.h"
#include "fuzz.h"
#include "state.h"

static const struct pme_conf conf = {.health = {.spares = 10, .life_used = 90, .temperature = 70}};

/* Events and rows are documents that others read: JSON texts of valid UTF-8. */
static void check_text(struct json_object *doc)
{
	const char *text = json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN);
	struct json_object *again;

	FUZZ_CHECK(text && pme_utf8_valid(text, strlen(text)));
	again = json_tokener_parse(text);
	FUZZ_CHECK(again || !doc);
	json_object_put(again);
}

static void check_events(struct json_object *events)
{
	for (size_t i = 0; i < pme_json_count(events); i++) {
		struct json_object *event = pme_json_at(events, i);

		FUZZ_CHECK(*pme_json_get_text(event, "type") && *pme_json_get_text(event, "text"));
		FUZZ_CHECK(i == 0 || pme_json_get_number(event, "id") >
					     pme_json_get_number(pme_json_at(events, i - 1), "id"));
	}
}

static void check_news(struct pmed_news *news)
{
	check_events(news->events);
	check_text(news->events);
	check_text(news->changes);
	pmed_news_done(news);
}

static void learn_state(struct json_object *doc)
{
	struct pmed_state *state = NULL;
	struct json_object *watch = pme_json_object(), *rows;
	struct pmed_news news;
	int64_t last_id = 0;

	FUZZ_CHECK(pmed_state_new(&state) == 0);
	for (int64_t round = 1; round <= 2; round++) {
		FUZZ_CHECK(pmed_news_new(&news) == 0);
		pmed_state_inventory(state, doc, round, &last_id, &news);
		pmed_state_scanned(state, "region0", doc, round, &last_id, &news);
		pmed_state_snapshot(state, "region0", doc, round, &last_id, &news);
		check_news(&news);
	}
	pmed_state_json(state, watch);
	check_text(watch);
	rows = pmed_state_rows(state, 3);
	check_text(rows);
	json_object_put(rows);
	json_object_put(watch);
	pmed_state_free(state);
}

static void learn_health(struct json_object *doc)
{
	struct pmed_dimms dimms = {0};
	struct json_object *json;
	struct pmed_news news;
	int64_t last_id = 0;

	FUZZ_CHECK(pmed_news_new(&news) == 0);
	pmed_dimms_learn(&dimms, &conf, pme_json_get(doc, "health"), 1, &last_id, &news);
	check_news(&news);
	json = pmed_health_json(&dimms);
	check_text(json);
	json_object_put(json);
	pmed_dimms_done(&dimms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = {"pmemctl.scan", "pmemctl.list", "pmemctl.simulate"};
	_cleanup_free_ char *out = calloc(1, size + 1);

	FUZZ_CHECK(out);
	if (size)
		memcpy(out, data, size);
	for (size_t i = 0; size > 0 && i < PME_ARRAY_SIZE(formats); i++) {
		const struct pmed_result result = {
			.exit_code = *out - 'a',
			.out = out + 1,
			.out_len = size - 1,
			.err = out + 1,
			.err_len = size - 1,
		};
		struct json_object *doc = NULL;
		_cleanup_free_ char *why = NULL;

		if (pmed_answer_read(&result, formats[i], &doc, &why) < 0) {
			FUZZ_CHECK(!doc && why && pme_utf8_valid(why, strlen(why)));
			FUZZ_CHECK(!strchr(why, '\n'));
			continue;
		}
		FUZZ_CHECK(doc && !why);
		learn_state(doc);
		learn_health(doc);
		json_object_put(doc);
	}
	return 0;
}
