/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only door to files and ioctls (libraries of others have their own).
 *
 * Every path is looked up below a root directory: "/" for the program, a made-up tree for unit
 * tests.  Paths are given without a leading slash ("sys/class/block").  Everything is opened with
 * O_CLOEXEC.  Functions return 0 (or a descriptor) or a negative errno and never log.
 */
#ifndef PME_OS_H
#define PME_OS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base.h"

struct pme_os {
	int root; /* descriptor of the root directory */
};

/* The longest attribute, table or map that is read whole: 64 MiB (/proc/PID/smaps can be long). */
#define PME_FILE_MAX (64U << 20)

int pme_os_open_root(const char *path, struct pme_os *ret);
void pme_os_close(struct pme_os *os);

/* Open @path below the root (any flags but O_CREAT).  A descriptor or -errno. */
int pme_os_open(const struct pme_os *os, const char *path, int flags);
/* The same below the directory @dir. */
int pme_os_open_at(int dir, const char *path, int flags);

/* Whole file into *@ret, NUL added behind; -EFBIG beyond @max bytes.  Caller frees. */
int pme_os_read_file(const struct pme_os *os, const char *path, size_t max, char **ret,
		     size_t *ret_len);
/* The same by printf-like path. */
int pme_os_read_attr(const struct pme_os *os, char **ret, size_t *ret_len, const char *fmt, ...)
	_printf_(4, 5);
/* The same from where the descriptor @fd stands. */
int pme_os_read_fd(int fd, size_t max, char **ret, size_t *ret_len);
/* One line attribute without its newline, as string.  -EINVAL when it holds a NUL. */
int pme_os_read_line(const struct pme_os *os, char **ret, const char *fmt, ...) _printf_(3, 4);
/* One decimal number, optional newline behind it, nothing else. */
int pme_os_read_u64(const struct pme_os *os, uint64_t *ret, const char *fmt, ...) _printf_(3, 4);

/* One pread(2) of up to @size bytes at offset 0; the number of bytes or -errno. */
ssize_t pme_os_read_once(const struct pme_os *os, const char *path, void *buf, size_t size);
/* Exactly @size bytes at @offset of @fd: 0, -EIO at a media error, -ENODATA when it ends before. */
int pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);

/*
 * A file that runs of the program share: @path, in the directory @dir, both made when missing and
 * of nobody else.  A descriptor or -errno.  Its lock is shared with processes forked later.
 */
int pme_os_open_record(const struct pme_os *os, const char *dir, const char *path);
/* Its whole-file lock: 0, -ETIMEDOUT after @seconds, -errno. */
int pme_os_lock(int fd, unsigned int seconds);
/* Make @size bytes at @buf its only contents. */
int pme_os_rewrite(int fd, const void *buf, size_t size);

/*
 * Make @buf the contents of @path at once, with mode @mode: who opens it sees the old or the new
 * file, whole.  It is written as @path with ".new" behind it first.  Not synced.
 */
int pme_os_replace_file(const struct pme_os *os, const char *path, const void *buf, size_t size,
			mode_t mode);
int pme_os_remove_file(const struct pme_os *os, const char *path);

/* A new file in @dir, mode 0600, open for reading and writing: a descriptor, -EEXIST, -errno. */
int pme_os_create(int dir, const char *name);
/* An empty directory taken out of @dir, synced: 0 or -errno. */
int pme_os_remove_dir(int dir, const char *name);

/* mkdirat(2), synced into @dir: 0 or -errno. */
int pme_os_make_dir(int dir, const char *name, mode_t mode);
/* A new file @name of @dir, for reading and writing: a descriptor or -errno (-EEXIST). */
int pme_os_create_at(int dir, const char *name, mode_t mode);
/*
 * Open @path, which may have directories in it, below @dir: -ELOOP when any of it is a symbolic
 * link, -EXDEV when it leads out of @dir or into another mount.
 */
int pme_os_open_beneath(int dir, const char *path, int flags);
/*
 * Make @buf the contents of @name of @dir (mode 0600), whole or not at all, whatever happens: the
 * new file is synced, renamed, and then the directory synced.  0 or -errno.
 */
int pme_os_replace_synced(int dir, const char *name, const void *buf, size_t size);

/* Write an attribute of sysfs, at once: 0 or -errno (-EIO when it took less of it). */
int pme_os_write_attr(const struct pme_os *os, const char *value, const char *fmt, ...)
	_printf_(3, 4);
