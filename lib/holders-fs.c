/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes use whole filesystems; see holders-fs.h.
 *
 * The surprise: a filesystem that was unmounted lazily is used on, and no namespace shows the mount
 * of its open files any more.  Such descriptors have a path, and a mount that nobody knows: they
 * are counted, and said.  Files that the kernel makes for itself (pipes, memfd) look different.
 */
#include "holders-fs.h"

#include <inttypes.h>
#include <string.h>

#include "holders-threads.h"

struct search {
	const struct pme_topo *topo;
	const struct pme_spaces *spaces;
	struct pme_fs_use *uses;
	size_t n_uses;
	bool devices; /* some of them are */
	size_t n_denied, n_lost, n_processes;
};

struct process {
	struct search *search;
	const char *pid;
	const char *where; /* its folder of /proc, or that of a thread */
	bool denied;
	bool has_maps;		       /* they were seen */
	bool shared;		       /* a shared mapping of something wanted */
	bool mapped;		       /* that is what is looked at now */
	uint64_t unknown;	       /* the last mount that is in none of its tables */
	struct pme_fs_holder *current; /* smaps: whose mapping the lines belong to */
};

void pme_fs_use_done(struct pme_fs_use *use)
{
	for (size_t i = 0; i < use->n_holders; i++) {
		pme_holder_done(&use->holders[i].who);
		free(use->holders[i].inodes);
	}
	free(use->holders);
	*use = (struct pme_fs_use){0};
}

static int note_error(struct process *process, int error)
{
	if (error == -ENOMEM)
		return error;
	process->denied |= error != -ENOENT && error != -ESRCH;
	return 0;
}

/* The holder of @use that stands for this process, a new one when there is none. */
static int get_holder(struct process *process, struct pme_fs_use *use, struct pme_fs_holder **ret)
{
	struct pme_fs_holder *last = use->n_holders ? &use->holders[use->n_holders - 1] : NULL;
	uint64_t pid;
	int r = pme_parse_u64(process->pid, strlen(process->pid), &pid);

	if (r < 0 || (last && last->who.pid == (pid_t)pid)) {
		*ret = last;
		return r;
	}
	r = pme_grow(&use->holders, &use->alloc_holders, use->n_holders, sizeof(*use->holders));
	if (r < 0)
		return r;
	last = &use->holders[use->n_holders++];
	*last = (struct pme_fs_holder){.who = {.pid = (pid_t)pid, .fd = -1}};
	*ret = last;
	r = pme_holder_name(process->search->topo->os, process->pid, &last->who);
	return r < 0 ? note_error(process, r) : 0;
}

/* One more inode; UINT64_MAX is another one each time. */
static int add_inode(struct pme_fs_holder *holder, uint64_t inode)
{
	int r = pme_grow(&holder->inodes, &holder->alloc_inodes, holder->n_inodes,
			 sizeof(*holder->inodes));

	if (r == 0)
		holder->inodes[holder->n_inodes++] = inode;
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;

	return p < q ? -1 : p > q;
}

/* How many different inodes were added; none are left. */
static size_t count_inodes(struct pme_fs_holder *holder)
{
	size_t count = 0;

	if (holder->n_inodes > 0)
		qsort(holder->inodes, holder->n_inodes, sizeof(*holder->inodes), by_number);
	for (size_t i = 0; i < holder->n_inodes; i++)
		count += i == 0 || holder->inodes[i] != holder->inodes[i - 1] ||
			 holder->inodes[i] == UINT64_MAX;
	holder->n_inodes = 0;
	return count;
}

/* After the descriptors, and after the mappings, of a process. */
static void settle(struct process *process)
{
	struct search *search = process->search;

	for (size_t i = 0; i < search->n_uses; i++) {
		struct pme_fs_use *use = &search->uses[i];
		struct pme_fs_holder *last =
			use->n_holders ? &use->holders[use->n_holders - 1] : NULL;

		if (!last || last->n_inodes == 0)
			continue;
		*(process->mapped ? &last->n_mapped : &last->n_open) = count_inodes(last);
	}
}

static int add_to(struct process *process, struct pme_fs_use *use, uint64_t inode)
{
	struct pme_fs_holder *holder;
	int r = get_holder(process, use, &holder);

	if (r < 0)
		return r;
	*(process->mapped ? &holder->who.mapped : &holder->who.open) = true;
	return add_inode(holder, inode);
}

static struct pme_fs_use *find_fs(const struct search *search, dev_t shown)
{
	for (size_t i = 0; shown && i < search->n_uses; i++)
		if (search->uses[i].shown == shown)
			return &search->uses[i];
	return NULL;
}

static struct pme_fs_use *find_device(const struct search *search, const struct stat *st)
{
	for (size_t i = 0; i < search->n_uses; i++)
		if (search->uses[i].rdev && search->uses[i].rdev == st->st_rdev &&
		    search->uses[i].type == (st->st_mode & S_IFMT))
			return &search->uses[i];
	return NULL;
}

