/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a block of a directory of ext4.  The first byte of the input says whether it is one
 * of 64 KiB, which the rest begins then.  Names lie in the block, one behind the other.
 * Parsers: ext4-dirent
 */
#include "ext4-dirent.h"
#include "fuzz.h"

static void check(const unsigned char *block, uint32_t size)
{
	const char *end = (const char *)block + size, *last = (const char *)block;
	struct pme_ext4_dirent entry;
	uint32_t pos = 0, before = 0;
	int r;

	while ((r = pme_ext4_dirent_next(block, size, &pos, &entry)) > 0) {
		FUZZ_CHECK(pos > before && pos <= size && entry.ino != 0);
		FUZZ_CHECK(entry.name > last && entry.name <= end && entry.len <= 255 &&
			   entry.len <= (size_t)(end - entry.name));
		if (pme_ext4_dirent_is_name(&entry))
			FUZZ_CHECK(!memchr(entry.name, '/', entry.len) && entry.name[0] != '\0');
		last = entry.name + entry.len;
		before = pos;
	}
	FUZZ_CHECK(r == 0 || r == -EUCLEAN);
}

/* At the end of the array, so that the sanitizer sees what is read behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char room[65536];
	size_t bytes = size > 0 ? size - 1 : 0;
	unsigned char *block = room;

	if (bytes == 0 || bytes > sizeof(room))
		return 0;
	memset(room, 0, sizeof(room));
	if (!(data[0] & 1))
		block = room + sizeof(room) - bytes;
	memcpy(block, data + 1, bytes);
	check(block, (uint32_t)(room + sizeof(room) - block));
	return 0;
}
