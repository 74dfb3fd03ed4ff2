/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For fuzz targets that go through a whole layer: bytes of every device, and the status of every
 * target, come from the input.  The linker puts these in the place of those in lib/media.c and
 * lib/dm-ask.c: PLAYED in Makemodule.am.
 */
#ifndef PME_FUZZ_PLAYED_H
#define PME_FUZZ_PLAYED_H

#include "dm-ask.h"
#include "fuzz.h"
#include "media.h"

static struct {
	const uint8_t *bytes;
	size_t size;
	const char *status;
	size_t reads;
} played;

#define NOBODYS_FD 1000000
#define READS_MAX 20000 /* then every device is gone: a loop in a layer must end by itself */

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset);
int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret);
int __wrap_pme_dm_message(const struct pme_topo *topo, const struct pme_dev *dev,
			  const char *message);

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	return NOBODYS_FD;
}

int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset)
{
	FUZZ_CHECK(fd == NOBODYS_FD && ++played.reads <= READS_MAX);
	if (offset > played.size || size > played.size - offset)
		return -ENODATA;
	if (size > 0)
		memcpy(buf, played.bytes + offset, size);
	return 0;
}

int __wrap_pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
			      size_t size, uint64_t offset)
{
	return __wrap_pme_media_read(NOBODYS_FD, buf, size, offset);
}

int __wrap_pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
			 const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret)
{
	if (!played.status)
		return -ESTALE;
	*ret = strdup(played.status);
	return *ret ? 0 : -ENOMEM;
}

int __wrap_pme_dm_message(const struct pme_topo *topo, const struct pme_dev *dev,
			  const char *message)
{
	return -EINVAL;
}

#endif
