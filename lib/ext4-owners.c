/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an ext2, ext3 or ext4 in the words of claim.h; see ext4-owners.h.
 *
 * Details are named as dumpe2fs and debugfs name the structures.
 */
#include "ext4-owners.h"

#include <inttypes.h>
#include <string.h>

#define VERITY_ALIGN 65536ULL /* the Merkle tree begins at a multiple of it (fs/ext4/verity.c) */

struct making {
	const struct pme_ext4_geo *geo;
	const struct pme_ext4_state *state;
	struct pme_fs_result *result;
};

/* ---- files ---- */

static int set_internal(const struct pme_ext4_geo *geo, const struct pme_ext4_live *live,
			struct pme_file *file)
{
	if (live->disk.flags & PME_EXT4_XATTR_INODE) {
		file->paths_reason = strdup("holds the value of an extended attribute, of files "
					    "that are not looked for");
	} else {
		_cleanup_free_ char *name = pme_ext4_inode_name(geo, &live->disk);

		file->paths_complete = true;
		if (name)
			file->paths_reason = pme_printf("%s: has no name", name);
	}
	return file->paths_reason ? 0 : -ENOMEM;
}

static struct pme_file *make_file(const struct pme_ext4_geo *geo, const struct pme_ext4_live *live,
				  dev_t devno)
{
	struct pme_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->devno = devno;
	file->inode = live->disk.ino;
	file->generation = live->disk.gen;
	file->nlink = live->nlink;
	file->mode = live->mode;
	file->size = live->size;
	file->out_of_reach = live->error || live->unreadable;
	if (live->internal && set_internal(geo, live, file) < 0)
		return pme_file_free(file);
	return file;
}

int pme_ext4_files_make(const struct pme_ext4_state *state, const struct pme_ext4_door *door,
			struct pme_fs_result *ret)
{
	for (size_t i = 0; i < state->n_inodes; i++) {
		int r = pme_grow(&ret->files, &ret->alloc_files, ret->n_files, sizeof(*ret->files));

		if (r < 0)
			return r;
		ret->files[ret->n_files] = make_file(door->geo, &state->inodes[i], door->devno);
		if (!ret->files[ret->n_files])
			return -ENOMEM;
		ret->n_files++;
	}
	return 0;
}

/* ---- owners ---- */

/* An owner without an inode; takes @detail, NULL is -ENOMEM. */
static int make_plain(const struct making *making, struct pme_range range, enum pme_owner_kind kind,
		      char *detail)
{
	_cleanup_free_ char *owned = detail;
	struct pme_fs_owner *owner;

	if (!detail)
		return -ENOMEM;
	owner = pme_fs_result_add(making->result, range, kind);
	if (!owner)
		return -ENOMEM;
	owner->detail = pme_take_ptr(owned);
	return 0;
}

static enum pme_owner_kind kind_of_part(enum pme_ext4_part part)
{
	return part == PME_EXT4_BOOT || part == PME_EXT4_BEHIND ? PME_OWNER_UNUSED
								: PME_OWNER_FS_METADATA;
}

/* Only a part of the block of a superblock is it: cut there. */
static uint64_t next_border(const struct pme_ext4_geo *geo, const struct pme_ext4_piece *piece,
			    uint64_t at)
{
	uint64_t end = pme_range_end(piece->range);
	uint64_t start = piece->part == PME_EXT4_SUPER ? 1024 : at - at % geo->block_size;

	if (piece->part != PME_EXT4_SUPER && piece->part != PME_EXT4_SUPER_COPY)
		return end;
	if (at < start)
		return pme_min(end, start);
	return at < start + 1024 ? pme_min(end, start + 1024) : end;
}

