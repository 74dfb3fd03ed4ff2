/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: superblocks on a member of an MD array.  First line: VERSION SIZE START LENGTH, the
 * size of the member and what is asked about, in bytes; then the superblock at its place, and the
 * bitmap's.  What is said covers what was asked, once.
 * Parsers: md-super
 */
#include "fuzz.h"
#include "inverse.h"
#include "md-areas.h"
#include "md-super.h"
#include "media.h"

static const uint8_t *blocks;
static size_t n_blocks, n_read;

int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset);

/* In the place of lib/media.c: each read gives the next block of the input. */
int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset)
{
	FUZZ_CHECK(size == PME_MD_SUPER_SIZE);
	if (n_read >= n_blocks || offset > dev->size || size > dev->size - offset)
		return -EIO;
	memcpy(buf, blocks + n_read++ * size, size);
	return 0;
}

static void check_said(const struct pme_steps *steps, struct pme_range range)
{
	uint64_t at = range.start;

	for (size_t i = 0; i < steps->count; i++) {
		FUZZ_CHECK(steps->items[i].from.start == at && steps->items[i].from.length > 0);
		FUZZ_CHECK(steps->items[i].owner == PME_OWNER_RAID_METADATA);
		at = pme_range_end(steps->items[i].from);
	}
	FUZZ_CHECK(at == pme_range_end(range));
}

/* Areas lie on the member, and are as many as there is room for. */
static void check_areas(const uint8_t *buf, uint64_t at, uint64_t size)
{
	struct pme_md_areas areas = {0};

	if (pme_md_super_parse(buf, at, size, &areas) < 0)
		return;
	FUZZ_CHECK(areas.count > 0 && areas.count <= PME_MD_AREAS && areas.bitmap < size);
	for (size_t i = 0; i < areas.count; i++)
		FUZZ_CHECK(areas.items[i].range.length > 0 &&
			   pme_range_end(areas.items[i].range) <= size && areas.items[i].what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "pmem0", array_name[] = "md0";
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	const char *pos = copy, *end = copy + size, *text = "", *word = "", *line_end;
	struct pme_topo topo = {0};
	struct pme_stack stack = {.topo = &topo};
	struct pme_md md = {0};
	struct pme_dev array = {.name = array_name, .kind = PME_DEV_MD, .md = &md};
	const struct pme_dev *uppers[] = {&array};
	struct pme_dev member = {.name = name, .uppers = uppers, .n_uppers = 1};
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range;
	size_t len = 0, word_len = 0;
	uint64_t at;

	next_line(&pos, end, &text, &len);
	line_end = text + len;
	pme_next_word(&text, line_end, &word, &word_len);
	md.metadata = strndup(word, word_len);
	FUZZ_CHECK(md.metadata);
	member.size = next_number(&text, line_end);
	range.start = next_number(&text, line_end);
	range.length = next_number(&text, line_end);
	blocks = (const uint8_t *)pos;
	n_blocks = (size_t)(end - pos) / PME_MD_SUPER_SIZE;
	n_read = 0;
	if (n_blocks > 0)
		for (enum pme_md_version v = PME_MD_1_0; v <= PME_MD_1_2; v++)
			if (pme_md_super_place(v, member.size, &at) == 0)
				check_areas(blocks, at, member.size);
	if (range.length > 0 && pme_add(range.start, range.length, &at) == 0) {
		FUZZ_CHECK(pme_md_areas_say(&stack, &array, &member, range, "metadata", &steps) ==
			   0);
		check_said(&steps, range);
	}
	pme_stack_done(&stack);
	free(md.metadata);
	return 0;
}
