/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/layer-bcache.c: two backing devices share one cache device, as they do on a machine.
 */
#include "bcache-map.h"
#include "bcache-supers.h"
#include "hop-check.h"
#include "media.h"
#include "snapshot.h"
#include "tree.h"

#define LIST "sys/kernel/debug/bcache/bcache-" SET

static int media_error;

int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset);
int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset)
{
	assert_int_equal(offset, PME_BCACHE_SUPER_AT);
	assert_int_equal(size, PME_BCACHE_SUPER_SIZE);
	memcpy(buf, supers[dev->name[4] - '0'], size);
	return media_error;
}

/* pmem0 and pmem2 behind the cache pmem1. */
struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *lowers[3], *uppers[2];
};

static struct pme_dev *add_bcache(struct machine *m, const char *name, struct pme_dev *backing,
				  uint64_t id)
{
	struct pme_dev *dev = snap_disk(&m->snap, name, backing->size / PME_SECTOR - 16);

	snap_stack(backing, dev);
	snap_stack(m->lowers[1], dev);
	dev->bcache = calloc(1, sizeof(*dev->bcache));
	assert_non_null(dev->bcache);
	*dev->bcache = (struct pme_bcache){
		.backing = backing, .state = strdup("dirty"), .set = strdup(SET), .id = id};
	return dev;
}

static void machine_start(struct machine *m, const char *list)
{
	static const char *const names[] = {"pmem0", "pmem1", "pmem2"};

	tree_init(&m->tree);
	snap_init(&m->snap, &m->tree.os);
	if (list)
		tree_file(&m->tree, LIST, list);
	for (int i = 0; i < 3; i++)
		m->lowers[i] = snap_disk(&m->snap, names[i], 1024);
	m->uppers[0] = add_bcache(m, "bcache0", m->lowers[0], 0);
	m->uppers[1] = add_bcache(m, "bcache1", m->lowers[2], 1);
	make_cache_super(supers[1]);
	media_error = 0;
}

static void machine_end(struct machine *m)
{
	snap_done(&m->snap);
	tree_done(&m->tree);
}

/* From the start of the backing device: 16 sectors more than of its data. */
static const char list_text[] = "0:24 len 8 -> [0:200 gen 3] dirty\n"
				"0:32 len 16 -> [0:64 gen 3]\n"
				"1:16 len 8 -> [0:208 gen 1] dirty\n"
				"5:16 len 8 -> [0:216 gen 1] dirty\n";

/* The only step for one sector; copied so that a test can look at it. */
static struct pme_step one(struct machine *m, int upper, int lower, uint64_t sector,
			   struct pme_steps *steps)
{
	struct pme_range range = {SECTORS(sector), PME_SECTOR};

	pme_steps_done(steps);
	assert_int_equal(pme_layer_bcache.up(&m->snap.stack, m->uppers[upper], m->lowers[lower],
					     range, steps),
			 0);
	assert_int_equal(steps->count, 1);
	assert_int_equal(steps->items[0].from.length, PME_SECTOR);
	return steps->items[0];
}

static void test_backing(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, list_text);
	step = one(&m, 0, 0, 16 + 7, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(7));
	assert_null(step.copies);
	step = one(&m, 0, 0, 16 + 8, &steps);
	assert_null(step.to);
	assert_int_equal(step.owner, PME_OWNER_UNUSED);
	step = one(&m, 0, 0, 16 + 20, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_ptr_equal(step.copies->places[0].dev, m.lowers[1]);
	assert_int_equal(step.copies->places[0].start, SECTORS(68));
	step = one(&m, 0, 0, 8, &steps);
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	step = one(&m, 0, 0, 7, &steps);
	assert_int_equal(step.owner, PME_OWNER_UNUSED);
	machine_end(&m);
}

static void test_cache(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, list_text);
	step = one(&m, 0, 1, 203, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(11));
	assert_false(step.ends_if_copied);
	step = one(&m, 0, 1, 64, &steps);
	assert_int_equal(step.owner, PME_OWNER_CACHE_COPY);
	assert_true(step.ends_if_copied);
	assert_ptr_equal(step.copies->places[0].dev, m.lowers[0]);
	assert_int_equal(step.copies->places[0].start, SECTORS(16 + 16));
	step = one(&m, 1, 1, 208, &steps);
	assert_ptr_equal(step.to, m.uppers[1]);
	assert_int_equal(step.to_start, 0);
	step = one(&m, 0, 1, 216, &steps); /* of a device that is not here */
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	step = one(&m, 0, 1, 8, &steps);
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	step = one(&m, 0, 1, 47, &steps); /* journal: buckets 1 and 2 */
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	step = one(&m, 0, 1, 48, &steps);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	machine_end(&m);
}

