/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: bcache: a superblock, and the kernel's list of extents.  Extents that are accepted
 * do not overlap, and each is found by both of its sides.
 */
#include "bcache-extents.h"
#include "bcache-super.h"
#include "fuzz.h"

static void check_list(const char *text, size_t size)
{
	struct pme_bcache_extents extents;
	const struct pme_bcache_extent *found;

	if (pme_bcache_extents_parse(text, size, &extents) < 0)
		return;
	for (size_t i = 0; i < extents.count; i++) {
		const struct pme_bcache_extent *one = &extents.items[i];
		uint64_t end = pme_range_end(one->range);

		FUZZ_CHECK(one->range.length > 0);
		pme_bcache_piece(&extents, one->inode, end - 1, end, &found);
		FUZZ_CHECK(found == one);
		pme_bcache_place_piece(&extents, one->place, one->place + 1, &found);
		FUZZ_CHECK(found == one);
	}
	pme_bcache_extents_done(&extents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	struct pme_bcache_super super;

	check_list(copy, size);
	if (size != PME_BCACHE_SUPER_SIZE ||
	    pme_bcache_super_parse((const unsigned char *)copy, &super) < 0)
		return 0;
	if (super.backing) {
		FUZZ_CHECK(super.data_offset >= PME_BCACHE_SUPER_AT + PME_BCACHE_SUPER_SIZE);
		return 0;
	}
	FUZZ_CHECK(super.first_bucket + super.n_journal <= super.n_buckets);
	FUZZ_CHECK(super.n_buckets <= UINT64_MAX / super.bucket);
	return 0;
}
