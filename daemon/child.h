/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One child: started within limits, in a session and process group of its own; looked at when it
 * has ended; and reaped only when its group was killed, so that its number, which is that of the
 * group, cannot mean somebody else meanwhile.
 *
 * It dies with the thread that started it.  What is to outlive it calls setsid(2).
 */
#ifndef PMED_CHILD_H
#define PMED_CHILD_H

#include <sys/types.h>

#include "base.h"

struct pmed_child_args {
	char *const *argv; /* argv[0]: path of the program */
	char *const *envp;
	int in, out, err; /* borrowed; nothing else of ours is open in it */
	uint64_t memory;  /* bytes of address space; 0: no limit */
};

struct pmed_child {
	pid_t pid;  /* 0: none */
	int pidfd;  /* readable when it has ended */
	int report; /* errno of execve(2) comes here */
};
#define PMED_NO_CHILD ((struct pmed_child){.pidfd = -1, .report = -1})

struct pmed_end {
	int32_t error; /* it could not be started, or nobody knows how it ended: -errno; else 0 */
	int32_t exit_code; /* of exit(2), or -1 */
	int32_t signal;	   /* that ended it, or 0 */
};

/* What workers find in their environment. */
extern char *const pmed_worker_environment[];

/* Standard input as a file in memory, which may be read or not, at any speed: a descriptor, -errno.
 */
int pmed_child_input(const void *input, size_t len);
/* 0, or -errno: then there is no child. */
int pmed_child_start(const struct pmed_child_args *args, struct pmed_child *ret);
/* SIGKILL for its whole group. */
void pmed_child_kill(const struct pmed_child *child);
/* How it ended; it is not reaped. */
struct pmed_end pmed_child_look(const struct pmed_child *child);
/* Kill its group, reap it if it has ended, and forget it. */
void pmed_child_done(struct pmed_child *child);

#endif
