/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superblocks of bcache devices; see bcache-super.h.
 *
 * The surprise: the checksum ends behind the last journal bucket that is used, so a superblock of
 * a backing device covers none of that list.
 */
#include "bcache-super.h"

#include <string.h>

#include "reader.h"

#define MAX_BUCKETS (1ULL << 48)
#define JOURNAL_MAX 256U
#define LIST_AT 208U /* numbers of journal buckets */
#define BUCKET_MAX (1ULL << 31)
#define INCOMPAT_OBSOLETE_LARGE 1U
#define INCOMPAT_LARGE 2U

uint64_t pme_bcache_crc(uint64_t crc, const void *data, size_t len)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < len; i++) {
		crc ^= (uint64_t)at[i] << 56;
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 63 ? 0x42f0e1eba9ea3693ULL : 0);
	}
	return crc;
}

static uint64_t le16_at(const unsigned char *at)
{
	return at[0] | (uint64_t)at[1] << 8;
}

static int parse_backing(const unsigned char *buf, uint64_t version, struct pme_bcache_super *ret)
{
	uint64_t sectors = version == 1 ? 16 : pme_le64_at(buf + 184);

	ret->backing = true;
	if (sectors < 16 || pme_mul(sectors, PME_SECTOR, &ret->data_offset) < 0)
		return -EINVAL;
	return 0;
}

static int bucket_sectors(const unsigned char *buf, uint64_t version, uint64_t *ret)
{
	uint64_t incompat = version >= 5 ? pme_le64_at(buf + 128) : 0;

	*ret = le16_at(buf + 194);
	if (incompat & ~(uint64_t)(INCOMPAT_LARGE | INCOMPAT_OBSOLETE_LARGE))
		return -EINVAL;
	if (incompat & INCOMPAT_LARGE)
		*ret = *ret < 32 ? 1ULL << *ret : 0;
	else if (incompat & INCOMPAT_OBSOLETE_LARGE)
		*ret += le16_at(buf + 2256) << 16;
	return *ret >= 8 && *ret <= BUCKET_MAX && (*ret & (*ret - 1)) == 0 ? 0 : -EINVAL;
}

static int parse_cache(const unsigned char *buf, uint64_t version, struct pme_bcache_super *ret)
{
	uint64_t sectors, block = le16_at(buf + 192);
	int r = bucket_sectors(buf, version, &sectors);

	if (r < 0)
		return r;
	ret->block = block * PME_SECTOR;
	ret->bucket = sectors * PME_SECTOR;
	ret->n_buckets = pme_le64_at(buf + 184);
	ret->nr_in_set = le16_at(buf + 196);
	ret->first_bucket = le16_at(buf + 204);
	ret->n_journal = le16_at(buf + 206);
	if (block == 0 || block > 8 || (block & (block - 1)) != 0 || ret->n_buckets > MAX_BUCKETS ||
	    ret->n_journal > JOURNAL_MAX || ret->first_bucket + ret->n_journal > ret->n_buckets ||
	    ret->first_bucket * ret->bucket < PME_BCACHE_SUPER_AT + PME_BCACHE_SUPER_SIZE)
		return -EINVAL;
	for (uint64_t i = 0; i < ret->n_journal; i++)
		if (pme_le64_at(buf + LIST_AT + i * 8) != ret->first_bucket + i)
			return -EINVAL;
	return 0;
}

int pme_bcache_super_parse(const unsigned char *buf, struct pme_bcache_super *ret)
{
	static const unsigned char magic[16] = {0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
						0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81};
	uint64_t version = pme_le64_at(buf + 16), keys = le16_at(buf + 206);

	*ret = (struct pme_bcache_super){0};
	if (memcmp(buf + 24, magic, sizeof(magic)) != 0 ||
	    pme_le64_at(buf + 8) != PME_BCACHE_SUPER_AT / PME_SECTOR || keys > JOURNAL_MAX)
		return -EINVAL;
	if (~pme_bcache_crc(~0ULL, buf + 8, LIST_AT - 8 + keys * 8) != pme_le64_at(buf))
		return -EBADMSG;
	memcpy(ret->set_uuid, buf + 56, sizeof(ret->set_uuid));
	switch (version) {
	case 1:
	case 4:
	case 6:
		return parse_backing(buf, version, ret);
	case 0:
	case 3:
	case 5:
		return parse_cache(buf, version, ret);
	default:
		return -EINVAL;
	}
}
