/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failnth.so (LD_PRELOAD): makes the n-th call to the kernel's files or to the allocator fail,
 * whoever calls: the program, or a library of others.
 *
 *   PMEMCTL_FAIL_AT=N          the N-th call after start fails, once; 0 or nothing: none fails
 *   PMEMCTL_FAIL_ERRNO=E       with this errno (a number; default EIO); the allocator: ENOMEM
 *   PMEMCTL_FAIL_LOG=FILE      at the failure "failed N NAME DETAIL ERRNO CALLER" is added, at exit
 *                              "calls TOTAL"
 *   PMEMCTL_FAIL_FILES_ONLY=1  allocations neither count nor fail
 *   PMEMCTL_FAIL_SPARE=NAMES   nor do calls of these libraries (a part of the file's name) and
 *                              functions (the whole name), with commas between; for
 *                              pthread_getattr_np, which the sanitizers call in each new thread,
 *                              those of what it calls in libc, too, which has no name outside
 *
 * Calls that libc makes inside itself are not seen, except to malloc() and its family; so functions
 * like fopen() and strdup() are wrapped too.  A stream whose read fails has its error flag set, as
 * after a real error.  The surprise: with AddressSanitizer this library must be loaded before the
 * runtime, which wants to be first (ASAN_OPTIONS=verify_asan_link_order=0): then malloc() here asks
 * the runtime's malloc() and both work.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define STREAM_ERROR 0x20 /* _IO_ERR_SEEN of struct _IO_FILE: what ferror() looks at */

static atomic_ulong calls;
static unsigned long fail_at;
static int fail_errno = EIO;
static const char *log_path;
static const char *spared; /* libraries and functions whose calls do not count */
static bool files_only; /* allocations neither count nor fail */
static bool armed; /* set when the program's own code is about to start */
static _Thread_local bool in_getattr; /* of this thread: it is spared */

/* Add a line to the log, with calls that are not wrapped; errno is kept. */
static void note(const char *text)
{
	static long (*next)(long, ...);
	int saved = errno, fd;

	if (!log_path)
		return;
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	fd = (int)next(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		       0644);
	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			_exit(99);
		close(fd);
	}
	errno = saved;
}

static void note_failure(unsigned long n, const char *name, const char *detail, const void *caller)
{
	Dl_info info = {0};
	char line[1024];

	if (!dladdr(caller, &info))
		info.dli_fname = "?";
	snprintf(line, sizeof(line), "failed %lu %s %s %d %s+0x%lx %s\n", n, name,
		 detail ? detail : "-", errno, info.dli_fname,
		 (unsigned long)((const char *)caller - (const char *)info.dli_fbase),
		 info.dli_sname ? info.dli_sname : "");
	note(line);
}

/* @file or @function may be NULL. */
static bool is_named(const char *file, const char *function)
{
	char name[64];
	const char *at;
	size_t length;

	for (at = spared ? spared : ""; *at; at += length + (at[length] == ',')) {
		length = strcspn(at, ",");
		snprintf(name, sizeof(name), "%.*s", (int)length, at);
		if ((file && strstr(file, name)) || (function && strcmp(function, name) == 0))
			return true;
	}
	return false;
}

static bool is_spared(const void *caller)
{
	Dl_info info = {0};

	return in_getattr ||
	       (spared && dladdr(caller, &info) && is_named(info.dli_fname, info.dli_sname));
}

/* Count a call; true with errno set when it is the one that fails. */
static bool fails(const char *name, const char *detail, int error, const void *caller)
{
	unsigned long n;

	if (!armed || (files_only && error == ENOMEM) || is_spared(caller))
		return false;
	n = atomic_fetch_add(&calls, 1) + 1;
	if (n != fail_at)
		return false;
	errno = error;
	note_failure(n, name, detail, caller);
	errno = error;
	return true;
}

__attribute__((constructor)) static void start(void)
{
	const char *at = getenv("PMEMCTL_FAIL_AT"), *error = getenv("PMEMCTL_FAIL_ERRNO");

	log_path = getenv("PMEMCTL_FAIL_LOG");
	fail_at = at ? strtoul(at, NULL, 10) : 0;
	fail_errno = error ? (int)strtol(error, NULL, 10) : EIO;
	files_only = getenv("PMEMCTL_FAIL_FILES_ONLY");
	spared = getenv("PMEMCTL_FAIL_SPARE");
	armed = true;
}

__attribute__((destructor)) static void stop(void)
{
	char line[64];

	armed = false;
	snprintf(line, sizeof(line), "calls %lu\n", atomic_load(&calls));
	note(line);
}

#define FAILS(name, detail, error) fails(name, detail, error, __builtin_return_address(0))

/* One wrapper: the function's type, name, parameters and arguments; what it returns when it fails.
 */
