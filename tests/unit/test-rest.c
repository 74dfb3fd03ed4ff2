/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/rest.c: what the bytes mean that nothing stacked on a device uses.  What a probe finds is
 * filled in by hand; the sizes of logical blocks come from a made-up tree.
 */
#include "rest-world.h"

/* A disk with one partition, numbered as its name says. */
static struct pme_dev *add_partitioned(struct machine *m, const char *pttype, const char *block)
{
	struct pme_dev *disk = snap_disk(&m->snap, "pmem0", DISK_SECTORS);

	snap_partition(&m->snap, disk, "pmem0p1", 2048, 1024);
	tree_disk(&m->tree, "pmem0", "259:0", "4096");
	tree_partition(&m->tree, "pmem0", "pmem0p1", "259:1", "2048", "1024");
	if (block)
		tree_attr(&m->tree, "pmem0", "queue/logical_block_size", block);
	snap_probe(&m->snap, disk, 0, NULL, NULL, pttype);
	return disk;
}

static const char nobody[] = "outside of all partitions";
static const char gap[] =
	"in front of the first partition of pmem0, and not known to be empty: boot "
	"loaders have code there (GRUB its core image)";
static const char hidden[] = "outside of the partitions of pmem0: neither header of its GPT can be "
			     "read, which say where the entries are";

static void check_table(const struct machine *m, size_t i, uint64_t start, uint64_t end,
			const char *detail, const char *reason)
{
	const struct pme_top *top = &m->tops.items[i];

	assert_true(i < m->tops.count);
	assert_int_equal(top->hops[0].start, start);
	assert_int_equal(top->length, end - start);
	assert_int_equal(top->owner, PME_OWNER_PARTITION_TABLE);
	assert_int_equal(top->certainty, PME_EXACT);
	assert_string_equal(top->detail, detail);
	assert_string_equal(top->reason, reason);
}

/* UEFI 2.10, 5.3: headers in block 1 and in the last.  The made-up disk has no bytes to read. */
static void gpt_that_cannot_be_read(struct machine *m, struct pme_dev *disk, uint64_t block)
{
	uint64_t size = disk->size;

	rest(m, disk, whole(disk));
	assert_int_equal(m->tops.count, 4);
	check_end(m, 0, 0, block, PME_OWNER_PARTITION_TABLE, "protective MBR of pmem0");
	check_table(m, 1, block, 2 * block, "primary GPT header of pmem0",
		    block == 512 ? "the backup GPT at LBA 4095 cannot be used either: No such file "
				   "or directory"
				 : "the backup GPT at LBA 511 cannot be used either: No such file "
				   "or directory");
	check_table(m, 2, size - block, size, "backup GPT header of pmem0",
		    "the primary GPT at LBA 1 cannot be used either: No such file or directory");
	check_end(m, 3, 2 * block, size - block, PME_OWNER_UNKNOWN, hidden);
}

static void areas_of_gpt_with_small_blocks(void **state)
{
	gpt_that_cannot_be_read(*state, add_partitioned(*state, "gpt", "512"), 512);
}

static void areas_of_gpt_with_large_blocks(void **state)
{
	gpt_that_cannot_be_read(*state, add_partitioned(*state, "gpt", "4096"), 4096);
}

static void odd_block_sizes_are_not_believed(void **state)
{
	gpt_that_cannot_be_read(*state, add_partitioned(*state, "gpt", "1048576"), 512);
}

static void areas_of_mbr(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_partitioned(m, "dos", "512");

	rest(m, disk, whole(disk));
	assert_int_equal(m->tops.count, 3);
	check_end(m, 0, 0, 512, PME_OWNER_PARTITION_TABLE, "MBR of pmem0");
	check_end(m, 1, 512, SECTORS(2048), PME_OWNER_UNKNOWN, gap);
	check_end(m, 2, SECTORS(2048), SECTORS(4096), PME_OWNER_UNUSED, nobody);
}

