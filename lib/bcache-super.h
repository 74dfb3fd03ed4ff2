/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superblocks of bcache devices (drivers/md/bcache/bcache_ondisk.h; include/uapi/linux/bcache.h
 * before 5.17): one at byte 4096 of the backing device, one at byte 4096 of the cache device.
 */
#ifndef PME_BCACHE_SUPER_H
#define PME_BCACHE_SUPER_H

#include "base.h"

#define PME_BCACHE_SUPER_AT 4096U
#define PME_BCACHE_SUPER_SIZE 4096U

/* Everything in bytes but numbers of buckets. */
struct pme_bcache_super {
	bool backing;
	unsigned char set_uuid[16];
	uint64_t data_offset;					/* of a backing device */
	uint64_t block, bucket;					/* sizes, of a cache device */
	uint64_t n_buckets, first_bucket, n_journal, nr_in_set; /* the same */
};

/* @buf: PME_BCACHE_SUPER_SIZE bytes.  0, -EINVAL when it is none, -EBADMSG: its checksum is wrong.
 */
int pme_bcache_super_parse(const unsigned char *buf, struct pme_bcache_super *ret);

/* CRC-64 (polynomial 0x42f0e1eba9ea3693, not reflected) without any inversion. */
uint64_t pme_bcache_crc(uint64_t crc, const void *data, size_t len);

#endif
