/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces -> owners; see btrfs-owners.h.
 *
 * The surprise: one byte of a compressed extent takes more of the file with it than a claim is
 * long.  Such a claim has no place in the file; its detail has the bytes of the file.  And files of
 * a deleted subvolume can be open, and used, until the kernel cleans it: nobody tells which.
 */
#include "btrfs-owners.h"

#include <inttypes.h>
#include <string.h>

#include "btrfs-stale.h"

struct making {
	const struct pme_btrfs_view *view;
	const struct pme_fs *fs;
	const struct pme_btrfs_state *state;
	struct pme_fs_result *result;
};

static struct pme_file *make_file(const struct pme_btrfs_file *of, dev_t shown)
{
	struct pme_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->shown = shown;
	file->inode = of->inode;
	file->generation = (uint32_t)of->item.generation;
	file->nlink = of->item.nlink;
	file->mode = of->item.mode;
	file->size = of->item.size;
	return file;
}

int pme_btrfs_files_make(const struct pme_btrfs_state *state, dev_t shown,
			 struct pme_fs_result *ret)
{
	for (size_t i = 0; i < state->n_files; i++) {
		int r = pme_grow(&ret->files, &ret->alloc_files, ret->n_files, sizeof(*ret->files));

		if (r < 0)
			return r;
		ret->files[ret->n_files] = make_file(&state->files[i], shown);
		if (!ret->files[ret->n_files])
			return -ENOMEM;
		ret->n_files++;
	}
	return 0;
}

int pme_btrfs_owners_unknown(const struct pme_range_list *ranges, const char *reason,
			     struct pme_fs_result *ret)
{
	for (size_t i = 0; i < ranges->count; i++) {
		int r = pme_fs_result_unknown(ranges->items[i], reason, ret);

		if (r < 0)
			return r;
	}
	return 0;
}

/* "leaf of the checksum tree", "node (level 1) of the extent tree" */
static char *describe_block(const struct pme_btrfs_found *block)
{
	_cleanup_free_ char *text = block->level > 0
					    ? pme_printf("node (level %u) of the ", block->level)
					    : strdup("leaf of the ");
	size_t named = block->n_trees < PME_BTRFS_TREES ? block->n_trees : PME_BTRFS_TREES;

	if (named == 0)
		return pme_printf("tree block, level %u, of no tree that is known", block->level);
	for (size_t i = 0; text && i < named; i++) {
		_cleanup_free_ char *before = pme_take_ptr(text);
		_cleanup_free_ char *name = pme_btrfs_tree_text(block->trees[i]);

		text = name ? pme_printf("%s%s%s", before, i ? ", " : "", name) : NULL;
	}
	if (!text || block->n_trees <= named)
		return pme_take_ptr(text);
	return pme_printf("%s and others", text);
}

static char *describe(const struct making *making, const struct pme_btrfs_piece *piece)
{
	_cleanup_free_ char *chunk = NULL;

	if (piece->chunk != PME_BTRFS_NO_CHUNK) {
		chunk = pme_btrfs_chunk_text(&making->state->chunks.items[piece->chunk]);
		if (!chunk)
			return NULL;
	}
	switch (piece->what) {
	case PME_BTRFS_BEHIND:
		return strdup("behind the end of the filesystem");
	case PME_BTRFS_RESERVED:
		return strdup("reserved at the start of the device: not used by the filesystem");
	case PME_BTRFS_SUPER:
		return pme_printf("superblock (%s)", piece->super == 0 ? "primary" : "copy");
	case PME_BTRFS_UNALLOCATED:
		return strdup("not allocated to a chunk");
	case PME_BTRFS_PARITY:
		return pme_printf("parity of a chunk (%s)", chunk);
	case PME_BTRFS_FREE:
		return pme_printf("free in a block group (%s)", chunk);
	case PME_BTRFS_TREE:
		return describe_block(&piece->block);
	case PME_BTRFS_UNSHOWN:
		return strdup("part of an extent that no file shows: kept for other parts of it");
	case PME_BTRFS_CACHE:
		return pme_printf("free space cache (inode %" PRIu64 " of the root tree)",
				  piece->inode);
	case PME_BTRFS_DATA:
		if (!piece->encoded)
			return NULL;
		return pme_printf("compressed (%s): bytes %" PRIu64 " to %" PRIu64
				  " of the file cannot be read without these",
				  pme_btrfs_coding_name(piece->compression), piece->file_start,
				  piece->file_start + piece->whole - 1);
	case PME_BTRFS_DELETED:
	case PME_BTRFS_MYSTERY:
		return NULL;
	}
	return NULL;
}

