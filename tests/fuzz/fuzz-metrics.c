/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the watch document, and the metrics that are made of it.
 * Parsers: metrics-watch
 */
#include "fuzz.h"
#include "metrics.h"

/* A sample: a name of ours, labels whose quotes are even, a number. */
static void check_line(const char *line, size_t len)
{
	bool quoted = false;

	FUZZ_CHECK(len > 0);
	if (*line == '#')
		return;
	FUZZ_CHECK(len > 8 && memcmp(line, "pmemctl_", 8) == 0);
	for (size_t i = 0; i < len; i++) {
		if (quoted && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		FUZZ_CHECK(quoted || line[i] != '\\');
	}
	FUZZ_CHECK(!quoted && line[len - 1] >= '0' && line[len - 1] <= '9');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	struct json_object *watch = NULL;

	if (pme_watch_parse(copy, size, &watch) < 0) {
		FUZZ_CHECK(!watch);
		return 0;
	}
	for (int format = PME_METRICS_OPEN; format <= PME_METRICS_PROMETHEUS; format++) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		FUZZ_CHECK(out && pme_metrics_write(watch, 1767323045000000, format, out) == 0);
		FUZZ_CHECK(fclose(out) == 0 && strlen(text) == len && pme_utf8_valid(text, len));
		for (const char *line = text, *end; *line; line = end + 1) {
			end = strchr(line, '\n');
			FUZZ_CHECK(end);
			check_line(line, (size_t)(end - line));
		}
	}
	json_object_put(watch);
	return 0;
}
