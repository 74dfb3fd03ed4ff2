/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a device-mapper table as `dmsetup table` prints it, START LENGTH TYPE PARAMS on each
 * line, start and length in sectors; on devices 259:0 to 259:2.
 * Parsers: dm-integrity dm-linear dm-params dm-raid-parse dm-shift dm-snapshot-origin dm-striped
 * dm-unstriped dm-verity
 */
#include <sys/sysmacros.h>

#include "inverse.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char names[4][8] = {"pmem0", "pmem1", "pmem2", "dm-0"};
	_cleanup_free_ char *copy = fuzz_copy(data, size);
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
	for (size_t i = 0; i < dm.n_lines; i++) {
		free(lines[i].type);
		free(lines[i].params);
	}
	return 0;
}
