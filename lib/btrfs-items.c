/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of btrfs items; see btrfs-items.h.
 */
#include "btrfs-items.h"

#include <inttypes.h>
#include <linux/btrfs_tree.h>
#include <string.h>

#include "reader.h"

#define FLAG_TREE_BLOCK 2 /* BTRFS_EXTENT_FLAG_TREE_BLOCK */
#define OWNER_REF_KEY 172 /* BTRFS_EXTENT_OWNER_REF_KEY, Linux 6.7 */
#define LEVEL_MAX 8	  /* BTRFS_MAX_LEVEL */
#define NAME_MAX_LEN 255  /* BTRFS_NAME_LEN */

/* struct btrfs_extent_item, btrfs_tree_block_info */
#define EXTENT_GENERATION 8
#define EXTENT_FLAGS 16
#define EXTENT_END 24
#define BLOCK_INFO_LEVEL 17
#define BLOCK_INFO_END 18

/* struct btrfs_file_extent_item */
#define FILE_DECODED 8
#define FILE_COMPRESSION 16
#define FILE_ENCRYPTION 17
#define FILE_OTHER 18
#define FILE_TYPE 20
#define FILE_DISK_START 21
#define FILE_DISK_LENGTH 29
#define FILE_OFFSET 37
#define FILE_LENGTH 45
#define FILE_END 53

/* struct btrfs_inode_item, btrfs_root_item */
#define INODE_SIZE 16
#define INODE_NLINK 40
#define INODE_MODE 52
#define INODE_END 160
#define ROOT_REFS 216
#define ROOT_END 239 /* of the oldest format */

/* struct btrfs_super_block */
#define SUPER_MAGIC_AT 64
#define SUPER_MAGIC "_BHRfS_M"
#define SUPER_DEV 201
#define DEV_TOTAL 8
#define DEV_UUID 66

/* struct btrfs_header */
#define HEAD_START 48
#define HEAD_GENERATION 80
#define HEAD_END 101

/* struct btrfs_data_container */
#define CONTAINER_MISSING 4
#define CONTAINER_COUNT 8
#define CONTAINER_MISSED 12
#define CONTAINER_END 16
#define PLACE_SIZE 24

int pme_btrfs_extent_parse(uint8_t type, uint64_t key_offset, const void *data, size_t len,
			   struct pme_btrfs_extent *ret)
{
	const unsigned char *p = data;
	struct pme_btrfs_extent extent = {.refs_at = EXTENT_END};

	if (len < EXTENT_END)
		return -EINVAL;
	extent.generation = pme_le64_at(p + EXTENT_GENERATION);
	extent.is_tree = pme_le64_at(p + EXTENT_FLAGS) & FLAG_TREE_BLOCK;
	if (type == BTRFS_METADATA_ITEM_KEY) {
		if (!extent.is_tree || key_offset >= LEVEL_MAX)
			return -EINVAL;
		extent.has_level = true;
		extent.level = (uint8_t)key_offset;
	} else if (extent.is_tree) {
		if (len - EXTENT_END < BLOCK_INFO_END)
			return -EINVAL;
		extent.has_level = true;
		extent.level = p[EXTENT_END + BLOCK_INFO_LEVEL];
		extent.refs_at += BLOCK_INFO_END;
		if (extent.level >= LEVEL_MAX)
			return -EINVAL;
	}
	*ret = extent;
	return 0;
}

/* Bytes of an inline reference of @type, 0: not known. */
static size_t ref_size(uint8_t type)
{
	switch (type) {
	case BTRFS_TREE_BLOCK_REF_KEY:
	case BTRFS_SHARED_BLOCK_REF_KEY:
	case OWNER_REF_KEY:
		return 9;
	case BTRFS_SHARED_DATA_REF_KEY:
		return 13;
	case BTRFS_EXTENT_DATA_REF_KEY:
		return 29;
	default:
		return 0;
	}
}

