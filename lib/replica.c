/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing replicas; see replica.h.
 */
#include "replica.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "checkpoint.h"
#include "saved-place.h"

#define BLOCK PME_SAVED_BLOCK
#define PER_PAGE PME_MANIFEST_PER_PAGE
#define PAGE_BYTES ((size_t)BLOCK * PER_PAGE)

struct writing {
	struct pme_replica_job *job;
	int data, sums;
	bool cloned; /* @data and @sums began as those of the base */
	char *buf;   /* of a page of blocks, aligned */
	struct pme_digest old[PER_PAGE], new[PER_PAGE];
	struct pme_digest stored[PER_PAGE]; /* the page of the base */
};

int pme_replica_can_share(int dir)
{
	static const char a[] = "share-a", b[] = "share-b";
	_cleanup_close_ int from = -1, to = -1;
	int r;

	unlinkat(dir, a, 0);
	unlinkat(dir, b, 0);
	from = pme_os_create_at(dir, a, 0600);
	to = from < 0 ? from : pme_os_create_at(dir, b, 0600);
	r = to < 0 ? to : pme_os_ioctl(to, FICLONE, (void *)(intptr_t)from);
	unlinkat(dir, a, 0);
	unlinkat(dir, b, 0);
	if (to < 0)
		return to;
	return r >= 0;
}

/* What is there of that name is of a sync that was killed. */
static int create(int dir, uint64_t version, const char *suffix)
{
	_cleanup_free_ char *name = pme_replica_name(version, suffix);

	if (!name)
		return -ENOMEM;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return pme_os_create_at(dir, name, 0600);
}

/* What is whole is never written over. */
static int is_published(int object, uint64_t version)
{
	const struct pme_os here = {.root = object};
	_cleanup_free_ char *name = pme_replica_name(version, "manifest");

	return name ? pme_os_exists(&here, name) : -ENOMEM;
}

