/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run has to tell besides its findings: messages, and two flags that make the exit status.
 *
 * One object per invocation, passed down; whoever knows the name of the thing reports it, once.
 * Messages end up in the JSON document ("messages") and, in text mode, on standard error.
 */
#ifndef PME_LOG_H
#define PME_LOG_H

#include "base.h"
#include "progress.h"

enum pme_severity {
	/* from worst to mildest */
	PME_ERROR,   /* an operation failed: exit status 4 */
	PME_WARNING, /* worth knowing, the answer stands */
	PME_INFO,
};

struct pme_message {
	enum pme_severity severity;
	char *subject; /* the thing: "pmem0" */
	char *text;    /* what failed and why: "cannot read badblocks: Permission denied" */
};

struct pme_log {
	struct pme_message *messages;
	size_t count, alloc;
	bool incomplete; /* something could not be known: coverage "incomplete", exit status 16 */
	bool failed;	 /* an operation failed: exit status 4 */
	bool no_memory;	 /* a message could not be stored; implies failed */
	struct pme_progress *progress; /* of the same run; borrowed, or NULL */
};

const char *pme_severity_name(enum pme_severity severity);

/*
 * Record a message; PME_ERROR sets @failed.  The same message twice is recorded once, with the
 * worst of its severities.
 */
void pme_log_add(struct pme_log *log, enum pme_severity severity, const char *subject,
		 const char *fmt, ...) _printf_(4, 5);

/* Record a warning and mark the answer incomplete. */
void pme_log_incomplete(struct pme_log *log, const char *subject, const char *fmt, ...)
	_printf_(3, 4);

/* Everything of @other is said in @log, too. */
void pme_log_merge(struct pme_log *log, const struct pme_log *other);

/* Frees what the log owns, not the log itself. */
void pme_log_done(struct pme_log *log);

#endif
