/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: files of protections and of their states, and names of what is kept.  What is taken
 * is within its bounds.
 * Parsers: saved-conf saved-place
 */
#include "fuzz.h"
#include "saved-conf.h"
#include "saved-place.h"

static void check_protection(const char *text, size_t size)
{
	struct pme_protection p;
	int r = pme_protection_parse(text, size, &p);

	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	FUZZ_CHECK(p.path[0] == '/' && p.replica[0] == '/');
	FUZZ_CHECK(!strstr(p.path, "/../") && !strstr(p.replica, "//"));
	FUZZ_CHECK(p.keep > 0 && p.keep <= PME_PROTECT_KEEP_MAX);
	FUZZ_CHECK(p.every <= PME_PROTECT_EVERY_MAX);
	FUZZ_CHECK(pme_protection_is_id(p.id));
	pme_protection_done(&p);
}

static void check_names(const char *text)
{
	uint64_t inode, version;
	uint32_t generation;

	if (pme_saved_object_parse(text, &inode, &generation) == 0) {
		_cleanup_free_ char *name = pme_saved_object_name(inode, generation);

		FUZZ_CHECK(strcmp(name, text) == 0);
	}
	if (pme_saved_checkpoint_parse(text, &inode, &generation, &version) == 0)
		FUZZ_CHECK(strlen(text) == 16 + 1 + 8 + 1 + 16 + 1 + 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size), *string = strndup(text, size);
	struct pme_protection_state state;
	int r = pme_protection_state_parse(text, size, &state);

	FUZZ_CHECK(string);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	check_protection(text, size);
	check_names(string);
	return 0;
}
