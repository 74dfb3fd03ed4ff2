/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets whose map is on media: snapshot and writecache.  Each test writes an image as the kernel
 * would, chunk by chunk, and keeps a list of where every sector went; then up() and down() are
 * asked about all of them.
 */
#include <sys/sysmacros.h>

#include "dm-ask.h"
#include "dm-snapshot-store.h"
#include "dm-writecache-table.h"
#include "hop-check.h"
#include "media.h"

#define SECTORS(n) ((uint64_t)(n)*PME_SECTOR)
#define IMAGE_SECTORS 2048

enum { ORIGIN, STORE };

/* The only machine of these tests: two disks below one dm device, the second one with bytes. */
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
static void world_start(struct world *w, const char *type, uint64_t sectors, char *params)
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

static void world_end(struct world *w)
{
	pme_stack_done(&w->stack);
	free(w->line.params);
}

static void put32(uint64_t at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		image[at + i] = (unsigned char)(value >> 8 * i);
}

static void put64(uint64_t at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

/* Where the model says, once, and nowhere else; every byte of the store is spoken for. */
static void check_world(struct world *w, enum pme_certainty certainty)
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
static const struct pme_step *step_at(struct world *w, int lower, uint64_t sector,
				      struct pme_steps *steps)
{
	struct pme_range range = {SECTORS(sector), PME_SECTOR};

	assert_int_equal(pme_layer_dm.up(&w->stack, &w->dm, &w->lowers[lower], range, steps), 0);
	return steps->count > 0 ? &steps->items[0] : NULL;
}

/* ---- snapshot ---- */

#define ORIGIN_CHUNKS 100

/* A store as the kernel fills it: header, an area, data as much as the area names, an area, … */
struct writer {
	uint64_t chunk, per_area; /* sectors; pairs */
	uint64_t area, in_area, next;
};

static void store_start(struct writer *wr, uint64_t chunk)
{
	*wr = (struct writer){.chunk = chunk, .per_area = chunk * 32, .area = 1, .next = 2};
	put32(0, 0x70416e53);
	put32(4, 1);
	put32(8, 1);
	put32(12, (uint32_t)chunk);
}

static void store_copy(struct writer *wr, struct world *w, uint64_t chunk)
{
	uint64_t at = SECTORS(wr->area * wr->chunk) + wr->in_area * 16;

	put64(at, chunk);
	put64(at + 8, wr->next);
	for (uint64_t s = 0; s < wr->chunk; s++)
		w->model.at[chunk * wr->chunk + s] =
			(struct model_sector){&w->lowers[STORE], wr->next * wr->chunk + s};
	wr->next++;
	if (++wr->in_area < wr->per_area)
		return;
	wr->area = wr->next++;
	wr->in_area = 0;
}

static char *usage_of(const struct writer *wr, uint64_t areas)
{
	return pme_printf("%lu/%d %lu", wr->next * wr->chunk, IMAGE_SECTORS,
			  (areas + 1) * wr->chunk);
}

static void snapshots_are_as_written(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 60; round++) {
		uint64_t chunk = 1ULL << rnd_below(&rnd, 3), n = rnd_below(&rnd, ORIGIN_CHUNKS);
		_cleanup_free_ char *status = NULL;
		bool copied[ORIGIN_CHUNKS] = {false};
		struct writer wr;
		struct world w;

		world_start(&w, "snapshot", ORIGIN_CHUNKS * chunk,
			    pme_printf("259:0 259:1 P %lu", chunk));
		store_start(&wr, chunk);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t which = rnd_below(&rnd, ORIGIN_CHUNKS);

			if (!copied[which])
				store_copy(&wr, &w, which);
			copied[which] = true;
		}
		status_text = status = usage_of(&wr, 1 + (wr.area - 1) / (wr.per_area + 1));
		check_world(&w, PME_EXACT);
		world_end(&w);
	}
}

static void small_snapshot(struct world *w, const char *type, const char *params,
			   const char *status)
{
	struct writer wr;

	world_start(w, type, 64 * 8, strdup(params));
	store_start(&wr, 8);
	for (uint64_t i = 0; i < 5; i++)
		store_copy(&wr, w, 10 + i * 3);
	status_text = status;
}

