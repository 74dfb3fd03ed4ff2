/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the arenas of a namespace in sector mode are; see btt-arenas.h.
 *
 * The surprise: offsets in debugfs do not count the 4 KiB in front of BTT 1.1.
 */
#include "btt-arenas.h"

#include <string.h>

#include "media.h"

#define ARENAS_MAX 4096U /* of 512 GiB at most, 16 MiB at least */

static void arenas_free(void *map)
{
	struct pme_btt_arenas *arenas = map;

	if (arenas)
		free(arenas->items);
	free(arenas);
}

static void arenas_freep(struct pme_btt_arenas **arenas)
{
	arenas_free(*arenas);
}

/* Takes the place behind the last one. */
static int add_arena(struct pme_btt_arenas *arenas, struct pme_btt_arena arena)
{
	const struct pme_btt_arena *last = arenas->count ? &arenas->items[arenas->count - 1] : NULL;

	if (arenas->count >= ARENAS_MAX)
		return -E2BIG;
	if (pme_grow(&arenas->items, &arenas->alloc, arenas->count, sizeof(arena)) < 0)
		return -ENOMEM;
	arena.first_lba = last ? last->first_lba + last->blocks : 0;
	arenas->items[arenas->count++] = arena;
	return 0;
}

/* ---- of a namespace in use: debugfs ---- */

static int read_number(const struct pme_os *os, const char *btt, size_t arena, const char *name,
		       uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = pme_os_read_line(os, &text, "sys/kernel/debug/btt/%s/arena%zu/%s", btt, arena,
				 name);

	return r < 0 ? r : pme_btt_number_parse(text, ret);
}

enum { DATA, MAP, LOG, INFO2, INFO, NEXT, LBA, INT_LBA, BLOCKS, INT_BLOCKS, FREE, MAJOR, FIELDS };

static int read_arena(const struct pme_os *os, const char *btt, size_t index, uint64_t size,
		      struct pme_btt_arena *ret)
{
	static const char *const names[FIELDS] = {
		[DATA] = "dataoff",	    [MAP] = "mapoff",
		[LOG] = "logoff",	    [INFO2] = "info2off",
		[INFO] = "infooff",	    [NEXT] = "nextoff",
		[LBA] = "external_lbasize", [INT_LBA] = "internal_lbasize",
		[BLOCKS] = "external_nlba", [INT_BLOCKS] = "internal_nlba",
		[FREE] = "nfree",	    [MAJOR] = "version_major",
	};
	uint64_t v[FIELDS], front;

	for (size_t i = 0; i < FIELDS; i++) {
		int r = read_number(os, btt, index, names[i], &v[i]);

		if (r < 0)
			return r;
		if (v[i] > (i <= NEXT ? UINT64_MAX / 2 : UINT32_MAX))
			return -EINVAL;
	}
	if (v[MAJOR] != 1 && v[MAJOR] != 2)
		return -EINVAL;
	front = v[MAJOR] == 1 ? 4096 : 0;
	*ret = (struct pme_btt_arena){
		.start = v[INFO] + front,
		.data = v[DATA] + front,
		.map = v[MAP] + front,
		.log = v[LOG] + front,
		.info2 = v[INFO2] + front,
		.lba_bytes = (uint32_t)v[LBA],
		.internal_lba_bytes = (uint32_t)v[INT_LBA],
		.blocks = (uint32_t)v[BLOCKS],
		.internal_blocks = (uint32_t)v[INT_BLOCKS],
		.n_free = (uint32_t)v[FREE],
		.major = (uint16_t)v[MAJOR],
		.next = v[NEXT] ? v[INFO] + v[NEXT] + front : 0,
	};
	return pme_btt_check(ret, size);
}

static int load_live(struct pme_stack *stack, const struct pme_dev *dev,
		     const struct pme_dm_line *line, void **ret, char **ret_why)
{
	_cleanup_(arenas_freep) struct pme_btt_arenas *arenas = calloc(1, sizeof(*arenas));
	const struct pme_os *os = stack->topo->os;
	_cleanup_free_ char *btt = NULL;
	struct pme_btt_arena arena;
	int r = arenas ? pme_os_read_line(os, &btt, "sys/bus/nd/devices/%s/holder", dev->ns->name)
		       : -ENOMEM;

	if (r == 0 && (strncmp(btt, "btt", 3) != 0 || strchr(btt, '/')))
		r = -ENODEV;
	while (r == 0) {
		r = read_arena(os, btt, arenas->count, dev->ns->size, &arena);
		if (r == -ENOENT && arenas->count > 0)
			break;
		if (r == 0)
			r = add_arena(arenas, arena);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	if (arenas->count == 0 || arenas->items[arenas->count - 1].next)
		return -ENODATA; /* one is missing */
	*ret = pme_take_ptr(arenas);
	return 0;
}

const struct pme_map_kind pme_btt_live_arenas = {.load = load_live, .done = arenas_free};

/* ---- of a namespace in raw mode: its block device ---- */

static int read_info(int fd, uint64_t start, uint64_t size, struct pme_btt_arena *ret)
{
	unsigned char info[PME_BTT_INFO_SIZE];
	int r = pme_media_read(fd, info, sizeof(info), start);

	return r < 0 ? r : pme_btt_info_parse(info, start, size, ret);
}

/* The first info block: behind 4 KiB (1.1), or at once (2.0). */
static int read_first(int fd, uint64_t size, struct pme_btt_arena *ret)
{
	int r = read_info(fd, 4096, size, ret);

	if (r == 0 && ret->major == 1)
		return 0;
	r = read_info(fd, 0, size, ret);
	return r == 0 && ret->major != 2 ? -EINVAL : r;
}

static int load_raw(struct pme_stack *stack, const struct pme_dev *dev,
		    const struct pme_dm_line *line, void **ret, char **ret_why)
{
	_cleanup_(arenas_freep) struct pme_btt_arenas *arenas = calloc(1, sizeof(*arenas));
	_cleanup_close_ int fd = pme_media_open(stack->topo, dev);
	struct pme_btt_arena arena;
	int r = arenas ? fd : -ENOMEM;

	if (r >= 0)
		r = read_first(fd, dev->size, &arena);
	while (r == 0) {
		r = add_arena(arenas, arena);
		if (r < 0 || !arena.next)
			break;
		r = read_info(fd, arena.next, dev->size, &arena);
	}
	if (r < 0)
		return r;
	*ret = pme_take_ptr(arenas);
	return 0;
}

const struct pme_map_kind pme_btt_raw_arenas = {.load = load_raw, .done = arenas_free};