static bool is_in_memory(const char *type)
{
	return strcmp(type, "devtmpfs") == 0 || strcmp(type, "tmpfs") == 0 ||
	       strcmp(type, "ramfs") == 0;
}

/* A file on a filesystem in memory, reached through @path: is it a node of a wanted device? */
static int look_at_node(struct process *process, const char *path)
{
	struct search *search = process->search;
	struct pme_fs_use *use;
	struct stat st;
	int r = pme_os_stat(search->topo->os, path, true, &st);

	if (r < 0)
		return note_error(process, r);
	if (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return 0;
	use = find_device(search, &st);
	return use ? add_to(process, use, st.st_ino) : 0;
}

/* Not something of the kernel's own: 1, 0 or -errno. */
static int is_of_filesystem(const struct pme_os *os, const char *path)
{
	static const char *const own[] = {"/memfd:", "/SYSV",	 "/dev/zero", "/anon_hugepage",
					  "/[",	     "/dmabuf:", "/i915",     "/drm"};
	_cleanup_free_ char *name = NULL;
	int r = pme_os_readlink(os, path, &name);

	if (r < 0)
		return r;
	for (size_t i = 0; i < PME_ARRAY_SIZE(own); i++)
		if (strncmp(name, own[i], strlen(own[i])) == 0)
			return 0;
	return name[0] == '/';
}

static int look_at_file(struct process *process, const char *path, const struct pme_mount *mount,
			uint64_t inode)
{
	struct search *search = process->search;
	struct pme_fs_use *use = find_fs(search, mount->shown);

	if (use)
		return add_to(process, use, inode);
	return search->devices && is_in_memory(mount->type) ? look_at_node(process, path) : 0;
}

/* No namespace had its mount: it came since, or was unmounted lazily. */
static int look_at_unknown(struct process *process, const char *path, uint64_t id, uint64_t inode)
{
	struct search *search = process->search;
	struct pme_mount mount;
	int r = is_of_filesystem(search->topo->os, path);

	if (r <= 0)
		return r < 0 ? note_error(process, r) : 0;
	r = id == process->unknown ? 0 : pme_spaces_ask(search->topo, process->where, id, &mount);
	if (r < 0)
		return note_error(process, r);
	if (r == 0) {
		process->unknown = id;
		search->n_lost++;
		return 0;
	}
	r = look_at_file(process, path, &mount, inode);
	pme_mount_done(&mount);
	return r;
}

static int look_at_fd(struct process *process, const char *fd)
{
	struct search *search = process->search;
	_cleanup_free_ char *path = pme_printf("proc/%s/fd/%s", process->where, fd);
	const struct pme_space_mount *mount;
	_cleanup_free_ char *text = NULL;
	uint64_t id, inode;
	size_t len;
	int r = pme_os_read_attr(search->topo->os, &text, &len, "proc/%s/fdinfo/%s", process->where,
				 fd);

	if (r == 0)
		r = pme_fdinfo_place_parse(text, len, &id, &inode);
	if (r < 0 || !path)
		return note_error(process, path ? r : -ENOMEM);
	mount = pme_spaces_find(search->spaces, id);
	return mount ? look_at_file(process, path, &mount->mount, inode)
		     : look_at_unknown(process, path, id, inode);
}

static int look_at_fds(struct process *process)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/fdinfo", process->where);
	char **names = NULL;
	size_t count = 0;
	int r = path ? pme_os_list(process->search->topo->os, path, &names, &count) : -ENOMEM;

	if (r < 0)
		return note_error(process, r);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = look_at_fd(process, names[i]);
	pme_os_free_names(names, count);
	return r;
}

static bool is_memory_device(const struct search *search, dev_t shown)
{
	for (size_t i = 0; i < search->spaces->n_mounts; i++)
		if (search->spaces->mounts[i].mount.shown == shown)
			return is_in_memory(search->spaces->mounts[i].mount.type);
	return false;
}

static int on_map(struct process *process, const char *line, size_t len)
{
	struct search *search = process->search;
	_cleanup_free_ char *path = NULL;
	struct pme_map_line map;
	struct pme_fs_use *use;

	if (pme_map_line_parse(line, len, &map) < 0) {
		process->denied = true;
		return 0;
	}
	if (map.inode == 0)
		return 0;
	use = find_fs(search, map.devno);
	if (use) {
		process->shared |= map.shared;
		return add_to(process, use, map.inode);
	}
	if (!search->devices || !map.shared || !is_memory_device(search, map.devno))
		return 0;
	path = pme_printf("proc/%s/map_files/%" PRIx64 "-%" PRIx64, process->where, map.start,
			  map.end);
	return path ? look_at_node(process, path) : -ENOMEM;
}

