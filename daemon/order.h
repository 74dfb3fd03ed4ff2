/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pmemctld and its launcher say to each other: one order for each worker, and reports of it.
 *
 * Each connection is one worker (SOCK_SEQPACKET, so that a message is whole or not there):
 *   to the launcher    the order: words with a NUL behind each: "1" (the version), bytes of address
 *                      space (0: no limit), and the arguments of pmemctl; with it its standard
 *                      input, output and error
 *   to the daemon      a report that it began, with a pidfd; and one that it ended, and how
 *   end of the stream  from the daemon: kill its group.  Until then the launcher does not reap what
 *                      has ended, so that its number cannot mean anybody else.
 *
 * Both sides believe nothing: an order is for a job that pmemctld has, or it is refused.
 */
#ifndef PMED_ORDER_H
#define PMED_ORDER_H

#include <sys/types.h>

#include "child.h"

#define PMED_ORDER_MAX 256 /* bytes */
#define PMED_ORDER_FDS 3   /* 0, 1, 2 of the worker */
#define PMED_ORDER_ARGS 4  /* without the program */

struct pmed_order {
	uint64_t memory; /* bytes, 0: no limit */
	const char *args[PMED_ORDER_ARGS + 1];
};

/* The order for @args (NULL behind the last): its bytes, -EPERM for what is no job, -E2BIG. */
ssize_t pmed_order_make(const char *const *args, uint64_t memory, char text[PMED_ORDER_MAX]);
/* 0, and it points into @text; -EINVAL: it is none; -EPERM: it is for what is no job. */
int pmed_order_parse(const char *text, size_t len, struct pmed_order *ret);

/* "region" and a number. */
bool pmed_is_region(const char *name);

enum pmed_report_kind { PMED_REPORT_BEGAN = 1, PMED_REPORT_ENDED };

struct pmed_report {
	uint32_t kind;
	int32_t pid;	     /* of one that began */
	struct pmed_end end; /* of one that ended */
};

/* 0, or -EPROTO; @has_pidfd: one came with it. */
int pmed_report_parse(const void *data, size_t len, bool has_pidfd, struct pmed_report *ret);

#endif