/* Each logical partition has a table of its own in front of it: such bytes are not unused. */
static void logical_partitions_have_tables_in_between(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_partitioned(m, "dos", "512");

	snap_partition(&m->snap, disk, "pmem0p5", 3100, 100);
	tree_partition(&m->tree, "pmem0", "pmem0p5", "259:2", "3100", "100");
	rest(m, disk, (struct pme_range){0, SECTORS(3100)});
	assert_int_equal(m->tops.count, 3);
	check_end(m, 0, 0, 512, PME_OWNER_PARTITION_TABLE, "MBR of pmem0");
	check_end(m, 1, 512, SECTORS(2048), PME_OWNER_UNKNOWN, gap);
	check_end(m, 2, SECTORS(2048), SECTORS(3100), PME_OWNER_UNKNOWN,
		  "outside of the partitions of pmem0: unused, or a table of a logical partition: "
		  "the chain of these cannot be followed to its end");
}

static void other_tables_are_unknown(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = add_partitioned(m, "sgi", "512");

	rest(m, disk, (struct pme_range){512, 512});
	assert_int_equal(m->tops.count, 1);
	check_end(m, 0, 512, 1024, PME_OWNER_UNKNOWN, "outside of the partitions of pmem0");
}

static void an_unmounted_filesystem_is_named(void **state)
{
	struct machine *m = *state;
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	dm->alias = strdup("vg0/data");
	dm->size = SECTORS(100);
	snap_probe(&m->snap, dm, 0, "xfs", "filesystem", NULL);
	rest(m, dm, (struct pme_range){1024, 512});
	assert_int_equal(m->tops.count, 1);
	check_end(m, 0, 1024, 1536, PME_OWNER_UNKNOWN,
		  "the xfs filesystem on vg0/data is not mounted here: mount it to name its files");
	assert_string_equal(m->tops.items[0].fs_type, "xfs");
	assert_string_equal(m->tops.items[0].fs_uuid, "1234-abcd");
}

/* Whatever is found, and whatever the words: never silence, never a filesystem. */
static void contents_that_are_not_followed(void **state)
{
	static const struct {
		int error;
		const char *type, *usage, *pttype, *words;
	} cases[] = {
		{0, "LVM2_member", "raid", NULL,
		 "the label of LVM physical volume pmem0 cannot be read: No such file or "
		 "directory: see pvs --segments"},
		{0, "linux_raid_member", "raid", NULL,
		 "pmem0 is a member of an MD array that is not running, or runs without it"},
		{0, "crypto_LUKS", "crypto", NULL,
		 "pmem0 is an encrypted (LUKS) volume that is not open"},
		{0, "swap", "other", NULL, "pmem0 is a swap area that is not in use"},
		{0, "DM_snapshot_cow", "other", NULL,
		 "pmem0 holds 'DM_snapshot_cow', which is not followed"},
		{0, NULL, NULL, "gpt",
		 "pmem0 has a partition table that the kernel has not read: run partprobe"},
		{0, NULL, NULL, NULL,
		 "no filesystem, volume or partition table found on pmem0: free, or used raw by a "
		 "program"},
		{-EIO, NULL, NULL, NULL, "cannot find out what is on pmem0: Input/output error"},
		{-EMLINK, NULL, NULL, NULL, "cannot find out what is on pmem0: Too many links"},
	};
	struct machine *m = *state;
	struct pme_dev *disk = snap_disk(&m->snap, "pmem0", 100);

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		snap_probe(&m->snap, disk, cases[i].error, cases[i].type, cases[i].usage,
			   cases[i].pttype);
		rest(m, disk, (struct pme_range){512, 512});
		assert_int_equal(m->tops.count, 1);
		check_end(m, 0, 512, 1024, PME_OWNER_UNKNOWN, cases[i].words);
		assert_null(m->tops.items[0].fs_type);
		pme_tops_done(&m->tops);
		pme_stack_done(&m->snap.stack);
	}
}

