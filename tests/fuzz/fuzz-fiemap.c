/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: answers of FIEMAP.  The input is the range that is asked about, then extents.
 * A reserved field of each says whether the answer ends behind it (1) or fails there (2).  What
 * comes out covers the range, in order and without gaps.
 * Parsers: extent
 */
#include <linux/fiemap.h>

#include "extent.h"
#include "fuzz.h"
#include "os.h"

static const uint8_t *left;
static size_t n_left;

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	struct fiemap *map = arg;
	uint32_t n = 0;

	while (n < map->fm_extent_count && n_left > 0) {
		struct fiemap_extent *fe = &map->fm_extents[n++];

		memcpy(fe, left, sizeof(*fe));
		left += sizeof(*fe);
		n_left--;
		if (fe->fe_reserved[0] & 1) /* the end of this answer */
			break;
		if (fe->fe_reserved[0] & 2)
			return -EIO;
	}
	map->fm_mapped_extents = n;
	return 0;
}

static void check(const struct pme_extents *extents, struct pme_range range)
{
	uint64_t at = range.start, end;

	for (size_t i = 0; i < extents->count; i++) {
		const struct pme_extent *extent = &extents->items[i];

		FUZZ_CHECK(extent->range.start == at && extent->range.length > 0);
		if (extent->state == PME_EXTENT_DATA)
			FUZZ_CHECK(pme_add(extent->device_start, extent->range.length, &end) == 0);
		at = pme_range_end(extent->range);
	}
	FUZZ_CHECK(at == pme_range_end(range));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pme_extents extents = {0};
	struct pme_range range;
	uint64_t end;

	if (size < sizeof(range))
		return 0;
	memcpy(&range, data, sizeof(range));
	if (range.length == 0 || pme_add(range.start, range.length, &end) < 0)
		return 0;
	left = data + sizeof(range);
	n_left = (size - sizeof(range)) / sizeof(struct fiemap_extent);
	if (pme_extents_read(3, range, &extents) == 0)
		check(&extents, range);
	pme_extents_done(&extents);
	return 0;
}
