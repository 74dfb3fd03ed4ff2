/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inodes whose names are wanted; see names-wanted.h. */
#include "names-wanted.h"

#define FILTER_BITS_MIN 4096
#define FILTER_BITS_EACH 128 /* so that less than one in a hundred is looked for in vain */

static int by_inode(const void *a, const void *b)
{
	const struct pme_file *p = *(struct pme_file *const *)a;
	const struct pme_file *q = *(struct pme_file *const *)b;

	return p->inode < q->inode ? -1 : p->inode > q->inode;
}

/* The one of a file of unknown mode is never counted down. */
static uint32_t missing_at_first(const struct pme_file *file)
{
	return file->mode == 0 ? 1 : pme_names_wanted(file);
}

static int prepare_filter(struct pme_wanted *wanted)
{
	wanted->filter_bits = FILTER_BITS_MIN;
	while (wanted->filter_bits < wanted->n_files * FILTER_BITS_EACH)
		wanted->filter_bits *= 2;
	wanted->filter = calloc(wanted->filter_bits / 8, 1);
	if (!wanted->filter)
		return -ENOMEM;
	for (size_t i = 0; i < wanted->n_files; i++) {
		uint64_t bit = wanted->files[i]->inode & (wanted->filter_bits - 1);

		wanted->filter[bit / 8] |= (unsigned char)(1U << bit % 8);
	}
	return 0;
}

int pme_wanted_init(struct pme_wanted *wanted, struct pme_file **files, size_t n_files)
{
	uint64_t total = 0;

	*wanted = (struct pme_wanted){.files = files, .n_files = n_files};
	qsort(files, n_files, sizeof(*files), by_inode);
	wanted->missing = calloc(n_files, sizeof(*wanted->missing));
	if (!wanted->missing)
		return -ENOMEM;
	for (size_t i = 0; i < n_files; i++) {
		atomic_init(&wanted->missing[i], missing_at_first(files[i]));
		total += missing_at_first(files[i]);
	}
	atomic_init(&wanted->total_missing, total);
	return prepare_filter(wanted);
}

void pme_wanted_done(struct pme_wanted *wanted)
{
	free(wanted->missing);
	free(wanted->filter);
}

size_t pme_wanted_find(const struct pme_wanted *wanted, uint64_t ino)
{
	const struct pme_file key = {.inode = ino}, *keyp = &key;
	struct pme_file **found;

	if (!pme_wanted_may_have(wanted, ino))
		return wanted->n_files;
	found = bsearch(&keyp, wanted->files, wanted->n_files, sizeof(*wanted->files), by_inode);
	return found ? (size_t)(found - wanted->files) : wanted->n_files;
}

void pme_wanted_found(struct pme_wanted *wanted, size_t i)
{
	uint32_t missing = atomic_load(&wanted->missing[i]);

	if (wanted->files[i]->mode == 0)
		return;
	while (missing > 0)
		if (atomic_compare_exchange_weak(&wanted->missing[i], &missing, missing - 1)) {
			atomic_fetch_sub(&wanted->total_missing, 1);
			return;
		}
}

bool pme_wanted_all_found(const struct pme_wanted *wanted)
{
	return atomic_load_explicit(&wanted->total_missing, memory_order_relaxed) == 0;
}
