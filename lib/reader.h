/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that a parser of on-disk data asks for: of a device, or of a buffer in tests and fuzzers.
 * The parser itself stays a pure function of those bytes.
 */
#ifndef PME_READER_H
#define PME_READER_H

#include "base.h"

struct pme_reader {
	/* Exactly @size bytes at @offset: 0, -EIO at a media error, -ENODATA behind the end. */
	int (*read)(void *arg, void *buf, size_t size, uint64_t offset);
	void *arg;
	uint64_t size; /* bytes that there are */
};

struct pme_reader_buffer {
	const void *data;
	size_t size;
};

/* A reader of an open descriptor (media.h) of @size bytes, and of a buffer; *@fd, *@buf must stay.
 */
struct pme_reader pme_reader_of_media(int *fd, uint64_t size);
struct pme_reader pme_reader_of_buffer(struct pme_reader_buffer *buf);

/* Little-endian numbers at any address. */
uint32_t pme_le32_at(const void *at);
uint64_t pme_le64_at(const void *at);

#endif
