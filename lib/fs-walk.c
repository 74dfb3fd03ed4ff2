/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filesystems that nothing better is known of: bad bytes -> files, by one walk over all of them.
 *
 * The kernel says of each file where it lies (extent-map.c).  A file that has bad bytes is kept
 * open until its names are confirmed, because inode numbers of FAT last only as long; and it is
 * asked again at the end: what has moved meanwhile is unknown.  So is all that no file has, be it
 * metadata or free: it is never called harmless.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>

#include "extent.h"
#include "fs-enter.h"
#include "names.h"

#define OPEN_MAX 512 /* files kept open */
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK)

struct walk {
	const struct pme_topo *topo;
	const struct pme_fs *fs;
	const struct pme_range_list *ranges;
	enum pme_mapping mapping;
	struct pme_fs_entry entry;
	char **dirs; /* still to be read, relative to the root */
	size_t n_dirs, alloc_dirs;
	struct pme_names names;
	int *fds; /* of each file of the result, or -1 */
	size_t alloc_fds;
	uint64_t unread, encoded; /* files and directories, files */
	uint64_t visited;
	bool cut; /* the time was over before all of them were */
	char *first_unread;
};

static void walk_done(struct walk *walk, const struct pme_fs_result *result)
{
	for (size_t i = 0; walk->fds && i < result->n_files; i++)
		pme_close_fd(&walk->fds[i]);
	free(walk->fds);
	for (size_t i = 0; i < walk->n_dirs; i++)
		free(walk->dirs[i]);
	free(walk->dirs);
	free(walk->first_unread);
	pme_names_done(&walk->names);
	pme_close_fd(&walk->entry.fd);
}

static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* @path cannot be looked at, and is not gone. */
static int skip(struct walk *walk, const char *path, int error)
{
	_cleanup_free_ char *quoted = pme_names_quote(path);

	if (error == -ENOMEM || !quoted)
		return -ENOMEM;
	if (is_gone(error) || walk->unread++ > 0)
		return 0;
	walk->first_unread = pme_printf("/%s: %s", quoted, strerror(-error));
	return walk->first_unread ? 0 : -ENOMEM;
}

/* Only the owner may ask not to write access times. */
static int open_quietly(int dir, const char *name, int flags)
{
	int fd = pme_os_open_beneath(dir, name, flags | O_NOATIME);

	return fd == -EPERM ? pme_os_open_beneath(dir, name, flags) : fd;
}

/* --- one file --- */

/* Bytes that it may have on the device: FIBMAP knows none behind its end. */
static struct pme_range extent_of(const struct walk *walk, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size, block = (uint64_t)st->st_blksize;

	if (walk->mapping == PME_MAPPING_FIEMAP)
		return (struct pme_range){.length = INT64_MAX};
	return (struct pme_range){.length = block ? (size + block - 1) / block * block : size};
}

static bool has_place(const struct pme_extent *extent)
{
	return extent->state == PME_EXTENT_DATA || extent->state == PME_EXTENT_UNWRITTEN;
}

static enum pme_owner_kind kind_of(const struct pme_extent *extent, const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return PME_OWNER_DIRECTORY;
	return extent->state == PME_EXTENT_UNWRITTEN ? PME_OWNER_UNWRITTEN : PME_OWNER_FILE_DATA;
}

/* Owners without a file, for what one extent has of the bad ranges. */
static int add_owners(const struct walk *walk, const struct pme_extent *extent,
		      const struct stat *st, struct pme_fs_result *ret)
{
	struct pme_range place = {extent->device_start, extent->range.length};

	if (!pme_range_list_meets(walk->ranges, place))
		return 0;
	for (size_t i = 0; i < walk->ranges->count; i++) {
		struct pme_range hit;
		struct pme_fs_owner *owner;

		if (!pme_range_intersect(place, walk->ranges->items[i], &hit))
			continue;
		owner = pme_fs_result_add(ret, hit, kind_of(extent, st));
		if (!owner)
			return -ENOMEM;
		owner->file_start = extent->range.start + (hit.start - place.start);
		owner->has_file_start = true;
		owner->shared = extent->shared;
	}
	return 0;
}

