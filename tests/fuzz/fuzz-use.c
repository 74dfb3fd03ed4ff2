/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: first bytes of files, command lines of hypervisors, pool set files.
 * Parsers: use-file use-pool-parse
 */
#include "fuzz.h"
#include "use-file.h"
#include "use-pool.h"

#define PART "/p/0"

static void check_set(const char *text, size_t size)
{
	struct pme_pool_place place = {0};
	int r = pme_pool_set_parse(text, size, PART, &place);

	FUZZ_CHECK(r == 0 || r == 1 || r == -EINVAL);
	if (r != 1)
		return;
	FUZZ_CHECK(place.part >= 1 && place.part <= place.parts);
	FUZZ_CHECK(place.replica >= 1 && place.replica <= place.replicas);
	FUZZ_CHECK(memmem(text, size, PART, strlen(PART)));
}

static void check_guest(const char *text, size_t size)
{
	char *name = NULL;
	int r = pme_guest_name_parse(text, size, &name);

	FUZZ_CHECK(r == 1 ? name && *name && strlen(name) < size : !name);
	free(name);
	if (pme_guest_disk_parse(text, size, PART))
		FUZZ_CHECK(memmem(text, size, PART, strlen(PART)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size);
	struct pme_pool pool = {0};

	if (pme_pool_parse(text, size, &pool) == 0)
		FUZZ_CHECK(size >= PME_POOL_HEADER && strlen(pool.set) == 36 &&
			   !(pool.has_parts && pool.has_replicas));
	if (pme_sqlite_parse(text, size))
		FUZZ_CHECK(!pme_image_parse(text, size) && memcmp(text, "SQLite", 6) == 0);
	check_set(text, size);
	check_guest(text, size);
	return 0;
}
