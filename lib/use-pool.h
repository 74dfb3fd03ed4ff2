/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools of PMDK: the header of a part, and the text file that lists the parts of a set.
 *
 * The header is struct pool_hdr of PMDK (src/libpmem2 and src/common, pool_hdr.h; checksum:
 * src/core/util.c:util_checksum_compute), the text is poolset(5).  All numbers are little-endian.
 */
#ifndef PME_USE_POOL_H
#define PME_USE_POOL_H

#include "base.h"

#define PME_POOL_HEADER 4096	/* bytes */
#define PME_POOL_MIN (2U << 20) /* bytes of the smallest part (PMEMOBJ_MIN_PART) */

enum pme_pool_kind { PME_POOL_OBJ, PME_POOL_LOG, PME_POOL_BLK };
const char *pme_pool_name(enum pme_pool_kind kind); /* "object" */

struct pme_pool {
	enum pme_pool_kind kind;
	char set[37];	   /* UUID of the pool (set), as text */
	bool has_parts;	   /* one of several parts of its replica */
	bool has_replicas; /* there are others; of a pool in parts only known of the first one */
};

/* The first @size bytes of a file: 0; -EINVAL: not a header, or a damaged one. */
int pme_pool_parse(const void *data, size_t size, struct pme_pool *ret);

/* Where a part stands in a set; all count from 1. */
struct pme_pool_place {
	unsigned int replica, replicas, part, parts; /* of its replica */
};

/* The text of a pool set: 1 and the place of the part @path, 0 it is not in it, -EINVAL. */
int pme_pool_set_parse(const char *text, size_t len, const char *path, struct pme_pool_place *ret);

#endif
