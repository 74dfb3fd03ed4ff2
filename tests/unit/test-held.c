/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/held.c: what the holders of a device on which nothing was found make of it.  Who writes or
 * maps it uses it; who only reads it leaves it unknown.
 */
#include "held.h"

#include <sys/sysmacros.h>

#include "check.h"

static const char nothing[] = "no filesystem, volume or partition table found on pmem0";

struct holders {
	struct pme_holder items[2];
	size_t count;
};

/* The claim of a blank pmem0 that these hold. */
static void claim_of(const struct holders *holders, const char *way, struct pme_claim *ret)
{
	static struct pme_dev dev = {.name = (char *)"pmem0", .kind = PME_DEV_DISK};
	struct pme_hop hop = {.dev = &dev, .kind = "disk"};
	struct pme_file node = {.rdev = makedev(259, 0), .mode = S_IFBLK};
	struct pme_raw_dev raw = {.dev = &dev, .node = &node};
	struct pme_findings findings = {.raws = &raw, .n_raws = 1};
	struct pme_top top = {.hops = &hop,
			      .n_hops = 1,
			      .blank = true,
			      .certainty = PME_UNCERTAIN,
			      .way_reason = (char *)way};

	node.holders = (struct pme_holder *)holders->items;
	node.n_holders = holders->count;
	*ret = (struct pme_claim){.kind = PME_OWNER_UNKNOWN, .certainty = PME_UNCERTAIN};
	ret->reason = strdup(nothing);
	assert_int_equal(pme_held_claim(&findings, ret, &top), 0);
	ret->node = NULL; /* it ends here */
}

static void check(const struct holders *holders, const char *way, enum pme_owner_kind kind,
		  enum pme_certainty certainty, const char *reason)
{
	struct pme_claim claim;

	claim_of(holders, way, &claim);
	assert_int_equal(claim.kind, kind);
	assert_int_equal(claim.certainty, certainty);
	if (reason)
		assert_string_equal(claim.reason, reason);
	else
		assert_null(claim.reason);
	assert_int_equal(claim.detail != NULL, kind == PME_OWNER_RAW_DEVICE);
	free(claim.reason);
	free(claim.detail);
}

static void nobody(void **state)
{
	check(&(struct holders){.count = 0}, NULL, PME_OWNER_UNKNOWN, PME_UNCERTAIN, nothing);
}

static void readers(void **state)
{
	static const struct holders one = {
		.items = {{.pid = 42, .command = (char *)"dd", .open = true}}, .count = 1};
	static const struct holders two = {
		.items = {{.pid = 42, .open = true}, {.pid = 43, .open = true}}, .count = 2};

	check(&one, NULL, PME_OWNER_UNKNOWN, PME_UNCERTAIN,
	      "no filesystem, volume or partition table found on pmem0; open only for reading, by "
	      "dd "
	      "(process 42)");
	check(&two, NULL, PME_OWNER_UNKNOWN, PME_UNCERTAIN,
	      "no filesystem, volume or partition table found on pmem0; open only for reading, by "
	      "a "
	      "process (process 42) and 1 more");
}

static void users(void **state)
{
	static const struct holders writer = {
		.items = {{.pid = 41, .open = true}, {.pid = 42, .open = true, .writes = true}},
		.count = 2};
	static const struct holders mapper = {.items = {{.pid = 42, .mapped = true}}, .count = 1};

	check(&writer, NULL, PME_OWNER_RAW_DEVICE, PME_EXACT, NULL);
	check(&mapper, NULL, PME_OWNER_RAW_DEVICE, PME_EXACT, NULL);
	check(&mapper, "a leg is in doubt", PME_OWNER_RAW_DEVICE, PME_UNCERTAIN,
	      "a leg is in doubt");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody),
		cmocka_unit_test(readers),
		cmocka_unit_test(users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