#define WRAP(type, name, parameters, arguments, detail, error, failed)      \
	EXPORT type name parameters;                                        \
	type name parameters                                                \
	{                                                                   \
		static type(*next) parameters;                              \
                                                                            \
		if (!next)                                                  \
			next = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
		if (FAILS(#name, detail, error))                            \
			return failed;                                      \
		return next arguments;                                      \
	}

EXPORT int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
	static int (*next)(pthread_t, pthread_attr_t *);
	int r;

	in_getattr = is_named(NULL, "pthread_getattr_np");
	if (!next)
		next = (int (*)(pthread_t, pthread_attr_t *))dlsym(RTLD_NEXT, "pthread_getattr_np");
	r = next(thread, attributes);
	in_getattr = false;
	return r;
}

#define FILE_CALL(type, name, parameters, arguments, detail) \
	WRAP(type, name, parameters, arguments, detail, fail_errno, (type)-1)
#define FILE_POINTER(type, name, parameters, arguments, detail) \
	WRAP(type, name, parameters, arguments, detail, fail_errno, NULL)
#define ALLOCATOR(name, parameters, arguments) \
	WRAP(void *, name, parameters, arguments, NULL, ENOMEM, NULL)
#define STREAM_READ(type, name, parameters, arguments, failed)    \
	WRAP(type, name, parameters, arguments, NULL, fail_errno, \
	     (stream->_flags |= STREAM_ERROR, failed))

/* Functions with an optional mode: it is always passed on, which is harmless on every machine we
 * build for. */
#define FILE_OPEN(name, parameters, arguments)                             \
	EXPORT int name parameters;                                        \
	int name parameters                                                \
	{                                                                  \
		static int(*next) parameters;                              \
		va_list ap;                                                \
		mode_t mode;                                               \
                                                                           \
		va_start(ap, flags);                                       \
		mode = va_arg(ap, mode_t);                                 \
		va_end(ap);                                                \
		if (!next)                                                 \
			next = (int(*) parameters)dlsym(RTLD_NEXT, #name); \
		if (FAILS(#name, path, fail_errno))                        \
			return -1;                                         \
		return next arguments;                                     \
	}

FILE_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
FILE_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
FILE_OPEN(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
FILE_OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
FILE_CALL(int, __open_2, (const char *path, int flags), (path, flags), path)
FILE_CALL(int, __open64_2, (const char *path, int flags), (path, flags), path)
FILE_CALL(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags), path)
FILE_CALL(int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags), path)
FILE_CALL(int, open_by_handle_at, (int mount, struct file_handle *handle, int flags),
	  (mount, handle, flags), NULL)
FILE_CALL(int, name_to_handle_at,
	  (int dir, const char *path, struct file_handle *handle, int *id, int flags),
	  (dir, path, handle, id, flags), path)
FILE_CALL(int, open_tree, (int dir, const char *path, unsigned int flags), (dir, path, flags), path)

FILE_CALL(ssize_t, read, (int fd, void *buf, size_t size), (fd, buf, size), NULL)
FILE_CALL(ssize_t, __read_chk, (int fd, void *buf, size_t size, size_t have), (fd, buf, size, have),
	  NULL)
FILE_CALL(ssize_t, pread, (int fd, void *buf, size_t size, off_t at), (fd, buf, size, at), NULL)
FILE_CALL(ssize_t, pread64, (int fd, void *buf, size_t size, off64_t at), (fd, buf, size, at), NULL)
FILE_CALL(ssize_t, __pread_chk, (int fd, void *buf, size_t size, off_t at, size_t have),
	  (fd, buf, size, at, have), NULL)
FILE_CALL(ssize_t, __pread64_chk, (int fd, void *buf, size_t size, off64_t at, size_t have),
	  (fd, buf, size, at, have), NULL)
FILE_CALL(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence), NULL)
FILE_CALL(off64_t, lseek64, (int fd, off64_t at, int whence), (fd, at, whence), NULL)

FILE_CALL(int, stat, (const char *path, struct stat *st), (path, st), path)
FILE_CALL(int, stat64, (const char *path, struct stat64 *st), (path, st), path)
FILE_CALL(int, lstat, (const char *path, struct stat *st), (path, st), path)
FILE_CALL(int, lstat64, (const char *path, struct stat64 *st), (path, st), path)
FILE_CALL(int, fstat, (int fd, struct stat *st), (fd, st), NULL)
FILE_CALL(int, fstat64, (int fd, struct stat64 *st), (fd, st), NULL)
FILE_CALL(int, fstatat, (int dir, const char *path, struct stat *st, int flags),
	  (dir, path, st, flags), path)
FILE_CALL(int, fstatat64, (int dir, const char *path, struct stat64 *st, int flags),
	  (dir, path, st, flags), path)
FILE_CALL(int, statx, (int dir, const char *path, int flags, unsigned int mask, struct statx *st),
	  (dir, path, flags, mask, st), path)
FILE_CALL(int, statfs, (const char *path, struct statfs *st), (path, st), path)
FILE_CALL(int, fstatfs, (int fd, struct statfs *st), (fd, st), NULL)
FILE_CALL(int, access, (const char *path, int mode), (path, mode), path)
FILE_CALL(int, faccessat, (int dir, const char *path, int mode, int flags),
	  (dir, path, mode, flags), path)

FILE_CALL(ssize_t, readlink, (const char *path, char *buf, size_t size), (path, buf, size), path)
FILE_CALL(ssize_t, __readlink_chk, (const char *path, char *buf, size_t size, size_t have),
	  (path, buf, size, have), path)
FILE_CALL(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t size),
	  (dir, path, buf, size), path)
FILE_CALL(ssize_t, __readlinkat_chk,
	  (int dir, const char *path, char *buf, size_t size, size_t have),
	  (dir, path, buf, size, have), path)
FILE_POINTER(char *, realpath, (const char *path, char *buf), (path, buf), path)
FILE_POINTER(char *, __realpath_chk, (const char *path, char *buf, size_t have), (path, buf, have),
	     path)

FILE_POINTER(DIR *, opendir, (const char *path), (path), path)
FILE_POINTER(DIR *, fdopendir, (int fd), (fd), NULL)
FILE_POINTER(struct dirent *, readdir, (DIR * dir), (dir), NULL)
FILE_POINTER(struct dirent64 *, readdir64, (DIR * dir), (dir), NULL)

FILE_POINTER(FILE *, fopen, (const char *path, const char *mode), (path, mode), path)
FILE_POINTER(FILE *, fopen64, (const char *path, const char *mode), (path, mode), path)
FILE_POINTER(FILE *, fdopen, (int fd, const char *mode), (fd, mode), NULL)
STREAM_READ(ssize_t, getline, (char **line, size_t *size, FILE *stream), (line, size, stream), -1)
STREAM_READ(ssize_t, getdelim, (char **line, size_t *size, int end, FILE *stream),
	    (line, size, end, stream), -1)
STREAM_READ(ssize_t, __getdelim, (char **line, size_t *size, int end, FILE *stream),
	    (line, size, end, stream), -1)
STREAM_READ(char *, fgets, (char *line, int size, FILE *stream), (line, size, stream), NULL)
STREAM_READ(char *, __fgets_chk, (char *line, size_t have, int size, FILE *stream),
	    (line, have, size, stream), NULL)
STREAM_READ(char *, fgets_unlocked, (char *line, int size, FILE *stream), (line, size, stream),
	    NULL)
STREAM_READ(size_t, fread, (void *buf, size_t size, size_t n, FILE *stream), (buf, size, n, stream),
	    0)
STREAM_READ(size_t, __fread_chk, (void *buf, size_t have, size_t size, size_t n, FILE *stream),
	    (buf, have, size, n, stream), 0)

ALLOCATOR(malloc, (size_t size), (size))
ALLOCATOR(calloc, (size_t n, size_t size), (n, size))
ALLOCATOR(realloc, (void *p, size_t size), (p, size))
ALLOCATOR(reallocarray, (void *p, size_t n, size_t size), (p, n, size))
ALLOCATOR(aligned_alloc, (size_t alignment, size_t size), (alignment, size))
WRAP(int, posix_memalign, (void **p, size_t alignment, size_t size), (p, alignment, size), NULL,
     ENOMEM, ENOMEM)
WRAP(char *, strdup, (const char *text), (text), text, ENOMEM, NULL)
WRAP(char *, __strdup, (const char *text), (text), text, ENOMEM, NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), NULL, ENOMEM, NULL)
WRAP(int, vasprintf, (char **text, const char *format, va_list ap), (text, format, ap), format,
     ENOMEM, -1)
