/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of dm-thin-meta.c, dm-thin-guard.c (status lines), dm-thin-pool.c and dm-thin.c.
 *
 * The image: superblock 0, held one 1, details 2, devices 3; device 1 has an inner node 4 over the
 * leaves 5 and 6, device 2 (a snapshot of it) shares leaf 6 by its own inner node 7 with leaf 8.
 */
#include "check.h"

#include <sys/sysmacros.h>

#include "climb.h"
#include "dm-thin-guard.h"
#include "dm-thin-map.h"
#include "dm-thin-record.h"
#include "layer.h"
#include "rest-lvm.h"
#include "snapshot.h"
#include "thin-image.h"

#define BS 65536ULL

static struct image image;

static void build(void)
{
	memset(&image, 0, sizeof(image));
	image_super(&image, 0, 1, 60, 60); /* the live trees: not to be read */
	image_super(&image, 1, 0, 3, 2);
	image_node(&image, 2, true, 24);
	image_entry(&image, 2, 1, 0);
	image_entry(&image, 2, 2, 0);
	image_entry(&image, 2, 5, 0); /* without mappings */
	image_node(&image, 3, true, 8);
	image_entry(&image, 3, 1, 4);
	image_entry(&image, 3, 2, 7);
	image_node(&image, 4, false, 8);
	image_entry(&image, 4, 0, 5);
	image_entry(&image, 4, 10, 6);
	image_node(&image, 5, true, 8);
	image_entry(&image, 5, 0, 100ULL << 24 | 3); /* the time of the mapping is no address */
	image_entry(&image, 5, 1, 101ULL << 24 | 4);
	image_entry(&image, 5, 3, 50ULL << 24);
	image_node(&image, 6, true, 8);
	image_entry(&image, 6, 10, 7ULL << 24);
	image_node(&image, 7, false, 8);
	image_entry(&image, 7, 0, 8);
	image_entry(&image, 7, 10, 6);
	image_node(&image, 8, true, 8);
	image_entry(&image, 8, 0, 100ULL << 24);
	image_entry(&image, 8, 1, 60ULL << 24);
}

static int read_map(struct pme_thin_map *map, const char **what, uint64_t *where)
{
	struct pme_btree_reader reader = {.read = image_read, .context = &image};

	*map = (struct pme_thin_map){0};
	image.reads = 0;
	return pme_thin_map_read(&reader, 1, BS, 200, map, what, where);
}

static void test_map(void **state)
{
	const struct pme_thin_run *run;
	struct pme_thin_map map;
	const char *what;
	uint64_t where;
	size_t pos = 0;

	build();
	assert_int_equal(read_map(&map, &what, &where), 0);
	assert_int_equal(map.n_runs, 6);
	run = pme_thin_map_find(&map, 1, 1);
	assert_int_equal(run->block, 0);
	assert_int_equal(run->count, 2);
	assert_int_equal(pme_thin_map_find(&map, 1, 2)->data, 50);
	assert_int_equal(pme_thin_map_find(&map, 2, 5)->data, 7);
	assert_null(pme_thin_map_find(&map, 1, 11));
	assert_null(pme_thin_map_find(&map, 5, 0));
	assert_true(pme_thin_map_has(&map, 5));
	assert_false(pme_thin_map_has(&map, 4));
	run = pme_thin_map_next(&map, 100, 101, &pos);
	assert_int_equal(run->dev, 1);
	run = pme_thin_map_next(&map, 100, 101, &pos);
	assert_int_equal(run->dev, 2);
	assert_null(pme_thin_map_next(&map, 100, 101, &pos));
	pos = 0;
	assert_int_equal(pme_thin_map_next(&map, 101, 102, &pos)->dev, 1);
	assert_null(pme_thin_map_next(&map, 101, 102, &pos));
	pos = 0;
	assert_null(pme_thin_map_next(&map, 8, 50, &pos));
	pme_thin_map_done(&map);
}

/* What the image says after one change; the words of the error. */
static void expect_bad(const char *expected)
{
	struct pme_thin_map map;
	const char *what;
	uint64_t where;

	assert_int_equal(read_map(&map, &what, &where), -EBADMSG);
	assert_string_equal(what, expected);
	assert_true(image.reads < 100);
	pme_thin_map_done(&map);
}

