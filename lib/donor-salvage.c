/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Salvage; see donor-salvage.h.
 *
 * Each logical block of the device (512 bytes, where it can) is tried on its own: a read of more
 * would fail as a whole.  One that is known to be bad is not tried.
 */
#include "donor-salvage.h"

#include <linux/fs.h>
#include <string.h>

#include "media.h"

#define UNIT_MAX 65536 /* no logical block is larger */

struct salvage {
	const struct pme_want *want;
	const struct pme_range_list *bad;
	const struct pme_donor *donor;
	int media;
	size_t unit;	     /* bytes of a logical block of the device */
	unsigned char *live; /* one of them, aligned */
	uint64_t size;	     /* of the file */
	unsigned char *buf;
	struct pme_salvaged done;
};

/* Bytes of the donor at @at of the range; zeros behind the end of the file and for none. */
static int read_donor(const struct salvage *s, uint64_t at, size_t size, unsigned char *buf)
{
	uint64_t offset = s->want->range.start + at;
	size_t inside = offset < s->size ? (size_t)pme_min(size, s->size - offset) : 0;

	memset(buf, 0, size);
	if (!s->donor || inside == 0)
		return 0;
	return s->donor->kind->read(s->donor, s->want, offset, inside, buf);
}

static char *disagreement(const struct salvage *s, uint64_t at)
{
	return pme_printf("it has other bytes than the media, which still reads at byte %llu of "
			  "the file: it is not what was lost",
			  (unsigned long long)(s->want->range.start + at));
}

/* One logical block: 1 from the media, 0 from the donor, -errno. */
static int take_unit(const struct salvage *s, uint64_t at, unsigned char *good)
{
	struct pme_range place = {s->want->device_start + at, s->unit};
	uint64_t offset = s->want->range.start + at;
	size_t inside = offset < s->size ? (size_t)pme_min(s->unit, s->size - offset) : 0;
	int r;

	if (inside == 0 || pme_range_list_meets(s->bad, place))
		return 0;
	r = pme_os_pread(s->media, s->live, s->unit, place.start);
	if (r == -EIO || r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	if (s->donor && memcmp(s->live, good, inside) != 0)
		return -EBADMSG;
	memcpy(good, s->live, inside);
	return 1;
}

static int fill(struct salvage *s, char **ret_reason)
{
	for (uint64_t at = 0; at < s->want->range.length; at += s->unit) {
		int r = take_unit(s, at, s->buf + at);

		if (r == -EBADMSG)
			*ret_reason = disagreement(s, at);
		if (r < 0)
			return r;
		if (r > 0)
			s->done.live += s->unit;
		else
			s->done.donor += s->unit;
	}
	return 0;
}

/* Blocks of the filesystem are whole blocks of its device. */
static int set_unit(struct salvage *s)
{
	int unit = 0, r = pme_os_ioctl(s->media, BLKSSZGET, &unit);

	if (r < 0)
		return r;
	if (unit < (int)PME_SECTOR || unit > UNIT_MAX ||
	    s->want->range.length % (uint64_t)unit != 0 ||
	    s->want->device_start % (uint64_t)unit != 0)
		return -EINVAL;
	s->unit = (size_t)unit;
	return 0;
}

static int set_size(struct salvage *s)
{
	struct stat st;
	int r = pme_os_fstat(s->want->fd, &st);

	s->size = (uint64_t)st.st_size;
	return r;
}

bool pme_salvage_none_reads(const struct pme_want *want, const struct pme_range_list *bad)
{
	struct pme_range place = {want->device_start, want->range.length};

	for (size_t i = 0; i < bad->count && bad->items[i].start <= place.start; i++)
		if (pme_range_end(bad->items[i]) >= pme_range_end(place))
			return true;
	return false;
}

/* What reads of the device stays; the rest is the donor's already. */
static int overlay(struct salvage *s, char **ret_reason)
{
	_cleanup_close_ int media = pme_media_open(s->want->topo, s->want->fs->dev);
	_cleanup_free_ unsigned char *live = aligned_alloc(4096, UNIT_MAX);
	int r = media < 0 ? media : 0;

	if (!live)
		return -ENOMEM;
	s->media = media;
	s->live = live;
	if (r == 0)
		r = set_unit(s);
	return r < 0 ? r : fill(s, ret_reason);
}

int pme_salvage(const struct pme_want *want, const struct pme_range_list *bad,
		const struct pme_donor *donor, void *buf, struct pme_salvaged *ret,
		char **ret_reason)
{
	struct salvage s = {.want = want, .bad = bad, .donor = donor, .media = -1, .buf = buf};
	int r;

	*ret_reason = NULL;
	r = set_size(&s);
	if (r == 0)
		r = read_donor(&s, 0, want->range.length, buf);
	if (r == 0 && pme_salvage_none_reads(want, bad))
		s.done.donor = want->range.length;
	else if (r == 0)
		r = overlay(&s, ret_reason);
	if (r == 0)
		*ret = s.done;
	return r;
}
