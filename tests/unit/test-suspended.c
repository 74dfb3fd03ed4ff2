/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspended dm devices: nothing on them is read or asked, however far above, and that is said.
 */
#include "media.h"
#include "scan.h"
#include "snapshot.h"

struct machine {
	struct snapshot snap;
	struct pme_dev *disk, *beside, *low, *middle, *top, *loop;
};

/* pmem0 <- low <- middle, which is mounted; a file there is loop0, on which top stands. */
static int setup(void **state)
{
	static struct machine m;

	snap_init(&m.snap, NULL);
	m.disk = snap_disk(&m.snap, "pmem0", 4096);
	m.beside = snap_disk(&m.snap, "pmem1", 4096);
	m.low = snap_dm(&m.snap, "low");
	snap_linear(m.low, m.disk, 8, 2048);
	m.middle = snap_dm(&m.snap, "middle");
	snap_linear(m.middle, m.beside, 0, 8);
	snap_linear(m.middle, m.low, 0, 2048);
	snap_mount(&m.snap, m.middle, "xfs", "/srv");
	m.loop = snap_disk(&m.snap, "loop0", 1024);
	m.loop->loop = calloc(1, sizeof(*m.loop->loop));
	assert_non_null(m.loop->loop);
	m.loop->loop->file = strdup("/srv/image");
	m.loop->loop->file_devno = m.middle->devno;
	m.top = snap_dm(&m.snap, "top");
	snap_linear(m.top, m.loop, 0, 1024);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	snap_done(&m->snap);
	return 0;
}

static void who_waits_for_it(void **state)
{
	struct machine *m = *state;

	assert_null(pme_dev_suspended(m->snap.topo, m->top));
	m->low->suspended = true;
	assert_ptr_equal(pme_dev_suspended(m->snap.topo, m->low), m->low);
	assert_ptr_equal(pme_dev_suspended(m->snap.topo, m->middle), m->low);
	assert_ptr_equal(pme_dev_suspended(m->snap.topo, m->loop), m->low);
	assert_ptr_equal(pme_dev_suspended(m->snap.topo, m->top), m->low);
	assert_null(pme_dev_suspended(m->snap.topo, m->disk));
	assert_null(pme_dev_suspended(m->snap.topo, m->beside));
}

/* A file on the filesystem of its own loop device: not by the kernel, but by stale text of it. */
static void a_cycle_ends(void **state)
{
	struct machine *m = *state;

	m->loop->loop->file_devno = m->top->devno;
	m->low->suspended = true;
	assert_null(pme_dev_suspended(m->snap.topo, m->top));
}

static void nothing_is_read(void **state)
{
	struct machine *m = *state;
	struct pme_probe probe;
	char buf[1];

	assert_int_equal(pme_media_read_dev(m->snap.topo, m->middle, buf, 1, 0), -EBADF);
	m->low->suspended = true;
	assert_int_equal(pme_media_open(m->snap.topo, m->middle), -EAGAIN);
	assert_int_equal(pme_media_read_dev(m->snap.topo, m->middle, buf, 1, 0), -EAGAIN);
	assert_int_equal(pme_media_read_dev(m->snap.topo, m->disk, buf, 1, 0), -EBADF);
	assert_int_equal(pme_dev_probe(m->snap.topo, m->top, &probe), -EAGAIN);
	assert_string_equal(pme_media_error(-EAGAIN),
			    "it is suspended, or lies on a device that is");
	assert_string_equal(pme_media_error(-EIO), strerror(EIO));
}

static void expect_reason(struct machine *m, const char *range, const char *reason)
{
	char *ranges[] = {(char *)range};
	struct pme_scan_args args = {
		.ranges = ranges, .n_ranges = 1, .block_size = 4096, .default_length = 512};
	struct pme_scan scan = {.topo = m->snap.topo};

	assert_int_equal(pme_scan_snapshot(&args, &m->snap.log, &scan), 0);
	assert_int_equal(scan.findings.count, 1);
	assert_int_equal(scan.findings.items[0].n_claims, 1);
	assert_string_equal(scan.findings.items[0].claims[0].reason, reason);
	assert_true(m->snap.log.incomplete);
	scan.topo = NULL; /* of the fixture */
	pme_scan_done(&scan);
}

static void nothing_is_asked(void **state)
{
	struct machine *m = *state;

	m->low->suspended = true;
	expect_reason(m, "pmem0:8s",
		      "cannot ask the xfs filesystem mounted at /srv while low is suspended: "
		      "resume it, and scan again");
	expect_reason(m, "loop0:0",
		      "cannot find out what is on top while low is suspended: resume it, and "
		      "scan again");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_waits_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cycle_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_asked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