static const struct {
	const char *type, *params, *status;
	int lower;
	uint64_t sector;
	enum pme_owner_kind owner;
	const char *words;
} ends[] = {
	{"snapshot", "259:0 259:1 P 8", "56/2048 16", STORE, 0, PME_OWNER_VOLUME_METADATA,
	 "header of the store of snapshot vg0/snap: it cannot be activated again"},
	{"snapshot", "259:0 259:1 P 8 0", "56/2048 16", STORE, 8, PME_OWNER_VOLUME_METADATA,
	 "exceptions 0 to 255 of snapshot vg0/snap: it cannot be activated again"},
	{"snapshot", "259:0 259:1 PO 8", "56/2048 16", STORE, 56, PME_OWNER_FREE,
	 "free in the store of snapshot vg0/snap"},
	{"snapshot", "259:0 259:1 P 8", "64/2048 16", STORE, 56, PME_OWNER_UNKNOWN,
	 "chunk 7 of the store of snapshot vg0/snap was handed out and has no exception yet"},
	{"snapshot", "259:0 259:1 P 8", "Invalid", STORE, 16, PME_OWNER_UNUSED,
	 "store of snapshot vg0/snap, which is invalid: nothing reads it"},
	{"snapshot", "259:0 259:1 P 8", "Overflow", STORE, 16, PME_OWNER_UNKNOWN,
	 "the state of snapshot vg0/snap is 'Overflow'"},
	{"snapshot-merge", "259:0 259:1 P 8", "Merge failed", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "the state of snapshot vg0/snap is 'Merge failed'"},
	{"snapshot", "259:0 259:1 N 8", "56/2048 0", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "snapshot vg0/snap keeps its exceptions in memory only"},
	{"snapshot", "259:0 259:1 P 16", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "the header of the store of snapshot vg0/snap does not fit its table"},
	{"snapshot", "259:0 259:1 X 8", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "table line 1 of vg0/snap: malformed 'snapshot' parameters"},
	{"snapshot", "259:0 259:0 P 8", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "table line 1 of vg0/snap: malformed 'snapshot' parameters"},
	{"snapshot", "259:0 259:1 P 0", "56/2048 16", ORIGIN, 16, PME_OWNER_UNKNOWN,
	 "table line 1 of vg0/snap: malformed 'snapshot' parameters"},
};

static void snapshots_end_with_these_words(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(ends); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct world w;

		small_snapshot(&w, ends[i].type, ends[i].params, ends[i].status);
		step_at(&w, ends[i].lower, ends[i].sector, &steps);
		check_end(&steps, ends[i].owner,
			  (struct pme_range){SECTORS(ends[i].sector), PME_SECTOR}, ends[i].words);
		world_end(&w);
	}
}

/* What has no exception does not change in a merge; what has one may be gone by now. */
static void a_merge_leaves_doubt(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps data = {0}, same = {0}, old = {0}, down = {0};
	struct pme_range chunk = {SECTORS(80), SECTORS(8)};
	struct world w;

	small_snapshot(&w, "snapshot-merge", "259:0 259:1 P 8", "56/2048 16");
	assert_int_equal(pme_layer_dm.down(&w.stack, &w.dm, chunk, &down), 0);
	assert_int_equal(down.count, 2);
	assert_int_equal(bytes_to(&down, &w.lowers[STORE]), chunk.length);
	assert_int_equal(bytes_to(&down, &w.lowers[ORIGIN]), chunk.length);
	assert_int_equal(down.items[0].certainty, PME_UNCERTAIN);
	assert_int_equal(down.items[1].certainty, PME_UNCERTAIN);
	assert_int_equal(step_at(&w, STORE, 16, &data)->certainty, PME_UNCERTAIN);
	assert_int_equal(data.items[0].to_start, 10 * 8 * 512);
	assert_string_equal(data.items[0].reason, "a merge into vg0/snap runs: chunk 10 is read "
						  "from the store until it was copied");
	assert_int_equal(step_at(&w, ORIGIN, 0, &same)->certainty, PME_EXACT);
	assert_int_equal(step_at(&w, ORIGIN, 80, &old)->certainty, PME_UNCERTAIN);
	world_end(&w);
}

