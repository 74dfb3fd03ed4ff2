/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/rest.c: partition tables of which the kernel made no partitions: that have none, and that it
 * has not read.  The disk is a buffer.
 */
#include "gpt-image.h"
#include "media.h"
#include "rest-world.h"

static unsigned char image[SECTORS(DISK_SECTORS)];

int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset);
int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset)
{
	assert_true(offset <= sizeof(image) && size <= sizeof(image) - offset);
	memcpy(buf, image + offset, size);
	return 0;
}

/* As setup(), with a disk of zeros. */
static int empty(void **state)
{
	memset(image, 0, sizeof(image));
	return setup(state);
}

static const char nobody[] = "outside of all partitions";

/* A disk without partitions, with what @image has. */
static struct pme_dev *add_image(struct machine *m, const char *pttype)
{
	struct pme_dev *disk = snap_disk(&m->snap, "pmem0", DISK_SECTORS);

	snap_probe(&m->snap, disk, 0, NULL, NULL, pttype);
	return disk;
}

static void make_gpt(unsigned char primary_type, unsigned char backup_type)
{
	make_table(image, 1, DISK_SECTORS - 1, 2, primary_type);
	make_table(image, DISK_SECTORS - 1, 1, DISK_SECTORS - 33, backup_type);
}

static void make_mbr(unsigned char type)
{
	image[446 + 4] = type;
	image[510] = 0x55;
	image[511] = 0xaa;
}

static void check_part(const struct machine *m, size_t i, uint64_t start, uint64_t length,
		       const char *detail)
{
	const struct pme_top *top = &m->tops.items[i];

	assert_true(i < m->tops.count);
	assert_int_equal(top->hops[0].start, SECTORS(start));
	assert_int_equal(top->length, SECTORS(length));
	assert_int_equal(top->owner, PME_OWNER_PARTITION_TABLE);
	assert_int_equal(top->certainty, PME_REDUNDANT);
	assert_string_equal(top->detail, detail);
	assert_false(top->blank);
}

/* There is nothing that the kernel could have read: partprobe would not help. */
static void a_gpt_without_partitions(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_image(m, "gpt");

	make_gpt(0, 0);
	rest(m, disk, whole(disk));
	assert_int_equal(m->tops.count, 6);
	check_end(m, 0, 0, 512, PME_OWNER_PARTITION_TABLE, "protective MBR of pmem0");
	check_part(m, 1, 1, 1, "primary GPT header of pmem0");
	check_part(m, 2, 2, 32, "primary GPT entries of pmem0");
	check_part(m, 3, DISK_SECTORS - 1, 1, "backup GPT header of pmem0");
	check_part(m, 4, DISK_SECTORS - 33, 32, "backup GPT entries of pmem0");
	check_end(m, 5, SECTORS(34), SECTORS(DISK_SECTORS - 33), PME_OWNER_UNUSED, nobody);
	assert_true(m->tops.items[5].blank); /* unless a program has the disk open */
}

static void an_mbr_without_partitions(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_image(m, "dos");

	make_mbr(0);
	rest(m, disk, whole(disk));
	assert_int_equal(m->tops.count, 2);
	check_end(m, 0, 0, 512, PME_OWNER_PARTITION_TABLE, "MBR of pmem0");
	check_end(m, 1, 512, whole(disk).length, PME_OWNER_UNUSED, nobody);
}

static void check_not_read(struct machine *m, const struct pme_dev *dev)
{
	_cleanup_free_ char *words = pme_printf(
		"%s has a partition table that the kernel has not read: run partprobe", dev->name);

	rest(m, dev, whole(dev));
	assert_int_equal(m->tops.count, 1);
	check_end(m, 0, 0, dev->size, PME_OWNER_UNKNOWN, words);
	assert_false(m->tops.items[0].blank);
	pme_tops_done(&m->tops);
}

static void a_gpt_that_the_kernel_has_not_read(void **state)
{
	static const struct {
		unsigned char primary_type, backup_type;
		size_t damaged; /* byte; 0: none */
	} cases[] = {{1, 1, 0},
		     {1, 0, 0},
		     {0, 1, 0},
		     {0, 0, 512 + 60},
		     {0, 0, SECTORS(2) + 20},
		     {0, 0, SECTORS(DISK_SECTORS - 1) + 60},
		     {0, 0, SECTORS(DISK_SECTORS - 33) + 20}};
	struct machine *m = *state;
	struct pme_dev *disk = add_image(m, "gpt");

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		make_gpt(cases[i].primary_type, cases[i].backup_type);
		if (cases[i].damaged)
			image[cases[i].damaged] ^= 1;
		check_not_read(m, disk);
	}
}

static void an_mbr_that_the_kernel_has_not_read(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_image(m, "dos");

	make_mbr(0x83);
	check_not_read(m, disk);
}

/* The kernel does not look for partitions in a partition. */
static void an_empty_table_in_a_partition(void **state)
{
	struct machine *m = *state;
	struct pme_dev *part = snap_partition(&m->snap, add_image(m, "gpt"), "pmem0p1", 1024, 1024);

	snap_probe(&m->snap, part, 0, NULL, NULL, "dos");
	make_mbr(0);
	check_not_read(m, part);
}

/* What stands on the disk may use more of it than its table says. */
static void an_empty_table_below_a_volume(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_image(m, "dos");

	make_mbr(0);
	snap_linear(snap_dm(&m->snap, "dm-0"), disk, 10, 10);
	rest(m, disk, (struct pme_range){512, 512});
	check_end(m, 0, 512, 1024, PME_OWNER_UNKNOWN,
		  "pmem0 is used by dm-0, but not these bytes of it");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_gpt_without_partitions),		  TEST(an_mbr_without_partitions),
		TEST(a_gpt_that_the_kernel_has_not_read), TEST(an_mbr_that_the_kernel_has_not_read),
		TEST(an_empty_table_in_a_partition),	  TEST(an_empty_table_below_a_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
