/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair in place: pages are written over, and what became of them is read; see repair-place.h.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>

#include "copies.h"
#include "media.h"
#include "remap.h"
#include "repair-place.h"
#include "repair-untouched.h"

struct placing {
	struct pme_work *work;
	const struct pme_work_target *t;
	int device;
	size_t page, unit;   /* bytes: of memory; of a logical block of the device */
	unsigned char *good; /* one page, aligned as O_DIRECT and pmem want it */
	unsigned char *now;  /* as much room */
};

static void placing_done(struct placing *p)
{
	pme_close_fd(&p->device);
	free(p->good);
	free(p->now);
}

static int open_device(struct placing *p)
{
	struct pme_work *work = p->work;
	const char *name = work->fs->dev->name;
	struct stat st;
	int unit = 0, r = pme_os_fstat(p->t->fd, &st);

	if (r < 0 || st.st_dev != work->fs->dev->devno)
		return pme_work_fail(work, r < 0 ? r : -EXDEV, "%s: is not on %s", p->t->path,
				     name);
	p->device = pme_media_open_write(work->topo, work->fs->dev);
	if (p->device == -EBUSY || p->device == -EPERM)
		return pme_work_fail(work, -EPERM,
				     "%s: this kernel lets nobody write to the device of a mounted "
				     "filesystem (boot it with bdev_allow_write_mounted=1)",
				     name);
	r = p->device < 0 ? p->device : pme_os_ioctl(p->device, BLKSSZGET, &unit);
	p->page = (size_t)sysconf(_SC_PAGESIZE);
	p->unit = (size_t)unit;
	if (r == 0 && (unit < (int)PME_SECTOR || p->page % p->unit != 0 ||
		       work->parts[0].device.length % p->page != 0))
		r = -EINVAL;
	if (r < 0)
		return pme_work_fail(work, r, "%s: cannot be opened for writing: %s", name,
				     pme_media_error(r));
	p->good = aligned_alloc(p->page, p->page);
	p->now = aligned_alloc(p->page, p->page);
	return p->good && p->now ? 0 : -ENOMEM;
}

/* A sector that reads, but not as it should: cleared, and never written. */
static int mend_unit(struct placing *p, uint64_t place, size_t skip)
{
	int r = pme_os_pread(p->device, p->now, p->unit, place + skip);

	if (r < 0 || memcmp(p->now, p->good + skip, p->unit) == 0)
		return 0; /* an error as before, or right */
	memcpy(p->now, p->good + skip, p->unit);
	r = pme_os_pwrite(p->device, p->now, p->unit, place + skip);
	if (r < 0) /* is it an error again? */
		r = pme_os_pread(p->device, p->now, p->unit, place + skip) < 0 ? 0 : -EBADMSG;
	return r;
}

/* A write that failed may have cleared a part of its page. */
static void mend(struct placing *p, uint64_t place)
{
	bool wrong = false;

	for (size_t skip = 0; skip < p->page; skip += p->unit)
		wrong |= mend_unit(p, place, skip) < 0;
	p->work->switched |= wrong;
}

static int write_page(struct placing *p, uint64_t at)
{
	struct pme_work *work = p->work;
	uint64_t place = work->parts[0].device.start + at;
	int r;

	memcpy(p->good, work->good + at, p->page);
	if (pme_os_pread(p->device, p->now, p->page, place) == 0 &&
	    memcmp(p->now, p->good, p->page) == 0)
		return 0;
	r = pme_remap_lease_holds(p->t->fd);
	if (r == 0)
		return pme_work_fail(work, -EAGAIN, "%s: others want it: try again", p->t->path);
	if (r > 0)
		r = pme_work_place_same(work, at, p->page);
	if (r <= 0)
		return pme_work_fail(work, r < 0 ? r : -EUCLEAN, "%s: its blocks moved",
				     p->t->path);
	r = pme_os_pwrite(p->device, p->good, p->page, place);
	if (r == 0)
		return 0;
	mend(p, place);
	return pme_work_fail(
		work, r, "%s: writing over its bad block at byte %" PRIu64 " of %s failed (%s): %s",
		p->t->path, place, work->fs->dev->name, strerror(-r),
		work->switched ? "a part of it was cleared, and has wrong bytes now"
			       : "it stays an error");
}

