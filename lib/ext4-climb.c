/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of directories; see ext4-climb.h.
 *
 * All go up together, a level at a time: each parent is read once for all its directories, and says
 * in the same reading which its own parent is.  Whatever was there once is not gone through again,
 * so that circles end.
 */
#include "ext4-climb.h"

#include <search.h>
#include <string.h>

#include "names.h"

#define STEPS_MAX (1U << 18) /* directories: of no use beyond what the walk would hold */

/* Directories with one parent. */
struct group {
	struct pme_ext4_step **children; /* sorted by number */
	size_t n_children;
	uint32_t parent, above; /* @above: parent of the parent */
	bool known;
};

struct level {
	struct pme_ext4_climb *climb;
	struct group *groups;
	size_t n_groups;
	_Atomic size_t next;
};

static void step_free(void *p)
{
	struct pme_ext4_step *step = p;

	if (step)
		free(step->name);
	free(step);
}

static void step_cleanup(struct pme_ext4_step **step)
{
	step_free(*step);
}

static void level_done(struct level *level)
{
	free(level->groups);
}

static int by_ino(const void *a, const void *b)
{
	const struct pme_ext4_step *p = a, *q = b;

	return p->ino < q->ino ? -1 : p->ino > q->ino;
}

static int by_parent(const void *a, const void *b)
{
	const struct pme_ext4_step *p = *(struct pme_ext4_step *const *)a;
	const struct pme_ext4_step *q = *(struct pme_ext4_step *const *)b;

	if (p->parent != q->parent)
		return p->parent < q->parent ? -1 : 1;
	return by_ino(p, q);
}

int pme_ext4_climb_add(struct pme_ext4_climb *climb, uint32_t ino, uint32_t parent,
		       struct pme_ext4_step **ret)
{
	_cleanup_(step_cleanup) struct pme_ext4_step *step = calloc(1, sizeof(*step));
	struct pme_ext4_step **slot;
	int r;

	if (!step)
		return -ENOMEM;
	*step = (struct pme_ext4_step){.ino = ino, .parent = parent};
	slot = tfind(step, &climb->steps, by_ino);
	*ret = slot ? *slot : NULL;
	if (slot || climb->n_steps >= STEPS_MAX)
		return 0;
	r = pme_grow(&climb->fresh, &climb->alloc_fresh, climb->n_fresh, sizeof(*climb->fresh));
	if (r < 0)
		return r;
	if (!tsearch(step, &climb->steps, by_ino))
		return -ENOMEM;
	climb->n_steps++;
	if (ino != PME_EXT4_ROOT_INO)
		climb->fresh[climb->n_fresh++] = step;
	*ret = pme_take_ptr(step);
	return 0;
}

/* ---- a level ---- */

static struct pme_ext4_step *find_child(const struct group *group, uint32_t ino)
{
	size_t low = 0, high = group->n_children;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (group->children[mid]->ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low < group->n_children && group->children[low]->ino == ino ? group->children[low]
									   : NULL;
}

static int take_entry(void *arg, const struct pme_ext4_dirent *entry)
{
	struct pme_ext4_step *child = find_child(arg, entry->ino);

	if (!child || child->name || !pme_ext4_dirent_is_name(entry))
		return 0;
	child->name = strndup(entry->name, entry->len);
	return child->name ? 0 : -ENOMEM;
}

static int read_group(struct pme_ext4_dirs *dirs, struct group *group)
{
	int r;

	dirs->arg = group;
	r = pme_ext4_dir_read_number(dirs, group->parent, &group->above);
	group->known = r > 0;
	return r < 0 ? r : pme_crew_step(dirs->crew, 0);
}

static int read_groups(struct pme_crew *crew, void *arg)
{
	struct level *level = arg;
	_cleanup_(pme_ext4_dirs_done) struct pme_ext4_dirs dirs = {
		.geo = level->climb->geo,
		.avoid = level->climb->avoid,
		.crew = crew,
		.blocks_left = &level->climb->blocks_left,
		.take = take_entry,
	};
	int r = pme_ext4_dirs_init(&dirs);
	size_t i;

	if (r == 0)
		r = pme_crew_step(crew, 0);
	while (r == 0 && (i = atomic_fetch_add(&level->next, 1)) < level->n_groups)
		r = read_group(&dirs, &level->groups[i]);
	return r;
}

/* @steps, sorted, into groups. */
static int make_groups(struct pme_ext4_step **steps, size_t count, struct level *level)
{
	level->groups = calloc(count, sizeof(*level->groups));
	if (!level->groups)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || steps[i - 1]->parent != steps[i]->parent)
			level->groups[level->n_groups++] = (struct group){
				.children = steps + i,
				.parent = steps[i]->parent,
			};
		level->groups[level->n_groups - 1].n_children++;
	}
	return 0;
}

static int join_group(struct pme_ext4_climb *climb, const struct group *group)
{
	struct pme_ext4_step *up = NULL;
	int r = 0;

	if (group->known)
		r = pme_ext4_climb_add(climb, group->parent, group->above, &up);
	for (size_t i = 0; r == 0 && i < group->n_children; i++)
		group->children[i]->up = up;
	return r;
}

static int climb_level(struct pme_ext4_climb *climb)
{
	_cleanup_free_ struct pme_ext4_step **steps = pme_take_ptr(climb->fresh);
	_cleanup_(level_done) struct level level = {.climb = climb};
	struct pme_crew crew = {
		.work = read_groups,
		.arg = &level,
		.progress = climb->progress,
	};
	size_t count = climb->n_fresh;
	int r;

	climb->n_fresh = climb->alloc_fresh = 0;
	qsort(steps, count, sizeof(struct pme_ext4_step *), by_parent);
	r = make_groups(steps, count, &level);
	if (r == 0)
		r = pme_crew_run(&crew);
	for (size_t i = 0; r == 0 && i < level.n_groups; i++)
		r = join_group(climb, &level.groups[i]);
	return r;
}

int pme_ext4_climb_run(struct pme_ext4_climb *climb)
{
	int r = 0;

	for (int depth = 0; r == 0 && climb->n_fresh > 0 && depth < PME_NAMES_DEPTH; depth++)
		r = climb_level(climb);
	return r;
}

/* ---- paths ---- */

/* Bytes of the path, a slash behind each name: 1, 0 it does not lead to the root. */
static int measure(const struct pme_ext4_step *step, size_t *ret)
{
	size_t len = 0;

	for (int depth = 0; depth < PME_NAMES_DEPTH; depth++, step = step->up) {
		if (step->ino == PME_EXT4_ROOT_INO) {
			*ret = len;
			return 1;
		}
		if (!step->name || !step->up)
			return 0;
		len += strlen(step->name) + 1;
	}
	return 0;
}

int pme_ext4_climb_path(const struct pme_ext4_step *step, char **ret)
{
	size_t size, at;
	char *path;

	if (!measure(step, &size))
		return 0;
	path = malloc(size + 1);
	if (!path)
		return -ENOMEM;
	for (at = size; step->ino != PME_EXT4_ROOT_INO; step = step->up) {
		size_t len = strlen(step->name);

		path[--at] = '/';
		at -= len;
		memcpy(path + at, step->name, len);
	}
	path[size > 0 ? size - 1 : 0] = '\0';
	*ret = path;
	return 1;
}

void pme_ext4_climb_done(struct pme_ext4_climb *climb)
{
	tdestroy(climb->steps, step_free);
	free(climb->fresh);
	climb->steps = NULL;
}
