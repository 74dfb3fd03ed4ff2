/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of manifests: read and written; see manifest.h.
 */
#include <endian.h>
#include <string.h>

#include "manifest.h"

#define MAGIC "PMESAVED"
#define FORMAT_VERSION 2
#define FLAG_CHECKPOINT 1U
#define FLAG_SETTLED 2U
#define FLAG_LACKING 4U
#define FLAG_BOOT 8U
#define TEXT_MAX 65536 /* of a path: more than any that can be opened at once */
#define VARINT_MAX 10  /* bytes of one */
#define EXTENT_MIN 2   /* bytes of the shortest extent */
#define EXTENT_MAX (1 + 2 * VARINT_MAX)
#define AMENDMENT_MIN (1 + sizeof(struct pme_digest))
#define AMENDMENT_MAX (VARINT_MAX + sizeof(struct pme_digest))

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

/* Only in as few bytes as it takes: what is read is written back the same. */
static uint64_t take_varint(struct reading *r)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < VARINT_MAX; i++) {
		const unsigned char *pos = (const unsigned char *)take(r, 1);

		if (!pos)
			return 0;
		if (i == VARINT_MAX - 1 && *pos > 1)
			break;
		value |= (uint64_t)(*pos & 0x7f) << (7 * i);
		if (*pos & 0x80)
			continue;
		r->bad |= i > 0 && *pos == 0;
		return value;
	}
	r->bad = true;
	return 0;
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

static bool has_place(enum pme_extent_state state)
{
	return state == PME_EXTENT_DATA || state == PME_EXTENT_UNWRITTEN;
}

/* *@at: where the last one ended, in the file; *@place: on the device. */
static bool take_extent(struct reading *r, struct pme_extent *ret, uint64_t *at, uint64_t *place)
{
	const char *state = take(r, 1);
	uint64_t length = take_varint(r), zigzag;

	if (!state || (unsigned char)*state > PME_EXTENT_DELALLOC || length == 0)
		return false;
	ret->state = (enum pme_extent_state) * state;
	ret->range = (struct pme_range){.start = *at, .length = length};
	if (pme_add(*at, length, at) < 0)
		return false;
	if (!has_place(ret->state))
		return !r->bad;
	zigzag = take_varint(r);
	ret->device_start = *place + (zigzag >> 1 ^ (0 - (zigzag & 1)));
	return !r->bad && pme_add(ret->device_start, length, place) == 0;
}