/* What the open file has of the bad ranges: 0 or -errno; *@ret_encoded: it is not known all. */
static int find_owners(const struct walk *walk, int fd, const struct stat *st, bool *ret_encoded,
		       struct pme_fs_result *ret)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r = pme_extents_map(fd, walk->mapping, extent_of(walk, st), &extents);

	for (size_t i = 0; r == 0 && i < extents.count; i++) {
		const struct pme_extent *extent = &extents.items[i];

		if (extent->encoded)
			*ret_encoded = true;
		else if (has_place(extent))
			r = add_owners(walk, extent, st, ret);
	}
	return r;
}

static struct pme_file *find_file(const struct pme_fs_result *result, uint64_t inode)
{
	for (size_t i = 0; i < result->n_files; i++)
		if (result->files[i]->inode == inode)
			return result->files[i];
	return NULL;
}

/* Takes @fd. */
static struct pme_file *add_file(struct walk *walk, int *fd, const struct stat *st,
				 struct pme_fs_result *ret)
{
	struct pme_file *file;
	int generation = 0;

	if (pme_grow(&ret->files, &ret->alloc_files, ret->n_files, sizeof(*ret->files)) < 0 ||
	    pme_grow(&walk->fds, &walk->alloc_fds, ret->n_files, sizeof(*walk->fds)) < 0)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	if (pme_os_ioctl(*fd, FS_IOC_GETVERSION, &generation) < 0)
		generation = 0; /* it has none */
	*file = (struct pme_file){
		.devno = st->st_dev,
		.inode = st->st_ino,
		.generation = (uint32_t)generation,
		.nlink = (uint32_t)st->st_nlink,
		.mode = st->st_mode,
		.size = (uint64_t)st->st_size,
	};
	walk->fds[ret->n_files] = ret->n_files < OPEN_MAX ? pme_take_fd(fd) : -1;
	ret->files[ret->n_files++] = file;
	return file;
}

/* The open file @fd has the name @path; it is one more name of it when it was met before. */
static int look_at(struct walk *walk, int *fd, const struct stat *st, const char *path,
		   struct pme_fs_result *ret)
{
	struct pme_file *file = find_file(ret, st->st_ino);
	size_t before = ret->n_owners;
	bool encoded = false;
	int r;

	if (!file) {
		r = find_owners(walk, *fd, st, &encoded, ret);
		walk->encoded += encoded;
		/* Directories of some have no such operation. */
		if (S_ISDIR(st->st_mode) && (r == -EOPNOTSUPP || r == -ENOTTY))
			r = 0;
		if (r < 0)
			return r == -EPERM ? r : skip(walk, path, r);
		if (ret->n_owners == before)
			return 0;
		file = add_file(walk, fd, st, ret);
		if (!file)
			return -ENOMEM;
		for (size_t i = before; i < ret->n_owners; i++)
			ret->owners[i].file = file;
	}
	return pme_names_add(&walk->names, file, strdup(path));
}

/* --- all of them --- */

static int visit(struct walk *walk, int dir, const char *name, char *path,
		 struct pme_fs_result *ret)
{
	_cleanup_free_ char *owned = path;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = path ? pme_os_stat_at(dir, name, false, &st) : -ENOMEM;

	if (r < 0)
		return skip(walk, path ? path : name, r);
	if (st.st_dev != walk->fs->main->devno || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	if (S_ISDIR(st.st_mode)) {
		r = pme_grow(&walk->dirs, &walk->alloc_dirs, walk->n_dirs, sizeof(*walk->dirs));
		if (r == 0)
			walk->dirs[walk->n_dirs++] = pme_take_ptr(owned);
		return r;
	}
	fd = open_quietly(dir, name, FILE_FLAGS);
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0)
		return skip(walk, path, r);
	return S_ISREG(st.st_mode) ? look_at(walk, &fd, &st, path, ret) : 0;
}

