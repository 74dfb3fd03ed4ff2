/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why something cannot be seen, and whether that is news for who was told of it before.
 *
 * The surprise: two reasons are one when they differ in numbers alone, which change with every
 * look; and one that comes and goes with others is told once in an hour.  What the incident says is
 * brought up to date all the same.
 */
#include "state-private.h"

#include <string.h>
#include <xxhash.h>

#define REASONS_SHOWN 3 /* in one sentence */
#define USEC_PER_HOUR 3600000000LL

static int compare_messages(const void *a, const void *b)
{
	static const char *const keys[] = {"severity", "subject", "text"};
	struct json_object *x = *(struct json_object *const *)a;
	struct json_object *y = *(struct json_object *const *)b;
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(keys); i++)
		r = strcmp(pmed_text(x, keys[i]), pmed_text(y, keys[i]));
	return r;
}

/* Those that are troubles, each once, in an order of their own: errors come before warnings. */
static size_t find_troubles(struct json_object *messages, struct json_object **some)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < pme_json_count(messages); i++)
		if (strcmp(pmed_text(pme_json_at(messages, i), "severity"), "info") != 0)
			some[count++] = pme_json_at(messages, i);
	if (count > 1)
		qsort(some, count, sizeof(*some), compare_messages);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_messages(&some[kept - 1], &some[i]) != 0)
			some[kept++] = some[i];
	return kept;
}

static char *join(struct json_object *const *some, size_t count)
{
	char *text = strdup("");

	for (size_t i = 0; text && i < count && i < REASONS_SHOWN; i++) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s%s%s: %s", before, i ? "; " : "",
				  pmed_text(some[i], "subject"), pmed_text(some[i], "text"));
	}
	if (text && count > REASONS_SHOWN) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s (and %zu more)", before, count - REASONS_SHOWN);
	}
	return text;
}

char *pmed_reason_of(struct json_object *doc)
{
	struct json_object *messages = pmed_array(doc, "messages");
	_cleanup_free_ struct json_object **some =
		calloc(pme_json_count(messages) + 1, sizeof(*some));
	size_t count;

	if (!some)
		return NULL;
	count = find_troubles(messages, some);
	return count ? join(some, count) : strdup("not all owners are known");
}

/* "7", "(12" and "3.5," but neither "pmem0" nor "namespace0.0". */
static bool is_number(const char *word, size_t len)
{
	size_t start = len > 0 && *word == '(';

	if (start >= len || word[start] < '0' || word[start] > '9')
		return false;
	for (size_t i = start; i < len; i++)
		if (!strchr("0123456789.,:;)%", word[i]))
			return false;
	return true;
}

/* Never 0. */
static uint64_t hash_words(const char *why)
{
	uint64_t hash = 1;

	while (*why) {
		size_t len = strcspn(why, " ");

		hash = is_number(why, len) ? XXH3_64bits_withSeed("#", 1, hash)
					   : XXH3_64bits_withSeed(why, len, hash);
		why += len;
		why += strspn(why, " ");
	}
	return hash ? hash : 1;
}

/* The reason in the text of an incident. */
static const char *reason_in(const char *text)
{
	const char *at = strstr(text, PMED_NOT_COMPLETE);

	return at ? at + strlen(PMED_NOT_COMPLETE) : text;
}

bool pmed_reason_is_news(struct pmed_incident *incident, const char *why, int64_t now)
{
	struct pmed_told *told = incident->told, is = {hash_words(why), now};

	if (told[0].reason == 0)
		told[0] =
			(struct pmed_told){hash_words(reason_in(incident->text)), incident->opened};
	for (size_t i = 0; i < PMED_REASONS; i++) {
		bool lately = now >= told[i].time && now - told[i].time < USEC_PER_HOUR;

		if (told[i].reason == is.reason && (i == 0 || lately))
			return false;
	}
	memmove(told + 1, told, (PMED_REASONS - 1) * sizeof(*told));
	told[0] = is;
	return true;
}
