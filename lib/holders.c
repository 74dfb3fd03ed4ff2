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

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "crew.h"
#include "holders-alias.h"
#include "holders-seen.h"
#include "holders-threads.h"

struct search {
	const struct pme_os *os;
	struct pme_file **files; /* sorted: devices first, by number; then by device and inode */
	size_t n_files, n_devices;
	dev_t *shown; /* superblocks whose files /proc/PID/maps shows by another number */
	size_t n_shown;
	struct pme_aliases aliases; /* of files that are seen through overlays */
	struct pme_process *processes;
	size_t n_processes;
};

/* The process being looked at. */
struct look {
	const struct search *search;
	struct pme_process *process;
	const char *where; /* its folder of /proc, or that of a thread */
	bool has_maps;	   /* they were seen */
	bool has_shared;   /* a shared mapping of a wanted file */
	/* the last file that was asked about in map_files: mappings of one lie together */
	dev_t last_devno;
	uint64_t last_inode;
	struct pme_file *last_found;
	struct pme_seen *current; /* smaps: the mapping that the lines belong to */
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

/* @mapped: of a mapping, the inode that maps shows; else 0. */
static struct pme_file *find_by_stat(struct look *look, const struct stat *st, uint64_t mapped)
{
	const struct search *search = look->search;
	struct pme_file *file = NULL;
	int r;

	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		return find_device(search, st);
	r = search->aliases.count ? pme_aliases_find(&search->aliases, st, mapped, &file) : 0;
	look->process->vague |= r == -EAGAIN;
	return r == 1 ? file : find_file(search, st->st_dev, st->st_ino);
}

static int see(struct look *look, struct pme_seen *seen)
{
	uint64_t number;
	int r = pme_parse_u64(look->where, strlen(look->where), &number);

	seen->thread = (pid_t)number;
	return r < 0 ? r : pme_process_see(look->process, seen);
}

/* A device that is only read is in nobody's use: may the descriptor write?  0 or -ENOMEM. */
static int look_at_flags(struct look *look, const char *fd, bool *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = pme_os_read_attr(look->search->os, &text, &len, "proc/%s/fdinfo/%s", look->where,
				 fd);

	if (r == 0)
		r = pme_fdinfo_parse(text, len);
	if (r < 0)
		return pme_process_note_error(look->process, r);
	*ret = r == 1;
	return 0;
}

static int look_at_fd(struct look *look, int dir, const char *name)
{
	struct pme_seen seen = {.how = PME_SEEN_OPEN};
	struct stat st;
	uint64_t fd;
	int r = pme_os_stat_at(dir, name, true, &st);

	if (r < 0)
		return pme_process_note_error(look->process, r);
	seen.file = find_by_stat(look, &st, 0);
	if (!seen.file || pme_parse_u64(name, strlen(name), &fd) < 0 || fd > INT32_MAX)
		return 0;
	seen.fd = (int)fd;
	if (seen.file->rdev)
		r = look_at_flags(look, name, &seen.writes);
	return r < 0 ? r : see(look, &seen);
}

static int look_at_fds(struct look *look)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/fd", look->where);
	_cleanup_close_ int dir = -1;
	struct pme_os here = {.root = -1};
	char **names = NULL;
	size_t count = 0;
	int r;

	if (!path)
		return -ENOMEM;
	here.root = dir = pme_os_open(look->search->os, path, O_RDONLY | O_DIRECTORY);
	r = dir < 0 ? dir : pme_os_list(&here, ".", &names, &count);
	if (r < 0)
		return pme_process_note_error(look->process, r);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = look_at_fd(look, dir, names[i]);
	pme_os_free_names(names, count);
	return r;
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
	return pme_aliases_shows(&search->aliases, devno);
}

/* What @map maps by stat(2), when it is wanted: 0 or -ENOMEM. */
static int find_mapped(struct look *look, const struct pme_map_line *map, struct pme_file **ret)
{
	const struct search *search = look->search;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	/* of a filesystem that shows another number, several files can look the same */
	if (map->devno == look->last_devno && map->inode == look->last_inode &&
	    !shows_another(search, map->devno)) {
		*ret = look->last_found;
		return 0;
	}
	path = pme_printf("proc/%s/map_files/%" PRIx64 "-%" PRIx64, look->where, map->start,
			  map->end);
	r = path ? pme_os_stat(search->os, path, true, &st) : -ENOMEM;
	*ret = NULL;
	if (r < 0)
		return pme_process_note_error(look->process, r);
	*ret = find_by_stat(look, &st, map->inode);
	look->last_devno = map->devno;
	look->last_inode = map->inode;
	look->last_found = *ret;
	return 0;
}

/* The wanted file or device of a mapping, or NULL: 0 or -ENOMEM. */
static int find_map(struct look *look, const struct pme_map_line *map, struct pme_file **ret)
{
	const struct search *search = look->search;

	*ret = map->inode ? find_file(search, map->devno, map->inode) : NULL;
	if (*ret || map->inode == 0 ||
	    (search->n_devices == 0 && !shows_another(search, map->devno)))
		return 0;
	return find_mapped(look, map, ret);
}

static int on_map(void *arg, const char *line, size_t len)
{
	struct pme_seen seen = {.how = PME_SEEN_MAPPED};
	struct look *look = arg;
	int r;

	if (pme_map_line_parse(line, len, &seen.map) < 0) {
		look->process->denied = true;
		return 0;
	}
	r = find_map(look, &seen.map, &seen.file);
	if (r < 0 || !seen.file)
		return r;
	look->has_shared |= seen.map.shared;
	return see(look, &seen);
}

