/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of the parameters of a device-mapper target, as DM_TABLE_STATUS prints them: numbers in
 * sectors, devices as "major:minor".
 *
 * Parameters are outside text: wild numbers and missing words are -EINVAL, never a guess.  They may
 * hold keys; nothing here, and nobody else, shows them.
 */
#ifndef PME_DM_PARAMS_H
#define PME_DM_PARAMS_H

#include <sys/types.h>

#include "topo.h"

struct pme_dm_params {
	const char *pos, *end;
};

struct pme_dm_params pme_dm_params_of(const struct pme_dm_line *line);

/* The next word, which must be there and be a number: 0 or -EINVAL. */
int pme_dm_params_u64(struct pme_dm_params *params, uint64_t *ret);
/* The same: a number of sectors, given in bytes. */
int pme_dm_params_sectors(struct pme_dm_params *params, uint64_t *ret);
/* The same: "major:minor" within the 12 and 20 bits of the kernel, and not 0:0. */
int pme_dm_params_dev(struct pme_dm_params *params, dev_t *ret);
/* 0 at the end, -EINVAL when there are more words. */
int pme_dm_params_end(struct pme_dm_params *params);

/* Is one of the words of @line the device number @devno? */
bool pme_dm_line_names(const struct pme_dm_line *line, dev_t devno);

/* The device with number @devno directly below @upper, or NULL. */
const struct pme_dev *pme_dm_lower(const struct pme_dev *upper, dev_t devno);

#endif
