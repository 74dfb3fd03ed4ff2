/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations of sd-ops.h.
 *
 * Every operation opens the file by its first name and closes it again: closing makes XFS give
 * back blocks that it allocated ahead, which is what fragments files in real life.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sd-ops.h"

#define CHUNK (1u << 20)

static int file_open(const struct sd_tree *tree, const struct sd_file *file)
{
	int fd = openat(tree->root_fd, file->paths[0], O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* Closes fd; the first error counts. */
static int file_close(int fd, int err)
{
	int failed = close(fd) < 0 ? -errno : 0;

	return err ? err : failed;
}

int sd_open_empty(const char *name)
{
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(dup(fd));
	struct dirent *entry;
	int extra = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		extra += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			 strcmp(entry->d_name, "lost+found");
	closedir(dir);
	if (!extra)
		return fd;
	close(fd);
	return -ENOTEMPTY;
}

int sd_op_mkdir(struct sd_tree *tree, const char *path)
{
	if (mkdirat(tree->root_fd, path, 0755) < 0)
		return -errno;
	sd_model_add(&tree->model, 'd', path);
	return 0;
}

int sd_op_create(struct sd_tree *tree, const char *path, struct sd_file **ret_file)
{
	int fd = openat(tree->root_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	*ret_file = sd_model_add(&tree->model, 'f', path);
	return file_close(fd, 0);
}

static int write_all(int fd, const char *buf, size_t length, uint64_t offset)
{
	while (length) {
		ssize_t n = pwrite(fd, buf, length, (off_t)offset);

		if (n < 0)
			return -errno;
		buf += n;
		length -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int write_sectors(int fd, struct sd_id id, uint64_t length)
{
	uint64_t done = 0;
	char *buf = malloc(CHUNK);
	int err = buf ? 0 : -ENOMEM;

	while (done < length && !err) {
		uint64_t n = length - done < CHUNK ? length - done : CHUNK;
		struct sd_id at = id;

		for (uint64_t i = 0; i < n; i += SD_SECTOR) {
			at.offset = id.offset + done + i;
			sd_sector_build(&at, buf + i);
		}
		err = write_all(fd, buf, n, id.offset + done);
		done += n;
	}
	free(buf);
	return err;
}

static int write_extent(struct sd_tree *tree, struct sd_file *file, uint64_t offset,
			uint64_t length)
{
	struct sd_extent extent = {
		.start = offset,
		.length = length,
		.state = SD_DATA,
		.id = {tree->model.tag, file->number, offset, ++tree->model.generation},
	};
	int fd = file_open(tree, file);
	int err;

	if (fd < 0)
		return fd;
	err = file_close(fd, write_sectors(fd, extent.id, length));
	if (err)
		return err;
	if (offset > file->size)
		sd_file_resize(file, offset);
	sd_file_put(file, &extent);
	return 0;
}

/*
 * To be called before and after the edge of a file moves inside a block (to or from edge): the
 * filesystem zeroes the rest of that block, and where it is shared, or ever was, it does so in a
 * copy, identity and all.  So the block gets new data before, and again after.
 */
static int renew_edge(struct sd_tree *tree, struct sd_file *file, uint64_t edge)
{
	uint64_t start = edge - edge % SD_BLOCK, rest = file->size - start;

	if (start == edge || !file->was_shared || sd_file_at(file, start)->state != SD_DATA)
		return 0;
	return write_extent(tree, file, start, rest < SD_BLOCK ? rest : SD_BLOCK);
}

int sd_op_write(struct sd_tree *tree, struct sd_file *file, uint64_t offset, uint64_t length)
{
	uint64_t edge = offset > file->size ? file->size : 0;
	int err = renew_edge(tree, file, edge);

	if (!err)
		err = write_extent(tree, file, offset, length);
	return err ? err : renew_edge(tree, file, edge);
}

int sd_op_append(struct sd_tree *tree, struct sd_file *file, uint64_t length)
{
	uint64_t tail = file->size % SD_BLOCK;

	return sd_op_write(tree, file, file->size - tail, tail + length);
}

int sd_op_truncate(struct sd_tree *tree, struct sd_file *file, uint64_t size)
{
	uint64_t edge = size < file->size ? size : file->size;
	int err = renew_edge(tree, file, edge);
	int fd = err ? err : file_open(tree, file);

	if (fd < 0)
		return fd;
	err = file_close(fd, ftruncate(fd, (off_t)size) < 0 ? -errno : 0);
	if (err)
		return err;
	sd_file_resize(file, size);
	return renew_edge(tree, file, edge);
}

static int fallocate_file(struct sd_tree *tree, struct sd_file *file, int mode, uint64_t offset,
			  uint64_t length)
{
	int fd = file_open(tree, file);

	if (fd < 0)
		return fd;
	return file_close(fd, fallocate(fd, mode, (off_t)offset, (off_t)length) < 0 ? -errno : 0);
}

int sd_op_punch(struct sd_tree *tree, struct sd_file *file, uint64_t offset, uint64_t length)
{
	int err = fallocate_file(tree, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
				 length);

	if (!err)
		sd_file_put(file, &(struct sd_extent){
					  .start = offset,
					  .length = length,
					  .state = SD_HOLE,
				  });
	return err;
}

int sd_op_allocate(struct sd_tree *tree, struct sd_file *file, uint64_t offset, uint64_t length)
{
	uint64_t at = offset, end = offset + length;
	uint64_t edge = end > file->size ? file->size : 0;
	int err = renew_edge(tree, file, edge);

	if (!err)
		err = fallocate_file(tree, file, 0, offset, length);
	if (err)
		return err;
	if (file->size < end)
		sd_file_resize(file, end);
	while (at < end) {
		struct sd_extent extent = *sd_file_at(file, at);
		uint64_t stop = extent.start + extent.length;

		extent.start = at;
		extent.length = (stop < end ? stop : end) - at;
		at += extent.length;
		if (extent.state != SD_HOLE)
			continue;
		extent.state = SD_UNWRITTEN;
		sd_file_put(file, &extent);
	}
	return renew_edge(tree, file, edge);
}

/* The model's side of a clone.  Unwritten blocks are not shared: the copy has a hole there. */
static void copy_extents(struct sd_file *from, uint64_t offset, uint64_t length, struct sd_file *to,
			 uint64_t to_offset)
{
	uint64_t done = 0;

	from->was_shared = true;
	to->was_shared = true;
	while (done < length) {
		const struct sd_extent *source = sd_file_at(from, offset + done);
		uint64_t skip = offset + done - source->start;
		uint64_t rest = source->length - skip;
		struct sd_extent extent = *source;

		extent.start = to_offset + done;
		extent.length = rest < length - done ? rest : length - done;
		extent.id.offset += skip;
		if (extent.state == SD_UNWRITTEN)
			extent.state = SD_HOLE;
		sd_file_put(to, &extent);
		done += extent.length;
	}
}

static int clone_ioctl(struct sd_tree *tree, struct file_clone_range *range,
		       const struct sd_file *from, const struct sd_file *to)
{
	int from_fd = file_open(tree, from), to_fd, err;

	if (from_fd < 0)
		return from_fd;
	to_fd = file_open(tree, to);
	if (to_fd < 0)
		return file_close(from_fd, to_fd);
	range->src_fd = from_fd;
	err = ioctl(to_fd, FICLONERANGE, range) < 0 ? -errno : 0;
	return file_close(from_fd, file_close(to_fd, err));
}

/* FICLONE proper, into an empty file: a range of length 0 means "to the end". */
int sd_op_clone(struct sd_tree *tree, struct sd_file *from, struct sd_file *to)
{
	struct file_clone_range range = {0};
	int err = clone_ioctl(tree, &range, from, to);

	if (!err)
		copy_extents(from, 0, from->size, to, 0);
	return err;
}

int sd_op_clone_range(struct sd_tree *tree, struct sd_file *from, uint64_t offset, uint64_t length,
		      struct sd_file *to, uint64_t to_offset)
{
	struct file_clone_range range = {
		.src_offset = offset,
		.src_length = length,
		.dest_offset = to_offset,
	};
	uint64_t edge = to_offset > to->size ? to->size : 0;
	int err = renew_edge(tree, to, edge);

	if (!err)
		err = clone_ioctl(tree, &range, from, to);
	if (err)
		return err;
	if (to_offset > to->size)
		sd_file_resize(to, to_offset);
	copy_extents(from, offset, length, to, to_offset);
	return renew_edge(tree, to, edge);
}

static int dedupe_ioctl(int from_fd, uint64_t offset, uint64_t length, int to_fd,
			uint64_t to_offset)
{
	struct file_dedupe_range *range = calloc(1, sizeof(*range) + sizeof(range->info[0]));
	int err = range ? 0 : -ENOMEM;

	if (err)
		return err;
	range->src_offset = offset;
	range->src_length = length;
	range->dest_count = 1;
	range->info[0].dest_fd = to_fd;
	range->info[0].dest_offset = to_offset;
	if (ioctl(from_fd, FIDEDUPERANGE, range) < 0)
		err = -errno;
	else if (range->info[0].status < 0)
		err = range->info[0].status;
	else if (range->info[0].status != FILE_DEDUPE_RANGE_SAME ||
		 range->info[0].bytes_deduped != length)
		err = -EIO;
	free(range);
	return err;
}

int sd_op_dedupe(struct sd_tree *tree, struct sd_file *from, uint64_t offset, uint64_t length,
		 struct sd_file *to, uint64_t to_offset)
{
	char *buf = malloc(length);
	int from_fd = file_open(tree, from), to_fd = file_open(tree, to);
	int err = !buf ? -ENOMEM : from_fd < 0 ? from_fd : to_fd < 0 ? to_fd : 0;

	if (!err && pread(from_fd, buf, length, (off_t)offset) != (ssize_t)length)
		err = -EIO;
	if (!err)
		err = write_all(to_fd, buf, length, to_offset);
	if (!err)
		err = dedupe_ioctl(from_fd, offset, length, to_fd, to_offset);
	if (!err)
		copy_extents(from, offset, length, to, to_offset);
	free(buf);
	if (from_fd >= 0)
		err = file_close(from_fd, err);
	return to_fd >= 0 ? file_close(to_fd, err) : err;
}

int sd_op_link(struct sd_tree *tree, struct sd_file *file, const char *path)
{
	if (linkat(tree->root_fd, file->paths[0], tree->root_fd, path, 0) < 0)
		return -errno;
	sd_file_add_path(file, path);
	return 0;
}

int sd_op_unlink(struct sd_tree *tree, struct sd_file *file, size_t index)
{
	if (unlinkat(tree->root_fd, file->paths[index], 0) < 0)
		return -errno;
	sd_file_drop_path(file, index);
	return 0;
}

int sd_op_rename(struct sd_tree *tree, struct sd_file *file, size_t index, const char *path)
{
	if (renameat(tree->root_fd, file->paths[index], tree->root_fd, path) < 0)
		return -errno;
	sd_file_add_path(file, path);
	sd_file_drop_path(file, index);
	return 0;
}

int sd_op_symlink(struct sd_tree *tree, const char *target, const char *path)
{
	if (symlinkat(target, tree->root_fd, path) < 0)
		return -errno;
	sd_model_add(&tree->model, 'l', path);
	return 0;
}

int sd_op_setxattr(struct sd_tree *tree, struct sd_file *file, const char *name, size_t size)
{
	char *value = malloc(size);
	int fd = file_open(tree, file);
	int err = 0;

	if (fd < 0 || !value) {
		free(value);
		return fd < 0 ? fd : file_close(fd, -ENOMEM);
	}
	memset(value, 'x', size);
	/* not all filesystems take a large one */
	do {
		err = fsetxattr(fd, name, value, size, 0) < 0 ? -errno : 0;
		size /= 2;
	} while (err == -ENOSPC && size > 0);
	free(value);
	return file_close(fd, err);
}

int sd_op_sync(struct sd_tree *tree, struct sd_file *file)
{
	int fd = file_open(tree, file);

	if (fd < 0)
		return fd;
	return file_close(fd, fdatasync(fd) < 0 ? -errno : 0);
}
