/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the buffer that XFS_IOC_GETPARENTS fills.  Names can be names, and the end comes.
 * Parsers: xfs-parents
 */
#include "fuzz.h"
#include "xfs-parents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *buf = fuzz_copy(data, size);
	struct pme_xfs_parent parent;
	size_t pos = 0, last = 0;

	while (pme_xfs_parent_next(buf, size, &pos, &parent) > 0) {
		FUZZ_CHECK(parent.name_len > 0 && !memchr(parent.name, '/', parent.name_len));
		FUZZ_CHECK(pos > last && pos <= size);
		last = pos;
	}
	return 0;
}
