/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an XFS in the words of claim.h; see xfs-owners.h.
 *
 * On-disk places of the AG headers: fs/xfs/libxfs/xfs_format.h (one sector each, in this order:
 * superblock, AGF, AGI, AGFL).
 */
#include "xfs-owners.h"

#include <inttypes.h>
#include <string.h>
#include <xfs/xfs.h>

struct making {
	const struct pme_xfs_view *view;
	const struct pme_xfs_internal *internal;
	const struct pme_xfs_state *state;
	struct pme_fs_result *result;
};

/* Special owners; %u in @detail is the AG. */
static const struct special {
	uint64_t owner;
	enum pme_owner_kind kind;
	const char *detail; /* or NULL */
	bool per_ag;
} specials[] = {
	{FMR_OWN_FREE, PME_OWNER_FREE, NULL, false},
	{FMR_OWN_METADATA, PME_OWNER_FS_METADATA, NULL, false},
	{XFS_FMR_OWN_LOG, PME_OWNER_FS_JOURNAL, "internal log", false},
	{XFS_FMR_OWN_FS, PME_OWNER_FS_METADATA, "superblock of a realtime group", false},
	{XFS_FMR_OWN_AG, PME_OWNER_FS_METADATA, "free space or reverse map btree, or free list",
	 true},
	{XFS_FMR_OWN_INOBT, PME_OWNER_FS_METADATA, "inode btree", true},
	{XFS_FMR_OWN_INODES, PME_OWNER_FS_METADATA, "inode chunk", true},
	{XFS_FMR_OWN_REFC, PME_OWNER_FS_METADATA, "refcount btree", true},
	{XFS_FMR_OWN_COW, PME_OWNER_COW_STAGING, NULL, false},
	{XFS_FMR_OWN_DEFECTIVE, PME_OWNER_UNUSED, "marked defective by the filesystem", false},
	{PME_XFS_OWN_BEHIND, PME_OWNER_UNUSED, "behind the end of the filesystem", false},
};

static const char *const headers[] = {
	"superblock",
	"free space header (AGF)",
	"inode header (AGI)",
	"free list (AGFL)",
};

#define NEEDS_PRIVILEGE                                                                      \
	"the kernel names owners of XFS blocks only to CAP_SYS_ADMIN: run as root, outside " \
	"of containers"

static struct pme_file *make_file(const struct pme_xfs_inode *inode, dev_t devno)
{
	struct pme_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->devno = devno;
	file->inode = inode->ino;
	file->generation = inode->gen;
	file->nlink = inode->nlink;
	file->mode = inode->mode;
	file->size = inode->size;
	if (!inode->internal)
		return file;
	file->paths_complete = true;
	file->paths_reason = strdup("internal inode of the filesystem: has no name");
	return file->paths_reason ? file : pme_file_free(file);
}

int pme_xfs_files_make(const struct pme_xfs_state *state, dev_t devno, struct pme_fs_result *ret)
{
	for (size_t i = 0; i < state->inodes.count; i++) {
		int r = pme_grow(&ret->files, &ret->alloc_files, ret->n_files, sizeof(*ret->files));

		if (r < 0)
			return r;
		ret->files[ret->n_files] = make_file(&state->inodes.items[i], devno);
		if (!ret->files[ret->n_files])
			return -ENOMEM;
		ret->n_files++;
	}
	return 0;
}

static char *describe_header(uint32_t ag, uint64_t sector)
{
	if (sector >= PME_ARRAY_SIZE(headers))
		return pme_printf("AG %u header blocks, no header in these bytes", ag);
	if (sector == 0)
		return pme_printf("AG %u superblock (%s)", ag, ag == 0 ? "primary" : "copy");
	return pme_printf("AG %u %s", ag, headers[sector]);
}

