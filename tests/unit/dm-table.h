/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of device-mapper targets: a dm device with a table that a test writes line by line.
 */
#ifndef PME_TESTS_DM_TABLE_H
#define PME_TESTS_DM_TABLE_H

#include <sys/sysmacros.h>

#include "hop-check.h"

#define SECTORS(n) ((n)*PME_SECTOR)

/* Three devices below, numbers 259:0 to 259:2, and one dm device on them. */
struct table {
	struct pme_dev lowers[3];
	const struct pme_dev *edges[3];
	struct pme_dm_line lines[16];
	struct pme_dev dm;
};

static inline void table_start(struct table *t)
{
	static const char *const names[] = {"pmem0", "pmem1", "pmem2"};

	*t = (struct table){0};
	for (unsigned int i = 0; i < 3; i++) {
		t->lowers[i] = (struct pme_dev){
			.name = text(names[i]),
			.kind = PME_DEV_DISK,
			.devno = makedev(259, i),
			.size = SECTORS(400),
		};
		t->edges[i] = &t->lowers[i];
	}
	t->dm = (struct pme_dev){
		.name = text("dm-0"),
		.alias = text("vg0/data"),
		.kind = PME_DEV_DM,
		.lowers = t->edges,
		.n_lowers = 3,
		.lines = t->lines,
	};
}

/* One more line, of @sectors, behind the others. */
static inline void table_add(struct table *t, uint64_t sectors, const char *type, char *params)
{
	assert_true(t->dm.n_lines < PME_ARRAY_SIZE(t->lines));
	assert_non_null(params);
	t->lines[t->dm.n_lines++] = (struct pme_dm_line){
		.range = {t->dm.size, SECTORS(sectors)},
		.type = text(type),
		.params = params,
	};
	t->dm.size += SECTORS(sectors);
}

static inline void table_free(struct table *t)
{
	for (size_t i = 0; i < t->dm.n_lines; i++)
		free(t->lines[i].params);
}

/* Each of these parameters makes bytes of @t.lowers[@lower] unknown, with these words. */
static inline void check_malformed(const char *type, const char *const *params, size_t count,
				   int lower)
{
	_cleanup_free_ char *words =
		pme_printf("table line 1 of vg0/data: malformed '%s' parameters", type);

	for (size_t i = 0; i < count; i++) {
		_cleanup_(pme_steps_done) struct pme_steps up = {0};
		struct pme_range range = {4096, 512};
		struct table t;

		table_start(&t);
		table_add(&t, 64, type, strdup(params[i]));
		assert_int_equal(pme_layer_dm.up(NULL, &t.dm, &t.lowers[lower], range, &up), 0);
		check_end(&up, PME_OWNER_UNKNOWN, range, words);
		table_free(&t);
	}
}

#endif
