/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what the doctor is told by others: the watch document, a kernel's release, flags of
 * a module, the name of a mount.  Every row has all its texts, and quoting holds.
 *
 * Parsers: doctor-devices doctor-kernel
 */
#include "doctor.h"
#include "fuzz.h"
#include "metrics.h"

static void check_rows(const struct pme_checks *checks)
{
	FUZZ_CHECK(checks->error == 0);
	for (size_t i = 0; i < checks->count; i++) {
		const struct pme_check *check = &checks->items[i];

		FUZZ_CHECK(check->subject && check->found);
		FUZZ_CHECK(!check->command || check->todo);
		FUZZ_CHECK(check->result != PME_RESULT_PROBLEM || check->todo);
	}
}

/* Read as a shell would: one word, the same again. */
static void check_quote(const char *word)
{
	_cleanup_free_ char *quoted = pme_checks_quote(word);
	bool in = false;

	FUZZ_CHECK(quoted);
	for (const char *q = quoted; *q; q++) {
		if (*q == '\'') {
			in = !in;
			continue;
		}
		if (!in && *q == '\\') {
			q++;
			FUZZ_CHECK(*q == '\'');
		} else if (!in) {
			FUZZ_CHECK(!strchr(" \t\n$`\"\\&;|<>()*?[]#~!{}", *q));
		}
		FUZZ_CHECK(*q == *word);
		word++;
	}
	FUZZ_CHECK(!in && !*word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	_cleanup_free_ char *text = strndup(copy, size);
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};
	const struct pme_kernel_facts kernel = {.release = text, .applies = true};
	const struct pme_dimm_facts dimm = {.name = "nmem0", .flags = text, .health = text};
	const struct pme_fs_facts fs = {
		.mount = text, .type = text, .device = "pmem0", .release = text};
	struct pme_watch_facts watch = {.life = PME_WATCH_RUNS, .applies = true};

	FUZZ_CHECK(text);
	pme_judge_kernel(&kernel, &checks);
	pme_judge_dimm(&dimm, &checks);
	pme_judge_filesystem(&fs, &checks);
	pme_judge_protected(&fs, &checks);
	if (pme_watch_parse(copy, size, &watch.doc) == 0)
		pme_judge_watch(&watch, &checks);
	json_object_put(watch.doc);
	check_rows(&checks);
	check_quote(text);
	return 0;
}