/* Exactly @size bytes at @offset of @fd: 0, -EIO also when less was written, -errno. */
int pme_os_pwrite(int fd, const void *buf, size_t size, uint64_t offset);
/* fsync(2). */
int pme_os_sync(int fd);
/* fchmodat(2); @name must not be a symbolic link. */
int pme_os_chmod_at(int dir, const char *name, mode_t mode);
/* renameat2(2) with RENAME_NOREPLACE, synced into both directories: 0, -EEXIST, -errno. */
int pme_os_move(int from, const char *name, int to, const char *new_name);
/* unlinkat(2) of a file, synced into @dir. */
int pme_os_unlink(int dir, const char *name);

/* What is read of @fd next comes from the media: clean pages of it are not kept in memory. */
void pme_os_drop_cache(int fd);
/*
 * Has the page cache any page of @length bytes of the file from @start on, be it clean or not?  1;
 * 0: what the media has is the file (always so with DAX); -errno: the kernel does not say.
 */
int pme_os_is_cached(int fd, uint64_t start, uint64_t length);

/* Sleep that many µs, whatever signals come. */
void pme_os_sleep(uint64_t time);
/* µs of CLOCK_MONOTONIC. */
uint64_t pme_os_monotonic(void);

/* inotify_add_watch(2): a watch descriptor or -errno. */
int pme_os_inotify_add(const struct pme_os *os, int inotify, const char *path, uint32_t mask);

int pme_os_readlink(const struct pme_os *os, const char *path, char **ret);
/* 1 it exists, 0 it does not, -errno: could not tell. */
int pme_os_exists(const struct pme_os *os, const char *path);
int pme_os_stat(const struct pme_os *os, const char *path, bool follow, struct stat *ret);
int pme_os_fstat(int fd, struct stat *ret);
/*
 * A number of this boot of the machine, which no other has; 0: it cannot be known.  From
 * /proc/sys/kernel/random/boot_id, read once.
 */
uint64_t pme_os_boot(void);
/* The mount that @fd was opened through, as mountinfo counts them: 0 or -errno. */
int pme_os_mount_id(int fd, uint64_t *ret);
/* @dir may be AT_FDCWD; an absolute @path is one of this machine, whatever the root. */
int pme_os_stat_at(int dir, const char *path, bool follow, struct stat *ret);
/* The absolute @path of this machine, without links before its last part, which need not exist. */
int pme_os_real_path(const char *path, char **ret);
/* May files be made in the directory @path of this machine?  0, or -EROFS, -EACCES, -ENOENT … */
int pme_os_may_make(const char *path);

/* Names in a directory, sorted, without "." and "..".  Free with pme_os_free_names(). */
int pme_os_list(const struct pme_os *os, const char *path, char ***ret, size_t *ret_count);
/* The same of the directory @dir, without writing its access time. */
int pme_os_list_quietly(int dir, char ***ret, size_t *ret_count);
void pme_os_free_names(char **names, size_t count);

/* getdents64(2): bytes filled, 0 at the end, -errno. */
ssize_t pme_os_getdents(int fd, void *buf, size_t size);

/* ioctl(2), repeated on EINTR: its result (>= 0) or -errno. */
int pme_os_ioctl(int fd, unsigned long request, void *arg);

/* How many inodes of the filesystem of @fd are in use; 0: it does not say. */
uint64_t pme_os_inodes_used(int fd);

/* Is the open file, as it is in memory now, DAX?  1, 0, -errno. */
int pme_os_is_dax(int fd);

/* quotactl(2) on the block device @special (a path of this machine): 0 or -errno. */
int pme_os_quotactl(int command, const char *special, int id, void *arg);

/* open_by_handle_at(2): a descriptor or -errno. */
struct file_handle;
int pme_os_open_handle(int mount, struct file_handle *handle, int flags);

/*
 * The directory where the mount at @target (absolute) begins, in a private copy of that mount: what
 * is mounted over it by others hides nothing, and umount(2) of the mount itself is never in doubt;
 * the filesystem stays as long as the descriptor.  -errno: it cannot be copied.
 */
int pme_os_enter_mount(const struct pme_os *os, const char *target);

/* Do two threads of this machine have one table of descriptors (kcmp(2))?  1, 0, -errno. */
int pme_os_same_files(pid_t a, pid_t b);

/* Do writes of this process leave set-id bits alone (CAP_FSETID)? */
bool pme_os_leaves_set_id(void);

#endif
