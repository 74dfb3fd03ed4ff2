/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places; see place.h.
 */
#include "place.h"

struct pme_copies *pme_copies_new(const char *what, size_t need, size_t count)
{
	struct pme_copies *copies = calloc(1, sizeof(*copies) + count * sizeof(copies->places[0]));

	if (!copies)
		return NULL;
	copies->what = what;
	copies->need = need;
	copies->count = count;
	return copies;
}
