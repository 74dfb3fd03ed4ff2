/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of block devices, read from the media itself: around the page cache, which is older than
 * what kernel targets write below it.  For on-disk maps of targets and volume managers.
 */
#ifndef PME_MEDIA_H
#define PME_MEDIA_H

#include "topo.h"

#define PME_MEDIA_ALIGN 4096ULL /* what is read begins and ends at multiples of this */

/*
 * A descriptor on @dev, checked to be that device; or -errno, -EAGAIN when reads would wait for a
 * suspended device.  Close it before anything waits.
 */
int pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);

/* The same, also for writing, around the page cache; -EBUSY: it is mounted, and the kernel minds.
 */
int pme_media_open_write(const struct pme_topo *topo, const struct pme_dev *dev);

/*
 * The same, but reads of it go through the page cache: there, not on the media, is the metadata of
 * a filesystem that is mounted from this very device and writes it through its buffers (ext4).
 */
int pme_media_open_cached(const struct pme_topo *topo, const struct pme_dev *dev);

/*
 * @size bytes at byte @offset into @buf (no alignment asked of any).  0, -EIO at a media error,
 * -ENODATA when the device ends before, or -errno.
 */
int pme_media_read(int fd, void *buf, size_t size, uint64_t offset);

/* strerror() for errors of these, and of pme_dm_status(). */
const char *pme_media_error(int error);

/* Open, read, close. */
int pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
		       size_t size, uint64_t offset);

#endif