static int visit_all(struct walk *walk, int dir, const char *path, struct pme_fs_result *ret)
{
	const struct pme_os here = {.root = dir};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&here, ".", &names, &count);

	if (r < 0)
		return skip(walk, path, r);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = visit(walk, dir, names[i],
			  pme_printf("%s%s%s", path, *path ? "/" : "", names[i]), ret);
		if (r == 0)
			r = pme_progress_at(walk->names.progress, ++walk->visited);
	}
	pme_os_free_names(names, count);
	return r;
}

static int read_dir(struct walk *walk, const char *path, struct pme_fs_result *ret)
{
	_cleanup_close_ int dir =
		open_quietly(walk->entry.fd, *path ? path : ".", FILE_FLAGS | O_DIRECTORY);
	_cleanup_close_ int copy = -1;
	struct stat st;
	int r = dir < 0 ? dir : pme_os_fstat(dir, &st);

	if (r < 0)
		return skip(walk, path, r);
	if (walk->mapping == PME_MAPPING_FIEMAP) {
		copy = pme_os_open_at(dir, ".", O_RDONLY | O_DIRECTORY);
		r = copy < 0 ? skip(walk, path, copy) : look_at(walk, &copy, &st, path, ret);
	}
	return r < 0 ? r : visit_all(walk, dir, path, ret);
}

static int walk_all(struct walk *walk, struct pme_fs_result *ret)
{
	struct pme_progress *progress = walk->names.progress;
	int r;

	pme_progress_phase(progress, PME_PHASE_OWNERS, PME_UNIT_FILES,
			   pme_os_inodes_used(walk->entry.fd));
	pme_progress_estimate(progress);
	r = read_dir(walk, "", ret);
	while (r == 0 && walk->n_dirs > 0) {
		_cleanup_free_ char *path = walk->dirs[--walk->n_dirs];

		r = read_dir(walk, path, ret);
	}
	walk->cut = r == -ETIME;
	return walk->cut ? pme_names_cut(&walk->names) : r;
}

/* --- is it still so? --- */

/* Has @now, the owners of one file, one like @owner? */
static bool is_among(const struct pme_fs_result *now, const struct pme_fs_owner *owner)
{
	for (size_t i = 0; i < now->n_owners; i++) {
		const struct pme_fs_owner *o = &now->owners[i];

		if (o->range.start <= owner->range.start &&
		    pme_range_end(o->range) >= pme_range_end(owner->range) &&
		    owner->range.start - o->range.start == owner->file_start - o->file_start &&
		    o->kind == owner->kind)
			return true;
	}
	return false;
}

static int doubt_owner(struct pme_fs_owner *owner)
{
	owner->kind = PME_OWNER_UNKNOWN;
	owner->certainty = PME_UNCERTAIN;
	owner->file = NULL;
	owner->has_file_start = false;
	owner->reason = strdup("a file that had these bytes was moved or changed while they were "
			       "looked for: scan again");
	return owner->reason ? 0 : -ENOMEM;
}

static const char *name_of(const struct walk *walk, const struct pme_file *file)
{
	for (size_t i = 0; i < walk->names.count; i++)
		if (walk->names.items[i].file == file)
			return walk->names.items[i].path;
	return "";
}

/* Ask the file @i again: what is not as it was is unknown. */
static int confirm(struct walk *walk, size_t i, struct pme_fs_result *ret)
{
	_cleanup_(pme_fs_result_done) struct pme_fs_result now = {0};
	const struct pme_file *file = ret->files[i];
	_cleanup_close_ int again = -1;
	bool encoded = false;
	struct stat st;
	int fd = walk->fds[i], r;

	if (fd < 0)
		fd = again = open_quietly(walk->entry.fd, name_of(walk, file), FILE_FLAGS);
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r == 0 && st.st_ino == file->inode)
		r = find_owners(walk, fd, &st, &encoded, &now);
	if (r == -ENOMEM)
		return r;
	for (size_t o = 0; o < ret->n_owners; o++)
		if (ret->owners[o].file == file && !is_among(&now, &ret->owners[o]) &&
		    doubt_owner(&ret->owners[o]) < 0)
			return -ENOMEM;
	return 0;
}