WRAP(int, __vasprintf_chk, (char **text, int flag, const char *format, va_list ap),
     (text, flag, format, ap), format, ENOMEM, -1)

/* The variadic rest by hand. */
EXPORT int asprintf(char **text, const char *format, ...);
int asprintf(char **text, const char *format, ...)
{
	va_list ap;
	int n;

	if (FAILS("asprintf", format, ENOMEM))
		return -1;
	va_start(ap, format);
	n = vasprintf(text, format, ap);
	va_end(ap);
	return n;
}

EXPORT int __asprintf_chk(char **text, int flag, const char *format, ...);
int __asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list ap;
	int n;

	if (FAILS("asprintf", format, ENOMEM))
		return -1;
	va_start(ap, format);
	n = vasprintf(text, format, ap);
	va_end(ap);
	return n;
}

EXPORT int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int, unsigned long, ...);
	char detail[32];
	va_list ap;
	void *argument;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (!next)
		next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	snprintf(detail, sizeof(detail), "0x%lx", request);
	if (FAILS("ioctl", detail, fail_errno))
		return -1;
	return next(fd, request, argument);
}

EXPORT long syscall(long number, ...);
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	char detail[32];
	va_list ap;
	long a[6];

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	snprintf(detail, sizeof(detail), "%ld", number);
	if (FAILS("syscall", detail, fail_errno))
		return -1;
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
