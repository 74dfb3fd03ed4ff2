/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Label and metadata area headers of LVM; see rest-lvm.h.
 *
 * The surprise: the text of an area lies in a ring behind the header, so that it may begin near the
 * end of the area and go on behind the header.
 */
#include "rest-lvm.h"

#include <string.h>

#include "reader.h"
#include "rest-crc.h"

#define LVM_CRC 0xf597a6cfU
#define IGNORED 1U
#define LISTS_MAX 64 /* entries of a list of areas that are looked at */

static const char label_id[] = "LABELONE", label_type[] = "LVM2 001";
static const char area_magic[] = " LVM2 x[5A%r0N*>";

/* The next pair offset, size of a list that ends with zeroes: 1, 0 at its end, -EINVAL. */
static int next_pair(const unsigned char *sector, size_t *pos, struct pme_range *ret)
{
	if (*pos + 16 > PME_SECTOR)
		return -EINVAL;
	*ret = (struct pme_range){pme_le64_at(sector + *pos), pme_le64_at(sector + *pos + 8)};
	*pos += 16;
	return ret->start != 0;
}

static bool area_is_sane(struct pme_range area, uint64_t dev_size)
{
	uint64_t end;

	return area.length > PME_LVM_HEADER_BYTES && area.start % PME_SECTOR == 0 &&
	       area.start >= PME_LVM_LABEL_BYTES && pme_add(area.start, area.length, &end) == 0 &&
	       end <= dev_size;
}

/* The list at @pos of areas of metadata, which ends with zeroes; @pos moves behind it. */
static int parse_areas(const unsigned char *sector, size_t *pos, uint64_t dev_size,
		       struct pme_lvm_label *ret)
{
	struct pme_range area;
	int r;

	while ((r = next_pair(sector, pos, &area)) == 1) {
		if (ret->n_areas == PME_LVM_AREAS_MAX || !area_is_sane(area, dev_size))
			return -EINVAL;
		ret->areas[ret->n_areas++] = area;
	}
	return r;
}

/* What newer LVM writes behind the lists: a version, flags, areas of a boot loader. */
static int parse_extension(const unsigned char *sector, size_t pos, uint64_t dev_size,
			   struct pme_lvm_label *ret)
{
	struct pme_range area;
	uint64_t end;
	int r;

	if (pos + 8 > PME_SECTOR || pme_le32_at(sector + pos) == 0)
		return 0;
	pos += 8;
	while ((r = next_pair(sector, &pos, &area)) == 1) {
		if (ret->n_boots == PME_LVM_BOOTS_MAX ||
		    pme_add(area.start, area.length, &end) < 0 || end > dev_size)
			return -EINVAL;
		ret->boots[ret->n_boots++] = area;
	}
	return r;
}

/* The lists behind the fixed part: areas for data, areas for metadata; and what follows. */
static int parse_lists(const unsigned char *sector, size_t pos, uint64_t dev_size,
		       struct pme_lvm_label *ret)
{
	struct pme_range area;
	int r = 1;

	for (int i = 0; r == 1 && i < LISTS_MAX; i++)
		r = next_pair(sector, &pos, &area);
	if (r != 0)
		return -EINVAL;
	r = parse_areas(sector, &pos, dev_size, ret);
	return r < 0 ? r : parse_extension(sector, pos, dev_size, ret);
}

static bool is_label(const unsigned char *sector)
{
	return memcmp(sector, label_id, 8) == 0 && memcmp(sector + 24, label_type, 8) == 0;
}

int pme_lvm_label_parse(const void *buf, uint64_t dev_size, struct pme_lvm_label *ret)
{
	const unsigned char *sector = buf;
	struct pme_lvm_label label = {.start = 0};
	uint32_t header;
	int r;

	while (!is_label(sector)) {
		label.start += PME_SECTOR;
		sector += PME_SECTOR;
		if (label.start == PME_LVM_LABEL_BYTES)
			return -ENODATA;
	}
	header = pme_le32_at(sector + 20);
	if (pme_le64_at(sector + 8) != label.start / PME_SECTOR ||
	    pme_le32_at(sector + 16) != pme_rest_crc(LVM_CRC, sector + 20, PME_SECTOR - 20) ||
	    header < 32 || header > PME_SECTOR - 40)
		return -EINVAL;
	memcpy(label.id, sector + header, PME_LVM_ID);
	r = parse_lists(sector, header + 40, dev_size, &label);
	if (r == 0)
		*ret = label;
	return r;
}

static int parse_locn(const unsigned char *p, struct pme_range area, struct pme_lvm_locn *ret)
{
	struct pme_lvm_locn locn = {
		.offset = pme_le64_at(p),
		.size = pme_le64_at(p + 8),
		.crc = pme_le32_at(p + 16),
		.ignored = pme_le32_at(p + 20) & IGNORED,
	};

	if (locn.offset == 0 || locn.size == 0) {
		*ret = (struct pme_lvm_locn){.ignored = locn.ignored};
		return 0;
	}
	if (locn.offset < PME_LVM_HEADER_BYTES || locn.offset >= area.length ||
	    locn.size > area.length - PME_LVM_HEADER_BYTES || locn.size > PME_LVM_TEXT_MAX)
		return -EINVAL;
	*ret = locn;
	return 0;
}

int pme_lvm_header_parse(const void *buf, struct pme_range area, struct pme_lvm_locn ret[2])
{
	const unsigned char *p = buf;
	struct pme_lvm_locn locns[2];
	int r;

	if (pme_le32_at(p) != pme_rest_crc(LVM_CRC, p + 4, PME_LVM_HEADER_BYTES - 4) ||
	    memcmp(p + 4, area_magic, 16) != 0 || pme_le32_at(p + 20) != 1 ||
	    pme_le64_at(p + 24) != area.start || pme_le64_at(p + 32) != area.length)
		return -EINVAL;
	r = parse_locn(p + 40, area, &locns[0]);
	if (r == 0)
		r = parse_locn(p + 64, area, &locns[1]);
	if (r == 0)
		memcpy(ret, locns, sizeof(locns));
	return r;
}

size_t pme_lvm_locn_pieces(struct pme_range area, const struct pme_lvm_locn *locn,
			   struct pme_range ret[2])
{
	uint64_t first = pme_min(locn->size, area.length - locn->offset);

	if (locn->size == 0)
		return 0;
	ret[0] = (struct pme_range){area.start + locn->offset, first};
	ret[1] = (struct pme_range){area.start + PME_LVM_HEADER_BYTES, locn->size - first};
	return first < locn->size ? 2 : 1;
}

bool pme_lvm_text_is_good(const void *text, const struct pme_lvm_locn *locn)
{
	return pme_rest_crc(LVM_CRC, text, locn->size) == locn->crc;
}
