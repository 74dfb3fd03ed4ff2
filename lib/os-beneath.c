/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening below a directory, and nowhere else; see os.h.
 *
 * The surprise: a service with RestrictSUIDSGID= has no openat2(2), as no filter of system calls
 * can look into its argument.  Then each directory of the path is opened by itself.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "os.h"

static bool is_link(int fd)
{
	struct stat st;

	return pme_os_fstat(fd, &st) < 0 || S_ISLNK(st.st_mode);
}

/* The name @name of @dir, in the mount @mount: a descriptor or -errno. */
static int open_name(int dir, const char *name, int flags, uint64_t mount)
{
	_cleanup_close_ int fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
	uint64_t own;
	int r = fd < 0 ? -errno : pme_os_mount_id(fd, &own);

	if (r < 0)
		return r;
	return own == mount ? pme_take_fd(&fd) : -EXDEV;
}

/* The last name of the path, which a link may have where links are opened as such. */
static int open_last(int dir, const char *name, int flags, uint64_t mount)
{
	_cleanup_close_ int fd = open_name(dir, name, flags, mount);

	if (fd < 0)
		return fd;
	return !(flags & O_NOFOLLOW) && is_link(fd) ? -ELOOP : pme_take_fd(&fd);
}

static int open_dir(int dir, const char *name, uint64_t mount)
{
	_cleanup_close_ int fd = open_name(dir, name, O_PATH, mount);

	if (fd < 0)
		return fd;
	return is_link(fd) ? -ELOOP : pme_take_fd(&fd);
}

static int open_by_steps(int dir, const char *path, int flags)
{
	_cleanup_free_ char *all = strdup(path);
	_cleanup_close_ int at = -1;
	uint64_t mount;
	char *rest = all, *name;
	int r = all ? pme_os_mount_id(dir, &mount) : -ENOMEM;

	if (r < 0)
		return r;
	if (*path == '/' || !*path)
		return *path ? -EXDEV : -ENOENT;
	while ((name = strsep(&rest, "/"))) {
		bool is_last = !rest || strspn(rest, "/") == strlen(rest);
		int next;

		if (strcmp(name, "..") == 0)
			return -EXDEV;
		if (!*name || (strcmp(name, ".") == 0 && !is_last))
			continue;
		if (is_last)
			return open_last(at < 0 ? dir : at, name, flags | (rest ? O_DIRECTORY : 0),
					 mount);
		next = open_dir(at < 0 ? dir : at, name, mount);
		pme_close_fd(&at);
		at = next;
		if (at < 0)
			return at;
	}
	return -ENOENT;
}

int pme_os_open_beneath(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0 && errno == ENOSYS)
		return open_by_steps(dir, path, flags);
	return fd < 0 ? -errno : (int)fd;
}
