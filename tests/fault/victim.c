/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * victim: a made-up program for failnth.test.  Makes one call of each kind that failnth.so wraps
 * and prints the name of each call that fails, with its errno.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* volatile: the compiler may not drop an allocation that nobody uses */
static void *volatile kept;

static void told(const char *name, int failed)
{
	int error = errno;

	if (failed && write(1, name, strlen(name)) > 0) {
		char text[16];

		snprintf(text, sizeof(text), " %d\n", error);
		if (write(1, text, strlen(text)) < 0)
			_exit(9);
	}
}

static void use_allocator(void)
{
	void *p;

	kept = malloc(1);
	told("malloc", !kept);
	free(kept);
	kept = calloc(1, 1);
	told("calloc", !kept);
	p = realloc(kept, 100);
	told("realloc", !p);
	free(p ? p : kept);
	kept = reallocarray(NULL, 2, 2);
	told("reallocarray", !kept);
	free(kept);
}

static void use_files(void)
{
	int fd = openat(AT_FDCWD, "/dev/zero", O_RDONLY | O_CLOEXEC), n = 0;
	struct stat st;
	char buf[8];

	told("openat", fd < 0);
	if (fd < 0)
		return;
	told("read", read(fd, buf, sizeof(buf)) < 0);
	told("pread", pread(fd, buf, sizeof(buf), 0) < 0);
	errno = 0;
	told("ioctl", ioctl(fd, FIONREAD, &n) < 0 && errno != ENOTTY && errno != EINVAL);
	told("fstatat", fstatat(AT_FDCWD, "/dev/null", &st, 0) < 0);
	told("readlinkat", readlinkat(AT_FDCWD, "/proc/self/exe", buf, sizeof(buf)) < 0);
	told("syscall", syscall(SYS_faccessat, AT_FDCWD, "/dev/null", F_OK) < 0);
	close(fd);
}

static void use_directory(void)
{
	int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	told("open", fd < 0);
	dir = fdopendir(fd < 0 ? dup(0) : fd);
	if (!dir) {
		if (fd >= 0) {
			told("fdopendir", 1);
			close(fd);
		}
		return;
	}
	told("readdir", !readdir(dir));
	closedir(dir);
}

static void use_stream(void)
{
	FILE *file = fopen("/proc/self/stat", "re");
	char line[4096];

	told("fopen", !file);
	if (!file)
		return;
	told("fgets", !fgets(line, sizeof(line), file) && ferror(file));
	fclose(file);
}

int main(void)
{
	use_allocator();
	use_files();
	use_directory();
	use_stream();
	return 0;
}