/* Every byte of the cache is spoken for once. */
static void test_cache_shared(void **state)
{
	struct machine m;
	uint64_t covered = 0;

	machine_start(&m, list_text);
	for (int i = 0; i < 2; i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct pme_range all = {0, SECTORS(1024)};

		assert_int_equal(
			pme_layer_bcache.up(&m.snap.stack, m.uppers[i], m.lowers[1], all, &steps),
			0);
		check_inside(&steps, all);
		for (size_t k = 0; k < steps.count; k++)
			covered += steps.items[k].from.length;
	}
	assert_int_equal(covered, SECTORS(1024));
	machine_end(&m);
}

static void test_down(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range = {SECTORS(7), SECTORS(10)};
	struct machine m;

	machine_start(&m, list_text);
	assert_int_equal(pme_layer_bcache.down(&m.snap.stack, m.uppers[0], range, &steps), 0);
	assert_int_equal(bytes_between(&steps, m.lowers[0], 7, 16 + 7), PME_SECTOR);
	assert_int_equal(bytes_between(&steps, m.lowers[1], 8, 200), PME_SECTOR);
	assert_int_equal(bytes_between(&steps, m.lowers[0], 8, 16 + 8), 0);
	assert_int_equal(bytes_between(&steps, m.lowers[1], 16, 64), PME_SECTOR);
	assert_int_equal(bytes_between(&steps, m.lowers[0], 16, 16 + 16), PME_SECTOR);
	machine_end(&m);
}

/* Without the list: clean is exact for the backing device, dirty is not. */
static void test_no_list(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, NULL);
	step = one(&m, 0, 0, 16 + 8, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	assert_non_null(strstr(step.reason, "debugfs is not mounted"));
	step = one(&m, 0, 1, 200, &steps);
	assert_null(step.to);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	step = one(&m, 0, 1, 8, &steps);
	assert_int_equal(step.owner, PME_OWNER_VOLUME_METADATA);
	machine_end(&m);

	machine_start(&m, NULL);
	memcpy(m.uppers[0]->bcache->state, "clean", 6);
	step = one(&m, 0, 0, 16 + 8, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.certainty, PME_EXACT);
	machine_end(&m);
}

static void test_no_cache(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, NULL);
	free(m.uppers[0]->bcache->state);
	free(m.uppers[0]->bcache->set);
	m.uppers[0]->bcache->state = strdup("no cache");
	m.uppers[0]->bcache->set = NULL;
	m.uppers[0]->bcache->id = PME_UNKNOWN;
	step = one(&m, 0, 0, 1023, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(1007));
	assert_int_equal(step.certainty, PME_EXACT);
	machine_end(&m);
}

/* A backing device that grew, or has its data further behind: its superblock is needed. */
static void test_offset(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct machine m;
	struct pme_step step;

	machine_start(&m, list_text);
	m.lowers[0]->size += SECTORS(100);
	make_backing_super(supers[0], 24);
	step = one(&m, 0, 0, 50, &steps);
	assert_ptr_equal(step.to, m.uppers[0]);
	assert_int_equal(step.to_start, SECTORS(26));
	machine_end(&m);

	machine_start(&m, list_text);
	m.lowers[0]->size += SECTORS(100);
	make_backing_super(supers[0], 1000);
	step = one(&m, 0, 0, 50, &steps);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	machine_end(&m);

	machine_start(&m, list_text);
	m.lowers[0]->size += SECTORS(100);
	media_error = -EIO;
	step = one(&m, 0, 0, 50, &steps);
	assert_int_equal(step.certainty, PME_UNCERTAIN);
	machine_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backing),	     cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_shared), cmocka_unit_test(test_down),
		cmocka_unit_test(test_no_list),	     cmocka_unit_test(test_no_cache),
		cmocka_unit_test(test_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
