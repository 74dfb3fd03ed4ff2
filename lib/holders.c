/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes have files open or mapped; see holders.h.
 *
 * One pass over /proc.  A process that vanishes meanwhile holds nothing; one that we may not look
 * into makes the answer incomplete.  smaps makes the kernel walk page tables, so it is read only of
 * processes with a shared mapping of a wanted file.  What surprises: with hidepid the processes of
 * others are missing altogether; that process 1 is missing gives it away.
 */
#include "holders.h"

#include <inttypes.h>
#include <string.h>

struct search {
	const struct pme_os *os;
	struct pme_file **files; /* sorted: devices first, by number; then by device and inode */
	size_t n_files, n_devices;
	dev_t *shown; /* superblocks whose files /proc/PID/maps shows by another number */
	size_t n_shown;
	size_t n_denied, n_processes;
};

/* The process being looked at. */
struct process {
	const char *pid; /* digits */
	bool denied;
	bool has_shared; /* a shared mapping of a wanted file */
	/* the last file that was asked about in map_files: mappings of one lie together */
	dev_t last_devno;
	uint64_t last_inode;
	struct pme_file *last_found;
};

static int by_identity(const void *a, const void *b)
{
	const struct pme_file *p = *(struct pme_file *const *)a;
	const struct pme_file *q = *(struct pme_file *const *)b;

	if (!p->rdev != !q->rdev)
		return p->rdev ? -1 : 1;
	if (p->devno != q->devno)
		return p->devno < q->devno ? -1 : 1;
	return p->inode < q->inode ? -1 : p->inode > q->inode;
}

static struct pme_file *find_file(const struct search *search, dev_t devno, uint64_t inode)
{
	const struct pme_file key = {.devno = devno, .inode = inode}, *keyp = &key;
	struct pme_file **found =
		bsearch(&keyp, search->files, search->n_files, sizeof(*search->files), by_identity);

	return found ? *found : NULL;
}

static struct pme_file *find_device(const struct search *search, const struct stat *st)
{
	for (size_t i = 0; i < search->n_devices; i++)
		if (search->files[i]->rdev == st->st_rdev &&
		    (search->files[i]->mode & S_IFMT) == (st->st_mode & S_IFMT))
			return search->files[i];
	return NULL;
}

static struct pme_file *find_by_stat(const struct search *search, const struct stat *st)
{
	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		return find_device(search, st);
	return find_file(search, st->st_dev, st->st_ino);
}

/* Errors of a process that ended meanwhile. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

/* What cannot be read of a process: hard errors are passed on, the rest is noted. */
static int note_error(struct process *process, int error)
{
	if (error == -ENOMEM)
		return error;
	process->denied |= !is_gone(error);
	return 0;
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
static int get_holder(const struct search *search, struct process *process, struct pme_file *file,
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
		r = pme_holder_name(search->os, process->pid, last);
		if (r < 0)
			r = note_error(process, r);
	}
	*ret = last;
	return r;
}

/* A device that is only read is in nobody's use: notes in @holder whether it may be written. */
static int look_at_flags(const struct search *search, struct process *process, const char *fd,
			 struct pme_holder *holder)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = pme_os_read_attr(search->os, &text, &len, "proc/%s/fdinfo/%s", process->pid, fd);

	if (r == 0)
		r = pme_fdinfo_parse(text, len);
	if (r < 0)
		return note_error(process, r);
	holder->writes |= r == 1;
	return 0;
}

static int look_at_fd(const struct search *search, struct process *process, const char *name)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/fd/%s", process->pid, name);
	struct pme_holder *holder;
	struct pme_file *file;
	struct stat st;
	uint64_t fd;
	int r = path ? pme_os_stat(search->os, path, true, &st) : -ENOMEM;

	if (r < 0)
		return note_error(process, r);
	file = find_by_stat(search, &st);
	if (!file || pme_parse_u64(name, strlen(name), &fd) < 0 || fd > INT32_MAX)
		return 0;
	r = get_holder(search, process, file, &holder);
	if (r < 0)
		return r;
	holder->open = true;
	if (holder->fd < 0)
		holder->fd = (int)fd;
	return file->rdev && !holder->writes ? look_at_flags(search, process, name, holder) : 0;
}

