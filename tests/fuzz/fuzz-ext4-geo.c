/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: superblock and group descriptors of ext4, also as libext2fs sees them.  The input is
 * the beginning of a device of 4 MiB.  Every place that comes out lies on the device.
 * Parsers: ext4-geo
 */
#include <sys/mman.h>
#include <unistd.h>

#include "ext4-layout.h"
#include "fuzz.h"

#define DEVICE (4U << 20)

static void check(const struct pme_ext4_geo *geo)
{
	struct pme_range whole = {0, DEVICE};
	const struct pme_range_list all = {.items = &whole, .count = 1};
	struct pme_ext4_places places = {0};

	FUZZ_CHECK(geo->size <= DEVICE);
	if (pme_ext4_layout(geo, &all, &places) == 0)
		for (size_t i = 0; i < places.count; i++)
			FUZZ_CHECK(places.items[i].range.length > 0 &&
				   pme_range_end(places.items[i].range) <= DEVICE);
	pme_ext4_places_done(&places);
	for (uint32_t ino = 1; ino <= geo->inodes && ino < 100; ino++)
		FUZZ_CHECK(pme_ext4_geo_inode_used(geo, ino) <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pme_ext4_geo geo = {0};
	int fd = memfd_create("ext4", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, DEVICE) < 0)
		abort();
	if (size > 0 && size <= DEVICE && pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (pme_ext4_geo_read(&fd, DEVICE, &geo) == 0)
		check(&geo);
	pme_ext4_geo_done(&geo);
	close(fd);
	return 0;
}
