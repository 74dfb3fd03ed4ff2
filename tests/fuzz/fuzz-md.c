/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the numbers of an MD array.  First line: LEVEL CHUNK LAYOUT DISKS SIZE, then a line
 * for each member: SLOT OFFSET SIZE; all in bytes.  Layout 9 stands for one that was not readable,
 * slot 99 for none.
 * Parsers: layer-md
 */
#include "inverse.h"

#define MEMBERS 16

/* The words of the first line; the level is allocated. */
static void parse_array(const char *line, size_t len, struct pme_dev *dev, struct pme_md *md)
{
	const char *pos = line, *end = line + len, *word = "";
	size_t word_len = 0;

	pme_next_word(&pos, end, &word, &word_len);
	md->level = strndup(word, word_len);
	FUZZ_CHECK(md->level);
	md->chunk = next_number(&pos, end);
	md->layout = next_number(&pos, end);
	md->layout_known = md->layout != 9;
	md->raid_disks = next_number(&pos, end);
	md->resynced = UINT64_MAX;
	dev->size = next_number(&pos, end);
}

static void parse_member(const char *line, size_t len, struct pme_md_component *ret)
{
	const char *pos = line, *end = line + len;
	uint64_t slot = next_number(&pos, end);

	ret->slot = slot == 99 ? -1 : (int)(slot & 0x7fffffff);
	ret->data_offset = next_number(&pos, end);
	ret->size = next_number(&pos, end);
	ret->synced = UINT64_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "pmem0", array_name[] = "md0";
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	const char *pos = copy, *end = copy + size, *text;
	struct pme_md_component comps[MEMBERS] = {{.dev = NULL}};
	struct pme_dev lowers[MEMBERS] = {{.name = NULL}};
	struct pme_md md = {.components = comps};
	struct pme_dev dev = {.name = array_name, .kind = PME_DEV_MD, .md = &md};
	size_t len;

	if (next_line(&pos, end, &text, &len) == 0)
		return 0;
	parse_array(text, len, &dev, &md);
	while (md.n_components < MEMBERS && next_line(&pos, end, &text, &len) == 1) {
		struct pme_dev *lower = &lowers[md.n_components];

		*lower = (struct pme_dev){.name = name};
		parse_member(text, len, &comps[md.n_components]);
		comps[md.n_components++].dev = lower;
	}
	for (size_t i = 0; i < md.n_components; i++) {
		uint64_t data_end = comps[i].data_offset + comps[i].size; /* may wrap */

		check_around(NULL, &pme_layer_md, &dev, &lowers[i], 0);
		check_around(NULL, &pme_layer_md, &dev, &lowers[i], comps[i].data_offset);
		check_around(NULL, &pme_layer_md, &dev, &lowers[i], data_end - ASKED / 2);
	}
	check_below(NULL, &pme_layer_md, &dev, 0);
	check_below(NULL, &pme_layer_md, &dev, dev.size - ASKED / 2);
	free(md.level);
	return 0;
}
