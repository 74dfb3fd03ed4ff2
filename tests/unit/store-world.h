/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of targets whose map is on media, or in a status line: a machine with two disks below
 * one dm device, the second one with bytes.  A test writes an image as the kernel would and keeps a
 * list of where every sector went; then up() and down() are asked about all of them.
 */
#ifndef PME_TESTS_STORE_WORLD_H
#define PME_TESTS_STORE_WORLD_H

#include <sys/sysmacros.h>

#include "dm-ask.h"
#include "hop-check.h"
#include "media.h"

#define SECTORS(n) ((uint64_t)(n)*PME_SECTOR)
#define IMAGE_SECTORS 2048

enum { ORIGIN, STORE };

static unsigned char image[IMAGE_SECTORS * 512];
static uint64_t bad_sector; /* of the image; 0: none */
static const char *status_text;

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret);

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	assert_int_equal(minor(dev->devno), STORE);
	return 100000; /* nobody's descriptor */
}

int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset)
{
	if (offset > sizeof(image) || size > sizeof(image) - offset)
		return -ENODATA;
	if (bad_sector && overlap((struct pme_range){offset, size}, bad_sector))
		return -EIO;
	memcpy(buf, image + offset, size);
	return 0;
}

int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret)
{
	assert_int_equal(flush, PME_DM_NO_FLUSH);
	*ret = strdup(status_text);
	return 0;
}

struct world {
	struct pme_dev lowers[2], dm;
	const struct pme_dev *edges[2];
	struct pme_dm_line line;
	struct pme_stack stack;
	struct model model;
};

/* Takes @params. */
static inline void world_start(struct world *w, const char *type, uint64_t sectors, char *params)
{
	static const char *const names[] = {"pmem0", "pmem1"};

	*w = (struct world){0};
	for (unsigned int i = 0; i < 2; i++) {
		w->lowers[i] = (struct pme_dev){
			.name = text(names[i]),
			.kind = PME_DEV_DISK,
			.devno = makedev(259, i),
			.size = SECTORS(IMAGE_SECTORS),
		};
		w->edges[i] = &w->lowers[i];
	}
	w->line = (struct pme_dm_line){
		.range = {0, SECTORS(sectors)}, .type = text(type), .params = params};
	w->dm = (struct pme_dev){.name = text("dm-0"),
				 .alias = text("vg0/snap"),
				 .kind = PME_DEV_DM,
				 .size = SECTORS(sectors),
				 .lowers = w->edges,
				 .n_lowers = 2,
				 .lines = &w->line,
				 .n_lines = 1};
	w->model.upper = &w->dm;
	for (uint64_t i = 0; i < sectors; i++)
		model_put(&w->model, &w->lowers[ORIGIN], i);
	memset(image, 0, sizeof(image));
	bad_sector = 0;
}

static inline void world_end(struct world *w)
{
	pme_stack_done(&w->stack);
	free(w->line.params);
}

static inline void put32(uint64_t at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		image[at + i] = (unsigned char)(value >> 8 * i);
}

static inline void put64(uint64_t at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

/* Where the model says, once, and nowhere else; every byte of the store is spoken for. */
static inline void check_world(struct world *w, enum pme_certainty certainty)
{
	_cleanup_(pme_steps_done) struct pme_steps down = {0};
	struct pme_steps up[2] = {{0}};
	struct pme_range whole = {0, w->dm.size};
	uint64_t led = 0, covered = 0;

	for (int i = 0; i < 2; i++) {
		struct pme_range all = {0, w->lowers[i].size};

		assert_int_equal(pme_layer_dm.up(&w->stack, &w->dm, &w->lowers[i], all, &up[i]), 0);
		check_inside(&up[i], all);
		led += bytes_to(&up[i], &w->dm);
	}
	assert_int_equal(pme_layer_dm.down(&w->stack, &w->dm, whole, &down), 0);
	check_inside(&down, whole);
	for (size_t u = 0; u < w->model.count; u++) {
		const struct model_sector *at = &w->model.at[u];

		assert_int_equal(bytes_between(&down, at->lower, u, at->sector), PME_SECTOR);
		assert_int_equal(bytes_between(&up[minor(at->lower->devno)], &w->dm, at->sector, u),
				 PME_SECTOR);
	}
	assert_int_equal(led, w->dm.size);
	for (size_t i = 0; i < up[STORE].count; i++) {
		covered += up[STORE].items[i].from.length;
		if (up[STORE].items[i].to)
			assert_int_equal(up[STORE].items[i].certainty, certainty);
	}
	assert_true(covered >= led - bytes_to(&up[ORIGIN], &w->dm));
	pme_steps_done(&up[STORE]);
	pme_steps_done(&up[ORIGIN]);
}

/* Owner of one sector of a lower device. */
static inline const struct pme_step *step_at(struct world *w, int lower, uint64_t sector,
					     struct pme_steps *steps)
{
	struct pme_range range = {SECTORS(sector), PME_SECTOR};

	assert_int_equal(pme_layer_dm.up(&w->stack, &w->dm, &w->lowers[lower], range, steps), 0);
	return steps->count > 0 ? &steps->items[0] : NULL;
}
/*
 * A few bytes of the image are others now.  Whatever it is taken for: bytes that the target keeps
 * on the second disk are spoken for in @used, and an unknown says of which device.
 */
static inline void check_wild(struct world *w, struct rnd *rnd, struct pme_range used)
{
	_cleanup_(pme_range_list_done) struct pme_range_list said = {0}, silent = {0};

	for (uint64_t n = 1 + rnd_below(rnd, 4); n > 0; n--)
		image[rnd_below(rnd, rnd_below(rnd, 2) ? 64 : 8192)] =
			(unsigned char)rnd_below(rnd, 256);
	for (int i = 0; i < 2; i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range all = {0, w->lowers[i].size};

		assert_int_equal(pme_layer_dm.up(&w->stack, &w->dm, &w->lowers[i], all, &up), 0);
		for (size_t s = 0; s < up.count; s++) {
			const struct pme_step *step = &up.items[s];

			assert_true(pme_step_is_sane(step, all));
			if (!step->to && step->owner == PME_OWNER_UNKNOWN)
				assert_true(strstr(step->reason, "vg0/snap") != NULL);
			if (i == STORE)
				assert_int_equal(pme_range_list_add(&said, step->from.start,
								    step->from.length),
						 0);
		}
	}
	pme_range_list_normalize(&said);
	assert_int_equal(pme_range_list_subtract(used, &said, &silent), 0);
	assert_int_equal(silent.count, 0);
}

#endif
