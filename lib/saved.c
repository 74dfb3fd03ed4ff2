/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept versions of files; see saved.h.
 */
#include "saved.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "manifest.h"
#include "saved-place.h"

#define BLOCK PME_SAVED_BLOCK
#define PAGE_BYTES ((size_t)BLOCK * PME_MANIFEST_PER_PAGE)

/* Whole, or of no page; it stays right, since what is published is not written again. */
struct pme_saved_page {
	uint64_t number; /* UINT64_MAX: of none */
	struct pme_digest digests[PME_MANIFEST_PER_PAGE];
};

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int pme_sample_take(int fd, struct pme_sample *ret)
{
	int generation = 0;
	struct stat st;
	int r = pme_os_fstat(fd, &st);

	if (r == 0)
		r = pme_os_ioctl(fd, FS_IOC_GETVERSION, &generation);
	if (r < 0)
		return r;
	*ret = (struct pme_sample){
		.devno = st.st_dev,
		.inode = st.st_ino,
		.generation = (uint32_t)generation,
		.size = (uint64_t)st.st_size,
		.mtime = nanoseconds(st.st_mtim),
		.ctime = nanoseconds(st.st_ctim),
		.boot = pme_os_boot(),
	};
	return 0;
}

bool pme_sample_same(const struct pme_sample *a, const struct pme_sample *b)
{
	return a->inode == b->inode && a->generation == b->generation && a->size == b->size &&
	       a->mtime == b->mtime && a->ctime == b->ctime && a->boot == b->boot;
}

void pme_saved_free(struct pme_saved *saved)
{
	free(saved->protected);
	free(saved->replica);
	pme_close_fd(&saved->checkpoint);
	pme_close_fd(&saved->copy);
	pme_close_fd(&saved->sums);
	if (saved->manifest)
		pme_manifest_done(saved->manifest);
	free(saved->manifest);
	free(saved->page);
	*saved = (struct pme_saved){.checkpoint = -1, .copy = -1, .sums = -1};
}

void pme_saved_done(struct pme_saved_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		pme_saved_free(&list->items[i]);
	free(list->items);
	*list = (struct pme_saved_list){0};
}

/* --- finding --- */

/* Around the page cache, where the filesystem can. */
static int open_copy(int object, const char *name)
{
	int fd = pme_os_open_at(object, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_DIRECT);

	return fd == -EINVAL ? pme_os_open_at(object, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
			     : fd;
}

static int open_files(int object, uint64_t version, struct pme_saved *saved, const char **ret_why)
{
	_cleanup_free_ char *data = pme_printf("%016llx.data", (unsigned long long)version);
	_cleanup_free_ char *sums = pme_printf("%016llx.sums", (unsigned long long)version);
	struct stat st;
	int r;

	if (!data || !sums)
		return -ENOMEM;
	saved->copy = open_copy(object, data);
	saved->sums = pme_os_open_at(object, sums, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (saved->copy < 0 || saved->sums < 0) {
		*ret_why = "the copy or its digests cannot be opened";
		return saved->copy < 0 ? saved->copy : saved->sums;
	}
	r = pme_os_fstat(saved->copy, &st);
	if (r == 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != saved->manifest->size)) {
		*ret_why = "the copy is longer or shorter than it was";
		r = -EBADMSG;
	}
	return r;
}

static int open_checkpoint(int checkpoints, struct pme_saved *saved)
{
	_cleanup_free_ char *name = pme_saved_checkpoint_name(saved->manifest);
	struct stat st;

	if (!name)
		return -ENOMEM;
	saved->checkpoint = pme_checkpoint_open(checkpoints, name);
	/* It proves nothing when it is not what it was. */
	if (saved->checkpoint >= 0 &&
	    (pme_os_fstat(saved->checkpoint, &st) < 0 || !S_ISREG(st.st_mode) ||
	     (uint64_t)st.st_size != saved->manifest->size)) {
		close(saved->checkpoint);
		saved->checkpoint = -1;
	}
	return 0;
}

static void fill(struct pme_saved *saved)
{
	const struct pme_manifest *m = saved->manifest;

	saved->generation = m->generation;
	saved->taken = m->taken;
	saved->sample = (struct pme_sample){
		.inode = m->inode,
		.generation = m->inode_generation,
		.size = m->size,
		.mtime = m->mtime,
		.ctime = m->ctime,
		.boot = m->boot,
	};
}

int pme_saved_load(int object, uint64_t version, int checkpoints, struct pme_saved *ret,
		   const char **ret_why)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	_cleanup_free_ char *name = pme_printf("%016llx.manifest", (unsigned long long)version);
	int r;

	*ret_why = NULL;
	saved.manifest = calloc(1, sizeof(*saved.manifest));
	saved.page = calloc(1, sizeof(*saved.page));
	if (!name || !saved.manifest || !saved.page)
		return -ENOMEM;
	saved.page->number = UINT64_MAX;
	r = pme_manifest_read(object, name, saved.manifest);
	if (r < 0) {
		*ret_why = pme_manifest_error(r);
		return r;
	}
	if (saved.manifest->generation != version) {
		*ret_why = "its manifest is that of another version";
		return -EBADMSG;
	}
	r = open_files(object, version, &saved, ret_why);
	if (r == 0 && saved.manifest->has_checkpoint && checkpoints >= 0)
		r = open_checkpoint(checkpoints, &saved);
	if (r < 0) {
		if (!*ret_why)
			*ret_why = strerror(-r);
		return r;
	}
	fill(&saved);
	*ret = saved;
	saved = (struct pme_saved){.checkpoint = -1, .copy = -1, .sums = -1};
	return 0;
}