/* One owner per header; what is left of their blocks behind the last is one, too. */
static int make_headers(const struct making *making, const struct pme_xfs_piece *piece)
{
	const struct pme_xfs_geo *geo = &making->view->geo;
	uint32_t ag = pme_xfs_geo_ag(geo, piece->range.start);
	uint64_t ag_start = (uint64_t)ag * geo->ag_blocks * geo->block_size;
	uint64_t at = piece->range.start, end = pme_range_end(piece->range);

	while (at < end) {
		uint64_t sector = (at - ag_start) / geo->sector_size;
		uint64_t next = ag_start + (sector + 1) * geo->sector_size;
		struct pme_fs_owner *owner;

		next = sector < PME_ARRAY_SIZE(headers) ? pme_min(next, end) : end;
		owner = pme_fs_result_add(making->result, (struct pme_range){at, next - at},
					  PME_OWNER_FS_METADATA);
		if (!owner)
			return -ENOMEM;
		owner->detail = describe_header(ag, sector);
		if (!owner->detail)
			return -ENOMEM;
		at = next;
	}
	return 0;
}

/* The files of all inodes that lie in the bytes of @owner. */
static int add_chunk_inodes(const struct making *making, struct pme_fs_owner *owner)
{
	const struct pme_xfs_inodes *inodes = &making->state->inodes;
	uint64_t first, last;
	size_t i, end;

	pme_xfs_geo_inodes(&making->view->geo, owner->range, &first, &last);
	i = pme_xfs_inodes_find(inodes, first);
	end = pme_xfs_inodes_find(inodes, last + 1);
	owner->inodes = calloc(end - i + 1, sizeof(struct pme_file *));
	if (!owner->inodes)
		return -ENOMEM;
	for (; i < end; i++)
		owner->inodes[owner->n_inodes++] = making->result->files[i];
	return 0;
}

static const struct special *find_special(uint64_t owner)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(specials); i++)
		if (specials[i].owner == owner)
			return &specials[i];
	return NULL;
}

/* In use, but not by a file that was found. */
static int make_unmapped(const struct making *making, const struct pme_xfs_piece *piece)
{
	_cleanup_free_ char *text = NULL;
	const struct pme_xfs_view *view = making->view;
	size_t unread = making->state->unread;
	const char *what = view->role == PME_FS_REALTIME
				   ? "in use on the realtime device"
				   : "in use, maybe as metadata (this XFS has no reverse map)";

	if (making->state->cut)
		text = pme_printf("%s, and not all files were asked: %s", what,
				  pme_progress_error(-ETIME));
	else if (!making->state->swept)
		text = strdup(NEEDS_PRIVILEGE);
	else if (unread == 0)
		text = pme_printf("%s, but no file maps it", what);
	else
		text = pme_printf("%s, by none of the files that can be asked, and %zu cannot",
				  what, unread);
	return text ? pme_fs_result_unknown(piece->range, text, making->result) : -ENOMEM;
}

static int make_unknown(const struct making *making, const struct pme_xfs_piece *piece)
{
	_cleanup_free_ char *text = NULL;

	if (piece->owner == FMR_OWN_UNKNOWN)
		return make_unmapped(making, piece);
	text = pme_printf("special owner %#" PRIx64 " of XFS is not known to this program",
			  piece->owner);
	return text ? pme_fs_result_unknown(piece->range, text, making->result) : -ENOMEM;
}

static int make_special(const struct making *making, const struct pme_xfs_piece *piece)
{
	const struct special *special = find_special(piece->owner);
	uint32_t ag = pme_xfs_geo_ag(&making->view->geo, piece->range.start);
	struct pme_fs_owner *owner;

	if (piece->owner == XFS_FMR_OWN_FS && making->view->role == PME_FS_DATA)
		return make_headers(making, piece);
	if (!special)
		return make_unknown(making, piece);
	owner = pme_fs_result_add(making->result, piece->range, special->kind);
	if (!owner)
		return -ENOMEM;
	if (piece->owner == XFS_FMR_OWN_LOG && making->view->role == PME_FS_LOG)
		owner->detail = strdup("external log");
	else if (special->detail)
		owner->detail = special->per_ag ? pme_printf("AG %u %s", ag, special->detail)
						: strdup(special->detail);
	if (special->detail && !owner->detail)
		return -ENOMEM;
	return piece->owner == XFS_FMR_OWN_INODES ? add_chunk_inodes(making, owner) : 0;
}

static enum pme_owner_kind kind_of_mode(uint32_t mode)
{
	if (S_ISDIR(mode))
		return PME_OWNER_DIRECTORY;
	if (S_ISLNK(mode))
		return PME_OWNER_SYMLINK;
	return S_ISREG(mode) ? PME_OWNER_FILE_DATA : PME_OWNER_UNKNOWN;
}

