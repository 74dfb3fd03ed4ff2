/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk FOLDER: read all directories below FOLDER, one thread, and print how many names there are.
 *
 * The floor that the search for names is measured against: it opens each directory, calls getdents
 * until the end and looks at the type of each name, nothing else.  It crosses no mounts because the
 * benchmark's tree has none.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DENTS_SIZE 32768 /* more does not make it faster */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC)

/* Names of directories still to be read, one behind the other, each with its NUL. */
struct names {
	char *bytes;
	size_t len, alloc;
};

static void names_add(struct names *names, const char *name)
{
	size_t size = strlen(name) + 1;

	if (names->alloc - names->len < size) {
		names->alloc = names->alloc * 2 + size;
		names->bytes = realloc(names->bytes, names->alloc);
		if (!names->bytes)
			err(1, "realloc");
	}
	memcpy(names->bytes + names->len, name, size);
	names->len += size;
}

/* Count the names in one buffer, gather the directories among them. */
static unsigned long look_through(const char *dents, size_t size, struct names *subs)
{
	unsigned long count = 0;
	size_t pos = 0;

	while (pos < size) {
		const struct dirent64 *entry = (const void *)(dents + pos);

		pos += entry->d_reclen;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (entry->d_type == DT_DIR)
			names_add(subs, entry->d_name);
	}
	return count;
}

static unsigned long walk(int dir, const char *name)
{
	static _Alignas(struct dirent64) char dents[DENTS_SIZE];
	struct names subs = {0};
	unsigned long count = 0;
	int fd = openat(dir, name, DIR_FLAGS);
	ssize_t n;

	if (fd < 0)
		err(1, "%s", name);
	while ((n = getdents64(fd, dents, sizeof(dents))) > 0)
		count += look_through(dents, (size_t)n, &subs);
	if (n < 0)
		err(1, "%s", name);
	for (size_t pos = 0; pos < subs.len; pos += strlen(subs.bytes + pos) + 1)
		count += walk(fd, subs.bytes + pos);
	free(subs.bytes);
	close(fd);
	return count;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(1, "usage: walk FOLDER");
	printf("%lu\n", walk(AT_FDCWD, argv[1]));
	return 0;
}
