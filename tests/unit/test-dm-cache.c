/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-cache.c, dm-cache-map.c and dm-cache-meta.c.
 *
 * Metadata as the kernel writes it: superblock 0, the btree node 1, array blocks 2 and behind.
 * Disks below: 259:0 metadata, 259:1 cache, 259:2 origin.
 */
#include "dm-ask.h"
#include "dm-cache-meta.h"
#include "hop-check.h"
#include "media.h"
#include "thin-image.h"

#include <sys/sysmacros.h>

#define SECTORS(n) ((uint64_t)(n)*PME_SECTOR)
#define BS 64	   /* sectors of a block */
#define N_ORIGIN 9 /* blocks; the last one is cut: half of it is there */
#define ORIGIN_SECTORS ((N_ORIGIN - 1) * BS + BS / 2)
#define N_CACHE 600 /* blocks: two array blocks */

enum { META, CACHE, ORIGIN };

static struct image image;
#define N_STATUSES 9
static const char *statuses[N_STATUSES]; /* the answers, one after the other */
static int n_asked, n_flushed;

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret);

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	assert_int_equal(minor(dev->devno), META);
	return 100000; /* nobody's descriptor */
}

int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset)
{
	assert_int_equal(size, PME_BTREE_BLOCK);
	return image_read(&image, offset / PME_BTREE_BLOCK, buf);
}

int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret)
{
	bool commits = n_asked % 3 == 1;

	assert_true(n_asked < N_STATUSES && statuses[n_asked]);
	assert_int_equal(flush, commits ? PME_DM_FLUSH : PME_DM_NO_FLUSH);
	n_flushed += commits;
	*ret = strdup(statuses[n_asked++]);
	return 0;
}

struct world {
	struct pme_dev lowers[3], dm;
	const struct pme_dev *edges[3];
	struct pme_dm_line line;
	struct pme_stack stack;
};

static void array_seal(unsigned int block)
{
	unsigned char *p = image.blocks[block];

	put64(p + 16, block);
	put32(p, pme_btree_csum(p, PME_CACHE_SALT_ARRAY));
}

static void super_seal(void)
{
	image_seal(&image, 0, PME_CACHE_SALT_SUPER);
}

/* Block @place of the cache holds block @block of the origin. */
static void put_mapping(unsigned int place, uint64_t value)
{
	put64(image.blocks[2 + place / 509] + 24 + place % 509 * 8, value);
	array_seal(2 + place / 509);
}

static void build(void)
{
	unsigned char *sb = image.blocks[0];

	memset(&image, 0, sizeof(image));
	put64(sb + 32, 0x18c403); /* as a live cache has it; the kernel's number is octal */
	put32(sb + 40, 2);
	put64(sb + 192, 1);
	put32(sb + 232, BS);
	put32(sb + 236, 8);
	put32(sb + 240, N_CACHE);
	super_seal();
	image_node(&image, 1, true, 8);
	image_entry(&image, 1, 0, 2);
	image_entry(&image, 1, 1, 3);
	for (unsigned int i = 0; i < 2; i++) {
		put32(image.blocks[2 + i] + 4, 509);
		put32(image.blocks[2 + i] + 8, i == 0 ? 509 : N_CACHE - 509);
		put32(image.blocks[2 + i] + 12, 8);
		array_seal(2 + i);
	}
	put_mapping(3, 5ULL << 16 | 1);
	put_mapping(550, 8ULL << 16 | 3); /* the dirty flag of an older format says nothing */
	put_mapping(7, 2ULL << 16);	  /* not valid */
}

static const char *const names[] = {"pmem0", "pmem1", "pmem2"};

static void world_start(struct world *w, const char *status)
{
	*w = (struct world){0};
	for (unsigned int i = 0; i < 3; i++) {
		w->lowers[i] = (struct pme_dev){
			.name = text(names[i]),
			.kind = PME_DEV_DISK,
			.devno = makedev(259, i),
			.size = SECTORS((N_CACHE + 2) * BS),
		};
		w->edges[i] = &w->lowers[i];
	}
	w->line = (struct pme_dm_line){
		.range = {0, SECTORS(ORIGIN_SECTORS)},
		.type = text("cache"),
		.params = text("259:0 259:1 259:2 64 2 metadata2 writethrough smq 0"),
	};
	w->dm = (struct pme_dev){.name = text("dm-0"),
				 .alias = text("vg0/c"),
				 .kind = PME_DEV_DM,
				 .size = w->line.range.length,
				 .lowers = w->edges,
				 .n_lowers = 3,
				 .lines = &w->line,
				 .n_lines = 1};
	for (int i = 0; i < N_STATUSES; i++)
		statuses[i] = status;
	n_asked = n_flushed = 0;
}

static void world_end(struct world *w)
{
	pme_stack_done(&w->stack);
}

static const struct pme_step *step_at(struct world *w, int lower, uint64_t sector,
				      struct pme_steps *steps)
{
	struct pme_range range = {SECTORS(sector), PME_SECTOR};

