/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BTRFS_IOC_SCRUB (linux/btrfs.h), in a process of its own; see repair-scrub.h.
 *
 * The ioctl returns when all is done, and not every kernel lets a signal end it: so it is a child
 * that waits for it, and the scrub is ended by BTRFS_IOC_SCRUB_CANCEL.  From fs/btrfs/scrub.c:
 * whole chunks are scrubbed, of the last committed trees.  The surprise: a chunk with an active
 * swap file is skipped, and nothing says so but the bytes that were not counted.
 */
#include "repair-scrub.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define POLL_MSEC 20
#define DEADLINE_MSEC 120000 /* and a second more for each MiB */
#define CANCEL_EVERY 10	     /* polls */

struct answer {
	int error;
	struct btrfs_scrub_progress progress;
};

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int pme_scrub_runs(int fd, uint64_t devid)
{
	struct btrfs_ioctl_scrub_args args = {.devid = devid};
	int r = pme_os_ioctl(fd, BTRFS_IOC_SCRUB_PROGRESS, &args);

	return r == -ENOTCONN ? 0 : r < 0 ? r : 1;
}

/* In the child: never returns. */
static void scrub_and_tell(int fd, int tell, struct btrfs_ioctl_scrub_args *args)
{
	struct answer answer = {0};
	ssize_t n;

	answer.error = pme_os_ioctl(fd, BTRFS_IOC_SCRUB, args);
	answer.progress = args->progress;
	do {
		n = write(tell, &answer, sizeof(answer));
	} while (n < 0 && errno == EINTR);
	_exit(n == (ssize_t)sizeof(answer) ? 0 : 1);
}

/* Until the child has told: 0, or why it was made to stop. */
static int wait_for_it(struct pme_rewrite_run *run, int fd, int hear, uint64_t bytes)
{
	uint64_t deadline = now_msec() + DEADLINE_MSEC + bytes / (1U << 20) * 1000;
	struct pollfd wait = {.fd = hear, .events = POLLIN};
	int r = 0;

	for (unsigned int polls = 0; poll(&wait, 1, 0) <= 0; polls++) {
		int pause = pme_rewrite_pause(run, POLL_MSEC);

		if (r == 0 && pause < 0)
			r = pause;
		if (r == 0 && now_msec() > deadline)
			r = -ETIMEDOUT;
		/* again and again: it may not have begun when it was told first */
		if (r < 0 && polls % CANCEL_EVERY == 0)
			pme_os_ioctl(fd, BTRFS_IOC_SCRUB_CANCEL, NULL);
	}
	return r;
}

static int hear_answer(int hear, struct answer *ret)
{
	ssize_t n;

	do {
		n = read(hear, ret, sizeof(*ret));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*ret) ? ret->error : -ECHILD;
}

static void take(const struct btrfs_scrub_progress *progress, struct pme_scrubbed *ret)
{
	*ret = (struct pme_scrubbed){
		.bytes = progress->data_bytes_scrubbed + progress->tree_bytes_scrubbed,
		.errors = progress->read_errors + progress->csum_errors + progress->verify_errors +
			  progress->malloc_errors,
		.corrected = progress->corrected_errors,
		.uncorrectable = progress->uncorrectable_errors,
	};
}

int pme_scrub(struct pme_rewrite_run *run, int fd, uint64_t devid, struct pme_range range,
	      bool read_only, struct pme_scrubbed *ret)
{
	struct btrfs_ioctl_scrub_args args = {
		.devid = devid,
		.start = range.start,
		.end = pme_range_end(range),
		.flags = read_only ? BTRFS_SCRUB_READONLY : 0,
	};
	_cleanup_close_ int hear = -1, tell = -1;
	struct answer answer = {0};
	int ends[2], r, stopped;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	hear = ends[0];
	tell = ends[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		scrub_and_tell(fd, tell, &args);
	pme_close_fd(&tell);
	stopped = wait_for_it(run, fd, hear, range.length);
	r = hear_answer(hear, &answer);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (r == 0)
		take(&answer.progress, ret);
	return stopped < 0 && r < 0 ? stopped : r;
}
