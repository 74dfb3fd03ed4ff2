/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door to files and ioctls; see os.h.
 */
#include "os.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#define READ_STEP 4096

int pme_os_open_root(const char *path, struct pme_os *ret)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret->root = fd;
	return 0;
}

void pme_os_close(struct pme_os *os)
{
	pme_close_fd(&os->root);
	os->root = -1;
}

int pme_os_open_at(int dir, const char *path, int flags)
{
	int fd;

	do {
		fd = openat(dir, path, flags | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int pme_os_open(const struct pme_os *os, const char *path, int flags)
{
	return pme_os_open_at(os->root, path, flags);
}

/* One read(2) that adds to the buffer: bytes read, 0 at the end, -errno. */
static ssize_t read_more(int fd, char **buf, size_t *alloc, size_t used)
{
	ssize_t n;

	if (*alloc - used < READ_STEP + 1) {
		size_t want = *alloc * 2 + READ_STEP + 1;
		char *p = realloc(*buf, want);

		if (!p)
			return -ENOMEM;
		*buf = p;
		*alloc = want;
	}
	do {
		n = read(fd, *buf + used, *alloc - used - 1);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int pme_os_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t alloc = 0, used = 0;
	ssize_t n;

	while ((n = read_more(fd, &buf, &alloc, used)) > 0) {
		used += (size_t)n;
		if (used > max)
			return -EFBIG;
	}
	if (n < 0)
		return (int)n;
	buf[used] = '\0';
	*ret = pme_take_ptr(buf);
	*ret_len = used;
	return 0;
}

int pme_os_read_file(const struct pme_os *os, const char *path, size_t max, char **ret,
		     size_t *ret_len)
{
	_cleanup_close_ int fd = pme_os_open(os, path, O_RDONLY);

	return fd < 0 ? fd : pme_os_read_fd(fd, max, ret, ret_len);
}

static int read_attr(const struct pme_os *os, char **ret, size_t *ret_len, const char *fmt,
		     va_list ap)
{
	_cleanup_free_ char *path = NULL;

	if (vasprintf(&path, fmt, ap) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return pme_os_read_file(os, path, PME_FILE_MAX, ret, ret_len);
}

int pme_os_read_attr(const struct pme_os *os, char **ret, size_t *ret_len, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = read_attr(os, ret, ret_len, fmt, ap);
	va_end(ap);
	return r;
}

static int read_line(const struct pme_os *os, char **ret, const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = read_attr(os, &text, &len, fmt, ap);

	if (r < 0)
		return r;
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (strlen(text) != len || strchr(text, '\n'))
		return -EINVAL;
	*ret = pme_take_ptr(text);
	return 0;
}

int pme_os_read_line(const struct pme_os *os, char **ret, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = read_line(os, ret, fmt, ap);
	va_end(ap);
	return r;
}

int pme_os_read_u64(const struct pme_os *os, uint64_t *ret, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = read_line(os, &text, fmt, ap);
	va_end(ap);
	return r < 0 ? r : pme_parse_u64(text, strlen(text), ret);
}

ssize_t pme_os_read_once(const struct pme_os *os, const char *path, void *buf, size_t size)
{
	_cleanup_close_ int fd = pme_os_open(os, path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = pread(fd, buf, size, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* It takes no directory descriptor: /proc has a path for ours. */
int pme_os_inotify_add(const struct pme_os *os, int inotify, const char *path, uint32_t mask)
{
	_cleanup_free_ char *full = pme_printf("/proc/self/fd/%d/%s", os->root, path);
	int wd = full ? inotify_add_watch(inotify, full, mask) : -1;

	if (!full)
		return -ENOMEM;
	return wd < 0 ? -errno : wd;
}

int pme_os_real_path(const char *path, char **ret)
{
	const char *last = strrchr(path, '/');
	_cleanup_free_ char *dir = last ? strndup(path, (size_t)(last - path) + 1) : NULL;
	_cleanup_free_ char *real = NULL;

	if (!dir)
		return last ? -ENOMEM : -EINVAL;
	real = realpath(dir, NULL);
	if (!real)
		return -errno;
	*ret = pme_printf("%s%s", strcmp(real, "/") == 0 ? "" : real, last);
	return *ret ? 0 : -ENOMEM;
}

int pme_os_may_make(const char *path)
{
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int pme_os_readlink(const struct pme_os *os, const char *path, char **ret)
{
	char buf[PATH_MAX];
	ssize_t n = readlinkat(os->root, path, buf, sizeof(buf));
	char *text;

	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(buf))
		return -ENAMETOOLONG;
	text = strndup(buf, (size_t)n);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int pme_os_exists(const struct pme_os *os, const char *path)
{
	if (faccessat(os->root, path, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

int pme_os_fstat(int fd, struct stat *ret)
{
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int pme_os_mount_id(int fd, uint64_t *ret)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return -errno;
	*ret = stx.stx_mnt_id;
	return stx.stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP; /* before 5.8 */
}

int pme_os_stat_at(int dir, const char *path, bool follow, struct stat *ret)
{
	int flags = AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW);

	return fstatat(dir, path, ret, flags) < 0 ? -errno : 0;
}

int pme_os_stat(const struct pme_os *os, const char *path, bool follow, struct stat *ret)
{
	return pme_os_stat_at(os->root, path, follow, ret);
}

void pme_os_free_names(char **names, size_t count)
{
	for (size_t i = 0; names && i < count; i++)
		free(names[i]);
	free(names);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_names(DIR *dir, char ***names, size_t *alloc, size_t *count)
{
	for (;;) {
		struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = pme_grow(names, alloc, *count, sizeof(**names));
		if (r < 0)
			return r;
		(*names)[*count] = strdup(entry->d_name);
		if (!(*names)[*count])
			return -ENOMEM;
		(*count)++;
	}
}

/* Takes @fd. */
static int list_fd(int fd, char ***ret, size_t *ret_count)
{
	char **names = NULL;
	size_t alloc = 0, count = 0;
	DIR *dir;
	int r;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	r = collect_names(dir, &names, &alloc, &count);
	closedir(dir);
	if (r < 0) {
		pme_os_free_names(names, count);
		return r;
	}
	if (count > 0)
		qsort(names, count, sizeof(*names), compare_names);
	*ret = names;
	*ret_count = count;
	return 0;
}

int pme_os_list(const struct pme_os *os, const char *path, char ***ret, size_t *ret_count)
{
	return list_fd(pme_os_open(os, path, O_RDONLY | O_DIRECTORY), ret, ret_count);
}

/* Only the owner may ask that access times stay. */
int pme_os_list_quietly(int dir, char ***ret, size_t *ret_count)
{
	int fd = pme_os_open_at(dir, ".", O_RDONLY | O_DIRECTORY | O_NOATIME);

	if (fd == -EPERM)
		fd = pme_os_open_at(dir, ".", O_RDONLY | O_DIRECTORY);
	return list_fd(fd, ret, ret_count);
}

ssize_t pme_os_getdents(int fd, void *buf, size_t size)
{
	long n = syscall(SYS_getdents64, fd, buf, size);

	return n < 0 ? -errno : n;
}

int pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	int r;

	do {
		r = ioctl(fd, request, arg);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

uint64_t pme_os_inodes_used(int fd)
{
	struct statfs sfs;

	if (fstatfs(fd, &sfs) < 0 || sfs.f_files < sfs.f_ffree)
		return 0;
	return sfs.f_files - sfs.f_ffree;
}

int pme_os_is_dax(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
		return -errno;
	if (!(stx.stx_attributes_mask & STATX_ATTR_DAX))
		return -EOPNOTSUPP;
	return (stx.stx_attributes & STATX_ATTR_DAX) != 0;
}

int pme_os_quotactl(int command, const char *special, int id, void *arg)
{
	return quotactl(command, special, id, arg) < 0 ? -errno : 0;
}

int pme_os_open_handle(int mount, struct file_handle *handle, int flags)
{
	int fd = open_by_handle_at(mount, handle, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The directory @name as the private copy @tree shows it; it must be the root of a mount. */
static int enter_copy(int tree, const char *name)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};
	_cleanup_close_ int fd = -1;
	struct statx stx;

	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	fd = openat(tree, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
		return -errno;
	return stx.stx_attributes & STATX_ATTR_MOUNT_ROOT ? pme_take_fd(&fd) : -EXDEV;
}

/*
 * The path of a mount itself is not looked up: while that is done, umount(2) of it fails.  So its
 * parent directory is copied, with all that is mounted below, and looked into; the copies of the
 * other mounts are gone when this returns.
 */
int pme_os_enter_mount(const struct pme_os *os, const char *target)
{
	const char *path = target[1] ? target + 1 : ".", *slash = strrchr(path, '/');
	int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT, fd = -EXDEV;
	_cleanup_free_ char *parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	_cleanup_close_ int tree = -1;

	if (!parent)
		return -ENOMEM;
	if (target[1]) {
		tree = open_tree(os->root, parent, flags | AT_RECURSIVE);
		fd = tree < 0 ? -errno : enter_copy(tree, slash ? slash + 1 : path);
	}
	if (fd < 0)
		fd = open_tree(os->root, path, flags);
	return fd < 0 ? -errno : fd;
}

int pme_os_same_files(pid_t a, pid_t b)
{
	long r = syscall(SYS_kcmp, a, b, KCMP_FILES, 0UL, 0UL);

	return r < 0 ? -errno : r == 0;
}

bool pme_os_leaves_set_id(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capget, &header, data) == 0 && data[0].effective & (1U << CAP_FSETID);
}

void pme_os_sleep(uint64_t time)
{
	struct timespec pause = {
		.tv_sec = (time_t)(time / 1000000),
		.tv_nsec = (long)(time % 1000000) * 1000,
	};

	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
}

uint64_t pme_os_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
