/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts of all mount namespaces, from /proc/PID/ns/mnt and /proc/PID/mountinfo of one process in
 * each; see topo-spaces.h.
 *
 * The surprise: a process may end, or change its namespace, between the two looks.  Then another
 * one of the same namespace is asked; a namespace whose last process ended has no mounts left.
 */
#include "topo-spaces.h"

#include <inttypes.h>
#include <string.h>

#include "topo-mount.h"

struct load {
	const struct pme_topo *topo;
	struct pme_spaces *spaces;
	size_t denied, vague;
	bool cut;
};

static void unref_table(struct libmnt_table **table)
{
	mnt_unref_table(*table); /* NULL is fine */
}

static void free_iter(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
}

static bool is_known(const struct pme_spaces *spaces, const char *id)
{
	for (size_t i = 0; i < spaces->count; i++)
		if (strcmp(spaces->items[i].id, id) == 0)
			return true;
	return false;
}

static int add_mount(struct load *load, struct libmnt_fs *fs)
{
	struct pme_spaces *spaces = load->spaces;
	struct pme_space_mount *mount;
	int r;

	if (spaces->n_mounts >= PME_SPACE_MOUNTS_MAX) {
		load->cut = true;
		return 0;
	}
	r = pme_grow(&spaces->mounts, &spaces->alloc_mounts, spaces->n_mounts, sizeof(*mount));
	if (r < 0)
		return r;
	mount = &spaces->mounts[spaces->n_mounts++];
	*mount = (struct pme_space_mount){
		.id = (uint64_t)mnt_fs_get_id(fs),
		.space = spaces->count,
	};
	r = pme_mount_fill(load->topo, fs, &mount->mount);
	if (r == 0) /* ours were asked before */
		load->vague += mount->space > 0 && mount->mount.devno == 0 &&
			       strcmp(mount->mount.type, "btrfs") == 0;
	return r;
}

static int add_table(struct load *load, struct libmnt_table *table)
{
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	int r = 0;

	if (!iter)
		return -ENOMEM;
	while (r == 0 && mnt_table_next_fs(table, iter, &fs) == 0)
		r = add_mount(load, fs);
	return r;
}

static int add_space(struct load *load, const char *pid, char *id)
{
	struct pme_spaces *spaces = load->spaces;
	_cleanup_free_ char *owned = id;
	_cleanup_free_ char *copy = strdup(pid);
	int r;

	if (!copy)
		return -ENOMEM;
	r = pme_grow(&spaces->items, &spaces->alloc, spaces->count, sizeof(*spaces->items));
	if (r < 0)
		return r;
	spaces->items[spaces->count++] = (struct pme_space){
		.id = pme_take_ptr(owned),
		.pid = pme_take_ptr(copy),
	};
	return 0;
}

/* Look at the namespace of the process @pid: 0, -ENOMEM. */
static int look_at(struct load *load, const char *pid)
{
	_cleanup_(unref_table) struct libmnt_table *table = NULL;
	_cleanup_free_ char *link = pme_printf("proc/%s/ns/mnt", pid);
	_cleanup_free_ char *path = pme_printf("proc/%s/mountinfo", pid);
	_cleanup_free_ char *id = NULL;
	bool own = strcmp(pid, "self") == 0;
	int r = link && path ? pme_os_readlink(load->topo->os, link, &id) : -ENOMEM;

	if (r < 0 && own) /* without /proc/self/ns/mnt, the mounts are there all the same */
		r = (id = strdup("")) ? 0 : -ENOMEM;
	if (r == 0 && is_known(load->spaces, id))
		return 0;
	if (r == 0 && load->spaces->count >= PME_SPACES_MAX)
		load->cut = true;
	else if (r == 0)
		r = pme_mount_table(load->topo, path, &table);
	if (r == 0 && table)
		r = add_table(load, table);
	if (r == 0 && table)
		r = add_space(load, pid, pme_take_ptr(id));
	load->denied += r < 0 && r != -ENOENT && r != -ESRCH && r != -EINVAL;
	return r == -ENOMEM ? r : 0;
}

static int look_at_all(struct load *load)
{
	char **names = NULL;
	size_t count = 0;
	int r = look_at(load, "self");

	if (r == 0)
		r = pme_os_list(load->topo->os, "proc", &names, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t pid;

		if (pme_parse_u64(names[i], strlen(names[i]), &pid) == 0)
			r = look_at(load, names[i]);
	}
	pme_os_free_names(names, count);
	return r;
}

static int by_id(const void *a, const void *b)
{
	const struct pme_space_mount *p = a, *q = b;

	return p->id < q->id ? -1 : p->id > q->id;
}

int pme_spaces_load(const struct pme_topo *topo, struct pme_log *log, struct pme_spaces *ret)
{
	struct load load = {.topo = topo, .spaces = ret};
	int r;

	*ret = (struct pme_spaces){0};
	r = look_at_all(&load);
	if (ret->n_mounts > 0)
		qsort(ret->mounts, ret->n_mounts, sizeof(*ret->mounts), by_id);
	if (r < 0 && r != -ENOMEM)
		pme_log_incomplete(log, "/proc", "cannot be read: %s", strerror(-r));
	if (ret->count == 0)
		pme_log_incomplete(log, "/proc/self/mountinfo", "cannot be read");
	if (load.denied > 0)
		pme_log_incomplete(log, "/proc",
				   "cannot see the mounts of %zu processes: run as root",
				   load.denied);
	if (load.vague > 0 && pme_btrfs_is_missed(topo))
		pme_log_incomplete(log, "/proc",
				   "cannot tell on which devices %zu mounts of btrfs in other "
				   "namespaces are",
				   load.vague);
	if (load.cut)
		pme_log_incomplete(log, "/proc", "there are too many mounts: not all are known");
	return r == -ENOMEM ? r : 0;
}

void pme_spaces_done(struct pme_spaces *spaces)
{
	for (size_t i = 0; i < spaces->count; i++) {
		free(spaces->items[i].id);
		free(spaces->items[i].pid);
	}
	for (size_t i = 0; i < spaces->n_mounts; i++)
		pme_mount_done(&spaces->mounts[i].mount);
	free(spaces->items);
	free(spaces->mounts);
	*spaces = (struct pme_spaces){0};
}

const struct pme_space_mount *pme_spaces_find(const struct pme_spaces *spaces, uint64_t id)
{
	const struct pme_space_mount key = {.id = id};

	return spaces->n_mounts ? bsearch(&key, spaces->mounts, spaces->n_mounts,
					  sizeof(*spaces->mounts), by_id)
				: NULL;
}

int pme_spaces_ask(const struct pme_topo *topo, const char *pid, uint64_t id, struct pme_mount *ret)
{
	_cleanup_(unref_table) struct libmnt_table *table = NULL;
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	_cleanup_free_ char *path = pme_printf("proc/%s/mountinfo", pid);
	struct libmnt_fs *fs;
	int r = path && iter ? pme_mount_table(topo, path, &table) : -ENOMEM;

	while (r == 0 && mnt_table_next_fs(table, iter, &fs) == 0) {
		if ((uint64_t)mnt_fs_get_id(fs) != id)
			continue;
		r = pme_mount_fill(topo, fs, ret);
		return r < 0 ? r : 1;
	}
	return r;
}