int pme_btrfs_ref_next(const void *data, size_t len, size_t *pos, struct pme_btrfs_ref *ret)
{
	const unsigned char *p = data;
	size_t size;

	if (*pos == len)
		return 0;
	if (*pos > len)
		return -EINVAL;
	size = ref_size(p[*pos]);
	if (size == 0 || len - *pos < size)
		return -EINVAL;
	*ret = (struct pme_btrfs_ref){.type = p[*pos], .value = pme_le64_at(p + *pos + 1)};
	*pos += size;
	return 1;
}

int pme_btrfs_file_extent_parse(const void *data, size_t len, struct pme_btrfs_file_extent *ret)
{
	const unsigned char *p = data;
	struct pme_btrfs_file_extent extent = {0};
	uint64_t end;

	if (len <= FILE_DISK_START)
		return -EINVAL;
	extent.type = p[FILE_TYPE];
	extent.compression = p[FILE_COMPRESSION];
	extent.encoded =
		p[FILE_COMPRESSION] || p[FILE_ENCRYPTION] || p[FILE_OTHER] || p[FILE_OTHER + 1];
	if (extent.type > PME_BTRFS_PREALLOC || (extent.type != PME_BTRFS_INLINE && len < FILE_END))
		return -EINVAL;
	extent.length = pme_le64_at(p + FILE_DECODED);
	if (extent.type != PME_BTRFS_INLINE) {
		extent.disk_start = pme_le64_at(p + FILE_DISK_START);
		extent.disk_length = pme_le64_at(p + FILE_DISK_LENGTH);
		extent.offset = pme_le64_at(p + FILE_OFFSET);
		extent.length = pme_le64_at(p + FILE_LENGTH);
		if (pme_add(extent.offset, extent.length, &end) < 0 ||
		    (extent.disk_start && !extent.encoded && end > extent.disk_length))
			return -EINVAL;
	}
	*ret = extent;
	return 0;
}

const char *pme_btrfs_coding_name(uint8_t compression)
{
	static const char *const names[] = {"encoded", "zlib", "lzo", "zstd"};

	return compression < PME_ARRAY_SIZE(names) ? names[compression] : "encoded";
}

int pme_btrfs_inode_parse(const void *data, size_t len, struct pme_btrfs_inode *ret)
{
	const unsigned char *p = data;

	if (len < INODE_END)
		return -EINVAL;
	*ret = (struct pme_btrfs_inode){
		.generation = pme_le64_at(p),
		.size = pme_le64_at(p + INODE_SIZE),
		.nlink = pme_le32_at(p + INODE_NLINK),
		.mode = pme_le32_at(p + INODE_MODE),
	};
	return 0;
}

int pme_btrfs_name_next(uint8_t type, uint64_t key_offset, const void *data, size_t len,
			size_t *pos, struct pme_btrfs_name *ret)
{
	/* what stands before the length of the name: an index, a directory, or both */
	size_t before = type == BTRFS_INODE_REF_KEY ? 8 : 16;
	const unsigned char *p = (const unsigned char *)data + *pos;
	struct pme_btrfs_name name;

	if (*pos == len)
		return 0;
	if (*pos > len || len - *pos < before + 2)
		return -EINVAL;
	name.dir = type == BTRFS_INODE_REF_KEY ? key_offset : pme_le64_at(p);
	name.len = (size_t)p[before] | (size_t)p[before + 1] << 8;
	name.name = (const char *)p + before + 2;
	if (len - *pos - before - 2 < name.len || name.len == 0 || name.len > NAME_MAX_LEN ||
	    memchr(name.name, '/', name.len) || memchr(name.name, '\0', name.len))
		return -EINVAL;
	*pos += before + 2 + name.len;
	*ret = name;
	return 1;
}

int pme_btrfs_root_refs_parse(const void *data, size_t len, uint32_t *ret)
{
	if (len < ROOT_END)
		return -EINVAL;
	*ret = pme_le32_at((const unsigned char *)data + ROOT_REFS);
	return 0;
}