/* Why nobody knows: only for pieces of kind unknown. */
static char *explain(const struct pme_btrfs_piece *piece)
{
	if (piece->what == PME_BTRFS_DELETED)
		return pme_printf("of the deleted subvolume with ID %" PRIu64
				  ", which the kernel has not cleaned yet: a process may have its "
				  "files open",
				  piece->root);
	return strdup(piece->why);
}

static enum pme_owner_kind kind_of(const struct pme_btrfs_piece *piece)
{
	switch (piece->what) {
	case PME_BTRFS_BEHIND:
	case PME_BTRFS_RESERVED:
	case PME_BTRFS_UNSHOWN:
		return PME_OWNER_UNUSED;
	case PME_BTRFS_SUPER:
	case PME_BTRFS_TREE:
	case PME_BTRFS_CACHE:
		return PME_OWNER_FS_METADATA;
	case PME_BTRFS_UNALLOCATED:
	case PME_BTRFS_FREE:
		return PME_OWNER_FREE;
	case PME_BTRFS_PARITY:
		return PME_OWNER_RAID_PARITY;
	case PME_BTRFS_DATA:
		return piece->prealloc ? PME_OWNER_UNWRITTEN : PME_OWNER_FILE_DATA;
	case PME_BTRFS_DELETED:
	case PME_BTRFS_MYSTERY:
		return PME_OWNER_UNKNOWN;
	}
	return PME_OWNER_UNKNOWN;
}

/* Places that hold the same; those of devices that are not there are not named. */
static struct pme_copies *chunk_copies(const struct making *making,
				       const struct pme_btrfs_piece *piece)
{
	const struct pme_btrfs_chunk *chunk = &making->state->chunks.items[piece->chunk];
	uint64_t at = piece->range.start - chunk->stripes[piece->stripe].start;
	uint32_t first, count;
	uint32_t need = pme_btrfs_chunk_others(chunk, piece->stripe, &first, &count);
	struct pme_copies *copies = pme_copies_new(need > 1 ? "the rest of the stripe has them"
							    : "another copy has them",
						   need, count);

	if (!copies)
		return NULL;
	copies->count = 0;
	for (uint32_t i = first; i < first + count; i++) {
		const struct pme_btrfs_member *member =
			pme_btrfs_view_member(making->view, chunk->stripes[i].devid);
		uint64_t length = piece->range.length;

		if (i == piece->stripe || !member || !member->dev ||
		    (need == 1 &&
		     pme_btrfs_stale_is(member, chunk->stripes[i].start + at, &length)))
			continue;
		copies->places[copies->count++] =
			(struct pme_place){member->dev, chunk->stripes[i].start + at};
	}
	return copies;
}

/*
 * How many bytes of @piece, from its start on, have the same good copies; sets *@ret_stale to the
 * first device with a stale one, or NULL.
 */
static uint64_t alike(const struct making *making, const struct pme_btrfs_piece *piece,
		      const struct pme_dev **ret_stale)
{
	uint64_t length = piece->range.length, at;
	const struct pme_btrfs_chunk *chunk;
	uint32_t first, count;

	*ret_stale = NULL;
	if (piece->what != PME_BTRFS_DATA && piece->what != PME_BTRFS_TREE)
		return length;
	chunk = &making->state->chunks.items[piece->chunk];
	at = piece->range.start - chunk->stripes[piece->stripe].start;
	if (pme_btrfs_chunk_others(chunk, piece->stripe, &first, &count) != 1)
		return length;
	for (uint32_t i = first; i < first + count; i++) {
		const struct pme_btrfs_member *member =
			pme_btrfs_view_member(making->view, chunk->stripes[i].devid);

		if (i != piece->stripe && member && member->dev &&
		    pme_btrfs_stale_is(member, chunk->stripes[i].start + at, &length) &&
		    !*ret_stale)
			*ret_stale = member->dev;
	}
	return length;
}

/* Say that a copy is there that cannot be used. */
static int tell_stale(const struct pme_dev *stale, struct pme_fs_owner *owner)
{
	_cleanup_free_ char *before = owner->detail;

	owner->detail = pme_printf("%s (whose copy on %s is stale, damaged or unreadable)",
				   before ? before : "bytes", stale->name);
	return owner->detail ? 0 : -ENOMEM;
}

