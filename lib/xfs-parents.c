/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of inodes from XFS parent pointers; see xfs-parents.h.
 *
 * Directories met on the way up are remembered for the time of one call, so that a thousand files
 * in one tree do not ask for its top a thousand times.  What surprises: a file without parents
 * gives one record with an empty name, not none.
 */
#include "xfs-parents.h"

#include <search.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xfs/xfs.h>

#include "crew.h"
#include "os.h"

#define BUFFER_SIZE 4096 /* at least a record with the longest name: 32 + 256 */
#define NAME_BYTES 255	 /* longest name in a directory */

struct parents_rec {
	struct xfs_handle parent;
	uint32_t reclen;
	uint32_t reserved;
	char name[];
};

struct parents {
	struct xfs_attrlist_cursor cursor;
	uint16_t iflags;
	uint16_t oflags;
	uint32_t bufsize;
	uint64_t reserved;
	uint64_t buffer;
};

struct parents_by_handle {
	struct xfs_handle handle;
	struct parents request;
};

#define IOC_PARENTS_BY_HANDLE _IOWR('X', 63, struct parents_by_handle)
#define OFLAG_ROOT 1
#define OFLAG_DONE 2

/* A directory on the way up; parent 0: it has no name any more. */
struct dir {
	uint64_t ino, parent_ino;
	uint32_t parent_gen;
	char *name;
};

struct climb {
	int fd;
	const struct pme_xfs_inode *root;
	struct xfs_handle handle; /* of the root; others differ in number and generation */
	void *dirs;		  /* tsearch(3) tree of struct dir */
	uint64_t buf[BUFFER_SIZE / sizeof(uint64_t)];
	struct pme_names *names;
};

static void dir_free(void *p)
{
	struct dir *dir = p;

	if (dir)
		free(dir->name);
	free(dir);
}

static void dir_cleanup(struct dir **dir)
{
	dir_free(*dir);
}

static void climb_done(struct climb *climb)
{
	tdestroy(climb->dirs, dir_free);
}

static int by_ino(const void *a, const void *b)
{
	const struct dir *p = a, *q = b;

	return p->ino < q->ino ? -1 : p->ino > q->ino;
}

static bool is_name(const char *name, size_t len)
{
	return len > 0 && len <= NAME_BYTES && !memchr(name, '/', len) &&
	       !pme_word_is(name, len, ".") && !pme_word_is(name, len, "..");
}

int pme_xfs_parent_next(const void *buf, size_t size, size_t *pos, struct pme_xfs_parent *ret)
{
	const struct parents_rec *rec;
	size_t room, len;

	if (*pos >= size)
		return 0;
	if (*pos % sizeof(uint64_t) || size - *pos <= sizeof(*rec))
		return -EPROTO;
	rec = (const void *)((const char *)buf + *pos);
	if (rec->reclen == 0)
		return 0;
	if (rec->reclen <= sizeof(*rec) || rec->reclen > size - *pos)
		return -EPROTO;
	room = rec->reclen - sizeof(*rec);
	len = strnlen(rec->name, room);
	if (len == 0)
		return 0;
	if (len == room || !is_name(rec->name, len))
		return -EPROTO;
	*ret = (struct pme_xfs_parent){
		.ino = rec->parent.ha_fid.fid_ino,
		.gen = rec->parent.ha_fid.fid_gen,
		.name = rec->name,
		.name_len = len,
	};
	*pos += rec->reclen;
	return 1;
}

/* The handle of the root directory, as a pattern for all others. */
static int make_handle(struct climb *climb)
{
	uint32_t len = sizeof(climb->handle);
	struct xfs_fsop_handlereq req = {
		.fd = (uint32_t)climb->fd,
		.ohandle = &climb->handle,
		.ohandlen = &len,
	};
	int r = pme_os_ioctl(climb->fd, XFS_IOC_FD_TO_HANDLE, &req);

	if (r < 0)
		return r;
	return len == sizeof(climb->handle) ? 0 : -EPROTO;
}

static void init_request(struct climb *climb, uint64_t ino, uint32_t gen,
			 struct parents_by_handle *ret)
{
	*ret = (struct parents_by_handle){
		.handle = climb->handle,
		.request = {.bufsize = BUFFER_SIZE, .buffer = (uintptr_t)climb->buf},
	};
	ret->handle.ha_fid.fid_ino = ino;
	ret->handle.ha_fid.fid_gen = gen;
}

