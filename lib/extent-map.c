/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which filesystem says in which way where files lie; see extent.h.
 *
 * From the kernel's sources: the filesystems on one device whose fiemap operation gives bytes of
 * it, and those that have but the bmap operation (FIBMAP: blocks of the size of FIGETBSZ, 0 for a
 * hole).  Not here: what is on several devices (bcachefs), or asks somebody else (FUSE).
 */
#include <linux/fs.h>
#include <string.h>

#include "extent.h"
#include "os.h"

static const struct {
	const char *type;
	enum pme_mapping mapping;
} mappings[] = {
	{"xfs", PME_MAPPING_FIEMAP},	 {"ext2", PME_MAPPING_FIEMAP},
	{"ext3", PME_MAPPING_FIEMAP},	 {"ext4", PME_MAPPING_FIEMAP},
	{"f2fs", PME_MAPPING_FIEMAP},	 {"nilfs2", PME_MAPPING_FIEMAP},
	{"ntfs3", PME_MAPPING_FIEMAP},	 {"ocfs2", PME_MAPPING_FIEMAP},
	{"gfs2", PME_MAPPING_FIEMAP},	 {"vfat", PME_MAPPING_FIBMAP},
	{"msdos", PME_MAPPING_FIBMAP},	 {"exfat", PME_MAPPING_FIBMAP},
	{"hfs", PME_MAPPING_FIBMAP},	 {"hfsplus", PME_MAPPING_FIBMAP},
	{"jfs", PME_MAPPING_FIBMAP},	 {"minix", PME_MAPPING_FIBMAP},
	{"iso9660", PME_MAPPING_FIBMAP}, {"udf", PME_MAPPING_FIBMAP},
};

enum pme_mapping pme_extents_mapping(const char *fs_type)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(mappings); i++)
		if (strcmp(mappings[i].type, fs_type) == 0)
			return mappings[i].mapping;
	return PME_MAPPING_NONE;
}

/* A block of the file, put to the last extent where it goes on. */
static int add_block(struct pme_extents *extents, struct pme_range range, uint64_t device_start)
{
	struct pme_extent *last = extents->count ? &extents->items[extents->count - 1] : NULL;
	enum pme_extent_state state = device_start ? PME_EXTENT_DATA : PME_EXTENT_HOLE;
	int r;

	if (last && last->state == state && pme_range_end(last->range) == range.start &&
	    (!device_start || last->device_start + last->range.length == device_start)) {
		last->range.length += range.length;
		return 0;
	}
	r = pme_grow(&extents->items, &extents->alloc, extents->count, sizeof(*extents->items));
	if (r < 0)
		return r;
	extents->items[extents->count++] = (struct pme_extent){
		.range = range,
		.state = state,
		.device_start = device_start,
	};
	return 0;
}

/* Place of one block: bytes of the device, 0 for a hole; or -errno. */
static int ask_block(int fd, uint64_t number, uint64_t block_size, uint64_t *ret)
{
	int block = (int)number;
	int r;

	if (number > INT32_MAX)
		return -ERANGE;
	r = pme_os_ioctl(fd, FIBMAP, &block);
	if (r < 0)
		return r;
	if (block < 0)
		return -ERANGE;
	*ret = (uint64_t)block * block_size;
	return 0;
}

static int read_blocks(int fd, struct pme_range range, struct pme_extents *ret)
{
	int block_size = 0;
	int r = pme_os_ioctl(fd, FIGETBSZ, &block_size);
	uint64_t unit, end = pme_range_end(range);

	if (r < 0)
		return r;
	if (block_size < 512 || block_size > 1 << 20)
		return -EPROTO;
	unit = (uint64_t)block_size;
	for (uint64_t at = range.start; r >= 0 && at < end;) {
		struct pme_range piece = {at, pme_min(unit - at % unit, end - at)};
		uint64_t place;

		r = ask_block(fd, at / unit, unit, &place);
		if (r >= 0)
			r = add_block(ret, piece, place ? place + at % unit : 0);
		at += piece.length;
	}
	return r < 0 ? r : 0;
}

int pme_extents_map(int fd, enum pme_mapping mapping, struct pme_range range,
		    struct pme_extents *ret)
{
	switch (mapping) {
	case PME_MAPPING_FIEMAP:
		return pme_extents_read(fd, range, ret);
	case PME_MAPPING_FIBMAP:
		return read_blocks(fd, range, ret);
	case PME_MAPPING_NONE:
		break;
	}
	return -EOPNOTSUPP;
}
