/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was seen of a process -> holders; see holders-seen.h.
 */
#include "holders-seen.h"

#include <inttypes.h>
#include <string.h>

/* Errors of a process that ended meanwhile. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

int pme_process_note_error(struct pme_process *process, int error)
{
	if (error == -ENOMEM)
		return error;
	process->denied |= !is_gone(error);
	return 0;
}

int pme_process_see(struct pme_process *process, const struct pme_seen *seen)
{
	int r = pme_grow(&process->seen, &process->alloc_seen, process->n_seen,
			 sizeof(*process->seen));

	if (r == 0)
		process->seen[process->n_seen++] = *seen;
	return r;
}

int pme_holder_name(const struct pme_os *os, const char *pid, struct pme_holder *holder)
{
	_cleanup_free_ char *cgroup = NULL;
	size_t len;
	int r = pme_os_read_line(os, &holder->command, "proc/%s/comm", pid);

	if (r < 0 && r != -EINVAL) /* a name may hold a newline: then it has none for us */
		return r;
	r = pme_os_read_attr(os, &cgroup, &len, "proc/%s/cgroup", pid);
	if (r < 0)
		return r;
	r = pme_cgroup_parse(cgroup, len, &holder->unit, &holder->container);
	return r == -ENOMEM ? r : 0;
}

/* The holder of @file that stands for this process, a new one when there is none. */
static int get_holder(const struct pme_os *os, struct pme_process *process, struct pme_file *file,
		      struct pme_holder **ret)
{
	struct pme_holder *last = file->n_holders ? &file->holders[file->n_holders - 1] : NULL;
	uint64_t pid;
	int r = pme_parse_u64(process->pid, strlen(process->pid), &pid);

	if (r < 0)
		return r;
	if (!last || last->pid != (pid_t)pid) {
		r = pme_grow(&file->holders, &file->alloc_holders, file->n_holders,
			     sizeof(*file->holders));
		if (r < 0)
			return r;
		last = &file->holders[file->n_holders++];
		*last = (struct pme_holder){.pid = (pid_t)pid, .fd = -1};
		r = pme_holder_name(os, process->pid, last);
		if (r < 0)
			r = pme_process_note_error(process, r);
	}
	*ret = last;
	return r;
}

static void hold_open(struct pme_holder *holder, const struct pme_seen *seen)
{
	holder->open = true;
	holder->writes |= seen->writes;
	if (holder->fd >= 0)
		return;
	holder->fd = seen->fd;
	holder->fd_thread = seen->thread;
}

static int hold_mapped(struct pme_holder *holder, const struct pme_seen *seen)
{
	const struct pme_map_line *map = &seen->map;
	int r;

	holder->mapped = true;
	if (!holder->map_entry) {
		holder->map_entry = pme_printf("%" PRIx64 "-%" PRIx64, map->start, map->end);
		if (!holder->map_entry)
			return -ENOMEM;
		holder->map_thread = seen->thread;
	}
	r = pme_range_list_add(&holder->mapped_ranges, map->offset, map->end - map->start);
	return r == -EINVAL ? 0 : r;
}

int pme_process_hold(const struct pme_os *os, struct pme_process *process)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < process->n_seen; i++) {
		const struct pme_seen *seen = &process->seen[i];
		struct pme_holder *holder;

		r = get_holder(os, process, seen->file, &holder);
		if (r < 0)
			break;
		holder->map_sync |= seen->map_sync;
		if (seen->how == PME_SEEN_OPEN)
			hold_open(holder, seen);
		else if (seen->how == PME_SEEN_MAPPED)
			r = hold_mapped(holder, seen);
	}
	return r;
}

void pme_process_done(struct pme_process *process)
{
	free(process->seen);
	*process = (struct pme_process){0};
}
