/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk FOLDER [THREADS]: read all directories below FOLDER, and print how many names there are.
 *
 * The floor that the search for names is measured against: it opens each directory, calls getdents
 * until the end and looks at the type of each name, nothing else.  It crosses no mounts because the
 * benchmark's tree has none.
 *
 * One thread opens a directory from the one above.  Several share a stack of paths, and each is
 * looked up from the top: that is cheaper than to agree when a directory above may be closed.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bare.h"

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

/* Directories still to be read, the last one first. */
struct stack {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char **paths;
	size_t count, alloc;
	size_t busy; /* threads that may still add some */
};

static char *join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		err(1, "asprintf");
	return path;
}

static void push(struct stack *stack, char *path)
{
	if (stack->count == stack->alloc) {
		stack->alloc = stack->alloc * 2 + 64;
		stack->paths = realloc(stack->paths, stack->alloc * sizeof(*stack->paths));
		if (!stack->paths)
			err(1, "realloc");
	}
	stack->paths[stack->count++] = path;
}

static void push_all(struct stack *stack, const char *dir, const struct names *subs)
{
	if (subs->len == 0)
		return;
	pthread_mutex_lock(&stack->lock);
	for (size_t pos = 0; pos < subs->len; pos += strlen(subs->bytes + pos) + 1)
		push(stack, join(dir, subs->bytes + pos));
	pthread_cond_broadcast(&stack->changed);
	pthread_mutex_unlock(&stack->lock);
}

/* The next one, NULL when none is left and none can come. */
static char *pop(struct stack *stack, bool *busy)
{
	char *path = NULL;

	pthread_mutex_lock(&stack->lock);
	stack->busy -= *busy;
	while (stack->count == 0 && stack->busy > 0)
		pthread_cond_wait(&stack->changed, &stack->lock);
	*busy = stack->count > 0;
	if (*busy) {
		path = stack->paths[--stack->count];
		stack->busy++;
	} else {
		pthread_cond_broadcast(&stack->changed);
	}
	pthread_mutex_unlock(&stack->lock);
	return path;
}

static void run(struct bare_work *work)
{
	struct stack *stack = (struct stack *)work->arg;
	char *dents = bare_alloc(1, DENTS_SIZE), *path;
	struct names subs = {0};
	unsigned long count = 0;
	bool busy = false;

	while ((path = pop(stack, &busy))) {
		int fd = open(path, DIR_FLAGS);
		ssize_t n;

		if (fd < 0)
			err(1, "%s", path);
		subs.len = 0;
		while ((n = getdents64(fd, dents, DENTS_SIZE)) > 0)
			count += look_through(dents, (size_t)n, &subs);
		if (n < 0)
			err(1, "%s", path);
		push_all(stack, path, &subs);
		close(fd);
		free(path);
	}
	atomic_fetch_add(&work->found, count);
	free(subs.bytes);
	free(dents);
}

static unsigned long walk_spread(const char *folder, unsigned int threads)
{
	struct stack stack = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	struct bare_work work = {.run = run, .arg = &stack};

	if (chdir(folder) < 0)
		err(1, "%s", folder);
	push(&stack, strdup("."));
	bare_spread(&work, threads);
	free(stack.paths);
	return work.found;
}

int main(int argc, char **argv)
{
	unsigned int threads = argc == 3 ? bare_threads(argv[2]) : 1;

	if (argc != 2 && argc != 3)
		errx(1, "usage: walk FOLDER [THREADS]");
	printf("%lu\n", threads == 1 ? walk(AT_FDCWD, argv[1]) : walk_spread(argv[1], threads));
	return 0;
}
