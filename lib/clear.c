/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing, and what became of it; see clear.h.
 *
 * Files in quarantine are held open while their blocks are written: who unlinks one meanwhile does
 * not free them.
 */
#include "clear.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>

#include "donor-reach.h"
#include "extent.h"
#include "media.h"
#include "vault.h"

#define PAGE 4096ULL
#define LOCK_SECONDS 10
#define READ_BYTES (256U << 10)

/* A file in quarantine that is held while its blocks are written. */
struct held {
	struct pme_reach reach;
	int dir, fd;
};

struct helds {
	struct held *items;
	size_t count;
};

static void helds_done(struct helds *helds)
{
	for (size_t i = 0; i < helds->count; i++) {
		pme_close_fd(&helds->items[i].fd);
		pme_close_fd(&helds->items[i].dir);
		pme_reach_close(&helds->items[i].reach);
	}
	free(helds->items);
}

/* Does the file have just these bytes, and nobody else? */
static int check_extents(int fd, const struct pme_claim *claim)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	struct pme_range range = {claim->file_start, claim->length};
	uint64_t place = claim->hops[claim->n_hops - 1].start;
	int r = pme_extents_read(fd, range, &extents);

	for (size_t i = 0; r == 0 && i < extents.count; i++) {
		const struct pme_extent *extent = &extents.items[i];

		if ((extent->state != PME_EXTENT_DATA && extent->state != PME_EXTENT_UNWRITTEN) ||
		    extent->shared ||
		    extent->device_start != place + (extent->range.start - range.start))
			r = -ESTALE;
	}
	return r;
}

static int hold(const struct pme_os *os, const struct pme_claim *claim, struct held *held)
{
	int r = pme_reach_open(os, claim->fs, &held->reach);

	if (r < 0)
		return r;
	held->dir = pme_vault_open(held->reach.root, PME_VAULT_QUARANTINE, false);
	if (held->dir < 0)
		return held->dir;
	held->fd = pme_reach_file(&held->reach, claim->fs, claim->file, O_RDONLY);
	if (held->fd < 0)
		return held->fd;
	return check_extents(held->fd, claim);
}

/* One lock for each quarantine, which one run may meet more than once. */
static int lock(struct helds *helds, size_t at)
{
	struct stat st, other;
	int r = pme_os_fstat(helds->items[at].dir, &st);

	for (size_t i = 0; r == 0 && i < at; i++) {
		if (helds->items[i].dir < 0)
			continue;
		r = pme_os_fstat(helds->items[i].dir, &other);
		if (r == 0 && other.st_dev == st.st_dev && other.st_ino == st.st_ino)
			return 0;
	}
	return r < 0 ? r : pme_os_lock(helds->items[at].dir, LOCK_SECONDS);
}

