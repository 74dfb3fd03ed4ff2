/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a device-mapper table as `dmsetup table` prints it, START LENGTH TYPE PARAMS on each
 * line, start and length in sectors; on devices 259:0 to 259:2.
 * Parsers: dm-integrity dm-linear dm-params dm-raid-parse dm-shift dm-snapshot-origin dm-striped
 * dm-unstriped dm-verity fate-dm
 */
#include <sys/sysmacros.h>

#include "fate.h"
#include "inverse.h"
#include "played.h"

#define LINES 16

static void parse_line(const char *line, size_t len, struct pme_dm_line *ret)
{
	const char *pos = line, *end = line + len, *word = "";
	size_t word_len = 0;

	ret->range.start = next_number(&pos, end) * PME_SECTOR; /* may wrap: the kernel lies */
	ret->range.length = next_number(&pos, end) * PME_SECTOR;
	pme_next_word(&pos, end, &word, &word_len);
	ret->type = strndup(word, word_len);
	ret->params = strndup(pos, end - pos);
	FUZZ_CHECK(ret->type && ret->params);
}

/* A device that stands on one that fails either survives or has a reason. */
static void check_fates(struct pme_dev *dm, struct pme_dev *lowers)
{
	const struct pme_os nowhere = {.root = -1};
	struct pme_dev *devs[] = {&lowers[0], &lowers[1], &lowers[2], dm};
	const struct pme_topo topo = {.os = &nowhere, .devs = devs, .n_devs = 4};

	for (size_t failing = 0; failing <= 3; failing++) {
		const struct pme_dev *bad[] = {&lowers[0], &lowers[1], &lowers[2]};
		struct pme_fates fates;

		FUZZ_CHECK(pme_fates_judge(&topo, bad, failing, &fates) == 0);
		FUZZ_CHECK(pme_fates_of(&fates, dm)->reached == (failing > 0));
		FUZZ_CHECK(failing == 0 || pme_fates_of(&fates, dm)->fate == PME_SURVIVES ||
			   pme_fates_of(&fates, dm)->reason);
		FUZZ_CHECK(failing < 3 || pme_fates_of(&fates, dm)->fate != PME_SURVIVES);
		pme_fates_done(&fates);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char names[4][8] = {"pmem0", "pmem1", "pmem2", "dm-0"};
	_cleanup_free_ char *copy = fuzz_copy(data, size), *status = NULL;
	const char *pos = copy, *end = copy + size, *text;
	struct pme_dm_line lines[LINES] = {{.type = NULL}};
	struct pme_dev lowers[3] = {{.name = NULL}};
	const struct pme_dev *edges[3];
	struct pme_dev dm = {
		.name = names[3],
		.kind = PME_DEV_DM,
		.lines = lines,
		.lowers = edges,
		.n_lowers = 3,
	};
	size_t len;

	while (dm.n_lines < LINES && next_line(&pos, end, &text, &len) == 1)
		parse_line(text, len, &lines[dm.n_lines++]);
	for (unsigned int i = 0; i < 3; i++) {
		lowers[i] = (struct pme_dev){.name = names[i], .devno = makedev(259, i)};
		edges[i] = &lowers[i];
	}
	for (unsigned int i = 0; i < 3; i++) {
		check_around(NULL, &pme_layer_dm, &dm, &lowers[i], 0);
		check_around(NULL, &pme_layer_dm, &dm, &lowers[i], 1ULL << 40);
	}
	check_below(NULL, &pme_layer_dm, &dm, 0);
	for (size_t i = 0; i < dm.n_lines; i++)
		check_below(NULL, &pme_layer_dm, &dm, lines[i].range.start);
	status = strndup(copy, size);
	played.status = status; /* the table once more: nonsense, and sometimes not */
	check_fates(&dm, lowers);
	played.status = NULL;
	for (size_t i = 0; i < dm.n_lines; i++) {
		free(lines[i].type);
		free(lines[i].params);
	}
	return 0;
}