struct search {
	const struct pme_protection *protection;
	const char *fs_uuid;
	const struct pme_file *file;
	struct pme_log *log;
	const char *object_name;
	int checkpoints;
	struct pme_saved_list *ret;
};

static bool is_of_file(const struct search *s, const struct pme_manifest *m)
{
	return m->inode == s->file->inode && m->inode_generation == s->file->generation &&
	       strcmp(m->fs_uuid, s->fs_uuid) == 0 && strcmp(m->protection, s->protection->id) == 0;
}

static int add_version(const struct search *s, int object, uint64_t version)
{
	_cleanup_free_ char *path =
		pme_printf("%s/%s/%s/%016llx.data", s->protection->replica, s->protection->id,
			   s->object_name, (unsigned long long)version);
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	const char *why;
	int r = path ? pme_saved_load(object, version, s->checkpoints, &saved, &why) : -ENOMEM;

	if (pme_saved_is_shortage(r))
		return r;
	if (r < 0) {
		pme_log_add(s->log, PME_INFO, path, "this kept version is not used: %s", why);
		return 0;
	}
	/* Another filesystem may have an inode of the same number and generation. */
	if (!is_of_file(s, saved.manifest))
		return 0;
	saved.protected = strdup(s->protection->path);
	saved.replica = pme_take_ptr(path);
	saved.sample.devno = s->file->devno;
	if (!saved.protected)
		return -ENOMEM;
	r = pme_grow(&s->ret->items, &s->ret->alloc, s->ret->count, sizeof(*s->ret->items));
	if (r < 0)
		return r;
	s->ret->items[s->ret->count++] = saved;
	saved = (struct pme_saved){.checkpoint = -1, .copy = -1, .sums = -1};
	return 0;
}