/* Hold every file in quarantine that has some of the bytes: 0 or -errno and why. */
static int hold_all(const struct pme_os *os, struct pme_clear *clear, struct helds *helds)
{
	helds->items = calloc(clear->count + 1, sizeof(*helds->items));
	if (!helds->items)
		return -ENOMEM;
	for (size_t i = 0; i < clear->count; i++) {
		const struct pme_claim *claim = clear->pieces[i].claim;
		struct held *held = &helds->items[helds->count];
		int r;

		if (!claim->own)
			continue;
		*held = (struct held){
			.reach = {.entry = {.fd = -1}, .root = -1},
			.dir = -1,
			.fd = -1,
		};
		helds->count++;
		r = hold(os, claim, held);
		if (r == 0)
			r = lock(helds, helds->count - 1);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Exclusively where that can be, so that nobody makes something of a disk that nobody has. */
static int open_disk(const struct pme_clear *clear)
{
	const int flags = O_RDWR | O_DIRECT | O_NONBLOCK;
	_cleanup_free_ char *path = pme_dev_node(clear->dev);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	if (pme_dev_suspended(clear->scan.topo, clear->dev))
		return -EAGAIN;
	fd = pme_os_open(clear->scan.topo->os, path, flags | O_EXCL);
	if (fd == -EBUSY)
		fd = pme_os_open(clear->scan.topo->os, path, flags);
	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (!S_ISBLK(st.st_mode) || st.st_rdev != clear->dev->devno)
		return -ENODEV;
	return pme_take_fd(&fd);
}

/* One page, or where that fails, each sector of it, so that one that cannot be cleared keeps none
 * of the others. */
static int write_page(struct pme_clear *clear, int fd, const void *zeros, struct pme_range part)
{
	int r = pme_os_pwrite(fd, zeros, part.length, part.start);

	if (r == 0)
		return pme_range_list_add(&clear->written, part.start, part.length);
	r = 0;
	for (uint64_t at = part.start; r == 0 && at < pme_range_end(part); at += PME_SECTOR) {
		int error = pme_os_pwrite(fd, zeros, PME_SECTOR, at);

		r = pme_range_list_add(error < 0 ? &clear->failed : &clear->written, at,
				       PME_SECTOR);
	}
	return r;
}

static int write_all(struct pme_clear *clear, int fd)
{
	_cleanup_free_ void *zeros = aligned_alloc(PAGE, PAGE);
	uint64_t end = pme_range_end(clear->range);
	int r = 0;

	if (!zeros)
		return -ENOMEM;
	memset(zeros, 0, PAGE);
	for (uint64_t at = clear->range.start, next; r == 0 && at < end; at = next) {
		next = pme_min(at - at % PAGE + PAGE, end);
		r = write_page(clear, fd, zeros, (struct pme_range){at, next - at});
	}
	pme_range_list_normalize(&clear->written);
	pme_range_list_normalize(&clear->failed);
	return r < 0 ? r : pme_os_sync(fd);
}

/* What the lists say now. */
static int look_at_lists(const struct pme_os *os, struct pme_clear *clear, struct pme_log *log)
{
	char *selectors[] = {clear->dev->name};
	const struct pme_scan_args args = {
		.selectors = selectors,
		.n_selectors = 1,
		.only_kernel_lists = true,
	};
	struct pme_scan scan = {0};
	struct pme_range common;
	int r = pme_scan_run(os, &args, log, &scan);

	for (size_t i = 0; r == 0 && i < scan.bads.count; i++) {
		const struct pme_bad *bad = &scan.bads.items[i];

		if (strcmp(bad->dev->name, clear->dev->name) == 0 &&
		    pme_range_intersect(bad->range, clear->range, &common))
			r = pme_range_list_add(&clear->still_bad, common.start, common.length);
	}
	pme_range_list_normalize(&clear->still_bad);
	pme_scan_done(&scan);
	return r;
}

static bool is_zero(const unsigned char *buf, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (buf[i])
			return false;
	return true;
}

/* Each sector that cannot be read, or has not what was written. */
static int read_part(struct pme_clear *clear, int fd, unsigned char *buf, uint64_t start,
		     uint64_t size)
{
	if (pme_media_read(fd, buf, size, start) == 0 && is_zero(buf, size))
		return 0;
	for (uint64_t at = start; at < start + size; at += PME_SECTOR) {
		int r = pme_media_read(fd, buf, PME_SECTOR, at);

		if (r == 0 && is_zero(buf, PME_SECTOR))
			continue;
		r = pme_range_list_add(&clear->unreadable, at, PME_SECTOR);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_all(struct pme_clear *clear)
{
	_cleanup_close_ int fd = pme_media_open(clear->scan.topo, clear->dev);
	_cleanup_free_ unsigned char *buf = malloc(READ_BYTES);
	uint64_t end = pme_range_end(clear->range);
	int r = fd < 0 ? fd : 0;

	if (!buf)
		return -ENOMEM;
	for (uint64_t at = clear->range.start, size; r == 0 && at < end; at += size) {
		size = pme_min(end - at, READ_BYTES);
		r = read_part(clear, fd, buf, at, size);
	}
	pme_range_list_normalize(&clear->unreadable);
	return r;
}

/* The state that follows from what was written and what is there now. */
static int conclude(struct pme_clear *clear)
{
	static const char advice[] =
		"what is in quarantine stays there, and nobody is given these blocks; the memory "
		"has to be cleared by its firmware's tools or replaced";

	if (clear->written.count == 0)
		return pme_clear_set(
			clear, PME_CLEAR_FAILED,
			pme_printf("no write succeeded, and nothing was changed: %s", advice));
	if (clear->failed.count > 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("%" PRIu64 " bytes could not be written: %s",
						pme_range_list_bytes(&clear->failed), advice));
	if (clear->unreadable.count > 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("%" PRIu64
						" bytes cannot be read back after they were "
						"written: %s",
						pme_range_list_bytes(&clear->unreadable), advice));
	if (clear->still_bad.count > 0)
		return pme_clear_set(
			clear, PME_CLEAR_PARTLY,
			pme_printf("all was written and read back, but a list still has %" PRIu64
				   " bytes: it is made anew when the namespace is enabled again "
				   "(ndctl disable-namespace, enable-namespace)",
				   pme_range_list_bytes(&clear->still_bad)));
	clear->state = PME_CLEAR_CLEARED;
	return 0;
}

static int act(const struct pme_os *os, struct pme_clear *clear, struct pme_log *log)
{
	_cleanup_(helds_done) struct helds helds = {0};
	_cleanup_close_ int fd = -1;
	int r = hold_all(os, clear, &helds);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_clear_set(clear, PME_CLEAR_REFUSED,
				     pme_printf("cannot hold the file in quarantine: %s",
						r == -ESTALE ? "it changed meanwhile"
						: r == -ETIMEDOUT
							? "another run of pmemctl works there"
							: strerror(-r)));
	fd = open_disk(clear);
	if (fd < 0)
		return pme_clear_set(clear, PME_CLEAR_REFUSED,
				     pme_printf("cannot open %s for writing: %s", clear->dev->name,
						pme_media_error(fd)));
	r = write_all(clear, fd);
	if (r < 0)
		pme_log_add(log, PME_ERROR, clear->dev->name, "cannot write to it: %s",
			    strerror(-r));
	pme_close_fd(&fd);
	fd = -1;
	r = look_at_lists(os, clear, log);
	if (r == 0)
		r = read_all(clear);
	if (r < 0)
		return pme_clear_set(
			clear, PME_CLEAR_PARTLY,
			pme_printf("cannot look at what became of it: %s", pme_media_error(r)));
	return conclude(clear);
}

/* A command is sent for nothing but what the region's list has; no list, no command. */
static int look_for_command(struct pme_clear *clear)
{
	const char *region = pme_dev_region(clear->dev)->name;
	int r = pme_clear_command_look(clear);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_clear_set(clear, PME_CLEAR_REFUSED,
				     pme_printf("the list of bad blocks of %s is not whole, or "
						"cannot be read: %s",
						region, strerror(-r)));
	if (clear->listed.count == 0)
		return pme_clear_set(clear, PME_CLEAR_REFUSED,
				     pme_printf("the list of bad blocks of %s has none of these "
						"bytes: there is nothing to clear",
						region));
	return 0;
}

/* What the way alone says. */
static int check_way(struct pme_clear *clear, bool force)
{
	const struct pme_clear_way *way = &clear->way;

	if (way->path == PME_CLEAR_COMMAND)
		return way->works == PME_CLEAR_WORKS
			       ? look_for_command(clear)
			       : pme_clear_set(clear, PME_CLEAR_REFUSED, strdup(way->reason));
	if (way->works == PME_CLEAR_FAILS && !force)
		return pme_clear_set(clear, PME_CLEAR_REFUSED,
				     pme_printf("%s; --force tries all the same", way->reason));
	return 0;
}

int pme_clear_run(const struct pme_os *os, const struct pme_clear_args *args, struct pme_log *log,
		  struct pme_clear *ret)
{
	char *ranges[] = {args->range};
	const struct pme_scan_args scan_args = {
		.ranges = ranges,
		.n_ranges = 1,
		.block_size = PME_SECTOR,
		.default_length = PME_SECTOR,
	};
	int r = pme_scan_run(os, &scan_args, log, &ret->scan);

	ret->give_up = args->give_up;
	ret->incomplete = log->incomplete;
	if (r == 0)
		r = pme_clear_judge(ret);
	if (r == 0 && ret->state != PME_CLEAR_REFUSED)
		r = check_way(ret, args->force);
	if (r < 0 || ret->state == PME_CLEAR_REFUSED || args->dry_run)
		return r;
	return ret->way.path == PME_CLEAR_COMMAND ? pme_clear_command_run(ret) : act(os, ret, log);
}

void pme_clear_done(struct pme_clear *clear)
{
	for (size_t i = 0; i < clear->count; i++)
		free(clear->pieces[i].refusal);
	free(clear->pieces);
	free(clear->reason);
	pme_clear_way_done(&clear->way);
	pme_range_list_done(&clear->listed);
	pme_range_list_done(&clear->written);
	pme_range_list_done(&clear->failed);
	pme_range_list_done(&clear->still_bad);
	pme_range_list_done(&clear->unreadable);
	pme_scan_done(&clear->scan);
	*clear = (struct pme_clear){0};
}