/* The files of all inodes in the bytes of @owner, and how many of them have their data there. */
static int add_inodes(const struct making *making, const struct pme_ext4_place *place)
{
	struct pme_fs_owner *owner = &making->result->owners[making->result->n_owners - 1];
	const struct pme_ext4_state *state = making->state;
	uint32_t first, last;
	size_t i, within = 0;
	char *detail;

	pme_ext4_place_inodes(making->geo, place, &first, &last);
	i = pme_ext4_state_find(state, first);
	owner->inodes = calloc(state->n_inodes - i + 1, sizeof(struct pme_file *));
	if (!owner->inodes)
		return -ENOMEM;
	for (; i < state->n_inodes && state->inodes[i].disk.ino <= last; i++) {
		within += (state->inodes[i].disk.flags & PME_EXT4_INLINE) != 0;
		owner->inodes[owner->n_inodes++] = making->result->files[i];
	}
	if (within == 0)
		return 0;
	detail = pme_printf("%s, with the data of %zu of these inodes inside", owner->detail,
			    within);
	if (!detail)
		return -ENOMEM;
	free(owner->detail);
	owner->detail = detail;
	return 0;
}

static int make_place(const struct making *making, const struct pme_ext4_piece *piece)
{
	uint64_t at = piece->range.start, end = pme_range_end(piece->range);
	int r = 0;

	while (r == 0 && at < end) {
		uint64_t next = next_border(making->geo, piece, at);
		const struct pme_ext4_place place = {
			.range = {at, next - at},
			.part = piece->part,
			.group = piece->group,
		};

		r = make_plain(making, place.range, kind_of_part(piece->part),
			       pme_ext4_place_name(making->geo, &place));
		if (r == 0 && piece->part == PME_EXT4_TABLE)
			r = add_inodes(making, &place);
		at = next;
	}
	return r;
}

static int make_lost(const struct making *making, const struct pme_ext4_piece *piece)
{
	const struct pme_ext4_state *state = making->state;
	_cleanup_free_ char *text = NULL;

	if (state->cut)
		text = pme_printf("in use, and not all inodes were looked at: %s",
				  pme_progress_error(-ETIME));
	else if (state->unread_blocks > 0 || state->damaged_maps > 0)
		text = pme_printf("in use by none of the inodes that can be read, and %" PRIu64
				  " blocks of inode tables and the block maps of %" PRIu64
				  " inodes cannot",
				  state->unread_blocks, state->damaged_maps);
	else
		text = strdup(
			"in use by the block bitmap, but no inode has it: it was given away or "
			"freed while it was read, or the filesystem is damaged (e2fsck)");
	return text ? pme_fs_result_unknown(piece->range, text, making->result) : -ENOMEM;
}

static int make_no_bitmap(const struct making *making, const struct pme_ext4_piece *piece)
{
	_cleanup_free_ char *text = pme_printf("no inode has it, and the bitmap of group %u, which "
					       "says whether it is in use, cannot be read",
					       piece->group);

	return text ? pme_fs_result_unknown(piece->range, text, making->result) : -ENOMEM;
}

static int make_rest(const struct making *making, const struct pme_ext4_piece *piece)
{
	return make_plain(
		making, piece->range, PME_OWNER_UNUSED,
		piece->ino ? pme_printf("rest of a cluster that inode %u uses in part", piece->ino)
			   : strdup("rest of a cluster that metadata uses in part"));
}

static enum pme_owner_kind kind_of_internal(const struct pme_ext4_geo *geo,
					    const struct pme_ext4_inode *inode)
{
	if (pme_ext4_inode_is_journal(geo, inode->ino))
		return PME_OWNER_FS_JOURNAL;
	if (inode->ino == PME_EXT4_BAD_INO)
		return PME_OWNER_UNUSED;
	return inode->flags & PME_EXT4_XATTR_INODE ? PME_OWNER_FILE_XATTR : PME_OWNER_FS_METADATA;
}

