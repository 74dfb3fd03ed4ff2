/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-salvage.c on a made-up device: random bad sectors, known and unknown, ends of files and
 * donors that lie, against a model that looks at one sector after the other.  What is known to be
 * bad must never be read.
 */
#include "donor-salvage.h"

#include <linux/fs.h>
#include <sys/stat.h>

#include "check.h"
#include "random.h"

#define PAGE 4096
#define SIZE ((size_t)PAGE * 4)
#define DEVICE (1U << 20) /* byte of the device where the range begins */
#define OFFSET (5U << 20) /* byte of the file where it does */
#define MEDIA 1000	  /* made up: closing it closes nothing */
#define LOST_FILE 1001

static struct world {
	unsigned char truth[SIZE]; /* what the file had */
	unsigned char donor[SIZE];
	bool known[SIZE / PME_SECTOR]; /* to be bad, by the list */
	int unread[SIZE / PME_SECTOR]; /* the error of reading it; 0: it reads */
	int unit, open_error, unit_error, size_error, donor_error;
	uint64_t inside; /* bytes of the range before the end of the file */
} world;

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_fstat(int fd, struct stat *ret);
int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	(void)topo;
	(void)dev;
	return world.open_error ? world.open_error : MEDIA;
}

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	assert_int_equal(fd, MEDIA);
	assert_int_equal(request, BLKSSZGET);
	*(int *)arg = world.unit;
	return world.unit_error;
}

int __wrap_pme_os_fstat(int fd, struct stat *ret)
{
	assert_int_equal(fd, LOST_FILE);
	*ret = (struct stat){.st_size = (off_t)(OFFSET + world.inside)};
	return world.size_error;
}

int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	int error = 0;

	assert_int_equal(fd, MEDIA);
	assert_int_equal(size, world.unit);
	assert_int_equal(offset % size, 0);
	assert_int_equal((uintptr_t)buf % size, 0);
	assert_true(offset >= DEVICE && offset + size <= DEVICE + SIZE);
	for (size_t s = (offset - DEVICE) / PME_SECTOR; s < (offset + size - DEVICE) / PME_SECTOR;
	     s++) {
		assert_false(world.known[s]);
		error = error ? error : world.unread[s];
	}
	memcpy(buf, world.truth + (offset - DEVICE), size);
	return error;
}

static int read_donor(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		      size_t size, void *buf)
{
	(void)donor;
	(void)want;
	/* a file that was named may be longer, and a replica shorter: nothing behind the end */
	assert_true(offset >= OFFSET && offset + size <= OFFSET + world.inside);
	memcpy(buf, world.donor + (offset - OFFSET), size);
	return world.donor_error;
}

static const struct pme_donor_kind kind = {.name = "played", .read = read_donor};

static void world_init(struct rnd *rnd)
{
	world = (struct world){.unit = PME_SECTOR, .inside = SIZE};
	for (size_t i = 0; i < SIZE; i++)
		world.truth[i] = (unsigned char)rnd_u64(rnd);
	memcpy(world.donor, world.truth, SIZE);
}

static int salvage(const struct pme_donor *donor, unsigned char *buf, struct pme_salvaged *ret,
		   char **ret_reason)
{
	static const struct pme_dev dev;
	const struct pme_fs fs = {.dev = &dev};
	const struct pme_want want = {
		.fs = &fs, .fd = LOST_FILE, .range = {OFFSET, SIZE}, .device_start = DEVICE};
	_cleanup_(pme_range_list_done) struct pme_range_list bad = {0};

	/* beside the range, too: they touch it */
	assert_int_equal(pme_range_list_add(&bad, DEVICE - PAGE, PAGE), 0);
	assert_int_equal(pme_range_list_add(&bad, DEVICE + SIZE, PAGE), 0);
	for (size_t s = 0; s < SIZE / PME_SECTOR; s++)
		if (world.known[s])
			assert_int_equal(
				pme_range_list_add(&bad, DEVICE + s * PME_SECTOR, PME_SECTOR), 0);
	pme_range_list_normalize(&bad);
	return pme_salvage(&want, &bad, donor, buf, ret, ret_reason);
}

/* ---- the model ---- */

static bool is_live(size_t at)
{
	size_t unit = (size_t)world.unit, first = at / unit * unit;

	for (size_t s = first / PME_SECTOR; s < (first + unit) / PME_SECTOR; s++)
		if (world.known[s] || world.unread[s])
			return false;
	return first < world.inside;
}

/* The first byte of the logical block where the donor is shown to be wrong, or SIZE. */
static size_t find_lie(void)
{
	for (size_t i = 0; i < world.inside; i++)
		if (is_live(i) && world.donor[i] != world.truth[i])
			return i / (size_t)world.unit * (size_t)world.unit;
	return SIZE;
}

