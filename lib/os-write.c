/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door to files, what is written: files and directories made, changed, taken away; see os.h.
 */
#include "os.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

int pme_os_open_record(const struct pme_os *os, const char *dir, const char *path)
{
	int fd;

	if (mkdirat(os->root, dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(os->root, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int pme_os_lock(int fd, unsigned int seconds)
{
	const struct timespec pause = {.tv_nsec = 50000000};

	for (unsigned int tries = seconds * 20;; tries--) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (tries == 0)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
}

int pme_os_rewrite(int fd, const void *buf, size_t size)
{
	ssize_t n;

	n = size ? pwrite(fd, buf, size, 0) : 0;
	if (n < 0)
		return -errno;
	if ((size_t)n != size)
		return -ENOSPC;
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, buf + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_new(const struct pme_os *os, const char *path, const void *buf, size_t size,
		     mode_t mode)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (unlinkat(os->root, path, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(os->root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, buf, size);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	return r;
}

int pme_os_replace_file(const struct pme_os *os, const char *path, const void *buf, size_t size,
			mode_t mode)
{
	_cleanup_free_ char *new_path = pme_printf("%s.new", path);
	int r = new_path ? write_new(os, new_path, buf, size, mode) : -ENOMEM;

	if (r == 0 && renameat(os->root, new_path, os->root, path) < 0)
		r = -errno;
	if (r < 0 && new_path)
		unlinkat(os->root, new_path, 0);
	return r;
}

int pme_os_remove_file(const struct pme_os *os, const char *path)
{
	return unlinkat(os->root, path, 0) < 0 ? -errno : 0;
}

int pme_os_make_dir(int dir, const char *name, mode_t mode)
{
	if (mkdirat(dir, name, mode) < 0)
		return -errno;
	return fsync(dir) < 0 ? -errno : 0;
}

int pme_os_create_at(int dir, const char *name, mode_t mode)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

int pme_os_pwrite(int fd, const void *buf, size_t size, uint64_t offset)
{
	ssize_t n;

	do {
		n = pwrite(fd, buf, size, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

int pme_os_sync(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

int pme_os_chmod_at(int dir, const char *name, mode_t mode)
{
	_cleanup_close_ int fd = pme_os_open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return fd;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

int pme_os_move(int from, const char *name, int to, const char *new_name)
{
	int r;

	if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) < 0)
		return -errno;
	r = pme_os_sync(to);
	return r < 0 ? r : pme_os_sync(from);
}

int pme_os_unlink(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) < 0)
		return -errno;
	return pme_os_sync(dir);
}

int pme_os_create(int dir, const char *name)
{
	return pme_os_create_at(dir, name, 0600);
}

int pme_os_replace_synced(int dir, const char *name, const void *buf, size_t size)
{
	_cleanup_free_ char *new_name = pme_printf("%s.new", name);
	_cleanup_close_ int fd = -1;
	int r;

	if (!new_name)
		return -ENOMEM;
	if (unlinkat(dir, new_name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = pme_os_create_at(dir, new_name, 0600);
	r = fd < 0 ? fd : write_all(fd, buf, size);
	if (r == 0 && (fsync(fd) < 0 || fsync(dir) < 0 || renameat(dir, new_name, dir, name) < 0))
		r = -errno;
	if (r < 0) {
		unlinkat(dir, new_name, 0);
		return r;
	}
	return fsync(dir) < 0 ? -errno : 0;
}

int pme_os_remove_dir(int dir, const char *name)
{
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0)
		return -errno;
	return pme_os_sync(dir);
}

int pme_os_write_attr(const struct pme_os *os, const char *value, const char *fmt, ...)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	size_t size = strlen(value);
	va_list ap;
	ssize_t n;

	va_start(ap, fmt);
	if (vasprintf(&path, fmt, ap) < 0)
		path = NULL;
	va_end(ap);
	if (!path)
		return -ENOMEM;
	fd = pme_os_open(os, path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return fd;
	do {
		n = write(fd, value, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}
