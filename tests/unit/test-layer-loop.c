/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of layer-loop.c and topo-loop.c: a block device behind a loop device. Files behind one are
 * tested with real ones, in tests/system.
 */
#include <sys/sysmacros.h>

#include "layer.h"
#include "snapshot.h"

struct stand {
	struct snapshot snap;
	struct pme_dev *disk, *loop;
	struct pme_steps steps;
};

/* A disk of 1000 sectors, and 900 of them from sector 16 on behind a loop device. */
static void stand_init(struct stand *s)
{
	*s = (struct stand){0};
	snap_init(&s->snap, NULL);
	s->disk = snap_disk(&s->snap, "pmem0", 1000);
	s->loop = snap_disk(&s->snap, "loop0", 900);
	s->loop->loop = calloc(1, sizeof(*s->loop->loop));
	assert_non_null(s->loop->loop);
	s->loop->loop->file = strdup("/dev/pmem0");
	s->loop->loop->file_devno = s->disk->devno;
	s->loop->loop->offset = SECTORS(16);
	s->loop->loop->on_device = true;
	snap_stack(s->disk, s->loop);
}

static void stand_done(struct stand *s)
{
	pme_steps_done(&s->steps);
	snap_done(&s->snap);
}

static void a_device_is_passed_with_the_offset(void **state)
{
	struct stand s;
	struct pme_step *step;

	stand_init(&s);
	assert_true(pme_layer_loop.owns(s.loop));
	assert_int_equal(pme_layer_loop.up(&s.snap.stack, s.loop, s.disk,
					   (struct pme_range){0, SECTORS(1000)}, &s.steps),
			 0);
	assert_int_equal(s.steps.count, 1);
	step = &s.steps.items[0];
	assert_ptr_equal(step->to, s.loop);
	assert_int_equal(step->from.start, SECTORS(16));
	assert_int_equal(step->from.length, SECTORS(900));
	assert_int_equal(step->to_start, 0);
	assert_int_equal(step->certainty, PME_EXACT);
	stand_done(&s);
}

static void and_back(void **state)
{
	struct stand s;
	struct pme_step *step;

	stand_init(&s);
	assert_int_equal(pme_layer_loop.down(&s.snap.stack, s.loop,
					     (struct pme_range){SECTORS(5), SECTORS(2)}, &s.steps),
			 0);
	assert_int_equal(s.steps.count, 1);
	step = &s.steps.items[0];
	assert_ptr_equal(step->to, s.disk);
	assert_int_equal(step->from.start, SECTORS(5));
	assert_int_equal(step->to_start, SECTORS(21));
	stand_done(&s);
}

/* Numbers as huge_encode_dev() writes them. */
static void what_is_behind_is_told_apart(void **state)
{
	struct pme_loop loop = {0};

	pme_loop_set_backing(&loop, 0x10302, 77, 0); /* a file */
	assert_false(loop.on_device);
	assert_true(loop.file_devno == makedev(259, 2));
	assert_int_equal(loop.file_inode, 77);

	pme_loop_set_backing(&loop, 0x802, 77, 0x802); /* the same, as older kernels say it */
	assert_false(loop.on_device);
	assert_true(loop.file_devno == makedev(8, 2));

	pme_loop_set_backing(&loop, 0x5, 300, 0xfd03); /* /dev/dm-3, its node on a devtmpfs */
	assert_true(loop.on_device);
	assert_true(loop.file_devno == makedev(253, 3));
	assert_int_equal(loop.file_inode, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_passed_with_the_offset),
		cmocka_unit_test(and_back),
		cmocka_unit_test(what_is_behind_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
