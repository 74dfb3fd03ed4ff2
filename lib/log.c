/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of one run; see log.h.
 */
#include "log.h"

#include <stdarg.h>
#include <string.h>

const char *pme_severity_name(enum pme_severity severity)
{
	switch (severity) {
	case PME_ERROR:
		return "error";
	case PME_WARNING:
		return "warning";
	case PME_INFO:
		return "info";
	}
	return NULL;
}

static struct pme_message *find(const struct pme_log *log, const char *subject, const char *text)
{
	for (size_t i = 0; i < log->count; i++)
		if (strcmp(log->messages[i].subject, subject) == 0 &&
		    strcmp(log->messages[i].text, text) == 0)
			return &log->messages[i];
	return NULL;
}

static void no_memory(struct pme_log *log)
{
	log->no_memory = true;
	log->failed = true;
}

static void add(struct pme_log *log, enum pme_severity severity, const char *subject,
		const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *name = strdup(subject);
	struct pme_message *known;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	if (!text || !name) {
		no_memory(log);
		return;
	}
	known = find(log, name, text);
	if (known) {
		if (severity < known->severity)
			known->severity = severity;
		return;
	}
	if (pme_grow(&log->messages, &log->alloc, log->count, sizeof(*log->messages)) < 0) {
		no_memory(log);
		return;
	}
	log->messages[log->count++] = (struct pme_message){
		.severity = severity,
		.subject = pme_take_ptr(name),
		.text = pme_take_ptr(text),
	};
}

void pme_log_add(struct pme_log *log, enum pme_severity severity, const char *subject,
		 const char *fmt, ...)
{
	va_list ap;

	if (severity == PME_ERROR)
		log->failed = true;
	va_start(ap, fmt);
	add(log, severity, subject, fmt, ap);
	va_end(ap);
}

void pme_log_incomplete(struct pme_log *log, const char *subject, const char *fmt, ...)
{
	va_list ap;

	log->incomplete = true;
	va_start(ap, fmt);
	add(log, PME_WARNING, subject, fmt, ap);
	va_end(ap);
}

void pme_log_merge(struct pme_log *log, const struct pme_log *other)
{
	for (size_t i = 0; i < other->count; i++)
		pme_log_add(log, other->messages[i].severity, other->messages[i].subject, "%s",
			    other->messages[i].text);
	log->incomplete = log->incomplete || other->incomplete;
	log->failed = log->failed || other->failed;
	log->no_memory = log->no_memory || other->no_memory;
}

void pme_log_done(struct pme_log *log)
{
	for (size_t i = 0; i < log->count; i++) {
		free(log->messages[i].subject);
		free(log->messages[i].text);
	}
	free(log->messages);
	*log = (struct pme_log){0};
}
