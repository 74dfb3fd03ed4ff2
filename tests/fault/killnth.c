/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * killnth.so (LD_PRELOAD): the program is killed (SIGKILL) right before its n-th call that changes
 * a file, whoever calls: the program, or a library of others.  Between two such calls nothing
 * changes, so with n from 1 to the number of calls it dies at every moment that matters.
 *
 *   PMEMCTL_KILL_AT=N       before the N-th call; 0 or nothing: it lives
 *   PMEMCTL_KILL_LOG=FILE   before the end "killed N NAME", or at exit "calls TOTAL"
 *   PMEMCTL_KILL_CALL=NAME  only calls of that name count
 *   PMEMCTL_KILL_STOP=yes   it is only stopped (SIGSTOP), and goes on when somebody lets it
 *
 * The surprise: of the ioctls only those that give a file other blocks count, and files that are
 * opened only where they may be made.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define COMMIT_RANGE_NUMBER 131 /* of 'X': XFS_IOC_COMMIT_RANGE */

static atomic_ulong calls;
static unsigned long kill_at;
static const char *log_path, *only;
static int kill_by = SIGKILL;

static void note(const char *text)
{
	int fd = log_path ? (int)syscall(SYS_openat, AT_FDCWD, log_path,
					 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
			  : -1;

	if (fd >= 0) {
		if (syscall(SYS_write, fd, text, strlen(text)) < 0)
			_exit(9);
		close(fd);
	}
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("PMEMCTL_KILL_AT");

	kill_at = at ? strtoul(at, NULL, 10) : 0;
	log_path = getenv("PMEMCTL_KILL_LOG");
	only = getenv("PMEMCTL_KILL_CALL");
	kill_by = getenv("PMEMCTL_KILL_STOP") ? SIGSTOP : SIGKILL;
	atomic_store(&calls, 0);
}

__attribute__((destructor)) static void end(void)
{
	char text[64];

	snprintf(text, sizeof(text), "calls %lu\n", atomic_load(&calls));
	note(text);
}

static void moment(const char *name)
{
	unsigned long n;
	char text[128];

	if (only && strcmp(only, name) != 0)
		return;
	n = atomic_fetch_add(&calls, 1) + 1;
	if (n != kill_at)
		return;
	snprintf(text, sizeof(text), "killed %lu %s\n", n, name);
	note(text);
	kill(getpid(), kill_by);
}

#define CALL(type, name, parameters, arguments)                             \
	EXPORT type name parameters;                                        \
	type name parameters                                                \
	{                                                                   \
		static type(*next) parameters;                              \
                                                                            \
		if (!next)                                                  \
			next = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
		moment(#name);                                              \
		return next arguments;                                      \
	}

CALL(int, fsync, (int fd), (fd))
CALL(int, fdatasync, (int fd), (fd))
CALL(ssize_t, write, (int fd, const void *buf, size_t size), (fd, buf, size))
CALL(ssize_t, pwrite, (int fd, const void *buf, size_t size, off_t at), (fd, buf, size, at))
CALL(ssize_t, pwrite64, (int fd, const void *buf, size_t size, off64_t at), (fd, buf, size, at))
CALL(int, ftruncate, (int fd, off_t size), (fd, size))
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size))
CALL(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
CALL(int, fallocate64, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size))
CALL(int, renameat2, (int from, const char *name, int to, const char *new_name, unsigned int flags),
     (from, name, to, new_name, flags))
CALL(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags))
CALL(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode))
CALL(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))

#define OPENAT(name)                                                                          \
	EXPORT int name(int dir, const char *path, int flags, ...);                           \
	int name(int dir, const char *path, int flags, ...)                                   \
	{                                                                                     \
		static int (*next)(int, const char *, int, ...);                              \
		va_list ap;                                                                   \
		mode_t mode;                                                                  \
                                                                                              \
		va_start(ap, flags);                                                          \
		mode = va_arg(ap, mode_t);                                                    \
		va_end(ap);                                                                   \
		if (!next)                                                                    \
			next = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name); \
		if (flags & O_CREAT)                                                          \
			moment(#name);                                                        \
		return next(dir, path, flags, mode);                                          \
	}

OPENAT(openat)
OPENAT(openat64)

EXPORT int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int, unsigned long, ...);
	va_list ap;
	void *argument;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (!next)
		next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	if (request == FICLONERANGE)
		moment("FICLONERANGE");
	else if (request == FS_IOC_FSSETXATTR)
		moment("FS_IOC_FSSETXATTR");
	else if (_IOC_TYPE(request) == 'X' && _IOC_NR(request) == COMMIT_RANGE_NUMBER)
		moment("COMMIT_RANGE");
	return next(fd, request, argument);
}
