/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that runs beside the loop: workers, hooks, sendmail.
 *
 * It gets a session and process group of its own, a clean environment, limits and a deadline, at
 * which the whole group is killed.  What it writes is read as it comes, up to a limit; what is more
 * is thrown away.  Its group ends with it: what it left behind there has a second to close its
 * output, then it is killed, too; who is to live longer calls setsid(2).  One that cannot be killed
 * (state D) is left behind and counted until it ends.  All this holds for children of the launcher
 * as it does for ours.
 */
#ifndef PMED_PROCESS_H
#define PMED_PROCESS_H

#include <systemd/sd-event.h>

#include "base.h"

struct pmed_result {
	int error;     /* it could not be started, or nobody knows how it ended: -errno; -ECANCELED:
			  killed before it began; else 0 */
	int exit_code; /* of exit(2), or -1 */
	int signal;    /* that ended it, or 0 */
	bool timed_out; /* the deadline passed */
	bool stuck;	/* and not even SIGKILL ended it: it still runs */
	bool cut;	/* more output than was allowed, or output that did not end; of errors, what
			   is too much is only thrown away */
	char *out, *err; /* a NUL is behind them; never NULL */
	size_t out_len, err_len;
	uint64_t usec; /* how long it ran */
};

struct pmed_process_args {
	char *const *argv; /* argv[0]: path of the program */
	char *const *envp;
	/* Socket of the launcher (order.h), which starts its own program with argv[1]… and with an
	 * environment of its own; NULL: it is a child of ours. */
	const char *launcher;
	const void *input; /* its standard input; copied */
	size_t input_len;
	uint64_t deadline; /* ms */
	uint64_t memory;   /* bytes of address space; 0: no limit */
	size_t max_out, max_err;
	/* Called once, in the loop; *result is borrowed.  Not called after pmed_process_forget().
	 */
	void (*done)(void *arg, const struct pmed_result *result);
	/*
	 * May be NULL.  When done() said stuck: called once it has ended after all; until then the
	 * process may be forgotten.  In all other cases, and without this, the process is no more
	 * when done() is called.
	 */
	void (*ended)(void *arg);
	void *arg;
};

struct pmed_process;

/* 0, or -errno; then done() is not called. */
int pmed_process_start(sd_event *loop, const struct pmed_process_args *args,
		       struct pmed_process **ret);
/* Kill its group now; done() follows. */
void pmed_process_kill(struct pmed_process *process);
/* The same of one that may have to take a filesystem down as it ends: it is stuck much later. */
void pmed_process_kill_inside(struct pmed_process *process);
/* Kill, and never call done() or ended(). */
void pmed_process_forget(struct pmed_process *process);
/* How many could not be killed and still run. */
size_t pmed_process_stuck(void);
/* For the end of the program: kill and forget all, wait at most @ms for them, free everything. */
void pmed_process_end_all(uint64_t ms);

#endif
