/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random stacks; see pile.h.
 */
#include "pile.h"

#include <sys/sysmacros.h>

struct pme_dev *pile_any(struct pile *pile)
{
	return pile->devs[rnd_below(pile->rnd, pile->count)].dev;
}

static uint64_t sectors_of(const struct pme_dev *dev)
{
	return dev->size / PME_SECTOR;
}

struct pme_range pile_range(struct pile *pile, const struct pme_dev *dev)
{
	uint64_t start = rnd_below(pile->rnd, dev->size);

	return (struct pme_range){start, 1 + rnd_below(pile->rnd, dev->size - start)};
}

static struct pile_dev *add(struct pile *pile, struct pme_dev *dev)
{
	struct pile_dev *pd = &pile->devs[pile->count++];

	*pd = (struct pile_dev){.dev = dev};
	return pd;
}

static void put(struct pile_dev *pd, struct pme_dev *lower, uint64_t sector)
{
	assert_true(pd->sectors < PILE_SECTORS);
	pd->at[pd->sectors++] = (struct pile_sector){.lower = lower, .sector = sector};
}

static void add_disk(struct pile *pile)
{
	uint64_t sectors = 40 + rnd_below(pile->rnd, 60);
	struct pile_dev *pd;
	char name[16];

	snprintf(name, sizeof(name), "pmem%zu", pile->count);
	pd = add(pile, snap_disk(&pile->snap, name, sectors));
	pd->sectors = sectors;
}

static void add_partition(struct pile *pile)
{
	struct pme_dev *disk = pile->devs[rnd_below(pile->rnd, 2)].dev;
	uint64_t start = rnd_below(pile->rnd, sectors_of(disk));
	uint64_t sectors = 1 + rnd_below(pile->rnd, sectors_of(disk) - start);
	struct pile_dev *pd;
	char name[16];

	snprintf(name, sizeof(name), "pmem0p%zu", pile->count);
	pd = add(pile, snap_partition(&pile->snap, disk, name, start, sectors));
	for (uint64_t i = 0; i < sectors; i++)
		put(pd, disk, start + i);
}

static void put_linear(struct pile *pile, struct pile_dev *pd, struct pme_dev *lower)
{
	uint64_t start = rnd_below(pile->rnd, sectors_of(lower));
	uint64_t sectors = 1 + rnd_below(pile->rnd, pme_min(30, sectors_of(lower) - start));

	snap_linear(pd->dev, lower, start, sectors);
	for (uint64_t i = 0; i < sectors; i++)
		put(pd, lower, start + i);
}

/* Two stripes, dealt chunk by chunk; they may be on one device. */
static void put_striped(struct pile *pile, struct pile_dev *pd, struct pme_dev *a,
			struct pme_dev *b)
{
	uint64_t room = pme_min(sectors_of(a), sectors_of(b)), chunk, rows, at_a, at_b;

	chunk = 1 + rnd_below(pile->rnd, pme_min(room, 4));
	rows = 1 + rnd_below(pile->rnd, pme_min(room / chunk, 6));
	at_a = rnd_below(pile->rnd, sectors_of(a) - chunk * rows + 1);
	at_b = rnd_below(pile->rnd, sectors_of(b) - chunk * rows + 1);
	snap_line(pd->dev, 2 * chunk * rows, "striped",
		  pme_printf("2 %lu 259:%u %lu 259:%u %lu", chunk, minor(a->devno), at_a,
			     minor(b->devno), at_b));
	snap_stack(a, pd->dev);
	snap_stack(b, pd->dev);
	for (uint64_t row = 0; row < rows; row++) {
		for (uint64_t i = 0; i < chunk; i++)
			put(pd, a, at_a++);
		for (uint64_t i = 0; i < chunk; i++)
			put(pd, b, at_b++);
	}
}

static void put_zero(struct pile_dev *pd)
{
	snap_line(pd->dev, 3, "zero", strdup(""));
	for (int i = 0; i < 3; i++)
		put(pd, NULL, 0);
}

