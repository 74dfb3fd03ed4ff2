/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold FILE [open|read|map|mapsync|unlink [START LENGTH]]: keep FILE open or mapped until
 * killed, so that tests have a holder to find; "read": open for nothing but reading.
 *
 * Prints "ready" when FILE is held; a mapping stays when its descriptor is closed, so "map" and
 * "mapsync" hold no descriptor.  START and LENGTH map a part only.  "unlink" keeps FILE open and
 * removes its name.  Refuses to fall back: where MAP_SYNC is not possible (no DAX), "mapsync"
 * fails.
 * The surprise: nothing is read or written, so no page is faulted in, and bad memory under FILE
 * does no harm here.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void map(char **argv, int argc, int fd, int flags)
{
	off_t start = 0;
	struct stat st;

	if (fstat(fd, &st))
		err(1, "%s: cannot stat", argv[1]);
	if (argc == 5) {
		start = (off_t)strtoull(argv[3], NULL, 10);
		st.st_size = (off_t)strtoull(argv[4], NULL, 10);
	}
	if (mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, flags, fd, start) == MAP_FAILED)
		err(1, "%s: cannot map", argv[1]);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[2] : "open";
	int fd;

	if (argc != 2 && argc != 3 && argc != 5)
		errx(8, "usage: hold FILE [open|read|map|mapsync|unlink [START LENGTH]]");
	fd = open(argv[1], (strcmp(how, "read") ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s: cannot open", argv[1]);
	if (!strcmp(how, "map"))
		map(argv, argc, fd, MAP_SHARED);
	else if (!strcmp(how, "mapsync"))
		map(argv, argc, fd, MAP_SHARED_VALIDATE | MAP_SYNC);
	else if (!strcmp(how, "unlink") && unlink(argv[1]))
		err(1, "%s: cannot unlink", argv[1]);
	else if (strcmp(how, "open") && strcmp(how, "read") && strcmp(how, "unlink"))
		errx(8, "%s: neither open, read, map, mapsync nor unlink", how);
	if (puts("ready") < 0 || fflush(stdout))
		err(1, "standard output");
	for (;;)
		pause();
}