static int look_at_fds(const struct search *search, struct process *process)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/fd", process->pid);
	char **names = NULL;
	size_t count = 0;
	int r = path ? pme_os_list(search->os, path, &names, &count) : -ENOMEM;

	if (r < 0)
		return note_error(process, r);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = look_at_fd(search, process, names[i]);
	pme_os_free_names(names, count);
	return r;
}

static int add_mapping(const struct search *search, struct process *process, struct pme_file *file,
		       const struct pme_map_line *map)
{
	struct pme_holder *holder;
	int r = get_holder(search, process, file, &holder);

	if (r < 0)
		return r;
	holder->mapped = true;
	process->has_shared |= map->shared;
	if (!holder->map_entry) {
		holder->map_entry = pme_printf("%" PRIx64 "-%" PRIx64, map->start, map->end);
		if (!holder->map_entry)
			return -ENOMEM;
	}
	r = pme_range_list_add(&holder->mapped_ranges, map->offset, map->end - map->start);
	return r == -EINVAL ? 0 : r;
}

/* Call @line_fn for each line of @text; it returns 0 or -errno. */
static int for_each_line(const char *text, size_t len,
			 int (*line_fn)(void *arg, const char *line, size_t len), void *arg)
{
	const char *end = text + len;
	int r = 0;

	while (r == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;

		r = line_fn(arg, text, (size_t)(line_end - text));
		text = newline ? newline + 1 : end;
	}
	return r;
}

/* Does maps show @devno for files that have other numbers? */
static bool shows_another(const struct search *search, dev_t devno)
{
	for (size_t i = 0; i < search->n_shown; i++)
		if (search->shown[i] == devno)
			return true;
	return false;
}

/* What @map maps by stat(2), when it is wanted: 0 or -ENOMEM. */
static int find_mapped(const struct search *search, struct process *process,
		       const struct pme_map_line *map, struct pme_file **ret)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	/* of a filesystem that shows another number, several files can look the same */
	if (map->devno == process->last_devno && map->inode == process->last_inode &&
	    !shows_another(search, map->devno)) {
		*ret = process->last_found;
		return 0;
	}
	path = pme_printf("proc/%s/map_files/%" PRIx64 "-%" PRIx64, process->pid, map->start,
			  map->end);
	r = path ? pme_os_stat(search->os, path, true, &st) : -ENOMEM;
	*ret = NULL;
	if (r < 0)
		return note_error(process, r);
	*ret = find_by_stat(search, &st);
	process->last_devno = map->devno;
	process->last_inode = map->inode;
	process->last_found = *ret;
	return 0;
}

/* The wanted file or device of a mapping, or NULL: 0 or -ENOMEM. */
static int find_map(const struct search *search, struct process *process,
		    const struct pme_map_line *map, struct pme_file **ret)
{
	*ret = map->inode ? find_file(search, map->devno, map->inode) : NULL;
	if (*ret || map->inode == 0 ||
	    (search->n_devices == 0 && !shows_another(search, map->devno)))
		return 0;
	return find_mapped(search, process, map, ret);
}

struct maps {
	const struct search *search;
	struct process *process;
	struct pme_holder *current; /* smaps: whose mapping the lines belong to */
};

static int on_map(void *arg, const char *line, size_t len)
{
	struct maps *maps = arg;
	struct pme_map_line map;
	struct pme_file *file;
	int r;

	if (pme_map_line_parse(line, len, &map) < 0) {
		maps->process->denied = true;
		return 0;
	}
	r = find_map(maps->search, maps->process, &map, &file);
	return r == 0 && file ? add_mapping(maps->search, maps->process, file, &map) : r;
}

static int on_smap(void *arg, const char *line, size_t len)
{
	struct maps *maps = arg;
	struct pme_map_line map;
	struct pme_file *file;
	int r;

	if (maps->current && pme_vmflags_parse(line, len) == 1)
		maps->current->map_sync = true;
	if (pme_map_line_parse(line, len, &map) < 0)
		return 0;
	maps->current = NULL;
	r = find_map(maps->search, maps->process, &map, &file);
	if (r < 0 || !file)
		return r;
	return get_holder(maps->search, maps->process, file, &maps->current);
}

static int look_at_maps(const struct search *search, struct process *process, const char *name,
			int (*line_fn)(void *arg, const char *line, size_t len))
{
	struct maps maps = {.search = search, .process = process};
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = pme_os_read_attr(search->os, &text, &len, "proc/%s/%s", process->pid, name);

	return r < 0 ? note_error(process, r) : for_each_line(text, len, line_fn, &maps);
}

