/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of layer-namespace.c: cases, and random regions against a list of what each sector is.
 */
#include "hop-check.h"

#define SECTORS(n) ((n)*PME_SECTOR)
#define NAMESPACES 4
#define PHYSICAL 0x100000000ULL /* of the region */

/* A region of 512 sectors with up to four namespaces. */
struct land {
	struct pme_region region;
	struct pme_dev region_dev;
	struct pme_namespace ns[NAMESPACES];
	struct pme_dev devs[NAMESPACES];
	struct pme_namespace *list[NAMESPACES];
	const struct pme_dev *uppers[NAMESPACES], *lower;
	struct pme_topo topo;
};

static void land_start(struct land *l)
{
	*l = (struct land){0};
	l->region = (struct pme_region){
		.name = text("region0"),
		.resource = PHYSICAL,
		.size = SECTORS(512),
	};
	l->region_dev = (struct pme_dev){
		.name = text("region0"),
		.kind = PME_DEV_REGION,
		.region = &l->region,
		.size = SECTORS(512),
		.uppers = l->uppers,
	};
	l->lower = &l->region_dev;
	l->topo = (struct pme_topo){.namespaces = l->list};
}

/* A namespace at [@start, @end) of the region; its data begins @front behind, and ends @back
 * before. */
static void land_add(struct land *l, enum pme_mode mode, uint64_t start, uint64_t end,
		     uint64_t front, uint64_t back)
{
	static const char *const names[] = {
		"namespace0.0",
		"namespace0.1",
		"namespace0.2",
		"namespace0.3",
	};
	static const char *const devices[] = {"pmem0", "pmem0.1", "pmem0.2", "pmem0.3"};
	size_t i = l->topo.n_namespaces++;

	assert_true(i < NAMESPACES);
	l->ns[i] = (struct pme_namespace){
		.name = text(names[i]),
		.mode = mode,
		.region = &l->region,
		.active = true,
		.resource = PHYSICAL + SECTORS(start),
		.size = SECTORS(end - start),
		.data_start = PHYSICAL + SECTORS(start + front),
		.device = text(devices[i]),
	};
	l->list[i] = &l->ns[i];
	l->devs[i] = (struct pme_dev){
		.name = text(devices[i]),
		.kind = mode == PME_MODE_DEVDAX ? PME_DEV_CHARDEV : PME_DEV_DISK,
		.ns = &l->ns[i],
		.size = SECTORS(end - start - front - back),
		.lowers = &l->lower,
		.n_lowers = 1,
	};
	l->uppers[l->region_dev.n_uppers++] = &l->devs[i];
}

/* As when it is disabled: no device, at the end of the list only. */
static void land_disable_last(struct land *l)
{
	struct pme_namespace *ns = &l->ns[l->topo.n_namespaces - 1];

	ns->active = false;
	ns->device = NULL;
	ns->data_start = PME_UNKNOWN;
	l->region_dev.n_uppers--;
}

/* All that the layer says of @range: each device above, then the rest. */
static void ask_all(struct land *l, struct pme_range range, struct pme_steps *steps)
{
	for (size_t i = 0; i < l->region_dev.n_uppers; i++) {
		assert_ptr_equal(pme_layer_of(l->uppers[i]), &pme_layer_namespace);
		assert_int_equal(
			pme_layer_namespace.up(NULL, l->uppers[i], &l->region_dev, range, steps),
			0);
	}
	assert_int_equal(pme_namespace_rest(&l->topo, &l->region_dev, range, steps), 0);
}

