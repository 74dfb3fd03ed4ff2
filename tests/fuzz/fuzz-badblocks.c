/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: lists of bad blocks.  The first byte chooses the format and the block size, the rest
 * is the text.  What is accepted is a normalized list, no longer than the text has lines; a text
 * that stops in the middle of a line is said to be clipped.
 * Parsers: badblocks source
 */
#include "badblocks.h"
#include "fuzz.h"

static const uint64_t block_sizes[] = {0, 1, 512, 1024, 4096, 1ULL << 62, UINT64_MAX};

static size_t count_newlines(const char *text, size_t size)
{
	size_t lines = 0;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	return lines;
}

static void check_accepted(const struct pme_badblocks *bb)
{
	const struct pme_range *items = bb->ranges.items;
	uint64_t end;

	FUZZ_CHECK(bb->ranges.count <= bb->entries);
	for (size_t i = 0; i < bb->ranges.count; i++) {
		FUZZ_CHECK(items[i].length > 0);
		FUZZ_CHECK(pme_add(items[i].start, items[i].length, &end) == 0);
		FUZZ_CHECK(i == 0 || items[i].start > pme_range_end(items[i - 1]));
	}
}

static void try_sysfs(const char *text, size_t size)
{
	size_t lines = count_newlines(text, size), line;
	struct pme_badblocks bb;
	int r = pme_badblocks_parse_sysfs(text, size, &bb, &line);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE);
	FUZZ_CHECK(line <= lines && (r == 0 || line > 0));
	if (r < 0)
		return;
	check_accepted(&bb);
	FUZZ_CHECK(bb.entries <= lines);
	if (size >= PME_BADBLOCKS_CLIP || (size > 0 && text[size - 1] != '\n'))
		FUZZ_CHECK(bb.state == PME_BB_CLIPPED);
	else
		FUZZ_CHECK(bb.state != PME_BB_CLIPPED);
	pme_badblocks_done(&bb);
}

static void try_file(const char *text, size_t size, uint64_t block_size)
{
	size_t lines = count_newlines(text, size) + 1, line;
	struct pme_badblocks bb;
	int r = pme_badblocks_parse_file(text, size, block_size, &bb, &line);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE);
	FUZZ_CHECK(line <= lines && (r == 0 || line > 0));
	if (r < 0)
		return;
	check_accepted(&bb);
	FUZZ_CHECK(bb.entries <= lines && bb.state == PME_BB_COMPLETE);
	pme_badblocks_done(&bb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL;

	if (size == 0)
		return 0;
	text = fuzz_copy(data + 1, size - 1);
	if (data[0] & 1)
		try_sysfs(text, size - 1);
	else
		try_file(text, size - 1, block_sizes[(data[0] >> 1) % PME_ARRAY_SIZE(block_sizes)]);
	return 0;
}