	assert_int_equal(pme_layer_dm.up(&w->stack, &w->dm, &w->lowers[lower], range, steps), 0);
	assert_int_equal(steps->count, 1);
	return &steps->items[0];
}

#define STATUS(used, dirty)                                                          \
	"8 20/256 64 " used "/600 1 2 3 4 5 6 " dirty " 2 metadata2 writethrough 2 " \
	"migration_threshold 2048 smq 0 rw - "

/* What the test knows of its own image. */
static int place_of(uint64_t block)
{
	return block == 5 ? 3 : block == 8 ? 550 : -1;
}

static void test_every_sector(void **state)
{
	static const char *const all[] = {STATUS("2", "0"), STATUS("2", "2"), STATUS("2", "1")};

	for (int kind = 0; kind < 3; kind++) {
		_cleanup_(pme_steps_done) struct pme_steps origin = {0}, cache = {0}, down = {0};
		uint64_t in_cache = 0, in_origin = 0;
		struct world w;

		build();
		world_start(&w, all[kind]);
		assert_int_equal(pme_layer_dm.up(&w.stack, &w.dm, &w.lowers[ORIGIN],
						 (struct pme_range){0, w.lowers[ORIGIN].size},
						 &origin),
				 0);
		assert_int_equal(pme_layer_dm.up(&w.stack, &w.dm, &w.lowers[CACHE],
						 (struct pme_range){0, w.lowers[CACHE].size},
						 &cache),
				 0);
		assert_int_equal(
			pme_layer_dm.down(&w.stack, &w.dm, (struct pme_range){0, w.dm.size}, &down),
			0);
		check_inside(&origin, (struct pme_range){0, w.lowers[ORIGIN].size});
		check_inside(&cache, (struct pme_range){0, SECTORS(N_CACHE * BS)});
		for (uint64_t s = 0; s < ORIGIN_SECTORS; s++) {
			int place = place_of(s / BS);
			uint64_t at = (uint64_t)place * BS + s % BS;
			/* where nothing is cached, or it is not all dirty */
			uint64_t here = place < 0 || kind != 1 ? PME_SECTOR : 0;

			assert_int_equal(bytes_between(&origin, &w.dm, s, s), here);
			assert_int_equal(bytes_between(&down, &w.lowers[ORIGIN], s, s), here);
			in_origin += here;
			if (place < 0)
				continue;
			assert_int_equal(bytes_between(&cache, &w.dm, at, s), PME_SECTOR);
			assert_int_equal(bytes_between(&down, &w.lowers[CACHE], s, at), PME_SECTOR);
			in_cache += PME_SECTOR;
		}
		assert_int_equal(bytes_to(&origin, &w.dm), in_origin);
		assert_int_equal(bytes_to(&cache, &w.dm), in_cache);
		assert_int_equal(n_flushed, 1);
		world_end(&w);
	}
}

static void test_clean(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
	const struct pme_step *step;
	struct world w;

	build();
	world_start(&w, STATUS("2", "0"));
	step = step_at(&w, CACHE, 3 * BS + 1, &a);
	assert_true(step->ends_if_copied);
	assert_int_equal(step->owner, PME_OWNER_CACHE_COPY);
	assert_int_equal(step->certainty, PME_EXACT);
	assert_string_equal(step->detail, "clean copy of block 5 of vg0/c in block 3 of its cache: "
					  "reads of it fail until it leaves the cache");
	assert_int_equal(step->copies->count, 1);
	assert_ptr_equal(step->copies->places[0].dev, &w.lowers[ORIGIN]);
	assert_int_equal(step->copies->places[0].start, SECTORS(5 * BS + 1));
	step = step_at(&w, ORIGIN, 5 * BS + 1, &b);
	assert_false(step->ends_if_copied);
	assert_ptr_equal(step->copies->places[0].dev, &w.lowers[CACHE]);
	assert_int_equal(step->copies->places[0].start, SECTORS(3 * BS + 1));
	assert_null(step_at(&w, ORIGIN, 4 * BS, &c)->copies);
	step_at(&w, CACHE, 7 * BS, &d);
	check_end(&d, PME_OWNER_FREE, (struct pme_range){SECTORS(7 * BS), 512},
		  "free in the cache of vg0/c");
	step_at(&w, META, 9, &e);
	check_end(&e, PME_OWNER_VOLUME_METADATA, (struct pme_range){SECTORS(9), 512},
		  "metadata of cache vg0/c: without it all that is dirty in the cache is lost");
	world_end(&w);
}

