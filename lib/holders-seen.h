/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was seen of a process, until it becomes holders of files.
 *
 * Many processes are looked into at once, by several threads; a file has all its holders in one
 * list.  So whoever looks keeps what it sees of its process, and afterwards one thread makes
 * holders of it, in the order of the processes.
 */
#ifndef PME_HOLDERS_SEEN_H
#define PME_HOLDERS_SEEN_H

#include "holders.h"

enum pme_seen_how {
	PME_SEEN_OPEN,
	PME_SEEN_MAPPED,
	PME_SEEN_AGAIN, /* in smaps, which knows of MAP_SYNC */
};

/* A wanted file that a process has. */
struct pme_seen {
	struct pme_file *file; /* borrowed */
	enum pme_seen_how how;
	pid_t thread; /* in whose folder of /proc: the process, or a thread of it */
	int fd;
	bool writes;		 /* a descriptor of a device */
	bool map_sync;		 /* what is seen again */
	struct pme_map_line map; /* of a mapping */
};

struct pme_process {
	const char *pid; /* digits, borrowed */
	bool looked;	 /* or the time was over before */
	bool denied;	 /* something of it cannot be read */
	bool vague;	 /* it has something that may be a wanted file, or a copy */
	struct pme_seen *seen;
	size_t n_seen, alloc_seen;
};

/* What cannot be read of a process that is there is noted: 0 or -ENOMEM. */
int pme_process_note_error(struct pme_process *process, int error);
int pme_process_see(struct pme_process *process, const struct pme_seen *seen);
/* Make it holders of the files: 0 or -errno. */
int pme_process_hold(const struct pme_os *os, struct pme_process *process);
void pme_process_done(struct pme_process *process);

#endif
