/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of donors; see donor.h.
 */
#include "donor.h"

#include <assert.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "copies.h"
#include "doc.h"
#include "donor-salvage.h"
#include "event.h"
#include "extent.h"

static const struct pme_donor_kind *const kinds[] = {
	&pme_donor_media,      &pme_donor_replica, &pme_donor_digest,
	&pme_donor_page_cache, &pme_donor_file,	   &pme_donor_diverged,
};

static const char *const proof_names[] = {
	[PME_PROOF_SHARED] = "shared-extent", [PME_PROOF_DIGEST] = "digest",
	[PME_PROOF_MIRROR] = "mirror",	      [PME_PROOF_PAGE_CACHE] = "page-cache",
	[PME_PROOF_MEDIA] = "media",	      [PME_PROOF_NONE] = "unproven",
};
static_assert(PME_ARRAY_SIZE(proof_names) == PME_PROOF_NONE + 1, "a name for each proof");

const char *pme_proof_name(enum pme_proof proof)
{
	return proof_names[proof];
}

int pme_want_inside(const struct pme_want *want, uint64_t *ret)
{
	struct stat st;
	int r = pme_os_fstat(want->fd, &st);

	if (r < 0)
		return r;
	*ret = 0;
	if ((uint64_t)st.st_size > want->range.start)
		*ret = pme_min(want->range.length, (uint64_t)st.st_size - want->range.start);
	return 0;
}

/* Is fe_physical of files there a byte of the device that st_dev names? */
static bool has_places(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == XFS_SUPER_MAGIC || fs.f_type == EXT4_SUPER_MAGIC) &&
	       !pme_fd_is_realtime(fd);
}

static char *on_bad_text(const char *words, const struct pme_dev *dev, uint64_t at)
{
	return pme_printf("%s (%s, near byte %llu)", words, pme_dev_label(dev),
			  (unsigned long long)at);
}

static int extents_on_bad(const struct pme_want *want, const struct pme_dev *dev,
			  const struct pme_extents *extents, char **ret_reason)
{
	for (size_t i = 0; i < extents->count; i++) {
		const struct pme_extent *extent = &extents->items[i];
		_cleanup_(pme_missing_done) struct pme_missing missing = {0};
		struct pme_range place = {extent->device_start, extent->range.length};
		int r;

		if (extent->state != PME_EXTENT_DATA)
			continue;
		r = pme_missing_of(want->stack, dev, place, &missing);
		if (r < 0)
			return r;
		if (missing.bad.count == 0 && missing.doubt.count == 0)
			continue;
		*ret_reason =
			missing.bad.count
				? on_bad_text("it lies on bad blocks itself", dev,
					      missing.bad.items[0].start)
				: on_bad_text("nobody knows whether it lies on bad blocks itself",
					      dev, place.start);
		return *ret_reason ? 1 : -ENOMEM;
	}
	return 0;
}

int pme_donor_on_bad(const struct pme_want *want, int fd, struct pme_range range, char **ret_reason)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	const struct pme_dev *dev;
	struct stat st;
	int r;

	if (!want->stack || range.length == 0 || pme_os_fstat(fd, &st) < 0 || !has_places(fd))
		return 0;
	dev = pme_topo_dev_by_devno(want->topo, st.st_dev);
	if (!dev)
		return 0;
	r = pme_extents_read(fd, range, &extents);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return extents_on_bad(want, dev, &extents, ret_reason);
}

/* "replica: nothing was kept" is appended to what the others said; takes @reason. */
static int append_reason(char **all, const char *name, char *reason)
{
	_cleanup_free_ char *own = reason, *before = pme_take_ptr(*all);

	if (!own) {
		*all = pme_take_ptr(before);
		return 0;
	}
	*all = pme_printf("%s%s%s: %s", before ? before : "", before ? "; " : "", name, own);
	return *all ? 0 : -ENOMEM;
}

/*
 * The bytes beside the bad ones must be the same: 1, 0 and *@ret_reason (in place of what it was),
 * -ENOMEM.
 */
