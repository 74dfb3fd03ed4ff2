/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: range syntax (START[+LEN]).  A range that is accepted is valid, consists of the
 * characters of the syntax only, and reads back the same when printed in bytes.  The same input as
 * name of a file in quarantine: one that is accepted is the one that is made of its numbers.
 * Parsers: base quarantine range
 */
#include "fuzz.h"
#include "quarantine.h"
#include "range.h"

static void check_accepted(const char *text, size_t size, struct pme_range range)
{
	_cleanup_free_ char *printed = pme_printf("%llu+%llu", (unsigned long long)range.start,
						  (unsigned long long)range.length);
	struct pme_range again;
	uint64_t end;

	FUZZ_CHECK(range.length > 0 && pme_add(range.start, range.length, &end) == 0);
	for (size_t i = 0; i < size; i++)
		FUZZ_CHECK(text[i] && strchr("0123456789+sSkKmMgGtT", text[i]));
	FUZZ_CHECK(pme_range_parse(printed, strlen(printed), 1, &again) == 0);
	FUZZ_CHECK(again.start == range.start && again.length == range.length);
}

static void check_name(const char *text, size_t size)
{
	_cleanup_free_ char *again = NULL;
	unsigned int n;
	int64_t id;

	if (pme_quarantine_name_parse(text, size, &id, &n) < 0)
		return;
	again = pme_quarantine_name(id, n);
	FUZZ_CHECK(id >= 0 && strlen(again) == size && memcmp(again, text, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size);
	struct pme_range range;
	int r = pme_range_parse(text, size, PME_SECTOR, &range);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE);
	if (r == 0)
		check_accepted(text, size, range);
	check_name(text, size);
	return 0;
}