/* Bytes in front of a volume are not those of the filesystem whose signature is seen. */
static void a_filesystem_below_a_volume_is_not_named(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = snap_disk(&m->snap, "pmem0", 100);
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	snap_linear(dm, disk, 10, 10);
	snap_probe(&m->snap, disk, 0, "xfs", "filesystem", NULL);
	rest(m, disk, (struct pme_range){0, 512});
	assert_int_equal(m->tops.count, 1);
	check_end(m, 0, 0, 512, PME_OWNER_UNKNOWN, "pmem0 holds 'xfs', which is not followed");
	assert_null(m->tops.items[0].fs_type);
}

static void unused_bytes_of_a_used_device(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = snap_disk(&m->snap, "pmem0", 100);
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");

	snap_linear(dm, disk, 10, 10);
	snap_probe(&m->snap, disk, 0, NULL, NULL, NULL);
	rest(m, disk, (struct pme_range){0, 512});
	check_end(m, 0, 0, 512, PME_OWNER_UNKNOWN,
		  "pmem0 is used by dm-0, but not these bytes of it");
}

static void bytes_of_regions_and_character_devices(void **state)
{
	struct machine *m = *state;
	struct pme_dev *region = snap_region(&m->snap, "region0", 1 << 30, 1 << 20, "nmem0");
	struct pme_dev *dax = snap_namespace(&m->snap, region, "namespace0.0", PME_MODE_DEVDAX, 0,
					     65536, 4096, "dax0.0");

	snap_namespace(&m->snap, region, "namespace0.1", PME_MODE_FSDAX, 131072, 65536, 0, NULL);
	rest(m, region, (struct pme_range){65536, 262144 - 65536});
	assert_int_equal(m->tops.count, 3);
	check_end(m, 0, 131072, 196608, PME_OWNER_UNKNOWN,
		  "namespace0.1 is disabled: enable it to see what is on it");
	check_end(m, 1, 65536, 131072, PME_OWNER_UNUSED, "not in any namespace");
	check_end(m, 2, 196608, 262144, PME_OWNER_UNUSED, "not in any namespace");
	pme_tops_done(&m->tops);
	rest(m, dax, (struct pme_range){10, 20});
	assert_int_equal(m->tops.count, 1);
	check_end(m, 0, 10, 30, PME_OWNER_DEVDAX, "memory of /dev/dax0.0");
}

/* pmem0 is mounted as ext4 and keeps its journal on what has the UUID of pmem1's probe. */
static struct pme_dev *add_journal(struct machine *m)
{
	struct pme_dev *data = snap_disk(&m->snap, "pmem0", 100);
	struct pme_dev *journal = snap_disk(&m->snap, "pmem1", 100);
	struct pme_probes *probes = &m->snap.stack.probes;

	snap_mount(&m->snap, data, "ext4", "/mnt");
	snap_probe(&m->snap, data, 0, "ext4", "filesystem", NULL);
	probes->items[probes->count - 1].probe.journal = strdup("1234-abcd");
	snap_probe(&m->snap, journal, 0, "jbd", "other", NULL);
	return journal;
}

static void the_journal_of_a_mounted_filesystem(void **state)
{
	struct machine *m = *state;
	struct pme_dev *journal = add_journal(m);

	tree_dir(&m->tree, "proc/fs/jbd2/pmem1");
	rest(m, journal, (struct pme_range){512, 512});
	assert_int_equal(m->tops.count, 1);
	check_end(m, 0, 512, 1024, PME_OWNER_FS_JOURNAL, "external journal");
	assert_non_null(m->tops.items[0].fs_main);
	assert_string_equal(m->tops.items[0].fs_main->name, "pmem0");
	assert_null(m->tops.items[0].fs_type);
}

static const char unused_journal[] =
	"pmem1 is an ext4 journal that no filesystem mounted here uses";