static int search_object(const struct search *s, int object)
{
	_cleanup_free_ uint64_t *versions = NULL;
	size_t count = 0;
	int r = pme_saved_versions(object, &versions, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_version(s, object, versions[i]);
	return r;
}

/* Can it have kept the file?  Not when what it protects is on another filesystem. */
static bool may_have(const struct search *s, const struct pme_os *os)
{
	struct stat st;

	return pme_os_stat(os, s->protection->path + 1, true, &st) < 0 ||
	       st.st_dev == s->file->devno;
}

/* Whether there are good bytes is not known, then. */
static void tell_unusable(const struct search *s, const struct pme_os *os, int error)
{
	static const char text[] = "what is kept there of %s cannot be used: %s%s";
	const char *hint = error == -ENOENT ? ": is its filesystem mounted?" : "";

	if (may_have(s, os))
		pme_log_incomplete(s->log, s->protection->replica, text, s->protection->path,
				   strerror(-error), hint);
	else
		pme_log_add(s->log, PME_INFO, s->protection->replica, text, s->protection->path,
			    strerror(-error), hint);
}

/* In one protection: 0 or what pme_saved_is_shortage(). */
static int search_protection(struct search *s, const struct pme_os *os, int root)
{
	_cleanup_close_ int replica = pme_saved_replica(os, s->protection, false);
	_cleanup_close_ int object =
		replica < 0 ? replica : pme_saved_dir(replica, s->object_name, false);
	_cleanup_close_ int checkpoints =
		object < 0 ? -1 : pme_checkpoints_open(root, s->protection->id, false);
	int r;

	s->checkpoints = checkpoints;
	if (object == -ENOENT && replica >= 0)
		return 0; /* it is not under this protection */
	r = object < 0 ? object : search_object(s, object);
	if (r < 0 && !pme_saved_is_shortage(r))
		tell_unusable(s, os, r);
	return pme_saved_is_shortage(r) ? r : 0;
}

static int compare_age(const void *a, const void *b)
{
	const struct pme_saved *x = a, *y = b;

	return x->taken > y->taken ? -1 : x->taken < y->taken;
}

int pme_saved_find(const struct pme_os *os, int root, const char *fs_uuid,
		   const struct pme_file *file, struct pme_log *log, struct pme_saved_list *ret)
{
	_cleanup_(pme_protections_done) struct pme_protections protections = {0};
	_cleanup_free_ char *name = pme_saved_object_name(file->inode, file->generation);
	int r = name ? pme_protections_load(os, log, &protections) : -ENOMEM;

	if (r < 0 && !pme_saved_is_shortage(r)) {
		pme_log_add(log, PME_INFO, PME_PROTECT_DIR, "cannot read what is protected: %s",
			    strerror(-r));
		return 0;
	}
	for (size_t i = 0; r == 0 && i < protections.count; i++) {
		struct search s = {
			.protection = &protections.items[i],
			.fs_uuid = fs_uuid ? fs_uuid : "",
			.file = file,
			.log = log,
			.object_name = name,
			.ret = ret,
		};

		r = search_protection(&s, os, root);
	}
	if (r < 0)
		pme_saved_done(ret);
	else if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_age);
	return r;
}

/* --- reading --- */

void *pme_saved_buffer(size_t size)
{
	void *ret;

	return posix_memalign(&ret, BLOCK, size) == 0 ? ret : NULL;
}

int pme_saved_read_raw(int fd, void *buf, size_t size, uint64_t offset, uint64_t end)
{
	size_t want = offset < end ? (size_t)pme_min(size, end - offset) : 0;
	size_t done = 0;

	while (done < want) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ESTALE;
		done += (size_t)n;
		/* A direct read that ends inside of a block has met the end, or an error. */
		if (done < want && done % BLOCK != 0)
			done -= done % BLOCK;
		if (done < want && n < BLOCK)
			return -ESTALE;
	}
	memset((char *)buf + want, 0, size - want);
	return 0;
}

static bool block_is_good(const struct pme_saved *saved, uint64_t block,
			  const struct pme_digest *digest, const void *data, int *ret_error)
{
	struct pme_range range = {.start = block * BLOCK, .length = BLOCK};
	struct pme_digest now = pme_digest_of(data, BLOCK);
	static const char zeros[BLOCK];

	if (!pme_digest_is_none(digest)) {
		*ret_error = -EBADMSG;
		return pme_digest_same(&now, digest);
	}
	if (!pme_manifest_is_empty(saved->manifest, range)) {
		*ret_error = -ENODATA;
		return false;
	}
	*ret_error = -EBADMSG;
	return memcmp(data, zeros, BLOCK) == 0;
}

