/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a file a pool of PMDK, or a part of one?  By its header, whose checksum must be right; which
 * part, by a pool set file (NAME.set, NAME.poolset) in the same directory that lists its path.
 *
 * Commands name the set file only when it was found: pmempool takes no other word for a set.
 */
#include "use-pool.h"

#include <fcntl.h>
#include <string.h>

#include "use.h"

#define SET_FILES 64	    /* in one directory that are read */
#define SET_SIZE (1U << 20) /* bytes of one */

static const char with_replicas[] =
	"End the program that uses the pool, and let PMDK copy the lost bytes from the replica.";
static const char without_replicas[] =
	"End the program that uses the pool, bring the bytes back (pmemctl repair, or a backup of "
	"all parts), and let PMDK check the pool before it is opened again.";

struct set_file {
	char *path;
	struct pme_pool_place place;
};

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), tail = strlen(end);

	return len > tail && strcmp(name + len - tail, end) == 0;
}

/* Does the set file @name in @dir list @part?  1, 0, -ENOMEM. */
static int look_at_set(const struct pme_os *os, const char *dir, const char *name, const char *part,
		       struct set_file *ret)
{
	_cleanup_free_ char *path = pme_printf("%s/%s", dir, name), *text = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	size_t len;
	int r;

	if (!path)
		return -ENOMEM;
	fd = pme_os_open(os, path + 1, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0 || pme_os_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = pme_os_read_fd(fd, SET_SIZE, &text, &len);
	if (r == 0)
		r = pme_pool_set_parse(text, len, part, &ret->place);
	if (r == 1)
		ret->path = pme_take_ptr(path);
	return r == -ENOMEM || r == 1 ? r : 0;
}

/* A set file beside @part that lists it: 1, 0, -ENOMEM. */
static int find_set(const struct pme_os *os, const char *part, struct set_file *ret)
{
	const char *slash = strrchr(part, '/');
	_cleanup_free_ char *dir = slash ? strndup(part, (size_t)(slash - part)) : NULL;
	char **names = NULL;
	size_t count = 0, read = 0;
	int r;

	if (!slash || !dir)
		return slash ? -ENOMEM : 0;
	r = pme_os_list(os, *dir ? dir + 1 : ".", &names, &count);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < count && read < SET_FILES; i++) {
		if (!ends_with(names[i], ".set") && !ends_with(names[i], ".poolset"))
			continue;
		read++;
		r = look_at_set(os, dir, names[i], part, ret);
	}
	pme_os_free_names(names, count);
	return r;
}

static char *what_text(const struct pme_pool *pool, const struct set_file *set)
{
	const char *kind = pme_pool_name(pool->kind);

	if (set->path)
		return pme_printf("part %u of %u in replica %u of %u of the PMDK %s pool set %s",
				  set->place.part, set->place.parts, set->place.replica,
				  set->place.replicas, kind, set->path);
	if (pool->has_parts)
		return pme_printf("one of several parts of a PMDK %s pool set", kind);
	return pme_printf("PMDK %s pool%s", kind,
			  pool->has_replicas ? ", one of several replicas" : "");
}

/* Of pools of objects only; nobody can say the command without the set file. */
static char *command_text(const char *path, const struct pme_pool *pool, const struct set_file *set)
{
	bool syncs = set->path && set->place.replicas > 1 && pool->kind == PME_POOL_OBJ;

	if (syncs)
		return pme_printf("pmempool sync --bad-blocks %s", set->path);
	if (set->path)
		return pme_printf("pmempool check %s", set->path);
	return pme_printf("pmempool %s %s",
			  pool->has_parts || pool->has_replicas ? "info" : "check", path);
}

int pme_use_pool(const struct pme_use_facts *facts, struct pme_use **ret)
{
	const struct pme_file *file = facts->file;
	struct set_file set = {0};
	struct pme_pool pool;
	bool known;
	int r = 0;

	if (!facts->head || pme_pool_parse(facts->head, facts->head_size, &pool) < 0)
		return 0;
	for (size_t i = 0; r == 0 && i < file->n_paths; i++)
		r = find_set(facts->os, file->paths[i], &set);
	if (r < 0)
		return r;
	known = pool.kind == PME_POOL_OBJ &&
		(set.path ? set.place.replicas > 1 : pool.has_replicas);
	*ret = pme_use_new(&(struct pme_use){
		.kind = PME_USE_POOL,
		.source = PME_USE_BY_HEADER,
		.what = what_text(&pool, &set),
		.name = strdup(pool.set),
		.command = file->n_paths ? command_text(file->paths[0], &pool, &set) : NULL,
		.advice = known ? with_replicas : without_replicas,
	});
	free(set.path);
	return *ret ? 1 : -ENOMEM;
}
