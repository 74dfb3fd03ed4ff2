/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes for parsers of on-disk data; see reader.h.
 */
#include "reader.h"

#include <endian.h>
#include <string.h>

#include "media.h"

static int read_media(void *arg, void *buf, size_t size, uint64_t offset)
{
	return pme_media_read(*(int *)arg, buf, size, offset);
}

static int read_buffer(void *arg, void *buf, size_t size, uint64_t offset)
{
	const struct pme_reader_buffer *from = arg;

	if (offset > from->size || size > from->size - offset)
		return -ENODATA;
	memcpy(buf, (const char *)from->data + offset, size);
	return 0;
}

struct pme_reader pme_reader_of_media(int *fd, uint64_t size)
{
	return (struct pme_reader){.read = read_media, .arg = fd, .size = size};
}

struct pme_reader pme_reader_of_buffer(struct pme_reader_buffer *buf)
{
	return (struct pme_reader){.read = read_buffer, .arg = buf, .size = buf->size};
}

uint32_t pme_le32_at(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

uint64_t pme_le64_at(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}
