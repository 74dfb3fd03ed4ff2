/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of block devices; see media.h.
 *
 * The surprise: O_DIRECT wants offset, length and memory aligned to the logical block, which is at
 * most a page (Documentation/block: logical_block_size).  Everything is read in whole pages, but
 * the last bytes of a device, which need not fill one, and what has a bad sector beside it.
 */
#include "media.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#define CHUNK (1U << 20) /* bytes read at once */

static int open_dev(const struct pme_topo *topo, const struct pme_dev *dev, int flags)
{
	_cleanup_free_ char *path = pme_dev_node(dev);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	if (pme_dev_suspended(topo, dev))
		return -EAGAIN;
	fd = pme_os_open(topo->os, path, O_NONBLOCK | flags);
	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (!S_ISBLK(st.st_mode) || st.st_rdev != dev->devno)
		return -ENODEV;
	return pme_take_fd(&fd);
}

int pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	return open_dev(topo, dev, O_RDONLY | O_DIRECT);
}

int pme_media_open_write(const struct pme_topo *topo, const struct pme_dev *dev)
{
	return open_dev(topo, dev, O_RDWR | O_DIRECT);
}

int pme_media_open_cached(const struct pme_topo *topo, const struct pme_dev *dev)
{
	return open_dev(topo, dev, O_RDONLY);
}

/* Bytes of the device itself, to know where the last page ends. */
static int device_end(int fd, uint64_t *ret)
{
	return pme_os_ioctl(fd, BLKGETSIZE64, ret);
}

/* A piece of at most a chunk, with what is around it up to multiples of @align, by way of @bounce.
 */
static int read_aligned(int fd, uint64_t end, uint64_t align, unsigned char *bounce,
			unsigned char *buf, size_t size, uint64_t offset)
{
	uint64_t first = offset - offset % align;
	uint64_t last = (offset + size + align - 1) / align * align;
	int r = pme_os_pread(fd, bounce, pme_min(last, end) - first, first);

	if (r == 0)
		memcpy(buf, bounce + (offset - first), size);
	return r;
}

/* Bad sectors beside the piece do not matter, where the device reads less than a page. */
static int read_piece(int fd, uint64_t end, unsigned char *bounce, unsigned char *buf, size_t size,
		      uint64_t offset)
{
	int block = 0, r = read_aligned(fd, end, PME_MEDIA_ALIGN, bounce, buf, size, offset);

	if (r != -EIO || pme_os_ioctl(fd, BLKSSZGET, &block) < 0 || block < (int)PME_SECTOR ||
	    block >= (int)PME_MEDIA_ALIGN)
		return r;
	return read_aligned(fd, end, (uint64_t)block, bounce, buf, size, offset);
}

int pme_media_read(int fd, void *buf, size_t size, uint64_t offset)
{
	_cleanup_free_ unsigned char *bounce = NULL;
	unsigned char *out = buf;
	uint64_t end, behind;
	int r = device_end(fd, &end);

	if (r < 0)
		return r;
	if (pme_add(offset, size, &behind) < 0 || behind > end)
		return -ENODATA;
	bounce = aligned_alloc(PME_MEDIA_ALIGN, CHUNK + 2 * PME_MEDIA_ALIGN);
	if (!bounce)
		return -ENOMEM;
	for (size_t done = 0, piece; r >= 0 && done < size; done += piece) {
		piece = pme_min(size - done, CHUNK);
		r = read_piece(fd, end, bounce, out + done, piece, offset + done);
	}
	return r < 0 ? r : 0;
}

const char *pme_media_error(int error)
{
	return error == -EAGAIN ? "it is suspended, or lies on a device that is" : strerror(-error);
}

int pme_media_read_dev(const struct pme_topo *topo, const struct pme_dev *dev, void *buf,
		       size_t size, uint64_t offset)
{
	_cleanup_close_ int fd = pme_media_open(topo, dev);

	return fd < 0 ? fd : pme_media_read(fd, buf, size, offset);
}