static int agrees(const struct pme_donor *donor, const struct pme_want *want, char **ret_reason)
{
	_cleanup_free_ void *buf = NULL;
	_cleanup_free_ char *why = NULL;
	struct pme_salvaged salvaged;
	int r;

	if (!want->bad || pme_salvage_none_reads(want, want->bad))
		return 1;
	buf = malloc(want->range.length);
	if (!buf)
		return -ENOMEM;
	r = pme_salvage(want, want->bad, donor, buf, &salvaged, &why);
	if (r == 0 || r == -ENOMEM)
		return r == 0 ? 1 : r;
	free(*ret_reason);
	/* no word of pme_salvage(): an error of the media, or of the donor, -EBADMSG, too */
	*ret_reason = why ? pme_take_ptr(why)
			  : pme_printf("cannot compare it with the media: %s", strerror(-r));
	return *ret_reason ? 0 : -ENOMEM;
}

/* 1 and *@ret, 0 and perhaps *@ret_reason, -ENOMEM, -EMFILE, -ENFILE. */
static int ask(const struct pme_donor_kind *kind, const struct pme_want *want, struct pme_log *log,
	       struct pme_donor *ret, char **ret_reason)
{
	int r;

	ret->kind = kind;
	r = kind->find(want, log, ret, ret_reason);
	if (r <= 0)
		pme_donor_done(ret);
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return r; /* nothing is known of the kind by that */
	if (r < 0) {
		free(*ret_reason);
		*ret_reason = pme_printf("cannot be asked: %s", strerror(-r));
		return *ret_reason ? 0 : -ENOMEM;
	}
	if (r == 0)
		return 0;
	r = agrees(ret, want, ret_reason);
	if (r <= 0)
		pme_donor_done(ret);
	return r;
}

int pme_donor_find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		   char **ret_reason)
{
	_cleanup_(pme_donor_done) struct pme_donor unproven = {0};
	_cleanup_free_ char *reasons = NULL;

	for (size_t i = 0; i < PME_ARRAY_SIZE(kinds); i++) {
		_cleanup_free_ char *reason = NULL;
		struct pme_donor donor = {0};
		int r;

		if (want->proven_only && kinds[i]->never_proven)
			continue;
		r = ask(kinds[i], want, log, &donor, &reason);
		if (r >= 0 && append_reason(&reasons, kinds[i]->name, pme_take_ptr(reason)) < 0)
			r = -ENOMEM;
		if (r > 0 && (donor.proof != PME_PROOF_NONE || !unproven.kind)) {
			pme_donor_done(&unproven);
			unproven = donor;
		} else {
			pme_donor_done(&donor);
		}
		if (r < 0)
			return r;
		if (unproven.kind && unproven.proof != PME_PROOF_NONE)
			break;
	}
	*ret_reason = pme_take_ptr(reasons);
	*ret = unproven;
	unproven = (struct pme_donor){0};
	return ret->kind != NULL;
}

int pme_donor_holds(const struct pme_donor *donor, const struct pme_want *want)
{
	return donor->kind->holds ? donor->kind->holds(donor, want) : 1;
}

void pme_donor_close(struct pme_donor *donor)
{
	if (donor->kind && donor->kind->done)
		donor->kind->done(donor);
	donor->state = NULL;
}

void pme_donor_done(struct pme_donor *donor)
{
	pme_donor_close(donor);
	free(donor->path);
	free(donor->detail);
	pme_file_free(donor->file);
	*donor = (struct pme_donor){0};
}

struct json_object *pme_donor_json(const struct pme_donor *donor)
{
	struct json_object *object;

	if (!donor->kind)
		return NULL;
	object = pme_json_object();
	pme_json_text(object, "kind", donor->kind->name);
	pme_json_text(object, "proof", pme_proof_name(donor->proof));
	pme_json_set(object, "path", donor->path ? pme_json_path(donor->path) : NULL);
	if (donor->taken)
		pme_json_owned_text(object, "time", pme_time_text(donor->taken));
	else
		pme_json_set(object, "time", NULL);
	pme_json_text(object, "detail", donor->detail);
	return object;
}