/* Block by block, where reading all at once fails. */
static int read_one_by_one(const struct pme_saved *saved, uint64_t block, size_t count, char *buf,
			   bool *unread)
{
	int error = 0;

	for (size_t i = 0; i < count; i++) {
		int r = pme_saved_read_raw(saved->copy, buf + i * BLOCK, BLOCK, (block + i) * BLOCK,
					   saved->manifest->size);

		unread[i] = r < 0;
		if (r < 0 && error == 0)
			error = r == -ESTALE ? -EBADMSG : -EIO;
	}
	return error;
}

static int read_digests(const struct pme_saved *saved, uint64_t number)
{
	struct pme_saved_page *page = saved->page;
	int r;

	if (page->number == number)
		return 0;
	page->number = UINT64_MAX;
	r = pme_manifest_sums(saved->manifest, saved->sums, number, page->digests);
	if (r == 0)
		page->number = number;
	return r;
}

int pme_saved_read_blocks(const struct pme_saved *saved, uint64_t block, size_t count, void *buf,
			  bool *ret_bad)
{
	bool unread[PME_MANIFEST_PER_PAGE] = {false};
	size_t first = block % PME_MANIFEST_PER_PAGE;
	int error, r;

	if (count > PME_MANIFEST_PER_PAGE - first)
		return -EINVAL;
	r = read_digests(saved, block / PME_MANIFEST_PER_PAGE);
	if (r < 0)
		return r;
	error = pme_saved_read_raw(saved->copy, buf, count * BLOCK, block * BLOCK,
				   saved->manifest->size);
	if (error < 0)
		error = read_one_by_one(saved, block, count, buf, unread);
	for (size_t i = 0; i < count; i++) {
		bool good = !unread[i] &&
			    block_is_good(saved, block + i, &saved->page->digests[first + i],
					  (char *)buf + i * BLOCK, &r);

		if (ret_bad)
			ret_bad[i] = !good;
		if (!good && error == 0)
			error = r;
	}
	return error;
}

int pme_saved_read(const struct pme_saved *saved, uint64_t offset, size_t size, void *buf)
{
	_cleanup_free_ char *page = NULL;
	uint64_t room, end;

	if (pme_add(offset, size, &end) < 0 ||
	    end > (saved->manifest->size + BLOCK - 1) / BLOCK * BLOCK)
		return -ERANGE;
	room = ((end + BLOCK - 1) / BLOCK - offset / BLOCK) * BLOCK;
	page = pme_saved_buffer((size_t)pme_min(PAGE_BYTES, room));
	if (!page)
		return -ENOMEM;
	while (offset < end) {
		uint64_t block = offset / BLOCK;
		size_t left = PME_MANIFEST_PER_PAGE - block % PME_MANIFEST_PER_PAGE;
		uint64_t stop = pme_min(end, (block + left) * BLOCK);
		size_t count = (size_t)((stop + BLOCK - 1) / BLOCK - block);
		int r = pme_saved_read_blocks(saved, block, count, page, NULL);

		if (r < 0)
			return r;
		memcpy(buf, page + (offset - block * BLOCK), (size_t)(stop - offset));
		buf = (char *)buf + (stop - offset);
		offset = stop;
	}
	return 0;
}

bool pme_saved_is_of_boot(const struct pme_saved *saved)
{
	return saved->sample.boot != 0 && saved->sample.boot == pme_os_boot();
}

int pme_saved_unchanged(const struct pme_saved *saved, int fd)
{
	struct pme_sample now;
	int r;

	if (saved->manifest->has_checkpoint || !saved->manifest->settled ||
	    !pme_saved_is_of_boot(saved))
		return 0;
	r = pme_sample_take(fd, &now);
	return r < 0 ? r
		     : now.devno == saved->sample.devno && pme_sample_same(&now, &saved->sample);
}
