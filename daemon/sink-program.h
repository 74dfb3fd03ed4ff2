/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that takes events, one at a time, with a bounded queue before it: a hook, sendmail.
 *
 * Each event is one run of the program with the event on standard input.  Outcomes are reported as
 * those of the sink.
 */
#ifndef PMED_SINK_PROGRAM_H
#define PMED_SINK_PROGRAM_H

#include "sink.h"

struct pmed_program;

struct pmed_program_args {
	struct pmed_sink *sink;
	const char *part;	 /* for pmed_sink_outcome(), or NULL */
	const char *const *argv; /* copied */
	uint64_t deadline;	 /* ms, of one run */
};

int pmed_program_new(const struct pmed_program_args *args, struct pmed_program **ret);
/* Another program and deadline, from the next run on: 0, -ENOMEM. */
int pmed_program_set(struct pmed_program *program, const char *const *argv, uint64_t deadline);
/* @envp: NULL behind the last; a copy.  0; -ENOBUFS when too many events wait; -ENOMEM. */
int pmed_program_put(struct pmed_program *program, int64_t event_id, const char *const *envp,
		     const char *input);
const char *pmed_program_part(const struct pmed_program *program); /* borrowed */
bool pmed_program_idle(const struct pmed_program *program); /* nothing runs, and nothing waits */
/* Kills what runs; that, and what waits, was dropped: pmed_sink_drop(). Returns NULL. */
struct pmed_program *pmed_program_free(struct pmed_program *program);

#endif