static void test_dirty(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
	struct world w;

	build();
	world_start(&w, STATUS("2", "2"));
	assert_null(step_at(&w, CACHE, 3 * BS + 1, &a)->copies);
	assert_int_equal(a.items[0].certainty, PME_EXACT);
	step_at(&w, ORIGIN, 5 * BS + 1, &b);
	check_end(&b, PME_OWNER_UNUSED, (struct pme_range){SECTORS(5 * BS + 1), 512},
		  "stale: newer data of vg0/c is in block 3 of its cache");
	step_at(&w, CACHE, 550 * BS + BS / 2, &c);
	check_end(&c, PME_OWNER_UNUSED, (struct pme_range){SECTORS(550 * BS + BS / 2), 512},
		  "behind the end of cache vg0/c");
	world_end(&w);
	world_start(&w, STATUS("2", "1"));
	assert_int_equal(step_at(&w, CACHE, 3 * BS + 1, &d)->certainty, PME_UNCERTAIN);
	assert_string_equal(d.items[0].reason,
			    "1 of 2 blocks in cache vg0/c are dirty, perhaps block 3, the only "
			    "place of its data then: switch to the cleaner policy and scan again");
	assert_int_equal(step_at(&w, ORIGIN, 5 * BS + 1, &e)->certainty, PME_UNCERTAIN);
	world_end(&w);
}

static void expect_unknown(struct world *w, const char *words)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};

	step_at(w, ORIGIN, 9, &steps);
	check_end(&steps, PME_OWNER_UNKNOWN, (struct pme_range){SECTORS(9), 512}, words);
	world_end(w);
}

static void test_unknown(void **state)
{
	struct world w;

	build();
	world_start(&w, "Fail");
	expect_unknown(&w, "cache vg0/c has failed, or needs a check of its metadata");
	world_start(&w, "8 20/256 64 2/600 1 2 3 4 5 6 0 1 writeback 0 smq 0 rw needs_check ");
	expect_unknown(&w, "cache vg0/c has failed, or needs a check of its metadata");
	world_start(&w, "8 20/256 64 2/600 1 2 3 4 5 6 0 1 writeback 0 smq 0 ro - ");
	expect_unknown(&w, "cache vg0/c has failed, or needs a check of its metadata");
	world_start(&w, "8 20/256 64 2/600 1 2 3");
	expect_unknown(&w, "cannot ask for the state of cache vg0/c: Invalid argument");
	world_start(&w, STATUS("3", "0"));
	expect_unknown(&w, "cache vg0/c moves blocks: its metadata has 2, the kernel 3: scan again "
			   "when it is quiet");
	assert_int_equal(n_flushed, 3);
	world_start(&w, STATUS("2", "0"));
	w.line.params = text("259:0 259:1 259:2 0 0");
	expect_unknown(&w, "table line 1 of vg0/c: malformed 'cache' parameters");
}

/* A block moved in the first try, none in the second one. */
static void test_again(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct world w;

	build();
	world_start(&w, STATUS("2", "0"));
	statuses[0] = "8 20/256 64 2/600 1 2 3 4 5 5 0 1 writeback 0 smq 0 rw - ";
	assert_int_equal(step_at(&w, ORIGIN, 9, &steps)->certainty, PME_EXACT);
	assert_int_equal(n_flushed, 2);
	world_end(&w);
}

static void expect_bad(const char *expected)
{
	struct pme_btree_reader reader = {.read = image_read, .context = &image};
	struct pme_cache_shape shape = {SECTORS(BS), N_CACHE, SECTORS(ORIGIN_SECTORS)};
	struct pme_remaps map;
	const char *what;
	uint64_t where;

	assert_int_equal(pme_cache_map_read(&reader, &shape, &map, &what, &where), -EBADMSG);
	assert_string_equal(what, expected);
}

static void test_hostile(void **state)
{
	build();
	image.blocks[2][100] ^= 1;
	expect_bad("wrong checksum");
	build();
	put_mapping(4, 5ULL << 16 | 1);
	expect_bad("a block that is in the cache twice");
	build();
	put_mapping(4, 9ULL << 16 | 1);
	expect_bad("a mapping that makes no sense");
	build();
	put_mapping(4, 1ULL << 16 | 4);
	expect_bad("a mapping that makes no sense");
	build();
	image_node(&image, 1, true, 8);
	image_entry(&image, 1, 0, 2);
	expect_bad("mappings are missing");
	build();
	image_node(&image, 1, true, 8);
	image_entry(&image, 1, 0, 3);
	expect_bad("no sound block of the mappings");
	build();
	put32(image.blocks[0] + 232, BS / 2);
	super_seal();
	expect_bad("another block size than that of the table");
	build();
	put32(image.blocks[0] + 40, 3);
	super_seal();
	expect_bad("no superblock of a known version");
}

/* The superblock that is read behind the mappings is another one. */
static int read_changing(void *context, uint64_t block, void *buf)
{
	int r = image_read(context, block, buf);

	if (block == 1) {
		put32(image.blocks[0] + 256, 77); /* hits */
		super_seal();
	}
	return r;
}

static void test_changing(void **state)
{
	struct pme_btree_reader reader = {.read = read_changing, .context = &image};
	struct pme_cache_shape shape = {SECTORS(BS), N_CACHE, SECTORS(ORIGIN_SECTORS)};
	struct pme_remaps map;
	const char *what;
	uint64_t where;

	build();
	assert_int_equal(pme_cache_map_read(&reader, &shape, &map, &what, &where), -EAGAIN);
	assert_string_equal(what, "changed while it was read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_sector), cmocka_unit_test(test_clean),
		cmocka_unit_test(test_dirty),	     cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_again),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_changing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
