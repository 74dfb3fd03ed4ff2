/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Manifests of kept versions; see manifest.h.
 */
#include "manifest.h"

#include <fcntl.h>
#include <string.h>
#include <xxhash.h>

#include "os.h"

#define FILE_MAX (1U << 30)
#define PAGE_AMENDMENTS_MIN 8
#define PAGE_AMENDMENTS_SPREAD 17
#define AMENDMENTS_MAX (1U << 20) /* of a file: a manifest of 18 MB */

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
	free(manifest->amended.items);
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

int pme_manifest_stored(const struct pme_manifest *manifest, int fd, uint64_t page,
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

int pme_manifest_sums(const struct pme_manifest *manifest, int fd, uint64_t page,
		      struct pme_digest ret[PME_MANIFEST_PER_PAGE])
{
	int r = pme_manifest_stored(manifest, fd, page, ret);

	if (r == 0)
		pme_manifest_amend(manifest, page, ret);
	return r;
}

/* --- amendments --- */

/* The first of block @block or one behind it. */
static size_t find_amendment(const struct pme_amendments *list, uint64_t block)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->items[middle].block < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_amendment(struct pme_amendments *list, uint64_t block,
			 const struct pme_digest *digest)
{
	int r = pme_grow(&list->items, &list->alloc, list->count, sizeof(*list->items));

	if (r < 0)
		return r;
	list->items[list->count++] = (struct pme_amendment){.block = block, .digest = *digest};
	return 0;
}

void pme_manifest_amend(const struct pme_manifest *manifest, uint64_t page,
			struct pme_digest digests[PME_MANIFEST_PER_PAGE])
{
	const struct pme_amendments *list = &manifest->amended;
	uint64_t first = page * PME_MANIFEST_PER_PAGE;

	for (size_t i = find_amendment(list, first);
	     i < list->count && list->items[i].block - first < PME_MANIFEST_PER_PAGE; i++)
		digests[list->items[i].block - first] = list->items[i].digest;
}

/*
 * So many amendments of a page are written with each version rather than the page once.  Not the
 * same for all: where changes are spread evenly, pages would all be due in the same version.
 */
static size_t amendments_of_page(uint64_t page)
{
	return PAGE_AMENDMENTS_MIN + page % PAGE_AMENDMENTS_SPREAD;
}

int pme_manifest_share_page(struct pme_manifest *manifest, uint64_t page,
			    const struct pme_digest stored[PME_MANIFEST_PER_PAGE],
			    const struct pme_digest now[PME_MANIFEST_PER_PAGE])
{
	size_t count = 0;

	for (size_t i = 0; i < PME_MANIFEST_PER_PAGE; i++)
		count += !pme_digest_same(&stored[i], &now[i]);
	if (count > amendments_of_page(page) || manifest->amended.count + count > AMENDMENTS_MAX)
		return 0;
	for (size_t i = 0; i < PME_MANIFEST_PER_PAGE; i++) {
		int r = pme_digest_same(&stored[i], &now[i])
				? 0
				: add_amendment(&manifest->amended,
						page * PME_MANIFEST_PER_PAGE + i, &now[i]);

		if (r < 0)
			return r;
	}
	manifest->pages[page] = pme_digest_of(stored, PME_MANIFEST_PAGE);
	return 1;
}

int pme_manifest_keep_page(struct pme_manifest *manifest, const struct pme_manifest *base,
			   uint64_t page)
{
	const struct pme_amendments *list = &base->amended;
	uint64_t first = page * PME_MANIFEST_PER_PAGE;

	for (size_t i = find_amendment(list, first);
	     i < list->count && list->items[i].block - first < PME_MANIFEST_PER_PAGE; i++) {
		int r = add_amendment(&manifest->amended, list->items[i].block,
				      &list->items[i].digest);

		if (r < 0)
			return r;
	}
	manifest->pages[page] = base->pages[page];
	return 0;
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
