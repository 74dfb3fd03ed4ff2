/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of layer-md.c with arrays that make no sense, are not running, or are only part of what is
 * on their members: each is said, and why.
 */
#include "md-array.h"

/* What makes an array one that cannot be followed, and what is said of it. */
struct trouble {
	const char *level;
	void (*make)(struct array *a);
	enum pme_owner_kind owner;
	const char *words;
};

static void do_nothing(struct array *a)
{
	(void)a;
}

static void reshape(struct array *a)
{
	a->md.reshape = true;
}

static void stop(struct array *a)
{
	a->dev.size = 0;
}

static void forbid(struct array *a)
{
	a->dev.table_error = -EACCES;
	a->dev.md = NULL;
}

static void forget(struct array *a)
{
	a->dev.md = NULL;
}

static void unlevel(struct array *a)
{
	a->md.level = NULL;
}

static void no_chunk(struct array *a)
{
	a->md.chunk = 0;
}

static void odd_chunk(struct array *a)
{
	a->md.chunk = 4095;
	a->dev.size = 16384; /* less than what the members hold */
}

static void huge_chunk(struct array *a)
{
	a->md.chunk = UINT64_MAX - 511;
}

static void take_slot(struct array *a)
{
	a->comps[1].slot = 0;
}

static void far_slot(struct array *a)
{
	a->comps[1].slot = INT32_MAX;
}

static void lose_member(struct array *a)
{
	a->comps[1].slot = -1;
}

static void more_disks(struct array *a)
{
	a->md.raid_disks = UINT64_MAX;
}

static void wild_offset(struct array *a)
{
	a->comps[0].data_offset = UINT64_MAX;
}

static void wild_sizes(struct array *a)
{
	a->comps[0].size = UINT64_MAX - SECTORS(16);
	a->comps[1].size = UINT64_MAX - SECTORS(16);
}

static void no_size(struct array *a)
{
	a->comps[1].size = 0;
}

static void too_large(struct array *a)
{
	a->dev.size += PME_SECTOR;
}

static void spare(struct array *a)
{
	a->comps[0].slot = -1;
	a->comps[0].state = text("spare");
}

static void journal(struct array *a)
{
	a->comps[0].slot = -1;
	a->comps[0].state = text("journal,in_sync");
}

static void stranger(struct array *a)
{
	a->comps[0].dev = &a->lowers[1];
}

#define ODD "md0: sizes and slots of its members do not fit together"

static const struct trouble troubles[] = {
	{"faulty", do_nothing, PME_OWNER_UNKNOWN, "MD level 'faulty' of md0 is not followed"},
	{"multipath", do_nothing, PME_OWNER_UNKNOWN, "MD level 'multipath' of md0 is not followed"},
	{"container", do_nothing, PME_OWNER_UNKNOWN, "MD level 'container' of md0 is not followed"},
	{"raid6", do_nothing, PME_OWNER_UNKNOWN, ODD},
	{"raid5", do_nothing, PME_OWNER_UNKNOWN, ODD},
	{"raid10", do_nothing, PME_OWNER_UNKNOWN, ODD},
	{"raid0", unlevel, PME_OWNER_UNKNOWN, "MD level '' of md0 is not followed"},
	{"raid0", reshape, PME_OWNER_UNKNOWN, "md0 is being reshaped"},
	{"raid0", stop, PME_OWNER_UNKNOWN, "md0 is not running, or a container of other arrays"},
	{"raid0", forbid, PME_OWNER_UNKNOWN,
	 "cannot read the attributes of md0: Permission denied"},
	{"raid0", forget, PME_OWNER_UNKNOWN, "nothing is known of md0"},
	{"raid0", no_chunk, PME_OWNER_UNKNOWN, ODD},
	{"linear", odd_chunk, PME_OWNER_UNKNOWN, ODD},
	{"raid0", huge_chunk, PME_OWNER_UNKNOWN, ODD},
	{"raid0", take_slot, PME_OWNER_UNKNOWN, ODD},
	{"linear", far_slot, PME_OWNER_UNKNOWN, ODD},
	{"linear", lose_member, PME_OWNER_UNKNOWN, ODD},
	{"raid0", more_disks, PME_OWNER_UNKNOWN, ODD},
	{"raid0", wild_offset, PME_OWNER_UNKNOWN, ODD},
	{"linear", wild_sizes, PME_OWNER_UNKNOWN, ODD},
	{"linear", no_size, PME_OWNER_UNKNOWN, ODD},
	{"raid0", too_large, PME_OWNER_UNKNOWN, ODD},
	{"raid0", spare, PME_OWNER_UNUSED, "spare or failed member of md0"},
	{"raid5", spare, PME_OWNER_UNUSED, "spare or failed member of md0"},
	{"raid5", journal, PME_OWNER_RAID_METADATA, "write journal of md0"},
	{"raid0", stranger, PME_OWNER_UNKNOWN, "md0 does not say how it uses pmem0"},
};

static void troubles_are_said(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(troubles); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0}, down = {0};
		struct pme_range range = {SECTORS(16), SECTORS(8)};
		struct array a;

		array_start(&a, troubles[i].level, 8);
		array_add(&a, 8, 64, 8);
		array_add(&a, 8, 64, 8);
		a.dev.size = SECTORS(128);
		troubles[i].make(&a);
		assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[0], range, &steps), 0);
		check_end(&steps, troubles[i].owner, range, troubles[i].words);
		assert_int_equal(pme_layer_md.down(NULL, &a.dev, range, &down), 0);
		assert_true(bytes_to(&down, NULL) == range.length || a.dev.md == NULL ||
			    troubles[i].make == stranger);
	}
}

/* Arrays of one container share the disk: bytes outside of one may be data of another. */
static void shared_member_is_unknown_outside(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps front = {0}, no_slot = {0};
	struct pme_dev other = {.name = text("md1"), .kind = PME_DEV_MD};
	struct pme_range range = {0, 512};
	const struct pme_dev *uppers[2];
	struct array a;

	array_start(&a, "raid0", 8);
	array_add(&a, 16, 16, 0);
	a.dev.size = SECTORS(16);
	uppers[0] = &other;
	uppers[1] = &a.dev;
	a.lowers[0].uppers = uppers;
	a.lowers[0].n_uppers = 2;
	assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[0], range, &front), 0);
	check_end(&front, PME_OWNER_UNKNOWN, range,
		  "outside of what md0 uses of pmem0, which other arrays use too");
	a.comps[0].slot = -1;
	assert_int_equal(pme_layer_md.up(NULL, &a.dev, &a.lowers[0], range, &no_slot), 0);
	check_end(&no_slot, PME_OWNER_UNKNOWN, range,
		  "pmem0 has no slot in md0: part of a container");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(troubles_are_said),
		cmocka_unit_test(shared_member_is_unknown_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
