/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Manifests of kept versions; see manifest.h.
 */
#include "manifest.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <xxhash.h>

#include "os.h"

#define MAGIC "PMESAVED"
#define FORMAT_VERSION 1
#define FLAG_CHECKPOINT 1U
#define EXTENT_SIZE 28
#define TEXT_MAX 65536 /* of a path: more than any that can be opened at once */
#define FILE_MAX (1U << 30)

struct pme_digest pme_digest_of(const void *data, size_t size)
{
	XXH128_canonical_t canonical;
	struct pme_digest digest;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
	memcpy(digest.bytes, canonical.digest, sizeof(digest.bytes));
	return digest;
}

bool pme_digest_same(const struct pme_digest *a, const struct pme_digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool pme_digest_is_none(const struct pme_digest *digest)
{
	static const struct pme_digest none;

	return pme_digest_same(digest, &none);
}

void pme_manifest_done(struct pme_manifest *manifest)
{
	free(manifest->protection);
	free(manifest->fs_uuid);
	free(manifest->path);
	free(manifest->pages);
	pme_extents_done(&manifest->extents);
	*manifest = (struct pme_manifest){0};
}

uint64_t pme_manifest_pages(uint64_t size)
{
	uint64_t page = (uint64_t)PME_MANIFEST_BLOCK * PME_MANIFEST_PER_PAGE;

	return size / page + (size % page != 0);
}

/* The first extent that ends behind @at. */
static size_t find_extent(const struct pme_extents *extents, uint64_t at)
{
	size_t low = 0, high = extents->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pme_range_end(extents->items[middle].range) <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool pme_manifest_is_empty(const struct pme_manifest *manifest, struct pme_range range)
{
	const struct pme_extents *extents = &manifest->extents;

	for (size_t i = find_extent(extents, range.start); i < extents->count; i++) {
		const struct pme_extent *extent = &extents->items[i];

		if (extent->range.start >= pme_range_end(range))
			break;
		if (extent->state != PME_EXTENT_HOLE && extent->state != PME_EXTENT_UNWRITTEN)
			return false;
	}
	return true;
}

/* --- reading --- */

struct reading {
	const char *pos;
	size_t left;
	bool bad;
};

static const char *take(struct reading *r, size_t size)
{
	const char *pos = r->pos;

	if (r->bad || r->left < size) {
		r->bad = true;
		return NULL;
	}
	r->pos += size;
	r->left -= size;
	return pos;
}

static uint32_t take_u32(struct reading *r)
{
	const char *pos = take(r, 4);
	uint32_t value = 0;

	if (pos)
		memcpy(&value, pos, sizeof(value));
	return le32toh(value);
}

static uint64_t take_u64(struct reading *r)
{
	const char *pos = take(r, 8);
	uint64_t value = 0;

	if (pos)
		memcpy(&value, pos, sizeof(value));
	return le64toh(value);
}

/* NULL also without memory: then the reading is not bad. */
static char *take_text(struct reading *r)
{
	uint32_t len = take_u32(r);
	const char *pos = len <= TEXT_MAX ? take(r, len) : NULL;

	if (!pos || memchr(pos, '\0', len)) {
		r->bad = true;
		return NULL;
	}
	return strndup(pos, len);
}

static int take_extents(struct reading *r, struct pme_manifest *m)
{
	uint64_t count = take_u64(r), at = 0;

	if (r->bad || count > r->left / EXTENT_SIZE || count > PME_ITEMS_MAX)
		return -EINVAL;
	m->extents.items = calloc(count ? count : 1, sizeof(*m->extents.items));
	if (!m->extents.items)
		return -ENOMEM;
	m->extents.alloc = count;
	for (; m->extents.count < count; m->extents.count++) {
		struct pme_extent *extent = &m->extents.items[m->extents.count];
		uint32_t state;
		uint64_t end;

		extent->range.start = take_u64(r);
		extent->range.length = take_u64(r);
		state = take_u32(r);
		extent->device_start = take_u64(r);
		if (state > PME_EXTENT_DELALLOC || extent->range.start != at ||
		    extent->range.length == 0 || pme_add(at, extent->range.length, &at) < 0 ||
		    pme_add(extent->device_start, extent->range.length, &end) < 0)
			return -EINVAL;
		extent->state = (enum pme_extent_state)state;
	}
	return at == m->size ? 0 : -EINVAL;
}

static int take_pages(struct reading *r, struct pme_manifest *m)
{
	uint64_t count = take_u64(r);

	if (r->bad || count != pme_manifest_pages(m->size) || count > r->left / sizeof(*m->pages) ||
	    count > PME_ITEMS_MAX)
		return -EINVAL;
	m->pages = calloc(count ? count : 1, sizeof(*m->pages));
	if (!m->pages)
		return -ENOMEM;
	m->n_pages = count;
	memcpy(m->pages, take(r, count * sizeof(*m->pages)), count * sizeof(*m->pages));
	return 0;
}

static int take_all(struct reading *r, struct pme_manifest *m)
{
	uint32_t flags;
	int e;

	m->nonce = take_u64(r);
	m->generation = take_u64(r);
	m->taken = (int64_t)take_u64(r);
	flags = take_u32(r);
	m->has_checkpoint = flags & FLAG_CHECKPOINT;
	m->inode = take_u64(r);
	m->inode_generation = take_u32(r);
	m->size = take_u64(r);
	m->mtime = (int64_t)take_u64(r);
	m->ctime = (int64_t)take_u64(r);
	m->protection = take_text(r);
	m->fs_uuid = take_text(r);
	m->path = take_text(r);
	if (r->bad || flags & ~FLAG_CHECKPOINT)
		return -EINVAL;
	if (!m->protection || !m->fs_uuid || !m->path)
		return -ENOMEM;
	e = take_extents(r, m);
	if (e == 0)
		e = take_pages(r, m);
	return e == 0 && r->left > 0 ? -EINVAL : e;
}

int pme_manifest_parse(const char *data, size_t len, struct pme_manifest *ret)
{
	_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
	struct reading r = {.pos = data, .left = len};
	const char *magic = take(&r, strlen(MAGIC));
	struct pme_digest digest;
	int e;

	if (!magic || memcmp(magic, MAGIC, strlen(MAGIC)) != 0)
		return -EINVAL;
	if (take_u32(&r) != FORMAT_VERSION)
		return r.bad ? -EBADMSG : -EPROTONOSUPPORT;
	if (take_u32(&r) != PME_MANIFEST_BLOCK || r.left < sizeof(digest))
		return -EBADMSG;
	r.left -= sizeof(digest);
	digest = pme_digest_of(data, len - sizeof(digest));
	if (memcmp(digest.bytes, data + len - sizeof(digest), sizeof(digest)) != 0)
		return -EBADMSG;
	e = take_all(&r, &m);
	if (e < 0)
		return e == -EINVAL ? -EBADMSG : e;
	*ret = m;
	m = (struct pme_manifest){0};
	return 0;
}

/* --- writing --- */

static char *put(char *pos, const void *data, size_t size)
{
	if (size)
		memcpy(pos, data, size);
	return pos + size;
}

static char *put_u32(char *pos, uint32_t value)
{
	value = htole32(value);
	return put(pos, &value, sizeof(value));
}

static char *put_u64(char *pos, uint64_t value)
{
	value = htole64(value);
	return put(pos, &value, sizeof(value));
}

static char *put_text(char *pos, const char *text)
{
	size_t len = strlen(text);

	return put(put_u32(pos, (uint32_t)len), text, len);
}

static size_t size_of(const struct pme_manifest *m)
{
	return strlen(MAGIC) + 4 + 4 + 8 + 8 + 8 + 4 + 8 + 4 + 8 + 8 + 8 + 4 +
	       strlen(m->protection) + 4 + strlen(m->fs_uuid) + 4 + strlen(m->path) + 8 +
	       m->extents.count * EXTENT_SIZE + 8 + m->n_pages * sizeof(*m->pages) +
	       sizeof(struct pme_digest);
}

static char *put_all(char *pos, const struct pme_manifest *m)
{
	pos = put(pos, MAGIC, strlen(MAGIC));
	pos = put_u32(pos, FORMAT_VERSION);
	pos = put_u32(pos, PME_MANIFEST_BLOCK);
	pos = put_u64(pos, m->nonce);
	pos = put_u64(pos, m->generation);
	pos = put_u64(pos, (uint64_t)m->taken);
	pos = put_u32(pos, m->has_checkpoint ? FLAG_CHECKPOINT : 0);
	pos = put_u64(pos, m->inode);
	pos = put_u32(pos, m->inode_generation);
	pos = put_u64(pos, m->size);
	pos = put_u64(pos, (uint64_t)m->mtime);
	pos = put_u64(pos, (uint64_t)m->ctime);
	pos = put_text(pos, m->protection);
	pos = put_text(pos, m->fs_uuid);
	pos = put_text(pos, m->path);
	pos = put_u64(pos, m->extents.count);
	for (size_t i = 0; i < m->extents.count; i++) {
		pos = put_u64(pos, m->extents.items[i].range.start);
		pos = put_u64(pos, m->extents.items[i].range.length);
		pos = put_u32(pos, (uint32_t)m->extents.items[i].state);
		pos = put_u64(pos, m->extents.items[i].device_start);
	}
	pos = put_u64(pos, m->n_pages);
	return put(pos, m->pages, m->n_pages * sizeof(*m->pages));
}

int pme_manifest_format(const struct pme_manifest *manifest, char **ret, size_t *ret_len)
{
	size_t len = size_of(manifest);
	_cleanup_free_ char *buf = malloc(len);
	struct pme_digest digest;
	char *end;

	if (!buf)
		return -ENOMEM;
	end = put_all(buf, manifest);
	digest = pme_digest_of(buf, (size_t)(end - buf));
	put(end, digest.bytes, sizeof(digest.bytes));
	*ret = pme_take_ptr(buf);
	*ret_len = len;
	return 0;
}

/* --- files --- */

int pme_manifest_read(int dir, const char *name, struct pme_manifest *ret)
{
	_cleanup_close_ int fd = pme_os_open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = fd < 0 ? fd : pme_os_read_fd(fd, FILE_MAX, &data, &len);

	return r < 0 ? r : pme_manifest_parse(data, len, ret);
}

int pme_manifest_write(int dir, const char *name, const struct pme_manifest *manifest)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	size_t len;
	int r = pme_manifest_format(manifest, &data, &len);

	if (r < 0)
		return r;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = pme_os_create_at(dir, name, 0600);
	return fd < 0 ? fd : pme_os_pwrite(fd, data, len, 0);
}

int pme_manifest_sums(const struct pme_manifest *manifest, int fd, uint64_t page,
		      struct pme_digest ret[PME_MANIFEST_PER_PAGE])
{
	struct pme_digest digest;
	int r;

	if (page >= manifest->n_pages)
		return -ERANGE;
	r = pme_os_pread(fd, ret, PME_MANIFEST_PAGE, page * PME_MANIFEST_PAGE);
	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	digest = pme_digest_of(ret, PME_MANIFEST_PAGE);
	return pme_digest_same(&digest, &manifest->pages[page]) ? 0 : -EBADMSG;
}

const char *pme_manifest_error(int error)
{
	switch (error) {
	case -EINVAL:
		return "it is no manifest of pmemctl";
	case -EPROTONOSUPPORT:
		return "its manifest is of a newer version of pmemctl";
	case -EBADMSG:
		return "its manifest is damaged";
	}
	return strerror(-error);
}
