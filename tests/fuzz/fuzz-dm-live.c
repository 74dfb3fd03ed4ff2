/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: one device-mapper line with what its target says and keeps on media.  First line:
 * START LENGTH TYPE PARAMS, in sectors, on devices 259:0 to 259:2.  Second line: its status.  The
 * rest are the bytes of the three devices, which are all the same.
 *
 * Whatever they are, the layer says something sane, and an unknown says of what.
 * Parsers: dm-cache-map dm-clone dm-legs dm-mirror dm-raid-parse dm-snapshot dm-snapshot-store
 * dm-thin-map dm-writecache dm-writecache-table
 */
#include <sys/sysmacros.h>

#include "dm-params.h"
#include "inverse.h"
#include "played.h"

struct world {
	struct pme_dm_line line;
	struct pme_dev lowers[3], dm;
	const struct pme_dev *edges[3];
	const struct pme_os os;
	struct pme_topo topo;
	struct pme_stack stack;
};

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

static void build(struct world *w)
{
	static char names[4][8] = {"pmem0", "pmem1", "pmem2", "dm-0"};

	for (unsigned int i = 0; i < 3; i++) {
		w->lowers[i] = (struct pme_dev){
			.name = names[i],
			.devno = makedev(259, i),
			.size = i == 1 ? played.size : 1 << 20,
		};
		w->edges[i] = &w->lowers[i];
	}
	w->dm = (struct pme_dev){
		.name = names[3],
		.kind = PME_DEV_DM,
		.size = w->line.range.length,
		.lines = &w->line,
		.n_lines = 1,
		.lowers = w->edges,
		.n_lowers = 3,
	};
	w->topo.os = &w->os;
	w->stack.topo = &w->topo;
}

static bool names_a_device(const char *text)
{
	return strstr(text, "dm-0") || strstr(text, "pmem");
}

/* Bytes of the device that keeps copies on write: each is spoken for, and doubts have a name. */
static void check_store(struct world *w, const struct pme_dev *lower)
{
	_cleanup_(pme_range_list_done) struct pme_range_list said = {0}, silent = {0};
	_cleanup_(pme_steps_done) struct pme_steps up = {0};
	struct pme_range all = {0, lower->size};
	int r;

	if (all.length == 0)
		return;
	r = pme_layer_dm.up(&w->stack, &w->dm, lower, all, &up);
	FUZZ_CHECK(r == 0 || r == -E2BIG);
	for (size_t i = 0; r == 0 && i < up.count; i++) {
		const struct pme_step *step = &up.items[i];

		FUZZ_CHECK(pme_range_list_add(&said, step->from.start, step->from.length) == 0);
		if (!step->to && step->owner == PME_OWNER_UNKNOWN)
			FUZZ_CHECK(names_a_device(step->reason));
	}
	pme_range_list_normalize(&said);
	FUZZ_CHECK(pme_range_list_subtract(all, &said, &silent) == 0);
	if (r == 0 && strncmp(w->line.type, "snapshot", 8) == 0 && w->line.type[8] != '-')
		FUZZ_CHECK(silent.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	_cleanup_free_ char *status = NULL;
	const char *pos = copy, *end = copy + size, *text = "";
	struct world w = {.os = {.root = -1}};
	size_t len = 0;

	next_line(&pos, end, &text, &len);
	parse_line(text, len, &w.line);
	len = 0;
	next_line(&pos, end, &text, &len);
	status = strndup(text, len);
	FUZZ_CHECK(status);
	played.status = status;
	played.size = (size_t)(end - pos) / PME_SECTOR * PME_SECTOR;
	played.bytes = (const uint8_t *)pos;
	played.reads = 0;
	build(&w);
	for (unsigned int i = 0; i < 3; i++) {
		check_around(&w.stack, &pme_layer_dm, &w.dm, &w.lowers[i], 0);
		check_around(&w.stack, &pme_layer_dm, &w.dm, &w.lowers[i], 1ULL << 40);
	}
	check_below(&w.stack, &pme_layer_dm, &w.dm, 0);
	check_below(&w.stack, &pme_layer_dm, &w.dm, w.line.range.start);
	if (pme_dm_line_names(&w.line, w.lowers[1].devno))
		check_store(&w, &w.lowers[1]);
	pme_stack_done(&w.stack);
	free(w.line.type);
	free(w.line.params);
	return 0;
}
