/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every unit test includes: cmocka with the headers it needs, in the order it needs them; and
 * lists of words, which are easier to compare, and to read when they differ, than items one by one.
 */
#ifndef PME_CHECK_H
#define PME_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"

/* Append @word and a blank to the allocated text *@words; NULL is an empty one. */
static inline void words_add(char **words, const char *word)
{
	_cleanup_free_ char *before = *words;

	*words = pme_printf("%s%s ", before ? before : "", word);
	assert_non_null(*words);
}

#endif
