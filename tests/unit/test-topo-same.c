/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/topo-same.c: two snapshots of the same machine are the same; with any one thing changed that
 * an answer depends on, they are not.
 */
#include "topo-same.h"

#include "snapshot.h"

struct machine {
	struct snapshot snap;
	struct pme_dev *disk, *part, *dm, *md, *loop;
};

static char *copy(const char *text)
{
	char *out = strdup(text);

	assert_non_null(out);
	return out;
}

static void machine_init(struct machine *m)
{
	struct pme_dev *disk;

	snap_init(&m->snap, NULL);
	m->disk = disk = snap_disk(&m->snap, "pmem0", 1000);
	m->part = snap_partition(&m->snap, disk, "pmem0p1", 8, 900);
	m->dm = snap_dm(&m->snap, "dm-0");
	snap_linear(m->dm, m->part, 0, 800);
	m->md = snap_md(&m->snap, "md0", "raid0", 4096);
	snap_member(m->md, m->dm, 16, 400);
	m->loop = snap_disk(&m->snap, "loop0", 100);
	snap_stack(m->md, m->loop);
	m->loop->loop = calloc(1, sizeof(*m->loop->loop));
	assert_non_null(m->loop->loop);
	m->loop->loop->file = copy("/image");
	m->loop->loop->file_inode = 7;
	snap_mount(&m->snap, m->md, "xfs", "/srv");
}

static void nothing(struct machine *m)
{
	(void)m;
}
static void resize(struct machine *m)
{
	m->disk->size += 512;
}
static void move_partition(struct machine *m)
{
	m->part->start += 512;
}
static void reuse_name(struct machine *m)
{
	m->disk->diskseq++;
}
static void reload_table(struct machine *m)
{
	m->dm->lines[0].params[strlen(m->dm->lines[0].params) - 1] = '8';
}
static void change_target(struct machine *m)
{
	m->dm->lines[0].type[0] = 'L';
}
static void lose_table(struct machine *m)
{
	m->dm->table_error = -EIO;
}
static void reshape(struct machine *m)
{
	m->md->md->reshape = true;
}
static void fail_member(struct machine *m)
{
	free(m->md->md->components[0].state);
	m->md->md->components[0].state = copy("faulty");
}
static void move_data(struct machine *m)
{
	m->md->md->components[0].data_offset += 512;
}
static void change_file(struct machine *m)
{
	m->loop->loop->file_inode++;
}
static void swap_on(struct machine *m)
{
	m->loop->swap = true;
}
static void suspend(struct machine *m)
{
	m->dm->suspended = true;
}
static void unmount(struct machine *m)
{
	m->snap.topo->mounts[0].devno = 0;
}
static void rename_volume(struct machine *m)
{
	m->dm->alias = copy("vg0/other");
}
static void other_uuid(struct machine *m)
{
	m->md->uuid = copy("other");
}
static void other_identity(struct machine *m)
{
	m->disk->identity[0] = 'N';
}
static void stack_more(struct machine *m)
{
	struct pme_dev *dm = snap_dm(&m->snap, "dm-9");

	snap_linear(dm, m->loop, 0, 10);
}

/* As pme_topo_load_again() would have made it. */
static void make_partial(struct machine *m)
{
	struct pme_topo *topo = m->snap.topo;

	topo->partial = true;
	for (size_t i = 0; i < topo->n_devs; i++) {
		free(topo->devs[i]->identity);
		topo->devs[i]->identity = NULL;
	}
}

static void any_change_is_noticed(void **state)
{
	static const struct {
		void (*change)(struct machine *m);
		bool same, same_in_part;
	} cases[] = {
		{nothing, true, true},		{resize, false, false},
		{move_partition, false, false}, {reuse_name, false, false},
		{reload_table, false, false},	{change_target, false, false},
		{lose_table, false, false},	{reshape, false, false},
		{fail_member, false, false},	{move_data, false, false},
		{change_file, false, false},	{swap_on, false, false},
		{suspend, false, false},	{unmount, false, false},
		{rename_volume, false, false},	{other_uuid, false, false},
		{other_identity, false, true}, /* never without another sequence number */
		{stack_more, false, false},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct machine before, after;

		machine_init(&before);
		machine_init(&after);
		cases[i].change(&after);
		assert_int_equal(pme_dev_same(before.snap.topo, before.loop, after.snap.topo),
				 cases[i].same);
		assert_int_equal(pme_dev_same(after.snap.topo, after.loop, before.snap.topo),
				 cases[i].same);
		make_partial(&after);
		assert_int_equal(pme_dev_same(before.snap.topo, before.loop, after.snap.topo),
				 cases[i].same_in_part);
		snap_done(&before.snap);
		snap_done(&after.snap);
	}
}

static void what_is_gone_is_not_the_same(void **state)
{
	struct machine m;
	struct snapshot empty;

	(void)state;
	machine_init(&m);
	snap_init(&empty, NULL);
	assert_false(pme_dev_same(m.snap.topo, m.disk, empty.topo));
	snap_done(&m.snap);
	snap_done(&empty);
}

/* A namespace stands on its region, which a partial snapshot has not. */
static void parts_are_enough_with_sequence_numbers(void **state)
{
	struct snapshot full, part;
	struct pme_dev *region, *disk, *dax;

	(void)state;
	snap_init(&full, NULL);
	region = snap_region(&full, "region0", 1 << 30, 1 << 30, "nmem0");
	disk = snap_namespace(&full, region, "namespace0.0", PME_MODE_FSDAX, 0, 1 << 20, 4096,
			      "pmem0");
	dax = snap_namespace(&full, region, "namespace0.1", PME_MODE_DEVDAX, 1 << 20, 1 << 20, 4096,
			     "dax0.1");
	assert_false(pme_dev_same_in_part(region));
	assert_false(pme_dev_same_in_part(dax));
	assert_false(pme_dev_same_in_part(disk));
	disk->diskseq = 5;
	assert_true(pme_dev_same_in_part(disk));
	snap_init(&part, NULL);
	part.topo->partial = true;
	snap_disk(&part, "pmem0", disk->size / PME_SECTOR)->diskseq = 5;
	part.topo->devs[0]->devno = disk->devno;
	assert_true(pme_dev_same(full.topo, disk, part.topo));
	part.topo->devs[0]->diskseq = 6;
	assert_false(pme_dev_same(full.topo, disk, part.topo));
	snap_done(&full);
	snap_done(&part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_change_is_noticed),
		cmocka_unit_test(what_is_gone_is_not_the_same),
		cmocka_unit_test(parts_are_enough_with_sequence_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