/* A table of one to four lines, the first of them on a device. */
static void add_dm(struct pile *pile)
{
	uint64_t lines = rnd_below(pile->rnd, 4);
	struct pme_dev *lower = pile_any(pile);
	struct pile_dev *pd;
	char name[16];

	snprintf(name, sizeof(name), "dm-%zu", pile->count);
	pd = add(pile, snap_dm(&pile->snap, name));
	pile->count--; /* it is not its own lower device */
	put_linear(pile, pd, lower);
	for (; lines > 0; lines--) {
		uint64_t dice = rnd_below(pile->rnd, 8);

		if (dice == 0)
			put_zero(pd);
		else if (dice < 4)
			put_striped(pile, pd, pile_any(pile), pile_any(pile));
		else
			put_linear(pile, pd, pile_any(pile));
	}
	pile->count++;
}

/* Two different members, with reserved sectors in front: one behind the other, or in chunks. */
static void add_md(struct pile *pile)
{
	struct pme_dev *a = pile->devs[0].dev,
		       *b = pile->devs[1 + rnd_below(pile->rnd, pile->count - 1)].dev;
	uint64_t chunk = rnd_below(pile->rnd, 3), offset = rnd_below(pile->rnd, 3), sectors;
	struct pile_dev *pd;
	char name[16];

	if (sectors_of(b) < 12)
		return;
	sectors = 2 * (1 + rnd_below(pile->rnd, 4));
	snprintf(name, sizeof(name), "md%zu", pile->count);
	pd = add(pile, snap_md(&pile->snap, name, chunk ? "raid0" : "linear", chunk));
	snap_member(pd->dev, a, offset, sectors);
	snap_member(pd->dev, b, offset + 1, sectors);
	if (chunk == 0)
		chunk = sectors; /* linear deals one chunk */
	for (uint64_t row = 0; row < sectors / chunk; row++) {
		for (uint64_t i = 0; i < chunk; i++)
			put(pd, a, offset + row * chunk + i);
		for (uint64_t i = 0; i < chunk; i++)
			put(pd, b, offset + 1 + row * chunk + i);
	}
}

void pile_init(struct pile *pile, struct rnd *rnd)
{
	*pile = (struct pile){.rnd = rnd};
	snap_init(&pile->snap, NULL);
	add_disk(pile);
	add_disk(pile);
	for (uint64_t more = 1 + rnd_below(rnd, PILE_DEVS - 2); more > 0; more--) {
		uint64_t dice = rnd_below(rnd, 6);

		if (dice == 0)
			add_partition(pile);
		else if (dice == 1)
			add_md(pile);
		else
			add_dm(pile);
	}
	snap_mount(&pile->snap, pile_any(pile), "xfs", "/srv");
	pile->devs[rnd_below(rnd, pile->count)].dev->swap = true;
}

void pile_done(struct pile *pile)
{
	snap_done(&pile->snap);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	struct rnd rnd = {.state = hash ^ value * 0x9e3779b97f4a7c15ULL};

	return rnd_u64(&rnd);
}

static uint64_t path_on(uint64_t hash, const struct pme_dev *dev, uint64_t sector)
{
	return mix(mix(hash, minor(dev->devno)), sector);
}

static void add_path(struct paths *paths, uint64_t hash, enum path_end end, uint64_t bytes)
{
	assert_int_equal(
		pme_grow(&paths->items, &paths->alloc, paths->count, sizeof(*paths->items)), 0);
	paths->items[paths->count++] = (struct path){.hash = mix(hash, end), .bytes = bytes};
}

static bool is_mounted(const struct pile *pile, const struct pme_dev *dev)
{
	return pile->snap.topo->mounts[0].devno == dev->devno;
}

static bool stands_on(const struct pme_dev *upper, const struct pme_dev *lower)
{
	for (size_t i = 0; i < upper->n_lowers; i++)
		if (upper->lowers[i] == lower)
			return true;
	return false;
}