/* MAP_SYNC is only told for mappings of filesystems: those of devices are always in sync. */
static int on_smap(struct process *process, const char *line, size_t len)
{
	struct pme_map_line map;
	struct pme_fs_use *use;

	if (process->current && pme_vmflags_parse(line, len) == 1)
		process->current->who.map_sync = true;
	if (pme_map_line_parse(line, len, &map) < 0)
		return 0;
	process->current = NULL;
	use = map.inode ? find_fs(process->search, map.devno) : NULL;
	return use ? get_holder(process, use, &process->current) : 0;
}

static int look_at_maps(struct process *process, const char *name,
			int (*line_fn)(struct process *process, const char *line, size_t len))
{
	_cleanup_free_ char *text = NULL;
	const char *pos, *end;
	size_t len;
	int r = pme_os_read_attr(process->search->topo->os, &text, &len, "proc/%s/%s",
				 process->where, name);

	if (r < 0)
		return note_error(process, r);
	process->has_maps |= len > 0;
	for (pos = text, end = text + len; r == 0 && pos < end;) {
		const char *newline = memchr(pos, '\n', (size_t)(end - pos));
		const char *line_end = newline ? newline : end;

		r = line_fn(process, pos, (size_t)(line_end - pos));
		pos = newline ? newline + 1 : end;
	}
	return r;
}

/* Those of the process, and of its threads that do not share them: the names of these. */
static int look_at_all_fds(struct process *process, char ***ret_threads, size_t *ret_count)
{
	const struct pme_os *os = process->search->topo->os;
	int r = look_at_fds(process);

	if (r == 0 && !process->denied) {
		r = pme_threads_apart(os, process->pid, ret_threads, ret_count);
		r = r < 0 ? note_error(process, r) : 0;
	}
	for (size_t i = 0; r == 0 && i < *ret_count; i++) {
		process->where = (*ret_threads)[i];
		r = look_at_fds(process);
	}
	settle(process);
	return r;
}

/* All threads have the same memory; but one that has ended, as the first may have, shows none. */
static int look_at_all_maps(struct process *process, char *const *threads, size_t n_threads)
{
	int r;

	process->where = process->pid;
	process->mapped = true;
	r = look_at_maps(process, "maps", on_map);
	for (size_t i = 0; r == 0 && !process->has_maps && i < n_threads; i++) {
		process->where = threads[i];
		r = look_at_maps(process, "maps", on_map);
	}
	settle(process);
	if (r == 0 && process->shared)
		r = look_at_maps(process, "smaps", on_smap);
	return r;
}

static int look_at_process(struct search *search, const char *pid)
{
	struct process process = {.search = search, .pid = pid, .where = pid};
	char **threads = NULL;
	size_t n_threads = 0;
	int r = pme_process_is_bare(search->topo->os, pid);

	search->n_processes++;
	if (r == -EACCES || r == -EPERM)
		search->n_denied++;
	if (r != 0)
		return r == -ENOMEM ? r : 0;
	r = look_at_all_fds(&process, &threads, &n_threads);
	if (r == 0)
		r = look_at_all_maps(&process, threads, n_threads);
	pme_os_free_names(threads, n_threads);
	search->n_denied += process.denied;
	return r;
}

static int look_at_all(struct search *search, struct pme_log *log)
{
	char **names = NULL;
	bool has_first = false;
	size_t count = 0;
	int r = pme_os_list(search->topo->os, "proc", &names, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t pid;

		has_first |= strcmp(names[i], "1") == 0;
		if (pme_parse_u64(names[i], strlen(names[i]), &pid) == 0 && pid <= INT32_MAX)
			r = look_at_process(search, names[i]);
	}
	pme_os_free_names(names, count);
	if (r == -ENOMEM || r == -E2BIG)
		return r;
	if (r < 0 || !has_first)
		pme_log_incomplete(log, "/proc", "cannot see the processes of others%s",
				   r < 0 ? "" : " (mounted with hidepid): run as root");
	return 0;
}

int pme_fs_holders_find(const struct pme_topo *topo, const struct pme_spaces *spaces,
			struct pme_fs_use *uses, size_t n_uses, struct pme_log *log)
{
	struct search search = {.topo = topo, .spaces = spaces, .uses = uses, .n_uses = n_uses};
	int r;

	for (size_t i = 0; i < n_uses; i++)
		search.devices |= uses[i].rdev != 0;
	if (n_uses == 0)
		return 0;
	r = look_at_all(&search, log);
	if (search.n_denied > 0)
		pme_log_incomplete(log, "/proc",
				   "cannot look into %zu of %zu processes: permission denied",
				   search.n_denied, search.n_processes);
	if (search.n_lost > 0)
		pme_log_incomplete(log, "/proc",
				   "%zu open files are on filesystems that no mount shows any more "
				   "(unmounted lazily): their devices are not known",
				   search.n_lost);
	return r;
}