static int look_at_process(struct search *search, const char *pid)
{
	struct process process = {.pid = pid};
	int r = look_at_fds(search, &process);

	if (r == 0)
		r = look_at_maps(search, &process, "maps", on_map);
	if (r == 0 && process.has_shared)
		r = look_at_maps(search, &process, "smaps", on_smap);
	search->n_denied += process.denied;
	search->n_processes++;
	return r;
}

static bool is_pid(const char *name)
{
	uint64_t pid;

	return pme_parse_u64(name, strlen(name), &pid) == 0 && pid <= INT32_MAX;
}

static int look_at_all(struct search *search, struct pme_log *log)
{
	char **names = NULL;
	size_t count = 0, pids = 0;
	bool has_first = false;
	int r = pme_os_list(search->os, "proc", &names, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		has_first |= strcmp(names[i], "1") == 0;
		pids += is_pid(names[i]);
	}
	pme_progress_about(log->progress, "/proc");
	pme_progress_phase(log->progress, PME_PHASE_HOLDERS, PME_UNIT_PROCESSES, pids);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!is_pid(names[i]))
			continue;
		r = pme_progress_at(log->progress, search->n_processes);
		if (r == 0)
			r = look_at_process(search, names[i]);
	}
	if (r == -ETIME) {
		pme_log_incomplete(log, "/proc", "looked into %zu of %zu processes: %s",
				   search->n_processes, pids, pme_progress_error(r));
		r = 0;
	}
	pme_os_free_names(names, count);
	if (r == 0 && !has_first)
		pme_log_incomplete(log, "/proc",
				   "cannot see the processes of others (mounted with hidepid): "
				   "run as root");
	return r;
}

/* A file without a name is reached through its holders. */
static int add_proc_path(struct pme_file *file, const struct pme_holder *holder)
{
	char *path = holder->fd >= 0 ? pme_printf("/proc/%d/fd/%d", (int)holder->pid, holder->fd)
				     : pme_printf("/proc/%d/map_files/%s", (int)holder->pid,
						  holder->map_entry);

	return pme_file_add_path(file, path);
}

static int name_unlinked(struct pme_file *file)
{
	char *remark;

	if (file->rdev || file->nlink > 0 || file->mode == 0 || file->n_paths > 0 ||
	    file->n_holders == 0)
		return 0;
	for (size_t i = 0; i < file->n_holders; i++) {
		int r = add_proc_path(file, &file->holders[i]);

		if (r < 0)
			return r;
	}
	remark = strdup("unlinked, still open");
	if (!remark)
		return -ENOMEM;
	free(file->paths_reason);
	file->paths_reason = remark;
	return 0;
}

static int finish_file(struct pme_file *file)
{
	for (size_t i = 0; i < file->n_holders; i++)
		pme_range_list_normalize(&file->holders[i].mapped_ranges);
	return name_unlinked(file);
}

static void tell_denied(const struct search *search, struct pme_log *log)
{
	if (search->n_denied > 0)
		pme_log_incomplete(log, "/proc",
				   "cannot look into %zu of %zu processes: permission denied",
				   search->n_denied, search->n_processes);
}

int pme_holders_find(const struct pme_os *os, struct pme_file **files, size_t n_files,
		     struct pme_log *log)
{
	_cleanup_free_ struct pme_file **sorted = calloc(n_files + 1, sizeof(*sorted));
	_cleanup_free_ dev_t *shown = calloc(n_files + 1, sizeof(*shown));
	struct search search = {.os = os, .files = sorted, .n_files = n_files, .shown = shown};
	int r;

	if (!sorted || !shown)
		return -ENOMEM;
	for (size_t i = 0; i < n_files; i++)
		if (files[i]->shown && !shows_another(&search, files[i]->shown))
			shown[search.n_shown++] = files[i]->shown;
	if (n_files == 0)
		return 0;
	memcpy(sorted, files, n_files * sizeof(*files));
	qsort(sorted, n_files, sizeof(*sorted), by_identity);
	while (search.n_devices < n_files && sorted[search.n_devices]->rdev)
		search.n_devices++;
	r = look_at_all(&search, log);
	tell_denied(&search, log);
	for (size_t i = 0; r == 0 && i < n_files; i++)
		r = finish_file(files[i]);
	return r;
}