static int on_smap(void *arg, const char *line, size_t len)
{
	struct pme_seen seen = {.how = PME_SEEN_AGAIN};
	struct look *look = arg;
	int r;

	if (look->current && pme_vmflags_parse(line, len) == 1)
		look->current->map_sync = true;
	if (pme_map_line_parse(line, len, &seen.map) < 0)
		return 0;
	look->current = NULL;
	r = find_map(look, &seen.map, &seen.file);
	if (r < 0 || !seen.file)
		return r;
	r = see(look, &seen);
	if (r == 0)
		look->current = &look->process->seen[look->process->n_seen - 1];
	return r;
}

static int look_at_maps(struct look *look, const char *name,
			int (*line_fn)(void *arg, const char *line, size_t len))
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = pme_os_read_attr(look->search->os, &text, &len, "proc/%s/%s", look->where, name);

	look->has_maps |= r == 0 && len > 0;
	return r < 0 ? pme_process_note_error(look->process, r)
		     : for_each_line(text, len, line_fn, look);
}

static int look_at_all_maps(struct look *look)
{
	int r = look_at_maps(look, "maps", on_map);

	return r == 0 && look->has_shared ? look_at_maps(look, "smaps", on_smap) : r;
}

/* What the folder of the process does not show: see holders-threads.h. */
static int look_at_threads(struct look *look)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_threads_apart(look->search->os, look->process->pid, &names, &count);

	if (r < 0)
		return pme_process_note_error(look->process, r);
	for (size_t i = 0; r == 0 && i < count; i++) {
		look->where = names[i];
		r = look_at_fds(look);
		if (r == 0 && !look->has_maps)
			r = look_at_all_maps(look);
	}
	pme_os_free_names(names, count);
	return r;
}

/* Called by several threads, for different processes. */
static int look_at_process(void *arg, size_t i)
{
	const struct search *search = arg;
	struct pme_process *process = &search->processes[i];
	struct look look = {.search = search, .process = process, .where = process->pid};
	int bare = pme_process_is_bare(search->os, process->pid);
	int r = bare < 0 ? pme_process_note_error(process, bare) : 0;

	if (bare == 0)
		r = look_at_fds(&look);
	if (bare == 0 && r == 0)
		r = look_at_all_maps(&look);
	if (bare == 0 && r == 0 && !process->denied)
		r = look_at_threads(&look);
	process->looked = r == 0;
	return r;
}

static bool is_pid(const char *name)
{
	uint64_t pid;

	return pme_parse_u64(name, strlen(name), &pid) == 0 && pid <= INT32_MAX;
}

/* What was seen of all: 0 or -errno.  @r: of the looking. */
static int tell_all(const struct search *search, int r, struct pme_log *log)
{
	size_t looked = 0, denied = 0, vague = 0;

	for (size_t i = 0; i < search->n_processes; i++)
		looked += search->processes[i].looked;
	if (r == -ETIME) {
		pme_log_incomplete(log, "/proc", "looked into %zu of %zu processes: %s", looked,
				   search->n_processes, pme_progress_error(r));
		r = 0;
	}
	for (size_t i = 0; r == 0 && i < search->n_processes; i++) {
		r = pme_process_hold(search->os, &search->processes[i]);
		denied += search->processes[i].denied;
		vague += search->processes[i].vague;
	}
	if (r == 0 && (search->n_processes == 0 || strcmp(search->processes[0].pid, "1") != 0))
		pme_log_incomplete(log, "/proc",
				   "cannot see the processes of others (mounted with hidepid): "
				   "run as root");
	if (vague > 0)
		pme_log_incomplete(log, "/proc",
				   "cannot tell whether %zu of %zu processes use a file or a copy "
				   "that an overlay has made of it: not counted as its holders",
				   vague, looked);
	if (denied > 0)
		pme_log_incomplete(log, "/proc",
				   "cannot look into %zu of %zu processes: permission denied",
				   denied, looked);
	return r;
}

static int look_at_all(struct search *search, char *const *names, size_t count, struct pme_log *log)
{
	int r;

	search->processes = calloc(count + 1, sizeof(*search->processes));
	if (!search->processes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (is_pid(names[i]))
			search->processes[search->n_processes++].pid = names[i];
	pme_progress_about(log->progress, "/proc");
	pme_progress_phase(log->progress, PME_PHASE_HOLDERS, PME_UNIT_PROCESSES,
			   search->n_processes);
	r = pme_crew_each(search->n_processes, look_at_process, search, log->progress);
	r = tell_all(search, r, log);
	for (size_t i = 0; i < search->n_processes; i++)
		pme_process_done(&search->processes[i]);
	free(search->processes);
	return r;
}

/* A file without a name is reached through its holders. */
static int add_proc_path(struct pme_file *file, const struct pme_holder *holder)
{
	char *path = holder->fd >= 0
			     ? pme_printf("/proc/%d/fd/%d", (int)holder->fd_thread, holder->fd)
			     : pme_printf("/proc/%d/map_files/%s", (int)holder->map_thread,
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

int pme_holders_find(const struct pme_os *os, struct pme_file **files, size_t n_files,
		     struct pme_log *log)
{
	_cleanup_free_ struct pme_file **sorted = calloc(n_files + 1, sizeof(*sorted));
	_cleanup_free_ dev_t *shown = calloc(n_files + 1, sizeof(*shown));
	struct search search = {.os = os, .files = sorted, .n_files = n_files, .shown = shown};
	char **names = NULL;
	size_t count = 0;
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
	r = pme_aliases_make(files, n_files, &search.aliases);
	if (r == 0)
		r = pme_os_list(os, "proc", &names, &count);
	if (r == 0)
		r = look_at_all(&search, names, count, log);
	pme_os_free_names(names, count);
	pme_aliases_done(&search.aliases);
	for (size_t i = 0; r == 0 && i < n_files; i++)
		r = finish_file(files[i]);
	return r;
}