static void model_up(const struct pile *pile, const struct pme_dev *dev, uint64_t sector,
		     uint64_t hash, uint64_t bytes, struct paths *ret)
{
	bool used = false;

	hash = path_on(hash, dev, sector);
	for (size_t d = 0; d < pile->count; d++) {
		const struct pile_dev *pd = &pile->devs[d];
		bool leads = false;

		for (size_t u = 0; u < pd->sectors; u++) {
			if (pd->at[u].lower != dev || pd->at[u].sector != sector)
				continue;
			leads = true;
			model_up(pile, pd->dev, u, hash, bytes, ret);
		}
		if (!leads && pd->dev->kind == PME_DEV_MD && stands_on(pd->dev, dev)) {
			add_path(ret, hash, PATH_OPEN, bytes); /* reserved by the array */
			leads = true;
		}
		used = used || leads;
	}
	if (is_mounted(pile, dev))
		add_path(ret, hash, PATH_AT_FS, bytes);
	else if (dev->swap || !used)
		add_path(ret, hash, PATH_OPEN, bytes);
}

static uint64_t bytes_in(struct pme_range range, uint64_t sector)
{
	struct pme_range whole = {SECTORS(sector), PME_SECTOR}, part;

	return pme_range_intersect(range, whole, &part) ? part.length : 0;
}

void pile_up(const struct pile *pile, const struct pme_dev *dev, struct pme_range range,
	     struct paths *ret)
{
	for (uint64_t s = 0; s < sectors_of(dev); s++)
		if (bytes_in(range, s) > 0)
			model_up(pile, dev, s, 0, bytes_in(range, s), ret);
}

static const struct pile_dev *find(const struct pile *pile, const struct pme_dev *dev)
{
	const struct pile_dev *pd = pile->devs;

	while (pd->dev != dev)
		pd++;
	return pd;
}

/* The path from the bottom up to this sector, and how its lower end is. */
static uint64_t model_down(const struct pile *pile, const struct pme_dev *dev, uint64_t sector,
			   enum path_end *ret_end)
{
	const struct pile_sector *at = &find(pile, dev)->at[sector];
	uint64_t hash = 0;

	*ret_end = dev->kind == PME_DEV_DISK ? PATH_OPEN : PATH_WITH_REASON;
	if (at->lower)
		hash = model_down(pile, at->lower, at->sector, ret_end);
	return path_on(hash, dev, sector);
}

void pile_down(const struct pile *pile, const struct pme_dev *dev, struct pme_range range,
	       struct paths *ret)
{
	for (uint64_t s = 0; s < sectors_of(dev); s++) {
		enum path_end end;
		uint64_t hash;

		if (bytes_in(range, s) == 0)
			continue;
		hash = model_down(pile, dev, s, &end);
		add_path(ret, hash, end, bytes_in(range, s));
	}
}

void paths_add(struct paths *paths, const struct pme_hop *hops, size_t n_hops, uint64_t length,
	       enum path_end end)
{
	uint64_t in = hops[0].start % PME_SECTOR, step;

	assert_true(n_hops > 0 && length > 0);
	for (uint64_t done = 0; done < length; done += step) {
		uint64_t hash = 0;

		step = pme_min(PME_SECTOR - (in + done) % PME_SECTOR, length - done);
		for (size_t h = 0; h < n_hops; h++) {
			assert_int_equal(hops[h].start % PME_SECTOR, in);
			assert_true(hops[h].start + length <= hops[h].dev->size);
			hash = path_on(hash, hops[h].dev, (hops[h].start + done) / PME_SECTOR);
		}
		add_path(paths, hash, end, step);
	}
}

static int compare_hash(const void *a, const void *b)
{
	const struct path *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Sort, and add up what is said of one path. */
static void settle(struct paths *paths)
{
	size_t kept = 0;

	if (paths->count > 0)
		qsort(paths->items, paths->count, sizeof(*paths->items), compare_hash);
	for (size_t i = 0; i < paths->count; i++) {
		if (kept > 0 && paths->items[kept - 1].hash == paths->items[i].hash)
			paths->items[kept - 1].bytes += paths->items[i].bytes;
		else
			paths->items[kept++] = paths->items[i];
	}
	paths->count = kept;
}

void paths_check_equal(struct paths *a, struct paths *b)
{
	settle(a);
	settle(b);
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_true(a->items[i].hash == b->items[i].hash);
		assert_int_equal(a->items[i].bytes, b->items[i].bytes);
	}
}

void paths_done(struct paths *paths)
{
	free(paths->items);
	*paths = (struct paths){0};
}