/* One namespace of each kind, and a gap; one answer for each part. */
static void every_kind_of_namespace(void **state)
{
	static const struct {
		uint64_t sector;
		enum pme_owner_kind owner;
		const char *words; /* NULL: leads to device @dev, sector @to */
		size_t dev;
		uint64_t to;
	} cases[] = {
		{0, PME_OWNER_UNUSED, "not in any namespace", 0, 0},
		{16, PME_OWNER_NAMESPACE_METADATA, "info block and page map of namespace0.0", 0, 0},
		{31, PME_OWNER_NAMESPACE_METADATA, "info block and page map of namespace0.0", 0, 0},
		{32, 0, NULL, 0, 0},
		{91, 0, NULL, 0, 59},
		{92, PME_OWNER_NAMESPACE_METADATA, "unused end of namespace0.0", 0, 0},
		{99, PME_OWNER_NAMESPACE_METADATA, "unused end of namespace0.0", 0, 0},
		{100, PME_OWNER_NAMESPACE_METADATA, "info block and page map of namespace0.1", 0,
		 0},
		{120, 0, NULL, 1, 12},
		{200, PME_OWNER_UNKNOWN,
		 "sector mode (BTT): a block may be mapped anywhere in pmem0.2", 0, 0},
		{300, PME_OWNER_UNKNOWN, "namespace0.3 is disabled: enable it to see what is on it",
		 0, 0},
		{400, PME_OWNER_UNUSED, "not in any namespace", 0, 0},
	};
	struct land l;

	land_start(&l);
	land_add(&l, PME_MODE_FSDAX, 16, 100, 16, 8);
	land_add(&l, PME_MODE_DEVDAX, 100, 200, 8, 0);
	land_add(&l, PME_MODE_SECTOR, 200, 300, 0, 10);
	land_add(&l, PME_MODE_FSDAX, 300, 400, 16, 0);
	land_disable_last(&l);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		struct pme_range range = {SECTORS(cases[i].sector), PME_SECTOR};

		ask_all(&l, range, &steps);
		if (cases[i].words) {
			check_end(&steps, cases[i].owner, range, cases[i].words);
			continue;
		}
		assert_int_equal(steps.count, 1);
		assert_ptr_equal(steps.items[0].to, &l.devs[cases[i].dev]);
		assert_int_equal(steps.items[0].to_start, SECTORS(cases[i].to));
	}
}

static void random_land(struct rnd *rnd, struct land *l)
{
	uint64_t at = rnd_below(rnd, 20), n = rnd_below(rnd, NAMESPACES + 1);

	land_start(l);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t front = rnd_below(rnd, 10), back = rnd_below(rnd, 4);
		uint64_t end = at + front + back + 1 + rnd_below(rnd, 80);

		land_add(l, rnd_below(rnd, 2) ? PME_MODE_FSDAX : PME_MODE_RAW, at, end, front,
			 back);
		at = end + (rnd_below(rnd, 2) ? rnd_below(rnd, 20) : 0);
	}
	if (n > 0 && rnd_below(rnd, 3) == 0)
		land_disable_last(l);
}

static void random_regions_are_as_modelled(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		struct land l;

		random_land(&rnd, &l);
		for (size_t i = 0; i < l.region_dev.n_uppers; i++) {
			struct model m = {.upper = l.uppers[i]};
			uint64_t first = (l.ns[i].data_start - PHYSICAL) / PME_SECTOR;

			for (uint64_t s = 0; s < l.devs[i].size / PME_SECTOR; s++)
				model_put(&m, &l.region_dev, first + s);
			check_model(&pme_layer_namespace, &m, &rnd);
		}
	}
}

/* All devices and the rest together: every byte once. */
static void every_byte_of_a_region_is_spoken_for(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 300; round++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0};
		_cleanup_(pme_range_list_done) struct pme_range_list list = {0};
		struct pme_range range;
		struct land l;
		uint64_t bytes = 0;

		random_land(&rnd, &l);
		range = random_range(&rnd, l.region.size);
		ask_all(&l, range, &steps);
		check_inside(&steps, range);
		for (size_t i = 0; i < steps.count; i++) {
			struct pme_range from = steps.items[i].from;

			bytes += from.length;
			assert_int_equal(pme_range_list_add(&list, from.start, from.length), 0);
		}
		pme_range_list_normalize(&list);
		assert_int_equal(bytes, range.length);
		assert_int_equal(pme_range_list_bytes(&list), range.length);
	}
}

static void no_region_address(struct land *l)
{
	l->region.resource = PME_UNKNOWN;
}

static void no_address(struct land *l)
{
	l->ns[0].resource = PME_UNKNOWN;
}

static void no_data_address(struct land *l)
{
	l->ns[0].data_start = PME_UNKNOWN;
}

static void no_size(struct land *l)
{
	l->ns[0].size = PME_UNKNOWN;
}

static void no_device_size(struct land *l)
{
	l->devs[0].size = 0;
}

static void in_front_of_region(struct land *l)
{
	l->ns[0].resource = PHYSICAL - 4096;
}

static void behind_region(struct land *l)
{
	l->ns[0].size = SECTORS(600);
}

static void wild_size(struct land *l)
{
	l->ns[0].size = UINT64_MAX - 1;
}

static void data_in_front(struct land *l)
{
	l->ns[0].data_start = PHYSICAL;
}

static void data_behind(struct land *l)
{
	l->ns[0].data_start = PHYSICAL + SECTORS(400);
}

static void device_too_large(struct land *l)
{
	l->devs[0].size = UINT64_MAX - 1;
}

static void mode_unknown(struct land *l)
{
	l->ns[0].mode = PME_MODE_UNKNOWN;
}