static enum pme_owner_kind kind_of(const struct making *making, const struct pme_xfs_piece *piece,
				   const struct pme_xfs_inode *inode)
{
	if (pme_xfs_inode_is_going(inode, making->internal))
		return PME_OWNER_UNKNOWN;
	if (inode->internal || (piece->flags & FMR_OF_EXTENT_MAP))
		return PME_OWNER_FS_METADATA;
	if (piece->flags & FMR_OF_ATTR_FORK)
		return PME_OWNER_FILE_XATTR;
	if (piece->flags & FMR_OF_PREALLOC)
		return PME_OWNER_UNWRITTEN;
	return kind_of_mode(inode->mode);
}

static char *describe_inode(const struct making *making, const struct pme_xfs_inode *inode)
{
	const char *name = pme_xfs_internal_name(making->internal, inode->ino);

	if (inode->internal && name)
		return strdup(name);
	return pme_printf("%sinode %" PRIu64, inode->internal ? "internal " : "", inode->ino);
}

/* What the kind does not say: which block map, which internal inode. */
static int describe(const struct making *making, const struct pme_xfs_piece *piece,
		    const struct pme_xfs_inode *inode, struct pme_fs_owner *owner)
{
	_cleanup_free_ char *name = NULL;
	const char *fork = piece->flags & FMR_OF_ATTR_FORK ? "attribute" : "data";

	if (owner->kind != PME_OWNER_FS_METADATA)
		return 0;
	name = describe_inode(making, inode);
	if (!name)
		return -ENOMEM;
	owner->detail = piece->flags & FMR_OF_EXTENT_MAP
				? pme_printf("block map of the %s fork of %s", fork, name)
				: pme_take_ptr(name);
	return owner->detail ? 0 : -ENOMEM;
}

/* Damaged: nobody can say whether its blocks are a file or a directory. */
static int tell_damage(const struct making *making, const struct pme_xfs_inode *inode,
		       struct pme_fs_owner *owner)
{
	if (owner->kind != PME_OWNER_UNKNOWN)
		return 0;
	if (pme_xfs_inode_is_going(inode, making->internal))
		owner->reason = pme_printf("blocks of inode %" PRIu64 ", of which no call tells: a "
					   "file that is being removed, or one of the filesystem's "
					   "own: scan again",
					   inode->ino);
	else if (inode->error)
		owner->reason = pme_printf("blocks of inode %" PRIu64 ", which cannot be read: %s",
					   inode->ino, strerror(-inode->error));
	else
		owner->reason = pme_printf("blocks of inode %" PRIu64 ", whose type (mode %#o) "
					   "has none",
					   inode->ino, inode->mode);
	return owner->reason ? 0 : -ENOMEM;
}

static int make_inode(const struct making *making, const struct pme_xfs_piece *piece)
{
	size_t i = pme_xfs_inodes_find(&making->state->inodes, piece->owner);
	const struct pme_xfs_inode *inode = &making->state->inodes.items[i];
	struct pme_fs_owner *owner =
		pme_fs_result_add(making->result, piece->range, kind_of(making, piece, inode));
	int r;

	if (!owner)
		return -ENOMEM;
	owner->file = making->result->files[i];
	owner->has_file_start = !(piece->flags & FMR_OF_EXTENT_MAP);
	owner->file_start = piece->offset;
	owner->shared = piece->shared;
	r = describe(making, piece, inode, owner);
	return r < 0 ? r : tell_damage(making, inode, owner);
}

int pme_xfs_owners_make(const struct pme_xfs_view *view, const struct pme_xfs_internal *internal,
			const struct pme_xfs_state *state, struct pme_fs_result *ret)
{
	const struct making making = {
		.view = view,
		.internal = internal,
		.state = state,
		.result = ret,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->pieces.count; i++) {
		const struct pme_xfs_piece *piece = &state->pieces.items[i];

		r = piece->flags & FMR_OF_SPECIAL_OWNER ? make_special(&making, piece)
							: make_inode(&making, piece);
	}
	return r;
}
