/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a file of the configuration, and durations.  What was accepted is within its limits
 * and, written down again, gives the same; what was not has an error.
 * Parsers: conf conf-read conf-value
 */
#include "conf-table.h"
#include "fuzz.h"

/* The settings that are not at their defaults, as a file. */
static char *written(const struct pme_conf *conf)
{
	char *text = strdup("");

	for (size_t i = 0; i < pme_conf_count; i++) {
		_cleanup_free_ char *before = text, *value = NULL;

		if (!conf->origins[i].file) {
			before = NULL;
			continue;
		}
		value = pme_conf_value_text(&pme_conf_settings[i], conf);
		text = pme_printf("%s[%s]\n%s = %s\n", before, pme_conf_settings[i].section,
				  pme_conf_settings[i].key, value);
	}
	for (size_t i = 0; i < conf->repair.n_paths; i++) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s[repair \"%s\"]\nauto=%s\n", before,
				  conf->repair.paths[i].path,
				  pme_conf_repair_name(conf->repair.paths[i].automatic));
	}
	return text;
}

static void compare(const struct pme_conf *a, const struct pme_conf *b)
{
	for (size_t i = 0; i < pme_conf_count; i++) {
		_cleanup_free_ char *x = pme_conf_value_text(&pme_conf_settings[i], a);
		_cleanup_free_ char *y = pme_conf_value_text(&pme_conf_settings[i], b);

		FUZZ_CHECK(x && y && strcmp(x, y) == 0);
	}
	FUZZ_CHECK(a->repair.n_paths == b->repair.n_paths);
}

static void try_again(const struct pme_conf *conf)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf again = {0};
	_cleanup_free_ char *text = written(conf);

	FUZZ_CHECK(text && pme_conf_defaults(&again) == 0);
	FUZZ_CHECK(pme_conf_parse(text, strlen(text), "again", &log, &again) == 0);
	compare(conf, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	_cleanup_free_ char *text = fuzz_copy(data, size);
	uint64_t ms;
	int r;

	FUZZ_CHECK(pme_conf_defaults(&conf) == 0);
	r = pme_conf_parse(text, size, "file", &log, &conf);
	FUZZ_CHECK((r == 0 && !log.failed) || (r == -EINVAL && log.failed));
	FUZZ_CHECK(conf.jobs.parallel >= 1 && conf.jobs.parallel <= 64);
	FUZZ_CHECK(conf.store.path[0] == '/');
	if (r == 0)
		try_again(&conf);
	pme_duration_parse(text, size, &ms);
	return 0;
}