static int take_extents(struct reading *r, struct pme_manifest *m)
{
	uint64_t count = take_u64(r), at = 0, place = 0;

	if (r->bad || count > r->left / EXTENT_MIN || count > PME_ITEMS_MAX)
		return -EINVAL;
	m->extents.items = calloc(count ? count : 1, sizeof(*m->extents.items));
	if (!m->extents.items)
		return -ENOMEM;
	m->extents.alloc = count;
	for (; m->extents.count < count; m->extents.count++)
		if (!take_extent(r, &m->extents.items[m->extents.count], &at, &place))
			return -EINVAL;
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

static int take_amendments(struct reading *r, struct pme_manifest *m)
{
	struct pme_amendments *list = &m->amended;
	uint64_t count = take_u64(r), block = 0;

	if (r->bad || count > r->left / AMENDMENT_MIN || count > PME_ITEMS_MAX)
		return -EINVAL;
	list->items = calloc(count ? count : 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	list->alloc = count;
	for (; list->count < count; list->count++) {
		struct pme_amendment *item = &list->items[list->count];
		uint64_t since = take_varint(r);
		const char *digest = take(r, sizeof(item->digest));

		if (!digest || (list->count > 0 && since == 0) ||
		    pme_add(block, since, &block) < 0 ||
		    block / PME_MANIFEST_PER_PAGE >= m->n_pages)
			return -EINVAL;
		item->block = block;
		memcpy(item->digest.bytes, digest, sizeof(item->digest));
	}
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
	m->settled = flags & FLAG_SETTLED;
	m->lacking = flags & FLAG_LACKING;
	m->inode = take_u64(r);
	m->inode_generation = take_u32(r);
	m->size = take_u64(r);
	m->mtime = (int64_t)take_u64(r);
	m->ctime = (int64_t)take_u64(r);
	m->boot = flags & FLAG_BOOT ? take_u64(r) : 0;
	m->protection = take_text(r);
	m->fs_uuid = take_text(r);
	m->path = take_text(r);
	if (r->bad || flags & ~(FLAG_CHECKPOINT | FLAG_SETTLED | FLAG_LACKING | FLAG_BOOT) ||
	    (flags & FLAG_BOOT && m->boot == 0))
		return -EINVAL;
	if (!m->protection || !m->fs_uuid || !m->path)
		return -ENOMEM;
	e = take_extents(r, m);
	if (e == 0)
		e = take_pages(r, m);
	if (e == 0)
		e = take_amendments(r, m);
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

static char *put_varint(char *pos, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*pos++ = (char)(value | 0x80);
	*pos++ = (char)value;
	return pos;
}

static char *put_extents(char *pos, const struct pme_extents *extents)
{
	uint64_t place = 0;

	pos = put_u64(pos, extents->count);
	for (size_t i = 0; i < extents->count; i++) {
		const struct pme_extent *extent = &extents->items[i];
		uint64_t delta = extent->device_start - place;

		*pos++ = (char)extent->state;
		pos = put_varint(pos, extent->range.length);
		if (!has_place(extent->state))
			continue;
		pos = put_varint(pos, delta << 1 ^ (0 - (delta >> 63)));
		place = extent->device_start + extent->range.length;
	}
	return pos;
}

static char *put_amendments(char *pos, const struct pme_amendments *list)
{
	uint64_t block = 0;

	pos = put_u64(pos, list->count);
	for (size_t i = 0; i < list->count; i++) {
		pos = put_varint(pos, list->items[i].block - block);
		block = list->items[i].block;
		pos = put(pos, &list->items[i].digest, sizeof(list->items[i].digest));
	}
	return pos;
}

static size_t largest_size(const struct pme_manifest *m)
{
	return strlen(MAGIC) + 4 + 4 + 8 + 8 + 8 + 4 + 8 + 4 + 8 + 8 + 8 + 8 + 4 +
	       strlen(m->protection) + 4 + strlen(m->fs_uuid) + 4 + strlen(m->path) + 8 +
	       m->extents.count * EXTENT_MAX + 8 + m->n_pages * sizeof(*m->pages) + 8 +
	       m->amended.count * AMENDMENT_MAX + sizeof(struct pme_digest);
}

static char *put_all(char *pos, const struct pme_manifest *m)
{
	pos = put(pos, MAGIC, strlen(MAGIC));
	pos = put_u32(pos, FORMAT_VERSION);
	pos = put_u32(pos, PME_MANIFEST_BLOCK);
	pos = put_u64(pos, m->nonce);
	pos = put_u64(pos, m->generation);
	pos = put_u64(pos, (uint64_t)m->taken);
	pos = put_u32(pos, (m->has_checkpoint ? FLAG_CHECKPOINT : 0) |
				   (m->settled ? FLAG_SETTLED : 0) |
				   (m->lacking ? FLAG_LACKING : 0) | (m->boot ? FLAG_BOOT : 0));
	pos = put_u64(pos, m->inode);
	pos = put_u32(pos, m->inode_generation);
	pos = put_u64(pos, m->size);
	pos = put_u64(pos, (uint64_t)m->mtime);
	pos = put_u64(pos, (uint64_t)m->ctime);
	if (m->boot)
		pos = put_u64(pos, m->boot);
	pos = put_text(pos, m->protection);
	pos = put_text(pos, m->fs_uuid);
	pos = put_text(pos, m->path);
	pos = put_extents(pos, &m->extents);
	pos = put_u64(pos, m->n_pages);
	pos = put(pos, m->pages, m->n_pages * sizeof(*m->pages));
	return put_amendments(pos, &m->amended);
}

int pme_manifest_format(const struct pme_manifest *manifest, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = malloc(largest_size(manifest));
	struct pme_digest digest;
	char *end;

	if (!buf)
		return -ENOMEM;
	end = put_all(buf, manifest);
	digest = pme_digest_of(buf, (size_t)(end - buf));
	end = put(end, digest.bytes, sizeof(digest.bytes));
	*ret_len = (size_t)(end - buf);
	*ret = pme_take_ptr(buf);
	return 0;
}
