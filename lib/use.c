/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of use, in the order in which they are asked; see use.h.
 */
#include "use.h"

#include <string.h>

/* What the file itself says is asked before who has it open, but an image in a pool is an image. */
static int (*const kinds[])(const struct pme_use_facts *facts, struct pme_use **ret) = {
	pme_use_guest,
	pme_use_pool,
	pme_use_sqlite,
	pme_use_server,
};

struct pme_use *pme_use_new(const struct pme_use *like)
{
	struct pme_use *use = calloc(1, sizeof(*use));

	if (use && like->what) {
		*use = *like;
		return use;
	}
	free(use);
	free(like->what);
	free(like->name);
	free(like->command);
	return NULL;
}

const struct pme_holder *pme_use_holder(const struct pme_file *file,
					bool (*matches)(const char *command))
{
	for (size_t i = 0; i < file->n_holders; i++) {
		const struct pme_holder *holder = &file->holders[i];

		if ((holder->open || holder->mapped) && holder->command && matches(holder->command))
			return holder;
	}
	return NULL;
}

int pme_use_find(const struct pme_use_facts *facts, struct pme_use **ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(kinds); i++)
		r = kinds[i](facts, ret);
	return r;
}