static int write_at(int fd, const void *buf, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n =
			pwrite(fd, (const char *)buf + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static struct pme_range block_range(uint64_t block, uint64_t count)
{
	return (struct pme_range){.start = block * BLOCK, .length = count * BLOCK};
}

static bool has_changed(const struct writing *w, uint64_t block, uint64_t count)
{
	return !w->job->base || pme_range_list_meets(w->job->changed, block_range(block, count));
}

/* A block that is zero because nobody wrote it, or that has no bytes: none in the copy, either. */
static int drop_block(const struct writing *w, uint64_t block)
{
	uint64_t start = block * BLOCK;

	if (!w->cloned)
		return 0;
	return fallocate(w->data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, BLOCK) <
			       0
		       ? -errno
		       : 0;
}

static int put_run(struct writing *w, uint64_t block, size_t count, const char *buf)
{
	uint64_t start = block * BLOCK;
	size_t size = (size_t)pme_min(count * BLOCK, w->job->manifest->size - start);

	w->job->bytes_written += size;
	return write_at(w->data, buf, size, start);
}

/*
 * @count blocks at @buf, which are those from @block on, digested, and written where the copy has
 * not got them from the base.
 */
static int put_blocks(struct writing *w, uint64_t block, size_t count, const char *buf)
{
	size_t at = block % PER_PAGE, from = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct pme_digest *digest = &w->new[at + i];

		*digest = pme_digest_of(buf + i * BLOCK, BLOCK);
		if (!w->cloned || !pme_digest_same(digest, &w->old[at + i]))
			continue;
		if (from < i)
			r = put_run(w, block + from, i - from, buf + from * BLOCK);
		from = i + 1;
	}
	return r == 0 && from < count ? put_run(w, block + from, count - from, buf + from * BLOCK)
				      : r;
}

static bool is_media_error(int error)
{
	return error == -EIO || error == -ENODATA || error == -EBADMSG || error == -EHWPOISON;
}

/* From the source; where that cannot be read, block by block, without those that cannot. */
static int copy_blocks(struct writing *w, uint64_t block, size_t count)
{
	char *buf = w->buf + (block % PER_PAGE) * BLOCK;
	uint64_t size = w->job->manifest->size;
	int r = pme_saved_read_raw(w->job->source, buf, count * BLOCK, block * BLOCK, size);

	w->job->bytes_read += count * BLOCK;
	if (r == 0)
		return put_blocks(w, block, count, buf);
	if (!is_media_error(r))
		return r;
	for (size_t i = 0; i < count; i++) {
		r = pme_saved_read_raw(w->job->source, buf, BLOCK, (block + i) * BLOCK, size);
		if (r == 0) {
			r = put_blocks(w, block + i, 1, buf);
		} else if (is_media_error(r)) {
			w->job->unreadable++;
			r = drop_block(w, block + i);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Unchanged blocks: they are there, or come from the base if that is still good. */
static int keep_blocks(struct writing *w, uint64_t block, size_t count)
{
	size_t at = block % PER_PAGE;
	char *buf = w->buf + at * BLOCK;
	bool bad[PER_PAGE];
	int r;

	if (w->cloned) {
		memcpy(&w->new[at], &w->old[at], count * sizeof(w->new[0]));
		return 0;
	}
	memset(bad, true, sizeof(bad));
	r = pme_saved_read_blocks(w->job->base, block, count, buf, bad);
	if (r == 0)
		return put_blocks(w, block, count, buf);
	for (size_t i = 0; i < count; i++) {
		w->job->healed += bad[i];
		r = bad[i] ? copy_blocks(w, block + i, 1)
			   : put_blocks(w, block + i, 1, buf + i * BLOCK);
		if (r < 0)
			return r;
	}
	return 0;
}

enum fate { EMPTY, KEEP, COPY };

static enum fate fate_of(const struct writing *w, uint64_t block)
{
	if (pme_manifest_is_empty(w->job->manifest, block_range(block, 1)))
		return EMPTY;
	/* Without its old digest nobody knows what the base has. */
	return has_changed(w, block, 1) || pme_digest_is_none(&w->old[block % PER_PAGE]) ? COPY
											 : KEEP;
}

static int do_blocks(struct writing *w, enum fate fate, uint64_t block, size_t count)
{
	int r = 0;

	switch (fate) {
	case EMPTY:
		for (size_t i = 0; r == 0 && i < count; i++)
			if (has_changed(w, block + i, 1))
				r = drop_block(w, block + i);
		return r;
	case KEEP:
		return keep_blocks(w, block, count);
	case COPY:
		return copy_blocks(w, block, count);
	}
	return -EINVAL;
}

/* What is not written reads as zeros: a file of holes costs nothing, however long it is. */
static int write_sums(struct writing *w, uint64_t page)
{
	const struct pme_saved *base = w->job->base;
	static const struct pme_digest none[PER_PAGE];

	w->job->manifest->pages[page] = pme_digest_of(w->new, sizeof(w->new));
	if (!(w->cloned && page < base->manifest->n_pages) &&
	    memcmp(w->new, none, sizeof(w->new)) == 0)
		return 0;
	return write_at(w->sums, w->new, sizeof(w->new), page * PME_MANIFEST_PAGE);
}

/* Is the page of the base good?  A damaged one is not believed in any of its digests. */
static bool load_page(struct writing *w, uint64_t page)
{
	const struct pme_saved *base = w->job->base;

	memset(w->old, 0, sizeof(w->old));
	memset(w->new, 0, sizeof(w->new));
	if (!base || page >= base->manifest->n_pages ||
	    pme_manifest_stored(base->manifest, base->sums, page, w->stored) < 0)
		return false;
	memcpy(w->old, w->stored, sizeof(w->old));
	pme_manifest_amend(base->manifest, page, w->old);
	return true;
}

static int write_page(struct writing *w, uint64_t page, size_t count)
{
	uint64_t first = page * PER_PAGE;
	bool good = load_page(w, page);
	int r = 0;

	for (size_t i = 0; i < count;) {
		enum fate fate = fate_of(w, first + i);
		size_t run = 1;

		while (i + run < count && fate_of(w, first + i + run) == fate)
			run++;
		r = do_blocks(w, fate, first + i, run);
		if (r < 0)
			return r;
		i += run;
	}
	if (good && w->cloned)
		r = pme_manifest_share_page(w->job->manifest, page, w->stored, w->new);
	return r != 0 ? r : write_sums(w, page);
}

static int write_pages(struct writing *w)
{
	struct pme_manifest *m = w->job->manifest;
	const struct pme_saved *base = w->job->base;
	uint64_t blocks = m->size / BLOCK + (m->size % BLOCK != 0);

	for (uint64_t page = 0; page < m->n_pages; page++) {
		size_t count = (size_t)pme_min(PER_PAGE, blocks - page * PER_PAGE);
		/* What the base lacks is tried again, wherever that is. */
		bool same = w->cloned && page < base->manifest->n_pages &&
			    !base->manifest->lacking && !has_changed(w, page * PER_PAGE, PER_PAGE);
		int r = same ? pme_manifest_keep_page(m, base->manifest, page)
			     : write_page(w, page, count);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Both, or none: neither is of use without the other. */
static int clone_base(struct writing *w)
{
	const struct pme_saved *base = w->job->base;

	if (!base || w->job->fresh)
		return 0;
	w->cloned = pme_os_ioctl(w->data, FICLONE, (void *)(intptr_t)base->copy) >= 0 &&
		    pme_os_ioctl(w->sums, FICLONE, (void *)(intptr_t)base->sums) >= 0;
	if (w->cloned)
		return 0;
	return ftruncate(w->data, 0) < 0 || ftruncate(w->sums, 0) < 0 ? -errno : 0;
}

static int confirm(const struct pme_replica_job *job)
{
	struct pme_sample now;
	int r = job->sample ? pme_sample_take(job->source, &now) : 0;

	if (r < 0 || !job->sample)
		return r;
	return pme_sample_same(&now, job->sample) ? 0 : -ESTALE;
}

static int write_version(struct writing *w)
{
	struct pme_manifest *m = w->job->manifest;
	_cleanup_free_ char *name = pme_replica_name(m->generation, "manifest.new");
	int r = name ? clone_base(w) : -ENOMEM;

	if (r == 0 && (ftruncate(w->data, (off_t)m->size) < 0 ||
		       ftruncate(w->sums, (off_t)(m->n_pages * PME_MANIFEST_PAGE)) < 0))
		r = -errno;
	if (r == 0)
		r = write_pages(w);
	if (r == 0)
		r = confirm(w->job);
	m->lacking = w->job->unreadable > 0;
	return r < 0 ? r : pme_manifest_write(w->job->object, name, m);
}

int pme_replica_write(struct pme_replica_job *job)
{
	_cleanup_close_ int data = -1, sums = -1;
	_cleanup_free_ char *buf = pme_saved_buffer(PAGE_BYTES);
	struct pme_manifest *m = job->manifest;
	uint64_t pages = pme_manifest_pages(m->size);
	struct writing *w = calloc(1, sizeof(*w));
	_cleanup_free_ void *owned = w;
	int r;

	if (pages > PME_ITEMS_MAX)
		return -EFBIG;
	m->pages = calloc(pages ? pages : 1, sizeof(*m->pages));
	if (!buf || !w || !m->pages)
		return -ENOMEM;
	r = is_published(job->object, m->generation);
	if (r != 0)
		return r < 0 ? r : -EEXIST;
	m->n_pages = pages;
	data = create(job->object, m->generation, "data");
	sums = data < 0 ? data : create(job->object, m->generation, "sums");
	*w = (struct writing){.job = job, .data = data, .sums = sums, .buf = buf};
	r = sums < 0 ? sums : write_version(w);
	if (r < 0)
		pme_replica_remove(job->object, m->generation, -1);
	return r;
}