/* Copies of the superblock on the same device: those of others say other things. */
static struct pme_copies *super_copies(const struct making *making,
				       const struct pme_btrfs_piece *piece)
{
	struct pme_copies *copies = pme_copies_new("another copy has them", 1, PME_BTRFS_SUPERS);
	uint64_t at = piece->range.start - pme_btrfs_super_at(piece->super);

	if (!copies)
		return NULL;
	copies->count = 0;
	for (unsigned int i = 0; i < PME_BTRFS_SUPERS; i++)
		if (i != piece->super &&
		    pme_btrfs_super_at(i) + PME_BTRFS_SUPER_SIZE <= making->view->size)
			copies->places[copies->count++] =
				(struct pme_place){making->fs->dev, pme_btrfs_super_at(i) + at};
	return copies;
}

static int add_copies(const struct making *making, const struct pme_btrfs_piece *piece,
		      struct pme_fs_owner *owner)
{
	if (piece->what == PME_BTRFS_SUPER)
		owner->copies = super_copies(making, piece);
	else if (piece->what == PME_BTRFS_DATA || piece->what == PME_BTRFS_TREE ||
		 piece->what == PME_BTRFS_CACHE)
		owner->copies = chunk_copies(making, piece);
	else
		return 0;
	if (!owner->copies)
		return -ENOMEM;
	/* checksums are those of blocks; parity gives back each block of a tree block by itself */
	owner->unit = making->view->block_size;
	if (piece->what == PME_BTRFS_SUPER) {
		owner->unit = PME_BTRFS_SUPER_SIZE;
		owner->unit_at = pme_btrfs_super_at(piece->super);
	} else if (piece->what == PME_BTRFS_TREE && owner->copies->need == 1) {
		owner->unit = piece->block.range.length;
		owner->unit_at = piece->range.start - (piece->logical - piece->block.range.start);
	}
	if (owner->copies->need == 0 || owner->copies->count < owner->copies->need) {
		free(owner->copies);
		owner->copies = NULL;
	}
	return 0;
}

static int make_owner(const struct making *making, const struct pme_btrfs_piece *piece,
		      const struct pme_dev *stale)
{
	enum pme_owner_kind kind = kind_of(piece);
	struct pme_fs_owner *owner = pme_fs_result_add(making->result, piece->range, kind);
	bool failed = !owner;

	if (failed)
		return -ENOMEM;
	if (kind == PME_OWNER_UNKNOWN) {
		owner->reason = explain(piece);
		failed = !owner->reason;
	} else {
		owner->detail = describe(making, piece);
		failed = !owner->detail && (piece->what != PME_BTRFS_DATA || piece->encoded);
	}
	if (piece->what == PME_BTRFS_DATA) {
		owner->file = making->result->files[pme_btrfs_state_file(making->state, piece->root,
									 piece->inode)];
		owner->has_file_start = !piece->encoded;
		owner->file_start = piece->file_start;
		owner->shared = piece->shared;
	}
	if (failed || (stale && tell_stale(stale, owner) < 0))
		return -ENOMEM;
	return add_copies(making, piece, owner);
}

/* An owner for each part of @piece whose copies are all alike. */
static int make_owners(const struct making *making, const struct pme_btrfs_piece *piece)
{
	struct pme_btrfs_piece part = *piece;
	uint64_t left = piece->range.length;
	int r = 0;

	while (r == 0 && left > 0) {
		const struct pme_dev *stale;

		part.range.length = left;
		part.range.length = alike(making, &part, &stale);
		r = make_owner(making, &part, stale);
		left -= part.range.length;
		part.range.start += part.range.length;
		part.logical += part.range.length;
		if (!part.encoded)
			part.file_start += part.range.length;
	}
	return r;
}

/* An error stopped it: the trees in memory were not written, those on the disk are older. */
static int doubt_all(struct pme_fs_result *result)
{
	for (size_t i = 0; i < result->n_owners; i++) {
		struct pme_fs_owner *owner = &result->owners[i];

		if (owner->kind == PME_OWNER_FREE || owner->kind == PME_OWNER_UNUSED)
			owner->kind = PME_OWNER_UNKNOWN;
		owner->certainty = PME_UNCERTAIN;
		if (owner->reason)
			continue;
		owner->reason = strdup("the filesystem stopped after an error, and what it says "
				       "may not be on the disk: mount it anew");
		if (!owner->reason)
			return -ENOMEM;
	}
	return 0;
}

int pme_btrfs_owners_make(const struct pme_btrfs_view *view, const struct pme_fs *fs,
			  const struct pme_btrfs_state *state, struct pme_fs_result *ret)
{
	const struct making making = {view, fs, state, ret};
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->n_pieces; i++)
		r = make_owners(&making, &state->pieces[i]);
	if (r == 0 && view->stopped)
		r = doubt_all(ret);
	pme_fs_result_sort(ret);
	return r;
}
