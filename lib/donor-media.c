/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A donor: the media itself, where only bytes behind the end of the file are bad.  All that the
 * file has in that block still reads, and what is behind its end is zeros by definition; but the
 * block is read as a whole, which fails.
 *
 * No row reads anything else of the media for its donor: a file that grew over the bad bytes
 * meanwhile cannot be read here, and is not repaired from here.
 */
#include <string.h>

#include "donor.h"
#include "media.h"

/* The file may have been cut or have grown since somebody looked. */
static bool is_sound(const struct pme_want *want, uint64_t inside)
{
	struct pme_range before = {want->device_start, inside};

	return inside > 0 && want->behind_end && !pme_range_list_meets(want->bad, before);
}

static int read_bytes(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		      size_t size, void *buf)
{
	_cleanup_close_ int media = -1;
	uint64_t inside, at;
	int r = pme_want_inside(want, &inside);

	(void)donor;
	memset(buf, 0, size);
	if (r < 0)
		return r;
	if (offset < want->range.start)
		return -ERANGE;
	at = offset - want->range.start;
	if (at >= inside)
		return 0;
	media = pme_media_open(want->topo, want->fs->dev);
	if (media < 0)
		return media;
	return pme_media_read(media, buf, pme_min(size, inside - at), want->device_start + at);
}

static int find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		char **ret_reason)
{
	_cleanup_free_ void *buf = NULL;
	uint64_t inside;
	int r = pme_want_inside(want, &inside);

	(void)log;
	if (r < 0 || !is_sound(want, inside))
		return r;
	buf = malloc(inside);
	if (!buf)
		return -ENOMEM;
	r = read_bytes(NULL, want, want->range.start, inside, buf);
	if (r < 0) {
		*ret_reason = pme_printf("what is before the end of the file cannot be read: %s",
					 pme_media_error(r));
		return *ret_reason ? 0 : -ENOMEM;
	}
	ret->proof = PME_PROOF_MEDIA;
	return 1;
}

const struct pme_donor_kind pme_donor_media = {
	.name = "media",
	.find = find,
	.read = read_bytes,
};
