/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of lib/doctor*.c: rows that a rule has added.  The rule of rules: what is not known
 * makes the row unknown, and nothing else.
 */
#ifndef PME_TESTS_DOCTOR_ROWS_H
#define PME_TESTS_DOCTOR_ROWS_H

#include "check.h"
#include "doctor.h"

#define NOW ((int64_t)1767323045 * 1000000)
#define DAY ((int64_t)86400 * 1000000)

/* The row of @id about @subject (NULL: any); there must be one. */
static inline const struct pme_check *row(const struct pme_checks *checks, enum pme_check_id id,
					  const char *subject)
{
	assert_int_equal(checks->error, 0);
	for (size_t i = 0; i < checks->count; i++)
		if (checks->items[i].id == id &&
		    (!subject || strcmp(checks->items[i].subject, subject) == 0))
			return &checks->items[i];
	fail_msg("no row %s", pme_check_name(id));
	return NULL;
}

/* Its result; what is wrong comes with something to do. */
static inline enum pme_result result_of(const struct pme_checks *checks, enum pme_check_id id)
{
	const struct pme_check *check = row(checks, id, NULL);

	if (check->result == PME_RESULT_PROBLEM || check->result == PME_RESULT_ADVICE)
		assert_non_null(check->todo);
	assert_true(*check->found);
	return check->result;
}

#endif
