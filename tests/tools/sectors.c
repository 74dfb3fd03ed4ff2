/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sectors save|restore FILE <LIST: keep the contents of sectors that are to be made bad in FILE,
 * or write them back from there.  LIST has lines "DISK SECTOR …", DISK as in /dev.
 *
 * One process for all of them, as starting one for each takes long under emulation.
 * Status: 0, or 4 when something cannot be read or written, 8 for wrong usage.
 * The surprise: writing is also what makes a bad sector good again, where the memory can do that.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define CANNOT 4
#define USAGE 8
#define DISKS 8

static struct {
	char *name;
	int fd;
} disks[DISKS];

static int open_disk(const char *name, int flags)
{
	char *path;
	size_t i;

	for (i = 0; i < DISKS && disks[i].name; i++)
		if (strcmp(disks[i].name, name) == 0)
			return disks[i].fd;
	if (i == DISKS)
		errx(USAGE, "too many disks");
	if (asprintf(&path, "/dev/%s", name) < 0)
		err(CANNOT, "memory");
	disks[i].name = strdup(name);
	disks[i].fd = open(path, flags | O_DIRECT | O_CLOEXEC);
	if (!disks[i].name || disks[i].fd < 0)
		err(CANNOT, "%s: cannot open", path);
	free(path);
	return disks[i].fd;
}

static void copy(const char *name, uint64_t sector, FILE *file, char *buffer, bool save)
{
	int fd = open_disk(name, save ? O_RDONLY : O_RDWR);
	off_t at = (off_t)(sector * SECTOR);

	if (save) {
		if (pread(fd, buffer, SECTOR, at) != SECTOR)
			err(CANNOT, "%s: cannot read sector %" PRIu64, name, sector);
		if (fwrite(buffer, SECTOR, 1, file) != 1)
			err(CANNOT, "cannot keep it");
		return;
	}
	if (fread(buffer, SECTOR, 1, file) != 1)
		errx(CANNOT, "the file is too short");
	if (pwrite(fd, buffer, SECTOR, at) != SECTOR)
		err(CANNOT, "%s: cannot write sector %" PRIu64, name, sector);
}

int main(int argc, char **argv)
{
	bool save = argc == 3 && strcmp(argv[1], "save") == 0;
	char *buffer = aligned_alloc(SECTOR, SECTOR), *line = NULL;
	size_t size = 0;
	FILE *file;

	if (argc != 3 || (!save && strcmp(argv[1], "restore") != 0))
		errx(USAGE, "usage: sectors save|restore FILE <LIST");
	file = fopen(argv[2], save ? "we" : "re");
	if (!file || !buffer)
		err(CANNOT, "%s", argv[2]);
	while (getline(&line, &size, stdin) > 0) {
		char *blank = strchr(line, ' ');

		if (!blank)
			errx(USAGE, "not \"DISK SECTOR\": %s", line);
		*blank = '\0';
		copy(line, strtoull(blank + 1, NULL, 10), file, buffer, save);
	}
	free(line);
	free(buffer);
	if (fclose(file))
		err(CANNOT, "%s", argv[2]);
	return 0;
}