/* A copy of a journal has the same UUID, but the kernel does not use it. */
static void a_copy_of_a_journal(void **state)
{
	struct machine *m = *state;
	struct pme_dev *journal = add_journal(m);

	rest(m, journal, (struct pme_range){512, 512});
	check_end(m, 0, 512, 1024, PME_OWNER_UNKNOWN, unused_journal);
	assert_null(m->tops.items[0].fs_main);
}

static void the_journal_of_another_filesystem(void **state)
{
	struct machine *m = *state;
	struct pme_dev *journal = add_journal(m);

	tree_dir(&m->tree, "proc/fs/jbd2/pmem1");
	m->snap.stack.probes.items[0].probe.journal[0] = 'x';
	rest(m, journal, (struct pme_range){512, 512});
	check_end(m, 0, 512, 1024, PME_OWNER_UNKNOWN, unused_journal);
}

static void a_device_of_a_mounted_btrfs(void **state)
{
	struct machine *m = *state;
	struct pme_dev *first = snap_disk(&m->snap, "pmem0", 100);
	struct pme_dev *second = snap_disk(&m->snap, "pmem1", 100);

	snap_mount(&m->snap, first, "btrfs", "/mnt");
	snap_probe(&m->snap, second, 0, "btrfs", "filesystem", NULL);
	tree_dir(&m->tree, "sys/fs/btrfs/1234-abcd/devices/pmem0");
	tree_dir(&m->tree, "sys/fs/btrfs/1234-abcd/devices/pmem1");
	rest(m, second, (struct pme_range){0, 512});
	check_end(m, 0, 0, 512, PME_OWNER_UNKNOWN,
		  "pmem1 is a device of the btrfs filesystem mounted at /mnt, which is not "
		  "followed");
	assert_ptr_equal(m->tops.items[0].fs_main, first);
}

/* The ends carry the whole way that led here. */
static void the_way_is_kept(void **state)
{
	struct machine *m = *state;
	struct pme_dev *disk = snap_disk(&m->snap, "pmem0", 4096);
	struct pme_dev *dm = snap_dm(&m->snap, "dm-0");
	struct pme_hop hops[] = {{.dev = disk, .kind = "disk", .start = 5120},
				 {.dev = dm, .kind = "dm-linear", .start = 512}};

	snap_linear(dm, disk, 9, 2000);
	snap_partition(&m->snap, dm, "dm-0p1", 1000, 10);
	snap_probe(&m->snap, dm, 0, NULL, NULL, "gpt");
	assert_int_equal(
		pme_rest(&m->snap.stack, hops, 2, (struct pme_range){512, SECTORS(40)}, &m->tops),
		0);
	assert_int_equal(m->tops.count, 2);
	assert_int_equal(m->tops.items[1].n_hops, 2);
	assert_int_equal(m->tops.items[1].hops[0].start, SECTORS(9 + 2));
	assert_int_equal(m->tops.items[1].hops[1].start, SECTORS(2));
	assert_string_equal(m->tops.items[1].hops[1].kind, "dm-linear");
	assert_int_equal(m->tops.items[1].length, SECTORS(39));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(areas_of_gpt_with_small_blocks),
		TEST(areas_of_gpt_with_large_blocks),
		TEST(odd_block_sizes_are_not_believed),
		TEST(areas_of_mbr),
		TEST(logical_partitions_have_tables_in_between),
		TEST(other_tables_are_unknown),
		TEST(an_unmounted_filesystem_is_named),
		TEST(contents_that_are_not_followed),
		TEST(a_filesystem_below_a_volume_is_not_named),
		TEST(unused_bytes_of_a_used_device),
		TEST(bytes_of_regions_and_character_devices),
		TEST(the_journal_of_a_mounted_filesystem),
		TEST(a_copy_of_a_journal),
		TEST(the_journal_of_another_filesystem),
		TEST(a_device_of_a_mounted_btrfs),
		TEST(the_way_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
