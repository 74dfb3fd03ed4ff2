/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the sysfs attributes of an MD array.  A line for each attribute: level, raid_disks,
 * layout, chunk_size, reshape_position, then slot, offset, size, state of one component, then
 * component_size, resync_start, metadata_version, journal_mode of the array and recovery_start of
 * the component; "?" stands for one that cannot be read.
 * Parsers: topo-md
 */
#include "fuzz.h"
#include "topo.h"

#define ATTRS 14

/* Cut @text into lines, in place; attributes that are left over stay NULL. */
static void cut(char *text, const char *attrs[ATTRS])
{
	for (size_t i = 0; i < ATTRS && text; i++) {
		char *line = strsep(&text, "\n");

		attrs[i] = strcmp(line, "?") == 0 ? NULL : line;
	}
}

static void check_array(const char *attrs[ATTRS])
{
	const struct pme_md_text text = {attrs[0], attrs[1],  attrs[2],	 attrs[3], attrs[4],
					 attrs[9], attrs[10], attrs[11], attrs[12]};
	struct pme_md md = {0};

	if (pme_md_parse(&text, &md) < 0) {
		FUZZ_CHECK(!md.level && md.raid_disks == 0 && md.chunk == 0);
		return;
	}
	FUZZ_CHECK(md.level && *md.level);
	FUZZ_CHECK(md.raid_disks <= INT32_MAX);
	/* whatever has two numbers, or moves, is never taken for settled */
	FUZZ_CHECK(md.reshape || strcmp(text.reshape_position, "none") == 0);
	FUZZ_CHECK(md.reshape || (!strchr(text.chunk_size, '(') && !strchr(text.raid_disks, '(')));
	FUZZ_CHECK(!md.layout_known || (text.layout && !strchr(text.layout, '(')));
	pme_md_done(&md);
}

static void check_component(const char *attrs[ATTRS])
{
	const struct pme_md_component_text text = {attrs[5], attrs[6], attrs[7], attrs[8],
						   attrs[13]};
	struct pme_md_component c = {0};

	if (pme_md_component_parse(&text, &c) < 0) {
		FUZZ_CHECK(!c.state && c.size == 0 && c.data_offset == 0);
		return;
	}
	FUZZ_CHECK(c.slot >= -1 && c.state);
	FUZZ_CHECK(c.data_offset % PME_SECTOR == 0 && c.size % 1024 == 0);
	FUZZ_CHECK(c.data_offset <= UINT64_MAX - c.size);
	free(c.state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup(size ? (const char *)data : "", size);
	const char *attrs[ATTRS] = {NULL};

	FUZZ_CHECK(text);
	cut(text, attrs);
	check_array(attrs);
	check_component(attrs);
	return 0;
}
