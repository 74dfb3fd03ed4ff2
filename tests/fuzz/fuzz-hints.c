/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what the kernel says to the watch: tables of mounts and arrays, a scrub file, lines
 * of the trace, and, as the first three lines, action, subsystem and name of a uevent.
 *
 * Parsers: ars tables trace uevent lists
 */
#include "ars.h"
#include "fuzz.h"
#include "lists.h"
#include "scrub.h"
#include "tables.h"
#include "trace.h"
#include "uevent.h"

/* Sorted, each once, and all are found. */
static void check_numbers(const char *text, size_t size)
{
	struct pmed_numbers numbers = {0};

	if (pmed_mounts_parse(text, size, &numbers) < 0)
		return;
	for (size_t i = 0; i < numbers.count; i++) {
		const struct pmed_number *a = &numbers.items[i], *b = a - 1;

		FUZZ_CHECK(pmed_numbers_has(&numbers, a));
		FUZZ_CHECK(i == 0 || b->major < a->major ||
			   (b->major == a->major && b->minor < a->minor));
	}
	pmed_numbers_done(&numbers);
}

static void check_mounts(const char *text, size_t size)
{
	const char *newline = size ? memrchr(text, '\n', size) : NULL;
	size_t head = newline ? (size_t)(newline - text) + 1 : 0;

	/* a sum over lines, so that of the last line and those before it */
	FUZZ_CHECK(pmed_arrays_sum(text, size) ==
		   pmed_arrays_sum(text, head) + pmed_arrays_sum(text + head, size - head));
	FUZZ_CHECK(pmed_mounts_sum(text, size) ==
		   pmed_mounts_sum(text, head) + pmed_mounts_sum(text + head, size - head));
	check_numbers(text, size);
}

static void check_scrub(const char *text, size_t size)
{
	struct pmed_scrub scrub = {0};
	uint64_t count;
	bool busy;

	if (pme_ars_parse(text, size, &count, &busy) < 0)
		return;
	FUZZ_CHECK(pmed_scrub_step(&scrub, count, busy, 1) == (busy ? PMED_SCRUB_STARTED : 0));
	FUZZ_CHECK(pmed_scrub_step(&scrub, count, busy, 2) == 0);
}

static void check_traces(const char *text, size_t size)
{
	struct pmed_trace trace;

	for (const char *line = text, *end = text + size, *stop; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		if (pmed_trace_parse(line, (size_t)(stop - line), 4096, &trace) <= 0)
			continue;
		FUZZ_CHECK(trace.kind == PMED_TRACE_LOST || (*trace.event && trace.length > 0));
		FUZZ_CHECK(trace.kind != PMED_TRACE_CXL || *trace.device);
		for (const char *c = trace.what; *c; c++)
			FUZZ_CHECK(*c >= ' ' && *c <= '~');
	}
}

static void check_uevent(const char *text, size_t size)
{
	_cleanup_free_ char *copy = strndup(text, size);
	_cleanup_free_ char *region = NULL;
	struct pmed_uevent event = {0};
	char *rest = copy;
	unsigned int means;

	FUZZ_CHECK(copy);
	event.action = strsep(&rest, "\n");
	event.subsystem = strsep(&rest, "\n");
	event.name = strsep(&rest, "\n");
	means = pmed_uevent_means(&event);
	FUZZ_CHECK(!(means & ~(PMED_UEVENT_INVENTORY | PMED_UEVENT_STACK | PMED_UEVENT_DISK)));
	FUZZ_CHECK(!means || event.name);
	region = pmed_region_of_path(event.action);
	FUZZ_CHECK(!region || (strncmp(region, "region", 6) == 0 && !strchr(region, '/')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);

	check_mounts(copy, size);
	check_scrub(copy, size);
	check_traces(copy, size);
	check_uevent(copy, size);
	return 0;
}