/* Bad sectors in the table itself: it is named, and what it may have held is in doubt. */
static void bad_exceptions_leave_doubt(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps area = {0}, data = {0}, origin = {0};
	struct world w;

	small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
	bad_sector = 8;
	assert_int_equal(step_at(&w, STORE, 8, &area)->owner, PME_OWNER_VOLUME_METADATA);
	assert_int_equal(step_at(&w, STORE, 16, &data)->owner, PME_OWNER_UNKNOWN);
	assert_string_equal(data.items[0].reason, "256 exceptions of snapshot vg0/snap cannot be "
						  "read: one may lead to chunk 2 of its store");
	assert_int_equal(step_at(&w, ORIGIN, 80, &origin)->certainty, PME_UNCERTAIN);
	world_end(&w);
}

static void other_headers_are_no_store(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct world w;

	small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
	image[0] = 0;
	step_at(&w, STORE, 16, &steps);
	check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(16), 512},
		  "cannot read the exceptions of snapshot vg0/snap at byte 0 of pmem1: Invalid "
		  "argument");
	world_end(&w);
}

/* Two chunks in one place, one chunk twice, data in an area, places behind the end. */
static void contradictions_are_no_store(void **state)
{
	static const uint64_t pairs[][4] = {
		{1, 2, 5, 2},	{1, 2, 1, 3},	{1, 1, 0, 0},
		{1, 258, 0, 0}, {1, 256, 0, 0}, {UINT64_MAX, 2, 0, 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(pairs); i++) {
		struct pme_reader_buffer buf = {image, sizeof(image)};
		struct pme_reader reader = pme_reader_of_buffer(&buf);
		struct pme_snapshot_store store;
		struct writer wr;
		uint64_t at;

		memset(image, 0, sizeof(image));
		store_start(&wr, 8);
		for (int n = 0; n < 4; n++)
			put64(4096 + 8 * (uint64_t)n, pairs[i][n]);
		assert_int_equal(pme_snapshot_store_read(
					 &reader, (struct pme_snapshot_hint){4096, 1}, &store, &at),
				 -EINVAL);
	}
}

/* ---- writecache ---- */

#define BLOCKS 60

static void table_start(uint64_t start, uint32_t block, uint64_t sequence)
{
	put32(start, 0x23489321);
	put32(start + 4, 1);
	put32(start + 8, block);
	put64(start + 16, BLOCKS);
	put64(start + 24, sequence);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		put64(start + 64 + i * 16, UINT64_MAX);
		put64(start + 72 + i * 16, UINT64_MAX);
	}
}

struct cache {
	uint64_t start, block, data, next, live;
};

/* The kernel writes block @which of the origin, in its next free block. */
static void cache_write(struct cache *c, struct world *w, uint64_t which, uint64_t sequence)
{
	uint64_t sectors = c->block / 512;

	put64(c->start + 64 + c->next * 16, which * sectors);
	put64(c->start + 72 + c->next * 16, sequence);
	for (uint64_t s = 0; s < sectors; s++)
		w->model.at[which * sectors + s] = (struct model_sector){
			&w->lowers[STORE], (c->data + c->next * c->block) / 512 + s};
	c->next++;
	c->live++;
}

static void cache_start(struct cache *c, struct world *w, bool ssd, uint64_t block, uint64_t start)
{
	uint64_t data = start + 64 + BLOCKS * 16ULL;

	world_start(w, "writecache", 512,
		    pme_printf("%c 259:0 259:1 %lu 4 start_sector %lu high_watermark 60",
			       ssd ? 's' : 'p', block, start / 512));
	while ((data - start) % block != 0)
		data++;
	*c = (struct cache){.start = start, .block = block, .data = data};
	table_start(start, (uint32_t)block, 7);
}