static enum pme_owner_kind kind_of(const struct pme_ext4_geo *geo,
				   const struct pme_ext4_piece *piece,
				   const struct pme_ext4_live *live)
{
	if (piece->class == PME_EXT4_BLOCK_MAP)
		return PME_OWNER_FS_METADATA;
	if (piece->class == PME_EXT4_XATTR)
		return PME_OWNER_FILE_XATTR;
	if (live->internal)
		return kind_of_internal(geo, &live->disk);
	if (piece->unwritten)
		return PME_OWNER_UNWRITTEN;
	if (S_ISDIR(live->mode))
		return PME_OWNER_DIRECTORY;
	return S_ISLNK(live->mode) ? PME_OWNER_SYMLINK : PME_OWNER_FILE_DATA;
}

static bool is_merkle(const struct pme_ext4_piece *piece, const struct pme_ext4_live *live)
{
	return (live->disk.flags & PME_EXT4_VERITY) &&
	       piece->offset >= (live->size + VERITY_ALIGN - 1) / VERITY_ALIGN * VERITY_ALIGN;
}

/* What the kind does not say; *@ret stays NULL when there is nothing. */
static int describe(const struct making *making, const struct pme_ext4_piece *piece,
		    const struct pme_ext4_live *live, char **ret)
{
	_cleanup_free_ char *name = pme_ext4_inode_name(making->geo, &live->disk);
	bool is_tree = live->disk.flags & PME_EXT4_EXTENTS;

	if (!name)
		return -ENOMEM;
	if (piece->class == PME_EXT4_BLOCK_MAP)
		*ret = pme_printf("%s of %s", is_tree ? "extent tree" : "indirect blocks", name);
	else if (piece->class == PME_EXT4_XATTR)
		*ret = strdup("block of extended attributes");
	else if (pme_ext4_inode_is_journal(making->geo, live->disk.ino))
		*ret = strdup("internal journal");
	else if (live->internal)
		*ret = pme_take_ptr(name);
	else if (is_merkle(piece, live))
		*ret = strdup("Merkle tree of fs-verity");
	else if (S_ISDIR(live->mode) && (live->disk.flags & PME_EXT4_HTREE) &&
		 piece->offset < making->geo->block_size)
		*ret = strdup("root of its hash tree");
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}

static int make_owned(const struct making *making, size_t at)
{
	const struct pme_ext4_state *state = making->state;
	const struct pme_ext4_piece *piece = &state->pieces[at];
	size_t i = pme_ext4_state_find(state, piece->ino);
	const struct pme_ext4_live *live = &state->inodes[i];
	struct pme_fs_owner *owner;

	owner = pme_fs_result_add(making->result, piece->range, kind_of(making->geo, piece, live));
	if (!owner)
		return -ENOMEM;
	owner->file = making->result->files[i];
	owner->has_file_start = piece->class == PME_EXT4_FILE;
	owner->file_start = piece->offset;
	owner->shared = (at > 0 && piece[-1].range.start == piece->range.start) ||
			(at + 1 < state->n_pieces && piece[1].range.start == piece->range.start);
	return describe(making, piece, live, &owner->detail);
}

static int make_piece(const struct making *making, size_t at)
{
	const struct pme_ext4_piece *piece = &making->state->pieces[at];

	switch (piece->class) {
	case PME_EXT4_PLACE:
		return make_place(making, piece);
	case PME_EXT4_FREE: {
		struct pme_fs_owner *owner =
			pme_fs_result_add(making->result, piece->range, PME_OWNER_FREE);

		return owner ? 0 : -ENOMEM;
	}
	case PME_EXT4_FILE:
	case PME_EXT4_BLOCK_MAP:
	case PME_EXT4_XATTR:
		return make_owned(making, at);
	case PME_EXT4_REST:
		return make_rest(making, piece);
	case PME_EXT4_LOST:
		return make_lost(making, piece);
	case PME_EXT4_NO_BITMAP:
		return make_no_bitmap(making, piece);
	}
	return -EPROTO;
}

int pme_ext4_owners_make(const struct pme_ext4_geo *geo, const struct pme_ext4_state *state,
			 struct pme_fs_result *ret)
{
	const struct making making = {.geo = geo, .state = state, .result = ret};
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->n_pieces; i++)
		r = make_piece(&making, i);
	return r;
}
