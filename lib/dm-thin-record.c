/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of a reserved metadata snapshot; see dm-thin-record.h.
 */
#include "dm-thin-record.h"

#include <inttypes.h>
#include <string.h>

char *pme_thin_record_text(const char *boot, const char *pool, const struct pme_thin_mark *mark)
{
	if (!mark)
		return pme_printf("%s asking %s\n", boot, pool);
	return pme_printf("%s held %" PRIu64 " %" PRIu64 " %s\n", boot, mark->block, mark->sum,
			  pool);
}

static int next_number(const char **pos, const char *end, uint64_t *ret)
{
	const char *word;
	size_t len;

	if (pme_next_word(pos, end, &word, &len) != 1)
		return -EINVAL;
	return pme_parse_u64(word, len, ret);
}

enum pme_thin_record pme_thin_record_parse(const char *text, const char *boot, const char *pool,
					   struct pme_thin_mark *ret_mark)
{
	const char *pos = text, *end = text + strcspn(text, "\n"), *word;
	size_t len;

	*ret_mark = (struct pme_thin_mark){.sum = PME_THIN_NO_SUM};
	if (pme_next_word(&pos, end, &word, &len) != 1)
		return PME_THIN_RECORD_NONE;
	if (*end != '\n' || !pme_word_is(word, len, boot) ||
	    pme_next_word(&pos, end, &word, &len) != 1 || !pme_word_is(word, len, "held") ||
	    next_number(&pos, end, &ret_mark->block) < 0 ||
	    next_number(&pos, end, &ret_mark->sum) < 0 || pos == end ||
	    !pme_word_is(pos + 1, end - (pos + 1), pool)) /* a uuid may have blanks */
		return PME_THIN_RECORD_UNSURE;
	return PME_THIN_RECORD_HELD;
}

bool pme_thin_mark_same(const struct pme_thin_mark *then, const struct pme_thin_mark *now)
{
	return then->block != 0 && then->block == now->block && then->sum != PME_THIN_NO_SUM &&
	       then->sum == now->sum;
}