/* Names that were not reached may be of files that were found, and share their blocks. */
static int doubt_all(const struct walk *walk, struct pme_fs_result *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && walk->cut && i < ret->n_files; i++)
		r = pme_names_doubt(ret->files[i], walk->names.incomplete);
	return r;
}

/* What no file has. */
static int add_rest(const struct walk *walk, struct pme_fs_result *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list known = {0}, rest = {0};
	_cleanup_free_ char *reason =
		walk->cut ? pme_printf("not all files were asked: %s", pme_progress_error(-ETIME))
			  : pme_printf("no file with a name has these bytes: metadata of %s, free "
				       "space, or a file that is deleted and still open",
				       walk->fs->type);
	int r = reason ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ret->n_owners; i++)
		if (!walk->cut || !ret->owners[i].shared)
			r = pme_range_list_add(&known, ret->owners[i].range.start,
					       ret->owners[i].range.length);
	pme_range_list_normalize(&known);
	for (size_t i = 0; r == 0 && i < walk->ranges->count; i++)
		r = pme_range_list_subtract(walk->ranges->items[i], &known, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = pme_fs_result_unknown(rest.items[i], reason, ret);
	return r;
}

static void tell(const struct walk *walk, struct pme_log *log)
{
	if (walk->unread > 0)
		pme_log_incomplete(log, pme_fs_subject(walk->fs),
				   "%" PRIu64 " files or directories cannot be looked at, the "
				   "first is %s",
				   walk->unread, walk->first_unread);
	if (walk->encoded > 0)
		pme_log_incomplete(log, pme_fs_subject(walk->fs),
				   "%" PRIu64 " files are compressed: which bytes of the device "
				   "they have is not known exactly",
				   walk->encoded);
}

static int run(struct walk *walk, struct pme_log *log, struct pme_fs_result *ret)
{
	int r = pme_fs_enter(walk->topo->os, walk->fs, 0, &walk->entry);

	if (r == 0 && !walk->entry.is_root)
		r = -EXDEV;
	if (r == 0)
		r = walk_all(walk, ret);
	if (r == 0 && ret->n_files > 0)
		r = pme_names_publish(walk->topo, walk->fs, &walk->names, ret->files, ret->n_files);
	for (size_t i = 0; r == 0 && i < ret->n_files; i++)
		r = confirm(walk, i, ret);
	if (r == 0)
		r = doubt_all(walk, ret);
	if (r == 0)
		r = add_rest(walk, ret);
	if (r < 0)
		return r;
	pme_fs_result_sort(ret);
	pme_fs_result_tell(ret, walk->fs, log);
	tell(walk, log);
	return 0;
}

static int resolve(const struct pme_topo *topo, const struct pme_fs *fs,
		   const struct pme_range_list *ranges, struct pme_log *log,
		   struct pme_fs_result *ret)
{
	struct walk walk = {
		.topo = topo,
		.fs = fs,
		.ranges = ranges,
		.mapping = pme_extents_mapping(fs->type),
		.entry = {.fd = -1},
		.names = {.progress = log->progress},
	};
	int r = run(&walk, log, ret);

	walk_done(&walk, ret);
	if (r < 0) {
		pme_fs_result_done(ret);
		pme_log_incomplete(log, pme_fs_subject(fs), "cannot map bytes to files: %s",
				   r == -EXDEV ? "its root directory is not mounted"
					       : strerror(-r));
	}
	return r;
}

const struct pme_fs_kind pme_fs_walk = {
	.resolve = resolve,
};
