/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders and reports; see order.h.
 */
#include "order.h"

#include <string.h>

#define ORDER_VERSION "1"
#define REGION "*" /* any region */

/* All that workers are started for. */
static const char *const jobs[][PMED_ORDER_ARGS + 1] = {
	{"--json", "list"},
	{"--json", "list", "--health"},
	{"--json", "scan", REGION},
	{"--json", "simulate", REGION},
};

bool pmed_is_region(const char *name)
{
	uint64_t number;

	return name && strncmp(name, "region", 6) == 0 &&
	       pme_parse_u64(name + 6, strlen(name + 6), &number) == 0 && strlen(name) < 32;
}

static bool is_job(const char *const *args, const char *const *job)
{
	for (; *args && *job; args++, job++)
		if (strcmp(*job, REGION) == 0 ? !pmed_is_region(*args) : strcmp(*job, *args) != 0)
			return false;
	return !*args && !*job;
}

static int check_job(const char *const *args)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(jobs); i++)
		if (is_job(args, jobs[i]))
			return 0;
	return -EPERM;
}

ssize_t pmed_order_make(const char *const *args, uint64_t memory, char text[PMED_ORDER_MAX])
{
	_cleanup_free_ char *number = pme_printf("%llu", (unsigned long long)memory);
	const char *words[2 + PMED_ORDER_ARGS] = {ORDER_VERSION, number};
	size_t count = 2, len = 0;
	int r = number ? check_job(args) : -ENOMEM;

	if (r < 0)
		return r;
	for (; *args; args++)
		words[count++] = *args;
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(words[i]) + 1;

		if (size > PMED_ORDER_MAX - len)
			return -E2BIG;
		memcpy(text + len, words[i], size);
		len += size;
	}
	return (ssize_t)len;
}

/* The word at *@pos, NULL when there is no more; each has its NUL before @end. */
static const char *next_word(const char **pos, const char *end)
{
	const char *word = *pos;

	if (word == end)
		return NULL;
	*pos += strlen(word) + 1;
	return word;
}

int pmed_order_parse(const char *text, size_t len, struct pmed_order *ret)
{
	struct pmed_order order = {0};
	const char *pos = text, *end = text + len, *word;
	size_t count = 0;
	int r;

	if (len == 0 || len > PMED_ORDER_MAX || text[len - 1] != '\0')
		return -EINVAL;
	if (strcmp(next_word(&pos, end), ORDER_VERSION) != 0)
		return -EINVAL;
	word = next_word(&pos, end);
	if (!word || pme_parse_u64(word, strlen(word), &order.memory) < 0)
		return -EINVAL;
	while ((word = next_word(&pos, end))) {
		if (count == PMED_ORDER_ARGS)
			return -EINVAL;
		order.args[count++] = word;
	}
	r = check_job(order.args);
	if (r == 0)
		*ret = order;
	return r;
}

static bool is_end(const struct pmed_end *end)
{
	return end->error <= 0 && end->error > -4096 && end->signal >= 0 && end->signal < 128 &&
	       end->exit_code >= -1 && end->exit_code < 256;
}

int pmed_report_parse(const void *data, size_t len, bool has_pidfd, struct pmed_report *ret)
{
	struct pmed_report report;

	if (len != sizeof(report))
		return -EPROTO;
	memcpy(&report, data, sizeof(report));
	if (report.kind == PMED_REPORT_BEGAN
		    ? !has_pidfd || report.pid <= 1
		    : report.kind != PMED_REPORT_ENDED || has_pidfd || !is_end(&report.end))
		return -EPROTO;
	*ret = report;
	return 0;
}
