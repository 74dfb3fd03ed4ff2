/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what is on a disk that nobody uses: the input is the disk.  Its first byte, which no
 * format needs, says what libblkid found: 'g' GPT, 'm' MBR, each with a partition, 'l' a physical
 * volume of LVM, else nothing, on a namespace in raw mode.
 *
 * Whatever is there, every byte has an owner, or a reason why not.
 * Parsers: btt btt-arenas btt-map rest-lvm-disk rest-lvm-map rest-lvm-text rest-parts
 * rest-parts-disk
 */
#include <sys/sysmacros.h>

#include "climb.h"
#include "played.h"
#include "seal.h"

#define DISK_MIN (8 * PME_SECTOR)
#define DISK_MAX (1U << 20)
#define AREA_AT 4096U /* metadata of LVM, and an info block of sector mode */

struct world {
	struct pme_topo topo;
	struct pme_stack stack;
	struct pme_namespace ns;
	struct pme_dev disk, part;
	const struct pme_dev *uppers[1], *lowers[1];
	const struct pme_os os;
};

static void stack_partition(struct world *w, uint64_t start, uint64_t size)
{
	static char name[] = "pmem0p1";

	w->part = (struct pme_dev){
		.name = name,
		.kind = PME_DEV_PARTITION,
		.devno = makedev(259, 1),
		.size = size,
		.start = start,
		.disk = &w->disk,
		.lowers = w->lowers,
		.n_lowers = 1,
	};
	w->uppers[0] = &w->part;
	w->lowers[0] = &w->disk;
	w->disk.uppers = w->uppers;
	w->disk.n_uppers = 1;
}

static void copy_word(const char *word, char **ret)
{
	*ret = strdup(word);
	FUZZ_CHECK(*ret);
}

static void build(struct world *w, size_t size, char what)
{
	static char disk[] = "pmem0", ns[] = "namespace0.0";
	struct pme_probe_entry *found = calloc(1, sizeof(*found));

	FUZZ_CHECK(found);
	w->ns = (struct pme_namespace){.name = ns, .mode = PME_MODE_RAW, .size = size};
	w->disk = (struct pme_dev){
		.name = disk, .devno = makedev(259, 0), .size = size, .ns = &w->ns};
	w->topo.os = &w->os;
	w->stack.topo = &w->topo;
	w->stack.probes = (struct pme_probes){.items = found, .count = 1, .alloc = 1};
	found->dev = &w->disk;
	if (what == 'g' || what == 'm')
		stack_partition(w, size / 8, size / 4);
	if (what == 'g')
		copy_word("gpt", &found->probe.pttype);
	else if (what == 'm')
		copy_word("dos", &found->probe.pttype);
	else if (what == 'l')
		copy_word("LVM2_member", &found->probe.type);
}

/* Every byte that was asked about, and no other. */
static void check_tops(const struct world *w, const struct pme_tops *tops, struct pme_range asked)
{
	_cleanup_(pme_range_list_done) struct pme_range_list said = {0}, silent = {0};

	for (size_t i = 0; i < tops->count; i++) {
		const struct pme_top *top = &tops->items[i];

		FUZZ_CHECK(top->n_hops > 0 && top->length > 0);
		FUZZ_CHECK(pme_range_list_add(&said, top->hops[0].start, top->length) == 0);
		if (top->owner == PME_OWNER_UNKNOWN)
			FUZZ_CHECK(top->reason && *top->reason);
	}
	pme_range_list_normalize(&said);
	FUZZ_CHECK(pme_range_list_subtract(asked, &said, &silent) == 0);
	FUZZ_CHECK(silent.count == 0);
	for (size_t i = 0; i < said.count; i++)
		FUZZ_CHECK(said.items[i].start >= asked.start &&
			   pme_range_end(said.items[i]) <= pme_range_end(asked));
}

static void seal_area(uint8_t *area, size_t size)
{
	uint64_t offset = pme_le64_at(area + 40), length = pme_le64_at(area + 48);

	if (offset < size && length < size - offset)
		seal_lvm(area + 56, area + offset, length);
	seal_lvm(area, area + 4, 508);
}

static void seal(uint8_t *disk, size_t size)
{
	if (*disk == 'g') {
		seal_gpt(disk, size, 1);
		seal_gpt(disk, size, size / PME_SECTOR - 1);
	} else if (*disk == 'l') {
		seal_lvm(disk + PME_SECTOR + 16, disk + PME_SECTOR + 20, PME_SECTOR - 20);
		if (size >= AREA_AT + PME_SECTOR)
			seal_area(disk + AREA_AT, size - AREA_AT);
	} else if (size >= AREA_AT + PME_BTT_INFO_SIZE) {
		seal_btt(disk + AREA_AT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.os = {.root = -1}};
	_cleanup_(pme_tops_done) struct pme_tops tops = {0};
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	struct pme_range all = {0, size / PME_SECTOR * PME_SECTOR};

	if (all.length < DISK_MIN || all.length > DISK_MAX)
		return 0;
	seal((uint8_t *)copy, all.length);
	played.bytes = (const uint8_t *)copy;
	played.size = all.length;
	played.reads = 0;
	build(&w, all.length, copy[0]);
	FUZZ_CHECK(pme_climb(&w.stack, &w.disk, all, &tops) == 0);
	check_tops(&w, &tops, all);
	pme_stack_done(&w.stack);
	return 0;
}