int pme_btrfs_container_parse(const void *data, size_t len, struct pme_btrfs_container *ret)
{
	const unsigned char *p = data;
	uint64_t numbers, missed;

	if (len < CONTAINER_END)
		return -EINVAL;
	numbers = pme_le32_at(p + CONTAINER_COUNT);
	missed = pme_le32_at(p + CONTAINER_MISSED);
	if (numbers % 3 || missed % 3 || numbers * 8 > len - CONTAINER_END)
		return -EINVAL;
	ret->n_places = numbers / 3;
	ret->missing = missed * 8;
	if (ret->missing < pme_le32_at(p + CONTAINER_MISSING))
		ret->missing = pme_le32_at(p + CONTAINER_MISSING);
	return 0;
}

struct pme_btrfs_place pme_btrfs_container_place(const void *data, size_t i)
{
	const unsigned char *p = (const unsigned char *)data + CONTAINER_END + i * PLACE_SIZE;

	return (struct pme_btrfs_place){
		.inode = pme_le64_at(p),
		.offset = pme_le64_at(p + 8),
		.root = pme_le64_at(p + 16),
	};
}

int pme_btrfs_super_parse(const void *data, size_t len, struct pme_btrfs_super *ret)
{
	const unsigned char *p = data;

	if (len < PME_BTRFS_SUPER_SIZE ||
	    memcmp(p + SUPER_MAGIC_AT, SUPER_MAGIC, strlen(SUPER_MAGIC)) != 0)
		return -EINVAL;
	ret->devid = pme_le64_at(p + SUPER_DEV);
	ret->total_bytes = pme_le64_at(p + SUPER_DEV + DEV_TOTAL);
	memcpy(ret->dev_uuid, p + SUPER_DEV + DEV_UUID, sizeof(ret->dev_uuid));
	return 0;
}

int pme_btrfs_head_parse(const void *data, size_t len, struct pme_btrfs_head *ret)
{
	const unsigned char *p = data;

	if (len < HEAD_END)
		return -EINVAL;
	ret->start = pme_le64_at(p + HEAD_START);
	ret->generation = pme_le64_at(p + HEAD_GENERATION);
	return 0;
}

/* fs/btrfs/disk-io.h: btrfs_sb_offset() */
uint64_t pme_btrfs_super_at(unsigned int i)
{
	return i == 0 ? 64U << 10 : (uint64_t)(16U << 10) << (12 * i);
}

char *pme_btrfs_tree_text(uint64_t tree)
{
	static const struct {
		uint64_t tree;
		const char *name;
	} names[] = {
		{BTRFS_ROOT_TREE_OBJECTID, "root tree"},
		{BTRFS_EXTENT_TREE_OBJECTID, "extent tree"},
		{BTRFS_CHUNK_TREE_OBJECTID, "chunk tree"},
		{BTRFS_DEV_TREE_OBJECTID, "device tree"},
		{BTRFS_FS_TREE_OBJECTID, "tree of the top-level subvolume (ID 5)"},
		{BTRFS_CSUM_TREE_OBJECTID, "checksum tree"},
		{BTRFS_QUOTA_TREE_OBJECTID, "quota tree"},
		{BTRFS_UUID_TREE_OBJECTID, "uuid tree"},
		{BTRFS_FREE_SPACE_TREE_OBJECTID, "free space tree"},
		{BTRFS_BLOCK_GROUP_TREE_OBJECTID, "block group tree"},
		{PME_BTRFS_RAID_STRIPE_TREE, "raid stripe tree"},
		{BTRFS_TREE_LOG_OBJECTID, "log tree"},
		{BTRFS_TREE_RELOC_OBJECTID, "tree that a balance makes"},
		{BTRFS_DATA_RELOC_TREE_OBJECTID, "data relocation tree"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++)
		if (names[i].tree == tree)
			return strdup(names[i].name);
	if (tree >= BTRFS_FIRST_FREE_OBJECTID && tree <= (uint64_t)BTRFS_LAST_FREE_OBJECTID)
		return pme_printf("tree of the subvolume with ID %" PRIu64, tree);
	return pme_printf("tree %" PRIu64, tree);
}