int pme_work_place_write(struct pme_work *work)
{
	_cleanup_(placing_done) struct placing p = {
		.work = work, .t = &work->targets[0], .device = -1};
	int r = open_device(&p);

	for (uint64_t at = 0; r == 0 && at < work->parts[0].device.length; at += p.page)
		r = write_page(&p, at);
	if (r < 0)
		return r;
	r = pme_os_sync(p.device);
	if (r == 0)
		return 0;
	work->switched = true; /* what is on the media is not known */
	return pme_work_fail(work, r, "%s: cannot be flushed: %s", work->fs->dev->name,
			     strerror(-r));
}

/* ---- afterwards ---- */

/* What does not read is an error as before; other bytes are not. */
static int compare(struct pme_work *work, int error, const unsigned char *now, uint64_t length,
		   const char *how)
{
	const char *path = work->targets[0].path;

	if (error < 0)
		return pme_work_fail(work, error, "%s: cannot be read %s after the repair: %s",
				     path, how, strerror(-error));
	if (memcmp(now, work->good, length) == 0)
		return 0;
	work->switched = true;
	return pme_work_fail(work, -EBADMSG, "%s: reads back different bytes %s", path, how);
}

/* The media, below the filesystem and by way of it; and what programs read. */
static int check_bytes(struct pme_work *work)
{
	const struct pme_work_target *t = &work->targets[0];
	_cleanup_close_ int device = pme_media_open(work->topo, work->fs->dev);
	_cleanup_free_ unsigned char *now = malloc(work->parts[0].device.length);
	int r = device;

	if (!now)
		return -ENOMEM;
	if (r >= 0)
		r = pme_media_read(device, now, work->parts[0].device.length,
				   work->parts[0].device.start);
	r = compare(work, r, now, work->parts[0].device.length, "from the device");
	if (r == 0)
		r = compare(work, pme_remap_read(t->fd, now, t->length, t->starts[0]), now,
			    t->length, "from the media");
	if (r < 0)
		return r;
	/* pages that could not be filled, or are older */
	r = -posix_fadvise(t->fd, (off_t)t->starts[0], (off_t)work->parts[0].device.length,
			   POSIX_FADV_DONTNEED);
	if (r == 0)
		r = pme_os_pread(t->fd, now, t->length, t->starts[0]);
	return compare(work, r, now, t->length, "as programs do");
}

/* Bytes of the step that a list of the kernel still has. */
static int count_listed(const struct pme_work *work, uint64_t *ret)
{
	_cleanup_(pme_stack_done) struct pme_stack stack = {.topo = work->topo};
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	int r = pme_repair_lists(work->topo, PME_BY_BADBLOCKS | PME_BY_REGION, &stack);

	if (r == 0)
		r = pme_missing_of(&stack, work->fs->dev, work->parts[0].device, &missing);
	*ret = pme_range_list_bytes(&missing.bad);
	return r;
}

static int check_lists(struct pme_work *work)
{
	const char *path = work->targets[0].path;
	uint64_t bytes = 0;
	int r = count_listed(work, &bytes);

	if (r < 0)
		return pme_work_fail(work, r, "the lists of bad blocks cannot be read: %s",
				     strerror(-r));
	if (bytes > 0)
		return pme_work_fail(work, -EREMOTEIO,
				     "%s: all was written and read back, but a list of the kernel "
				     "still has %" PRIu64 " bytes of it",
				     path, bytes);
	return 0;
}

int pme_work_place_verify(struct pme_work *work)
{
	int r = pme_work_place_same(work, 0, work->parts[0].device.length);

	if (r <= 0)
		return pme_work_fail(work, r < 0 ? r : -EUCLEAN, "%s: its blocks moved",
				     work->targets[0].path);
	r = check_bytes(work);
	return r < 0 ? r : check_lists(work);
}