static void check_round(const struct pme_donor *donor)
{
	static unsigned char buf[SIZE];
	size_t lie = donor ? find_lie() : SIZE, live = 0;
	struct pme_salvaged done = {77, 77};
	_cleanup_free_ char *reason = NULL;
	int r;

	memset(buf, 0xaa, sizeof(buf));
	r = salvage(donor, buf, &done, &reason);
	if (lie < SIZE) {
		_cleanup_free_ char *place = pme_printf("at byte %zu of", OFFSET + lie);

		assert_int_equal(r, -EBADMSG);
		assert_non_null(strstr(reason, place));
		assert_int_equal(done.live + done.donor, 154);
		return;
	}
	assert_int_equal(r, 0);
	assert_null(reason);
	for (size_t i = 0; i < SIZE; i++) {
		unsigned char other = donor ? world.donor[i] : 0;

		live += is_live(i);
		if (buf[i] != (i >= world.inside ? 0 : is_live(i) ? world.truth[i] : other))
			fail_msg("byte %zu", i);
	}
	assert_int_equal(done.live, live);
	assert_int_equal(done.donor, SIZE - live);
}

static void random_sectors_are_salvaged(void **state)
{
	static const uint64_t ends[] = {0, 1, PME_SECTOR - 1, PME_SECTOR, PAGE + 1, SIZE - 1, SIZE};
	const struct pme_donor donor = {.kind = &kind};
	struct rnd rnd = rnd_start();

	(void)state;
	for (int round = 0; round < 1000; round++) {
		world_init(&rnd);
		world.unit = rnd_below(&rnd, 2) ? PAGE : (int)PME_SECTOR;
		world.inside =
			rnd_below(&rnd, 2) ? SIZE : ends[rnd_below(&rnd, PME_ARRAY_SIZE(ends))];
		for (size_t n = rnd_below(&rnd, 12); n > 0; n--)
			world.known[rnd_below(&rnd, SIZE / PME_SECTOR)] = true;
		for (size_t n = rnd_below(&rnd, 6); n > 0; n--)
			world.unread[rnd_below(&rnd, SIZE / PME_SECTOR)] =
				rnd_below(&rnd, 2) ? -EIO : -ENODATA;
		for (size_t n = rnd_below(&rnd, 3); n > 0; n--)
			world.donor[rnd_below(&rnd, SIZE)] ^= 1;
		check_round(rnd_below(&rnd, 5) ? &donor : NULL);
	}
}

/* ---- by hand ---- */

/* One bit, at each end of what reads, and the last one of the file. */
static void one_bit_beside_the_bad_ones_is_enough(void **state)
{
	static const struct {
		size_t lie;
		int r;
	} cases[] = {
		{0, -EBADMSG},	   {PAGE - 1, -EBADMSG}, {PAGE, 0}, /* lost: nobody can tell */
		{2 * PAGE - 1, 0}, {2 * PAGE, -EBADMSG}, {SIZE - 101, -EBADMSG},
		{SIZE - 100, 0}, /* behind the end */
	};
	const struct pme_donor donor = {.kind = &kind};
	struct rnd rnd = rnd_start();

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		world_init(&rnd);
		world.inside = SIZE - 100;
		for (size_t s = PAGE / PME_SECTOR; s < 2 * PAGE / PME_SECTOR; s++)
			world.known[s] = true;
		world.donor[cases[i].lie] ^= 0x80;
		assert_int_equal(find_lie() < SIZE, cases[i].r < 0);
		check_round(&donor);
	}
}

static void expect_error(int expected)
{
	const struct pme_donor donor = {.kind = &kind};
	struct pme_salvaged done = {77, 77};
	static unsigned char buf[SIZE];
	char *reason = (char *)buf;

	assert_int_equal(salvage(&donor, buf, &done, &reason), expected);
	assert_null(reason);
	assert_int_equal(done.live, 77);
	assert_int_equal(done.donor, 77);
}

/*
 * Where everything is lost any donor will do, and the device is not even opened; what was given up
 * is zeros.
 */
static void nothing_reads(void **state)
{
	const struct pme_donor donor = {.kind = &kind};
	struct rnd rnd = rnd_start();

	(void)state;
	world_init(&rnd);
	memset(world.known, true, sizeof(world.known));
	memset(world.donor, 0x55, sizeof(world.donor));
	world.open_error = -ENXIO;
	check_round(&donor);
	check_round(NULL);
	world.known[SIZE / PME_SECTOR - 1] = false;
	expect_error(-ENXIO);
}

static void errors_are_passed_on(void **state)
{
	static const int units[] = {0, -1, 256, 1024 * 1024, 3 * PME_SECTOR, 65536};
	struct rnd rnd = rnd_start();

	(void)state;
	world_init(&rnd);
	world.open_error = -EAGAIN;
	expect_error(-EAGAIN);
	world.open_error = 0;
	world.unit_error = -ENOTTY;
	expect_error(-ENOTTY);
	world.unit_error = 0;
	world.size_error = -ESTALE;
	expect_error(-ESTALE);
	world.size_error = 0;
	world.donor_error = -EBADMSG;
	expect_error(-EBADMSG);
	world.donor_error = 0;
	world.unread[3] = -ENXIO; /* the device is gone: nothing of it counts */
	expect_error(-ENXIO);
	world.unread[3] = 0;
	/* logical blocks that no block of a filesystem is made of */
	for (size_t i = 0; i < PME_ARRAY_SIZE(units); i++) {
		world.unit = units[i];
		expect_error(-EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sectors_are_salvaged),
		cmocka_unit_test(one_bit_beside_the_bad_ones_is_enough),
		cmocka_unit_test(nothing_reads),
		cmocka_unit_test(errors_are_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