static void writecaches_are_as_written(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 60; round++) {
		uint64_t block = 512ULL << rnd_below(&rnd, 4), n = rnd_below(&rnd, BLOCKS + 1);
		bool ssd = rnd_below(&rnd, 2) == 1;
		_cleanup_free_ char *status = NULL;
		struct cache c;
		struct world w;

		cache_start(&c, &w, ssd, block, SECTORS(rnd_below(&rnd, 9)));
		for (uint64_t i = 0; i < n; i++) {
			uint64_t which = rnd_below(&rnd, 512 * 512 / block);

			/* each block once, or a committed one and one that is not */
			if (w.model.at[which * block / 512].lower == &w.lowers[ORIGIN])
				cache_write(&c, &w, which, 1 + rnd_below(&rnd, 5));
			else if (!ssd)
				cache_write(&c, &w, which, 7 + i);
		}
		status_text = status = pme_printf("0 %d %lu 0 1 2 3", BLOCKS, BLOCKS - c.live);
		check_world(&w, PME_EXACT);
		world_end(&w);
	}
}

static void writecaches_end_with_these_words(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps sb = {0}, entries = {0}, data = {0}, old = {0};
	struct cache c;
	struct world w;

	cache_start(&c, &w, false, 4096, 0);
	cache_write(&c, &w, 5, 3);
	status_text = "0 60 59 0";
	check_end((step_at(&w, STORE, 0, &sb), &sb), PME_OWNER_VOLUME_METADATA,
		  (struct pme_range){0, 512},
		  "superblock of writecache vg0/snap: without it all that was not written back is "
		  "lost");
	check_end(
		(step_at(&w, STORE, 1, &entries), &entries), PME_OWNER_VOLUME_METADATA,
		(struct pme_range){512, 512},
		"entries of blocks 28 to 59 of writecache vg0/snap: bytes 118784 to 249855 of the "
		"cache");
	check_end((step_at(&w, STORE, 16, &data), &data), PME_OWNER_FREE,
		  (struct pme_range){SECTORS(16), 512}, "free in the cache of vg0/snap");
	check_end((step_at(&w, ORIGIN, 41, &old), &old), PME_OWNER_UNUSED,
		  (struct pme_range){SECTORS(41), 512},
		  "stale: newer data of vg0/snap is in block 0 of its cache");
	world_end(&w);
}

/* A table on a disk that has not as many entries as the kernel's: nothing of it is certain. */
static void lagging_tables_leave_doubt(void **state)
{
	static const char *const lagging[] = {"0 60 58 0", "0 60 60 0", "0 60 59 1", "0 61 60 0"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(lagging); i++) {
		_cleanup_(pme_steps_done) struct pme_steps data = {0}, free_block = {0}, old = {0},
							   origin = {0};
		struct cache c;
		struct world w;

		cache_start(&c, &w, true, 4096, 0);
		cache_write(&c, &w, 5, 3);
		status_text = lagging[i];
		assert_int_equal(step_at(&w, STORE, 8, &data)->certainty, PME_UNCERTAIN);
		assert_ptr_equal(data.items[0].to, &w.dm);
		assert_int_equal(step_at(&w, STORE, 16, &free_block)->owner, PME_OWNER_UNKNOWN);
		assert_int_equal(step_at(&w, ORIGIN, 40, &old)->owner, PME_OWNER_UNKNOWN);
		assert_int_equal(step_at(&w, ORIGIN, 0, &origin)->certainty, PME_UNCERTAIN);
		world_end(&w);
	}
}

static void failed_writecaches_are_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct cache c;
	struct world w;

	cache_start(&c, &w, false, 4096, 0);
	status_text = "-5 60 59 0";
	step_at(&w, STORE, 8, &steps);
	check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(8), 512},
		  "writecache vg0/snap has failed");
	world_end(&w);
}

/* ---- clone: metadata is the third device, which this machine has not ---- */

static const struct {
	const char *status;
	bool dest_leads, source_leads;
	enum pme_certainty certainty;
} clones[] = {
	{"8 1/256 8 64/64 0 0 4 hydration_threshold 1 hydration_batch_size 1 rw", true, false,
	 PME_EXACT},
	{"8 1/256 8 0/64 0 1 no_hydration 0 rw", false, true, PME_EXACT},
	{"8 1/256 8 0/64 3 0 0 rw", true, true, PME_UNCERTAIN},
	{"8 1/256 8 30/64 0 0 0 rw", true, true, PME_UNCERTAIN},
};