static void device_missing(struct land *l)
{
	l->region_dev.n_uppers = 0;
}

#define UNREADABLE "namespace0.0: addresses or sizes cannot be read (run as root)"
#define ODD "namespace0.0: addresses and sizes do not fit together"

static const struct {
	void (*make)(struct land *l);
	const char *words;
} troubles[] = {
	{no_region_address, UNREADABLE},
	{no_address, UNREADABLE},
	{no_data_address, UNREADABLE},
	{no_size, UNREADABLE},
	{no_device_size, UNREADABLE},
	{in_front_of_region, ODD},
	{behind_region, ODD},
	{wild_size, ODD},
	{data_in_front, ODD},
	{data_behind, ODD},
	{device_too_large, ODD},
	{mode_unknown, "the mode of namespace0.0 is not known"},
	{device_missing, "namespace0.0 is active, but its device was not found"},
};

static void troubles_are_said(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(troubles); i++) {
		_cleanup_(pme_steps_done) struct pme_steps steps = {0}, down = {0};
		struct pme_range range = {SECTORS(40), SECTORS(8)};
		struct land l;

		land_start(&l);
		land_add(&l, PME_MODE_FSDAX, 16, 100, 16, 0);
		troubles[i].make(&l);
		ask_all(&l, range, &steps);
		check_end(&steps, PME_OWNER_UNKNOWN, range, troubles[i].words);
		if (troubles[i].make == device_missing)
			continue;
		range = (struct pme_range){0, 512};
		assert_int_equal(pme_layer_namespace.down(NULL, &l.devs[0], range, &down), 0);
		check_end(&down, PME_OWNER_UNKNOWN, range, troubles[i].words);
	}
}

static void down_of_sector_mode_is_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range range = {0, 512};
	struct land l;

	land_start(&l);
	land_add(&l, PME_MODE_SECTOR, 16, 100, 16, 0);
	assert_int_equal(pme_layer_namespace.down(NULL, &l.devs[0], range, &steps), 0);
	check_end(&steps, PME_OWNER_UNKNOWN, range,
		  "sector mode (BTT): a block may be mapped anywhere in pmem0");
}

/* Seeds that libndctl lists have no size, and other regions are not ours. */
static void foreign_and_empty_namespaces_do_not_count(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_region other = {.resource = PHYSICAL, .size = SECTORS(512)};
	struct pme_range all = {0, SECTORS(512)};
	struct land l;

	land_start(&l);
	land_add(&l, PME_MODE_FSDAX, 16, 100, 16, 0);
	land_add(&l, PME_MODE_FSDAX, 100, 200, 16, 0);
	l.region_dev.n_uppers = 0;
	l.ns[0].size = 0;
	l.ns[0].resource = PME_UNKNOWN;
	l.ns[1].region = &other;
	assert_int_equal(pme_namespace_rest(&l.topo, &l.region_dev, all, &steps), 0);
	check_end(&steps, PME_OWNER_UNUSED, all, "not in any namespace");
	assert_int_equal(pme_layer_namespace.up(NULL, &l.devs[1], &l.region_dev, all, &steps),
			 -EINVAL);
}

/* The kernel has taken its namespaces away, so none may be called unused. */
static void a_disabled_region_is_unknown(void **state)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	struct pme_range all = {0, SECTORS(512)};
	struct land l;

	land_start(&l);
	l.region.disabled = true;
	assert_int_equal(pme_namespace_rest(&l.topo, &l.region_dev, all, &steps), 0);
	check_end(&steps, PME_OWNER_UNKNOWN, all,
		  "region0 is disabled: enable it to see what is on it");
}

static void explains_in_plain_numbers(void **state)
{
	_cleanup_free_ char *line = NULL;
	struct land l;

	land_start(&l);
	land_add(&l, PME_MODE_FSDAX, 16, 100, 16, 0);
	line = pme_layer_namespace.explain(NULL, &l.region_dev, 20480, &l.devs[0], 4096);
	assert_string_equal(line, "20480 + 4294967296 (physical address of region0) - 4294983680 "
				  "(physical address of the data of namespace0.0) = 4096");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_namespace),
		cmocka_unit_test(random_regions_are_as_modelled),
		cmocka_unit_test(every_byte_of_a_region_is_spoken_for),
		cmocka_unit_test(troubles_are_said),
		cmocka_unit_test(down_of_sector_mode_is_unknown),
		cmocka_unit_test(foreign_and_empty_namespaces_do_not_count),
		cmocka_unit_test(a_disabled_region_is_unknown),
		cmocka_unit_test(explains_in_plain_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