/* The next buffer of names: 1 filled, 0 none left or the inode is gone, -errno. */
static int read_parents(struct climb *climb, struct parents_by_handle *req)
{
	int r;

	if (req->request.oflags & (OFLAG_DONE | OFLAG_ROOT))
		return 0;
	memset(climb->buf, 0, sizeof(climb->buf));
	req->request.bufsize = BUFFER_SIZE;
	r = pme_os_ioctl(climb->fd, IOC_PARENTS_BY_HANDLE, req);
	if (r == -ESTALE || r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return !(req->request.oflags & OFLAG_ROOT);
}

/* Ask for the one name of the directory @dir->ino; a directory that is gone keeps parent 0. */
static int fill_dir(struct climb *climb, uint32_t gen, struct dir *dir)
{
	struct parents_by_handle req;
	struct pme_xfs_parent parent;
	size_t pos = 0;
	int r;

	init_request(climb, dir->ino, gen, &req);
	r = read_parents(climb, &req);
	if (r > 0)
		r = pme_xfs_parent_next(climb->buf, sizeof(climb->buf), &pos, &parent);
	if (r <= 0)
		return r;
	dir->name = strndup(parent.name, parent.name_len);
	dir->parent_ino = parent.ino;
	dir->parent_gen = parent.gen;
	return dir->name ? 0 : -ENOMEM;
}

static int get_dir(struct climb *climb, uint64_t ino, uint32_t gen, const struct dir **ret)
{
	_cleanup_(dir_cleanup) struct dir *dir = calloc(1, sizeof(*dir));
	struct dir **slot;
	int r = 0;

	if (!dir)
		return -ENOMEM;
	dir->ino = ino;
	slot = tfind(dir, &climb->dirs, by_ino);
	if (!slot) {
		r = fill_dir(climb, gen, dir);
		slot = r < 0 ? NULL : tsearch(dir, &climb->dirs, by_ino);
		if (!slot)
			return r < 0 ? r : -ENOMEM;
		*ret = pme_take_ptr(dir);
		return 0;
	}
	*ret = *slot;
	return 0;
}

/* Put "@name/" in front of *@path. */
static int prepend(char **path, const char *name)
{
	char *longer = pme_printf("%s/%s", name, *path);

	if (!longer)
		return -ENOMEM;
	free(*path);
	*path = longer;
	return 0;
}

/* Complete *@path, a name in directory @ino: 1, 0 when the way up is broken, -errno. */
static int climb_up(struct climb *climb, uint64_t ino, uint32_t gen, char **path)
{
	for (int depth = 0; depth < PME_NAMES_DEPTH; depth++) {
		const struct dir *dir;
		int r;

		if (ino == climb->root->ino)
			return 1;
		r = get_dir(climb, ino, gen, &dir);
		if (r == 0 && !dir->name)
			return 0;
		if (r == 0)
			r = prepend(path, dir->name);
		if (r < 0)
			return r;
		ino = dir->parent_ino;
		gen = dir->parent_gen;
	}
	return 0;
}

/* The names in one filled buffer: copied first, since the way up uses the buffer, too. */
static int add_names(struct climb *climb, struct pme_file *file)
{
	uint64_t kept[BUFFER_SIZE / sizeof(uint64_t)];
	struct pme_xfs_parent parent;
	size_t pos = 0;
	int r;

	memcpy(kept, climb->buf, sizeof(kept));
	while ((r = pme_xfs_parent_next(kept, sizeof(kept), &pos, &parent)) > 0) {
		_cleanup_free_ char *path = strndup(parent.name, parent.name_len);

		r = path ? climb_up(climb, parent.ino, parent.gen, &path) : -ENOMEM;
		if (r > 0)
			r = pme_names_add(climb->names, file, pme_take_ptr(path));
		if (r < 0)
			return r;
	}
	return r;
}

static int name_file(struct climb *climb, struct pme_file *file)
{
	struct parents_by_handle req;
	int r;

	if (file->inode == climb->root->ino)
		return pme_names_add(climb->names, file, strdup(""));
	init_request(climb, file->inode, file->generation, &req);
	while ((r = read_parents(climb, &req)) > 0) {
		r = add_names(climb, file);
		if (r < 0)
			return r;
	}
	return r;
}

/* Files that several threads ask for. */
struct asking {
	int fd;
	const struct pme_xfs_inode *root;
	struct pme_file **files;
	size_t n_files;
	_Atomic size_t next;
	struct pme_names *names; /* of all, with the lock of the crew */
};

static int name_files(struct pme_crew *crew, void *arg)
{
	_cleanup_(pme_names_done) struct pme_names mine = {0};
	struct asking *asking = arg;
	_cleanup_(climb_done) struct climb climb = {
		.fd = asking->fd,
		.root = asking->root,
		.names = &mine,
	};
	int r = make_handle(&climb);
	size_t i;

	if (r == 0)
		r = pme_crew_step(crew, 0);
	while (r == 0 && (i = atomic_fetch_add(&asking->next, 1)) < asking->n_files) {
		r = name_file(&climb, asking->files[i]);
		if (r == 0)
			r = pme_crew_step(crew, 1);
	}
	return pme_names_join(crew, asking->names, &mine, r);
}

int pme_xfs_parents_names(int fd, const struct pme_xfs_inode *root, struct pme_file **files,
			  size_t n_files, struct pme_names *ret)
{
	struct asking asking = {
		.fd = fd,
		.root = root,
		.files = files,
		.n_files = n_files,
		.names = ret,
	};
	struct pme_crew crew = {.work = name_files, .arg = &asking, .progress = ret->progress};
	int r;

	pme_progress_phase(ret->progress, PME_PHASE_NAMES, PME_UNIT_FILES, n_files);
	r = pme_crew_run(&crew);
	return r == -ETIME ? pme_names_cut(ret) : r;
}
