/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the manifest of a kept version, as it is, and with its digest made right.  One that
 * is taken is what it says: extents without gaps, as many pages as the size has, the same bytes
 * when it is written again.
 * Parsers: manifest-format
 */
#include "fuzz.h"
#include "manifest.h"

static void check_taken(const struct pme_manifest *m, const char *data, size_t size)
{
	_cleanup_free_ char *again = NULL;
	uint64_t at = 0;
	size_t len;

	for (size_t i = 0; i < m->extents.count; i++) {
		FUZZ_CHECK(m->extents.items[i].range.start == at);
		FUZZ_CHECK(m->extents.items[i].range.length > 0);
		at = pme_range_end(m->extents.items[i].range);
	}
	FUZZ_CHECK(at == m->size);
	FUZZ_CHECK(m->n_pages == pme_manifest_pages(m->size));
	pme_manifest_is_empty(m, (struct pme_range){.start = m->size / 2, .length = 4096});
	FUZZ_CHECK(pme_manifest_format(m, &again, &len) == 0);
	FUZZ_CHECK(len == size && memcmp(again, data, len) == 0);
}

static void check(const char *data, size_t size)
{
	struct pme_manifest m;
	int r = pme_manifest_parse(data, size, &m);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return;
	check_taken(&m, data, size);
	pme_manifest_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = calloc(1, size ? size : 1);
	struct pme_digest digest;

	FUZZ_CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	check(copy, size);
	if (size < sizeof(digest))
		return 0;
	digest = pme_digest_of(copy, size - sizeof(digest));
	memcpy(copy + size - sizeof(digest), &digest, sizeof(digest));
	check(copy, size);
	return 0;
}