static void clones_lead_by_what_is_hydrated(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(clones); i++) {
		_cleanup_(pme_steps_done) struct pme_steps dest = {0}, source = {0}, down = {0};
		struct world w;

		world_start(&w, "clone", 512, strdup("259:7 259:0 259:1 8 1 no_hydration"));
		status_text = clones[i].status;
		step_at(&w, 0, 9, &dest);
		step_at(&w, 1, 9, &source);
		assert_int_equal(
			pme_layer_dm.down(&w.stack, &w.dm, (struct pme_range){512, 512}, &down), 0);
		assert_int_equal(bytes_between(&dest, &w.dm, 9, 9), clones[i].dest_leads * 512);
		assert_int_equal(bytes_between(&source, &w.dm, 9, 9), clones[i].source_leads * 512);
		assert_int_equal(bytes_between(&down, &w.lowers[0], 1, 1),
				 clones[i].dest_leads * 512);
		assert_int_equal(bytes_between(&down, &w.lowers[1], 1, 1),
				 clones[i].source_leads * 512);
		for (size_t n = 0; n < down.count; n++)
			assert_int_equal(down.items[n].certainty, clones[i].certainty);
		world_end(&w);
	}
}

static void failed_clones_are_unknown(void **state)
{
	static const char *const failed[] = {
		"Fail", "Error", "", "8 1/256 8 3/0 0 0", "8 1/256 8 65/64 0 0", "8 1/256 8 1 0"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(failed); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct world w;

		world_start(&w, "clone", 512, strdup("259:7 259:0 259:1 8"));
		status_text = failed[i];
		step_at(&w, 0, 9, &steps);
		check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(9), 512},
			  "cannot tell how much of clone vg0/snap is hydrated: Invalid argument");
		world_end(&w);
	}
}

static void explains_in_plain_numbers(void **state)
{
	_cleanup_free_ char *exception = NULL, *shared = NULL, *cached = NULL, *origin = NULL;
	struct cache c;
	struct world w;

	small_snapshot(&w, "snapshot", "259:0 259:1 P 8", "56/2048 16");
	exception = pme_layer_dm.explain(&w.stack, &w.lowers[STORE], 2 * 4096 + 5, &w.dm,
					 10 * 4096 + 5);
	assert_string_equal(exception, "8197 = chunk 2 of 4096 of the store pmem1 + 5; its "
				       "exception: chunk 10 of vg0/snap; 10 * 4096 + 5 = 40965");
	shared = pme_layer_dm.explain(&w.stack, &w.lowers[ORIGIN], 4097, &w.dm, 4097);
	assert_string_equal(shared, "4097 (same byte of pmem0: chunk 1 of 4096 has no exception in "
				    "vg0/snap) = 4097");
	world_end(&w);
	cache_start(&c, &w, false, 4096, 0);
	cache_write(&c, &w, 5, 3);
	status_text = "0 60 59 0";
	cached = pme_layer_dm.explain(&w.stack, &w.lowers[STORE], 4096 + 7, &w.dm, 5 * 4096 + 7);
	assert_string_equal(cached, "4103 - 4096 (block 0 on pmem1) = block 0 of 4096 + 7; its "
				    "entry: block 5 of the origin; 0 (segment in vg0/snap) + 5 * "
				    "4096 + 7 = 20487");
	origin = pme_layer_dm.explain(&w.stack, &w.lowers[ORIGIN], 1, &w.dm, 1);
	assert_string_equal(origin, "1 (no entry for block 0 of 4096 in the cache) + 0 (segment in "
				    "vg0/snap) = 1");
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_are_as_written),
		cmocka_unit_test(snapshots_end_with_these_words),
		cmocka_unit_test(a_merge_leaves_doubt),
		cmocka_unit_test(bad_exceptions_leave_doubt),
		cmocka_unit_test(other_headers_are_no_store),
		cmocka_unit_test(contradictions_are_no_store),
		cmocka_unit_test(writecaches_are_as_written),
		cmocka_unit_test(writecaches_end_with_these_words),
		cmocka_unit_test(lagging_tables_leave_doubt),
		cmocka_unit_test(failed_writecaches_are_unknown),
		cmocka_unit_test(clones_lead_by_what_is_hydrated),
		cmocka_unit_test(failed_clones_are_unknown),
		cmocka_unit_test(explains_in_plain_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
