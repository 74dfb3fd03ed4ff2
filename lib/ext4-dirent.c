/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of directories; see ext4-dirent.h.
 *
 * The block may be written by the kernel while it is read, so an entry may be half of one and half
 * of another: nothing here is more than a hint, but for staying inside the block.
 */
#include "ext4-dirent.h"

#include <string.h>

#include "reader.h"

#define HEAD 8U	      /* inode, length of the entry, length of the name, type */
#define ENTRY_MIN 12U /* with a name of one byte */
#define ALIGN 4U

/* The length of an entry has 16 bits; of blocks of 64 KiB the two lowest are bits 16 and 17. */
static uint32_t read_length(const unsigned char *at, uint32_t size)
{
	uint32_t len = at[0] | (uint32_t)at[1] << 8;

	if (size < 65536)
		return len;
	if (len == 0 || len == 65535)
		return size;
	return (len & 65532) | (len & 3) << 16;
}

int pme_ext4_dirent_next(const unsigned char *block, uint32_t size, uint32_t *pos,
			 struct pme_ext4_dirent *ret)
{
	while (*pos < size) {
		const unsigned char *at = block + *pos;
		uint32_t len, ino, name_len;

		if (size - *pos < ENTRY_MIN)
			return -EUCLEAN;
		ino = pme_le32_at(at);
		len = read_length(at + 4, size);
		name_len = at[6];
		if (len < ENTRY_MIN || len % ALIGN || len > size - *pos || name_len > len - HEAD)
			return -EUCLEAN;
		*pos += len;
		if (ino == 0)
			continue;
		*ret = (struct pme_ext4_dirent){ino, (const char *)at + HEAD, name_len};
		return 1;
	}
	return 0;
}

bool pme_ext4_dirent_is_name(const struct pme_ext4_dirent *entry)
{
	return entry->len > 0 && !memchr(entry->name, '/', entry->len) &&
	       !memchr(entry->name, '\0', entry->len) &&
	       !pme_word_is(entry->name, entry->len, ".") &&
	       !pme_word_is(entry->name, entry->len, "..");
}
