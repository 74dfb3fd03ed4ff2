/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bytes of an MD member outside of its data are.
 */
#ifndef PME_MD_AREAS_H
#define PME_MD_AREAS_H

#include "layer.h"

/*
 * Append ends for @range of member @lower of @array, all of which is outside of its data; @what is
 * said where the superblock cannot be read.
 */
int pme_md_areas_say(struct pme_stack *stack, const struct pme_dev *array,
		     const struct pme_dev *lower, struct pme_range range, const char *what,
		     struct pme_steps *ret);

#endif