static void test_hostile(void **state)
{
	build();
	image.blocks[6][100] ^= 1;
	expect_bad("wrong checksum");
	build();
	memcpy(image.blocks[6], image.blocks[5], PME_BTREE_BLOCK);
	expect_bad("a block of another place");
	build();
	image_super(&image, 0, 9, 3, 2);
	expect_bad("another metadata snapshot than the kernel named");
	build();
	image_node(&image, 4, false, 8); /* its own child */
	image_entry(&image, 4, 0, 4);
	expect_bad("the tree is too deep");
	build();
	image_node(&image, 4, false, 8); /* a bomb: each child is the node itself */
	for (uint64_t i = 0; i < 200; i++)
		image_entry(&image, 4, i, 4);
	expect_bad("no sound node of a btree");
	build();
	put32(image.blocks[5] + 16, UINT32_MAX);
	image_seal(&image, 5, PME_BTREE_SALT);
	expect_bad("no sound node of a btree");
	build();
	put32(image.blocks[5] + 20, UINT32_MAX);
	image_seal(&image, 5, PME_BTREE_SALT);
	expect_bad("no sound node of a btree");
	build();
	image_entry(&image, 5, 2, 0); /* not rising */
	expect_bad("no sound node of a btree");
	build();
	image_entry(&image, 6, 11, 200ULL << 24);
	expect_bad("a value that makes no sense");
	build();
	image_entry(&image, 3, 4, 8);
	expect_bad("a thin device without details");
	build();
	image_entry(&image, 4, 20, UINT64_MAX);
	expect_bad("a block number behind the end");
}

/* Computed with another program: 4092 bytes, zeros but for 1 to 9 in ASCII at the end. */
static void test_csum(void **state)
{
	unsigned char block[PME_BTREE_BLOCK] = {0};

	memcpy(block + sizeof(block) - 9, "123456789", 9);
	assert_int_equal(pme_btree_csum(block, 0), 0x2e5db1U);
}

static void test_status(void **state)
{
	struct pme_thin_status s;

	assert_int_equal(pme_thin_status_parse("1 14/2048 20/160 - rw no_discard_passdown "
					       "queue_if_no_space - 1024",
					       &s),
			 0);
	assert_int_equal(s.held, 0);
	assert_int_equal(s.data_blocks, 160);
	assert_false(s.read_only || s.failed || s.needs_check);
	assert_int_equal(pme_thin_status_parse("1 14/2048 20/160 33 ro a b needs_check 1024", &s),
			 0);
	assert_int_equal(s.held, 33);
	assert_true(s.read_only && s.needs_check);
	assert_int_equal(pme_thin_status_parse("Fail", &s), 0);
	assert_true(s.failed);
	assert_int_equal(pme_thin_status_parse("", &s), -EINVAL);
	assert_int_equal(pme_thin_status_parse("1 14 20/160 - rw", &s), -EINVAL);
	assert_int_equal(pme_thin_status_parse("1 14/1 20/160 x rw", &s), -EINVAL);
}

