/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out of quarantine; see quarantine-list.h.
 *
 * A block that is given back is given to the next file that grows.  So it is released when no list
 * has it any more and all of it could be read from the media just now.  The surprise: lists alone
 * are not believed.  A list that is cut off, or a disk that was bound again, forgets.
 */
#include "quarantine-list.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "media.h"

#define READ_BYTES (256U << 10)
#define LOCK_SECONDS 10

const char pme_released[] = "released";

static int set(struct pme_parked *file, const char *outcome, char *why)
{
	file->outcome = outcome;
	free(file->why);
	file->why = why;
	return why ? 0 : -ENOMEM;
}

/* 0, or -errno and *@ret_at: the byte of the filesystem's device near which reading failed. */
static int read_back(const struct pme_topo *topo, const struct pme_fs *fs,
		     const struct pme_parked *file, uint64_t *ret_at)
{
	_cleanup_close_ int fd = pme_media_open(topo, fs->dev);
	_cleanup_free_ void *buf = malloc(READ_BYTES);
	int r = fd < 0 ? fd : 0;

	*ret_at = 0;
	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < file->extents.count; i++) {
		const struct pme_extent *extent = &file->extents.items[i];

		if (extent->state != PME_EXTENT_DATA && extent->state != PME_EXTENT_UNWRITTEN)
			continue;
		for (uint64_t done = 0, size; r == 0 && done < extent->range.length; done += size) {
			size = pme_min(extent->range.length - done, READ_BYTES);
			*ret_at = extent->device_start + done;
			r = pme_media_read(fd, buf, size, *ret_at);
		}
	}
	return r;
}

/* Why it must stay, allocated; NULL: it may go, or no memory (*@ret_error). */
static char *why_stay(const struct pme_quarantines *all, const struct pme_quarantine *quarantine,
		      const struct pme_parked *file, int *ret_error)
{
	uint64_t at;
	int r;

	*ret_error = 0;
	if (file->unfinished)
		return pme_printf("repair %" PRId64 ", which parked it, has not ended: finish it "
				  "first (pmemctl repair --resume)",
				  file->id);
	if (file->state == PME_PARKED_BAD)
		return pme_printf("%" PRIu64
				  " bytes of it are still bad: clear them first (pmemctl "
				  "clear)",
				  pme_range_list_bytes(&file->bad));
	if (file->state == PME_PARKED_UNKNOWN)
		return pme_printf("whether its blocks are still bad is not known: %s",
				  file->reason ? file->reason : "no list has them");
	r = read_back(all->scan.topo, &quarantine->fs, file, &at);
	if (r == 0)
		return NULL;
	*ret_error = r == -ENOMEM ? r : 0;
	return pme_printf("no list has its blocks, but they cannot be read (near byte %" PRIu64
			  " of %s): %s",
			  at, quarantine->fs.dev->name, pme_media_error(r));
}

/* Is the name still that file, with nothing but the blocks that were looked at? */
static int check_same(const struct pme_quarantine *quarantine, const struct pme_parked *file)
{
	struct stat st;
	int r = pme_os_stat_at(quarantine->dir, file->name, false, &st);

	if (r < 0)
		return r;
	return st.st_ino == file->inode && (uint64_t)st.st_size == file->size &&
			       (int64_t)st.st_ctim.tv_sec * 1000000 + st.st_ctim.tv_nsec / 1000 ==
				       file->since
		       ? 0
		       : -ESTALE;
}

static int give_back(const struct pme_quarantine *quarantine, struct pme_parked *file,
		     const char *despite)
{
	_cleanup_free_ char *path = pme_parked_path(quarantine, file);
	int r = path ? check_same(quarantine, file) : -ENOMEM;

	if (r == 0) {
		syslog(LOG_NOTICE,
		       "pmemctl: releasing %s from quarantine: %" PRIu64 " bytes, inode %" PRIu64
		       " of %s%s%s",
		       path, file->bytes, file->inode, pme_fs_subject(&quarantine->fs),
		       despite ? "; forced: " : "", despite ? despite : "");
		r = pme_os_unlink(quarantine->dir, file->name);
	}
	if (r < 0)
		return set(file, "failed",
			   pme_printf("cannot remove it: %s",
				      r == -ESTALE ? "it changed meanwhile" : strerror(-r)));
	return set(file, pme_released,
		   despite ? pme_printf("forced: %s", despite)
			   : strdup(file->bytes == 0 ? "it had no blocks any more"
						     : "no list has its blocks, and all of them "
						       "were read"));
}

static int release(const struct pme_quarantines *all, const struct pme_quarantine *quarantine,
		   struct pme_parked *file, bool force)
{
	_cleanup_free_ char *why = NULL;
	int r = 0;

	if (file->is_odd)
		return set(file, "refused",
			   pme_printf("%s: look at it, and remove it by hand", file->reason));
	why = why_stay(all, quarantine, file, &r);
	if (r < 0)
		return r;
	if (why && !force)
		return set(file, "refused", pme_take_ptr(why));
	return give_back(quarantine, file, why);
}

static bool is_meant(const struct pme_quarantine *quarantine, const struct pme_parked *file,
		     const char *name)
{
	_cleanup_free_ char *path = pme_parked_path(quarantine, file);

	if (strcmp(name, "all") == 0 || strcmp(name, file->name) == 0)
		return true;
	return path && strcmp(path, name) == 0;
}

/* How many files a name means. */
static size_t count_meant(const struct pme_quarantines *all, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		for (size_t f = 0; f < all->items[i]->count; f++)
			count += is_meant(all->items[i], &all->items[i]->files[f], name);
	return count;
}

static int check_names(const struct pme_quarantines *all, const struct pme_release_args *args,
		       struct pme_log *log)
{
	int r = 0;

	for (size_t n = 0; n < args->n_names; n++) {
		const char *name = args->names[n];
		size_t count = strcmp(name, "all") == 0 ? 1 : count_meant(all, name);

		if (count == 1)
			continue;
		pme_log_add(log, PME_ERROR, name,
			    count == 0 ? "no such file in quarantine: see pmemctl quarantine list"
				       : "files of this name are in several quarantines: give the "
					 "path, as pmemctl quarantine list shows it");
		r = count > 0 || r == -EINVAL ? -EINVAL : -ENOENT;
	}
	return r;
}

/* All of one quarantine that is meant, while no other run releases or clears there. */
static int release_in(const struct pme_quarantines *all, struct pme_quarantine *quarantine,
		      const struct pme_release_args *args)
{
	int r = pme_os_lock(quarantine->dir, LOCK_SECONDS);
	bool locked = r == 0;

	for (size_t f = 0; f < quarantine->count; f++) {
		struct pme_parked *file = &quarantine->files[f];

		file->chosen = false;
		for (size_t n = 0; n < args->n_names; n++)
			file->chosen |= is_meant(quarantine, file, args->names[n]);
		if (!file->chosen)
			continue;
		r = locked ? release(all, quarantine, file, args->force)
			   : set(file, "failed", strdup("another run of pmemctl works there"));
		if (r < 0)
			return r;
	}
	return 0;
}

int pme_quarantines_release(struct pme_quarantines *quarantines,
			    const struct pme_release_args *args, struct pme_log *log)
{
	int r = check_names(quarantines, args, log);

	for (size_t i = 0; r == 0 && i < quarantines->count; i++)
		r = release_in(quarantines, quarantines->items[i], args);
	return r;
}
