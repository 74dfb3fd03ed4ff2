/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of bad blocks in sysfs; see lists.h.
 *
 * sysfs shows one page of a list: when that is full, what follows may have changed unseen.
 */
#include "lists.h"

#include <fcntl.h>
#include <string.h>
#include <xxhash.h>

#define LIST_SIZE 4096
#define LINE_MAX_LEN 42 /* two numbers of 64 bits; a page with less room left is full */
#define BLOCK_DIR "sys/block"
#define REGION_DIR "sys/bus/nd/devices"

static void free_list(struct pmed_list *list)
{
	free(list->path);
	free(list->region);
	free(list);
}

static bool is_region_name(const char *name, size_t len)
{
	uint64_t number;

	return len > 6 && len < 32 && strncmp(name, "region", 6) == 0 &&
	       pme_parse_u64(name + 6, len - 6, &number) == 0;
}

char *pmed_region_of_path(const char *target)
{
	const char *found = NULL;
	size_t found_len = 0;

	for (const char *pos = target; *pos;) {
		size_t len = strcspn(pos, "/");

		if (is_region_name(pos, len)) {
			found = pos;
			found_len = len;
		}
		pos += len + (pos[len] == '/');
	}
	return found ? strndup(found, found_len) : NULL;
}

static struct pmed_list *find(const struct pmed_lists *lists, const char *path)
{
	for (size_t i = 0; i < lists->count; i++)
		if (strcmp(lists->items[i]->path, path) == 0)
			return lists->items[i];
	return NULL;
}

/* Add the list at @path; takes both texts. */
static int add(struct pmed_lists *lists, char *path, char *region, uint64_t inode)
{
	struct pmed_list *list;
	int r = pme_grow(&lists->items, &lists->alloc, lists->count, sizeof(*lists->items));

	list = r == 0 ? calloc(1, sizeof(*list)) : NULL;
	if (!list) {
		free(path);
		free(region);
		return r < 0 ? r : -ENOMEM;
	}
	*list = (struct pmed_list){.path = path, .region = region, .inode = inode, .fd = -1};
	lists->items[lists->count++] = list;
	return 0;
}

/* A file may be missing: a disk that just goes, a region of memory that is not persistent. */
static int add_file(const struct pme_os *os, struct pmed_lists *lists, const char *dir,
		    const char *name, char *region)
{
	char *path = pme_printf("%s/%s/badblocks", dir, name);
	struct stat st;
	int r;

	if (!path || !region) {
		free(path);
		free(region);
		return -ENOMEM;
	}
	r = pme_os_stat(os, path, true, &st);
	if (r < 0) {
		free(path);
		free(region);
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	}
	return add(lists, path, region, st.st_ino);
}

static int add_disk(const struct pme_os *os, struct pmed_lists *lists, const char *name)
{
	_cleanup_free_ char *link = pme_printf(BLOCK_DIR "/%s", name), *target = NULL;
	char *region;
	int r = link ? pme_os_readlink(os, link, &target) : -ENOMEM;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	region = pmed_region_of_path(target);
	return region ? add_file(os, lists, BLOCK_DIR, name, region) : 0;
}

static int add_all(const struct pme_os *os, struct pmed_lists *lists, const char *dir, bool disks)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(os, dir, &names, &count);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < count; i++) {
		int error = 0;

		if (disks && strncmp(names[i], "pmem", 4) == 0)
			error = add_disk(os, lists, names[i]);
		else if (!disks && is_region_name(names[i], strlen(names[i])))
			error = add_file(os, lists, dir, names[i], strdup(names[i]));
		r = error < 0 ? error : r;
	}
	pme_os_free_names(names, count);
	return r;
}

/* Those of @lists that are in @now, too, are kept; the others go. */
static int drop_gone(struct pmed_lists *lists, const struct pmed_lists *now,
		     void (*gone)(struct pmed_list *list))
{
	size_t kept = 0, count = lists->count;

	for (size_t i = 0; i < count; i++) {
		struct pmed_list *list = lists->items[i];
		const struct pmed_list *same = find(now, list->path);

		if (same && same->inode == list->inode && strcmp(same->region, list->region) == 0) {
			lists->items[kept++] = list;
			continue;
		}
		if (gone)
			gone(list);
		free_list(list);
	}
	lists->count = kept;
	return kept != count;
}

int pmed_lists_update(const struct pme_os *os, struct pmed_lists *lists,
		      void (*gone)(struct pmed_list *list))
{
	struct pmed_lists now = {0};
	int r, error, changed;

	r = add_all(os, &now, BLOCK_DIR, true);
	error = add_all(os, &now, REGION_DIR, false);
	r = r < 0 ? r : error;
	/* When not all could be seen, none is taken for gone. */
	changed = r < 0 ? 0 : drop_gone(lists, &now, gone);
	for (size_t i = 0; i < now.count; i++) {
		struct pmed_list *list = now.items[i];

		if (find(lists, list->path)) {
			free_list(list);
			continue;
		}
		changed = 1;
		error = add(lists, list->path, list->region, list->inode);
		r = error < 0 ? error : r;
		free(list);
	}
	free(now.items);
	return r < 0 ? r : changed;
}

void pmed_lists_done(struct pmed_lists *lists, void (*gone)(struct pmed_list *list))
{
	for (size_t i = 0; i < lists->count; i++) {
		if (gone)
			gone(lists->items[i]);
		free_list(lists->items[i]);
	}
	free(lists->items);
	*lists = (struct pmed_lists){0};
}

/* From offset 0: that is what makes the kernel tell of the next change. */
static ssize_t read_whole(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	do {
		n = pread(fd, buf + used, size - used, (off_t)used);
		used += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && used < size) || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : (ssize_t)used;
}

int pmed_list_read(const struct pme_os *os, struct pmed_list *list, int fd)
{
	_cleanup_close_ int own = fd < 0 ? pme_os_open(os, list->path, O_RDONLY) : -1;
	char buf[LIST_SIZE];
	uint64_t sum;
	ssize_t n;

	if (fd < 0 && own < 0)
		return own;
	n = read_whole(fd < 0 ? own : fd, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	sum = XXH64(buf, (size_t)n, 0) | 1; /* never 0 */
	if (sum == list->sum)
		return n > LIST_SIZE - LINE_MAX_LEN && fd >= 0;
	list->sum = sum;
	return 1;
}