/* Whose is the snapshot that a record tells of?  Never ours when anything differs. */
static void test_record(void **state)
{
	const struct pme_thin_mark mine = {.block = 33, .sum = 0xfedcba98};
	_cleanup_free_ char *held = pme_thin_record_text("boot-1", "12 LVM-x y", &mine);
	_cleanup_free_ char *asking = pme_thin_record_text("boot-1", "12 LVM-x y", NULL);
	_cleanup_free_ char *nameless = pme_thin_record_text("boot-1", "12 ", &mine);
	struct pme_thin_mark got;

	assert_string_equal(held, "boot-1 held 33 4275878552 12 LVM-x y\n");
	assert_int_equal(pme_thin_record_parse(held, "boot-1", "12 LVM-x y", &got),
			 PME_THIN_RECORD_HELD);
	assert_true(pme_thin_mark_same(&got, &mine));
	assert_int_equal(pme_thin_record_parse(nameless, "boot-1", "12 ", &got),
			 PME_THIN_RECORD_HELD);
	assert_int_equal(pme_thin_record_parse(held, "boot-2", "12 LVM-x y", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse(held, "boot-1", "13 LVM-x y", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse(held, "boot-1", "12 LVM-x", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse(held, "boot-1", "12 ", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse(asking, "boot-1", "12 LVM-x y", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse("", "boot-1", "12 ", &got), PME_THIN_RECORD_NONE);
	held[strlen(held) - 1] = '\0'; /* cut off: the uuid may go on */
	assert_int_equal(pme_thin_record_parse(held, "boot-1", "12 LVM-x y", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse("boot-1 held 33 12\n", "boot-1", "12 ", &got),
			 PME_THIN_RECORD_UNSURE);
	assert_int_equal(pme_thin_record_parse("boot-1 held 33\n", "boot-1", "12 ", &got),
			 PME_THIN_RECORD_UNSURE);
}

static void test_mark(void **state)
{
	const struct pme_thin_mark mark = {.block = 33, .sum = 5}, other = {.block = 33, .sum = 6},
				   moved = {.block = 34, .sum = 5},
				   unread = {.block = 33, .sum = PME_THIN_NO_SUM},
				   none = {.sum = 5};

	assert_true(pme_thin_mark_same(&mark, &mark));
	assert_false(pme_thin_mark_same(&mark, &other));
	assert_false(pme_thin_mark_same(&mark, &moved));
	assert_false(pme_thin_mark_same(&unread, &unread));
	assert_false(pme_thin_mark_same(&none, &none));
}

/* Stacks with the map of the image; device 1 is active with an origin, device 2 is not. */
struct fixture {
	struct snapshot snap;
	struct pme_dev *meta, *data, *origin, *pool, *thin;
};

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){0};
	snap_init(&f->snap, NULL);
	f->meta = snap_disk(&f->snap, "pmem0", 4096);
	f->data = snap_disk(&f->snap, "pmem1", 200 * 128 + 8);
	f->origin = snap_disk(&f->snap, "pmem2", 4 * 128);
	f->pool = snap_dm(&f->snap, "dm-0");
	snap_line(f->pool, 200 * 128, "thin-pool",
		  pme_printf("%u:%u %u:%u 128 0", major(f->meta->devno), minor(f->meta->devno),
			     major(f->data->devno), minor(f->data->devno)));
	snap_stack(f->meta, f->pool);
	snap_stack(f->data, f->pool);
	f->thin = snap_dm(&f->snap, "dm-1");
	snap_line(f->thin, 20 * 128, "thin",
		  pme_printf("%u:%u 1 %u:%u", major(f->pool->devno), minor(f->pool->devno),
			     major(f->origin->devno), minor(f->origin->devno)));
	snap_stack(f->pool, f->thin);
	snap_stack(f->origin, f->thin);
}

/* "START+LENGTH>DEV:START", "START+LENGTH=OWNER", in blocks of the pool. */
static void describe(const struct pme_steps *steps, char **words)
{
	for (size_t i = 0; i < steps->count; i++) {
		const struct pme_step *s = &steps->items[i];
		_cleanup_free_ char *word =
			s->to ? pme_printf("%g+%g>%s:%g", (double)s->from.start / BS,
					   (double)s->from.length / BS, s->to->name,
					   (double)s->to_start / BS)
			      : pme_printf("%g+%g=%s", (double)s->from.start / BS,
					   (double)s->from.length / BS, pme_owner_name(s->owner));

		words_add(words, word);
	}
}

static void expect_up(struct fixture *f, const struct pme_dev *upper, const struct pme_dev *lower,
		      double start, double length, const char *expected)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	_cleanup_free_ char *words = NULL;
	struct pme_range range = {(uint64_t)(start * BS), (uint64_t)(length * BS)};

	assert_int_equal(pme_layer_dm.up(&f->snap.stack, upper, lower, range, &steps), 0);
	describe(&steps, &words);
	assert_string_equal(words ? words : "", expected);
}

static void expect_down(struct fixture *f, const struct pme_dev *upper, double start, double length,
			const char *expected)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	_cleanup_free_ char *words = NULL;
	struct pme_range range = {(uint64_t)(start * BS), (uint64_t)(length * BS)};

	assert_int_equal(pme_layer_dm.down(&f->snap.stack, upper, range, &steps), 0);
	describe(&steps, &words);
	assert_string_equal(words, expected);
}

/* Loaders are replaced: __wrap_pme_map_get() hands out the map of the image, and one of LVM. */
static struct pme_thin_map wrapped;
static struct pme_lvm_map wrapped_lvm;
int __wrap_pme_map_get(struct pme_stack *stack, const struct pme_map_kind *kind,
		       const struct pme_dev *dev, const struct pme_dm_line *line, const void **ret,
		       const char **ret_why);
int __real_pme_map_get(struct pme_stack *stack, const struct pme_map_kind *kind,
		       const struct pme_dev *dev, const struct pme_dm_line *line, const void **ret,
		       const char **ret_why);
int __wrap_pme_map_get(struct pme_stack *stack, const struct pme_map_kind *kind,
		       const struct pme_dev *dev, const struct pme_dm_line *line, const void **ret,
		       const char **ret_why)
{
	if (kind == &pme_lvm_map_kind && wrapped_lvm.in_group) {
		*ret = &wrapped_lvm;
		return 0;
	}
	if (kind != &pme_thin_map_kind || !wrapped.block_size)
		return __real_pme_map_get(stack, kind, dev, line, ret, ret_why);
	*ret = &wrapped;
	return 0;
}

static void test_layers(void **state)
{
	struct fixture f;
	const char *what;
	uint64_t where;

	build();
	assert_int_equal(read_map(&wrapped, &what, &where), 0);
	fixture_init(&f);
	/* block 100 is shared with device 2, 101 is not, 102 is free, 60 has device 2 alone */
	expect_up(&f, f.pool, f.data, 100, 3, "100+1=unknown 100+2>dm-0:100 102+1=free ");
	expect_up(&f, f.pool, f.data, 60.5, 0.25, "60.5+0.25=unknown ");
	expect_up(&f, f.pool, f.data, 199.5, 0.5625, "199.5+0.5=free 200+0.0625=unused ");
	expect_up(&f, f.pool, f.meta, 0, 1,
		  "0+0.0625=volume-metadata 0.0625+0.9375=volume-metadata ");
	expect_up(&f, f.thin, f.pool, 99.5, 1, "100+0.5>dm-1:0 ");
	expect_up(&f, f.thin, f.pool, 7, 1, "7+1>dm-1:10 ");
	expect_up(&f, f.thin, f.pool, 60, 1, "");
	expect_up(&f, f.thin, f.origin, 0.5, 3, "2+1>dm-1:2 ");
	expect_down(&f, f.thin, 1, 4, "1+1>dm-0:101 2+1>pmem2:2 3+1>dm-0:50 4+1=unused ");
	expect_down(&f, f.thin, 10.5, 0.25, "10.5+0.25>dm-0:7.5 ");
	expect_down(&f, f.pool, 3, 1, "3+1>pmem1:3 ");
	snap_done(&f.snap);
	pme_thin_map_done(&wrapped);
}

/* The reason for the first byte of block @block of the data device. */
static void expect_reason(struct fixture *f, uint64_t block, const char *expected)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range = {block * BS, 1};

	assert_int_equal(pme_layer_dm.up(&f->snap.stack, f->pool, f->data, range, &steps), 0);
	assert_int_equal(steps.count, 1);
	assert_string_equal(steps.items[0].reason, expected);
}

#define GROUP_ID "gggggggggggggggggggggggggggggggg"
#define POOL_ID "pppppppppppppppppppppppppppppppp"

/* Inactive volumes have the names of LVM when the pool is its own and the group is the right one.
 */
static void test_names(void **state)
{
	char vg[] = "vg", other[] = "other", pool[] = "pool", pool2[] = "pool2", snap[] = "snap";
	struct pme_lvm_lv lvs[] = {
		{.name = other, .id = "o", .thin_pool = pool2, .device_id = 2},
		{.name = pool, .id = POOL_ID},
		{.name = pool2, .id = "q"},
		{.name = snap, .id = "s", .thin_pool = pool, .device_id = 2},
	};
	static const char number[] = "thin device 2 of thin pool dm-0 is not active (its bytes "
				     "65536 to 65536)";
	struct fixture f;
	const char *what;
	uint64_t where;

	build();
	assert_int_equal(read_map(&wrapped, &what, &where), 0);
	fixture_init(&f);
	wrapped_lvm = (struct pme_lvm_map){
		.in_group = true,
		.vg = {.name = vg, .id = GROUP_ID, .lvs = lvs, .n_lvs = PME_ARRAY_SIZE(lvs)},
	};
	expect_reason(&f, 60, number);
	f.pool->uuid = strdup("LVM-" GROUP_ID POOL_ID "-tpool");
	expect_reason(&f, 60,
		      "thin volume vg/snap (device 2 of thin pool dm-0) is not active (its bytes "
		      "65536 to 65536): lvchange -ay -K vg/snap, and scan again");
	lvs[3].device_id = 3;
	expect_reason(&f, 60, number);
	lvs[3].device_id = 2;
	wrapped_lvm.vg.id[0] = 'x'; /* a physical volume of another group */
	expect_reason(&f, 60, number);
	wrapped_lvm = (struct pme_lvm_map){0};
	expect_reason(&f, 60, number); /* nothing can be read */
	snap_done(&f.snap);
	pme_thin_map_done(&wrapped);
}

static void test_made_up_root(void **state)
{
	struct fixture f;

	fixture_init(&f);
	expect_up(&f, f.pool, f.data, 1, 1, "1+1=unknown ");
	expect_up(&f, f.thin, f.pool, 1, 1, "1+1=unknown ");
	expect_down(&f, f.thin, 1, 1, "1+1=unknown ");
	snap_done(&f.snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_csum),	     cmocka_unit_test(test_status),
		cmocka_unit_test(test_record),	     cmocka_unit_test(test_mark),
		cmocka_unit_test(test_layers),	     cmocka_unit_test(test_names),
		cmocka_unit_test(test_made_up_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
