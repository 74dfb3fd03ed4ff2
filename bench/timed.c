/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timed CASE FILE COMMAND…: run a command, append what it cost to FILE as one line of JSON.
 *
 * CPU time is that of the command and of all its descendants that were waited for; peak memory is
 * that of the biggest single one of them.  The exit status is the command's.  The surprise: the
 * kernel counts the memory of this program too, as the command begins as a copy of it: 1 MiB or so.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_NOT_RUN 127
#define EXIT_SIGNAL 128

struct cost {
	long long wall_usec;
	int status;
	struct rusage usage;
};

static long long now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static long long usec_of(struct timeval tv)
{
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

static struct cost run(char **argv)
{
	struct cost cost = {.wall_usec = now_usec()};
	pid_t pid = fork();

	if (pid < 0)
		err(EXIT_NOT_RUN, "fork");
	if (pid == 0) {
		execvp(argv[0], argv);
		err(EXIT_NOT_RUN, "%s", argv[0]);
	}
	if (wait4(pid, &cost.status, 0, &cost.usage) < 0)
		err(EXIT_NOT_RUN, "wait4");
	cost.wall_usec = now_usec() - cost.wall_usec;
	cost.status = WIFEXITED(cost.status) ? WEXITSTATUS(cost.status)
					     : EXIT_SIGNAL + WTERMSIG(cost.status);
	return cost;
}

int main(int argc, char **argv)
{
	struct cost cost;
	FILE *file;

	if (argc < 4)
		errx(EXIT_NOT_RUN, "usage: timed CASE FILE COMMAND [ARGUMENT…]");
	cost = run(argv + 3);
	file = fopen(argv[2], "ae");
	if (!file)
		err(EXIT_NOT_RUN, "%s", argv[2]);
	fprintf(file,
		"{\"case\": \"%s\", \"wall_usec\": %lld, \"user_usec\": %lld, "
		"\"system_usec\": %lld, \"peak_kib\": %ld, \"status\": %d}\n",
		argv[1], cost.wall_usec, usec_of(cost.usage.ru_utime), usec_of(cost.usage.ru_stime),
		cost.usage.ru_maxrss, cost.status);
	if (fclose(file) != 0)
		err(EXIT_NOT_RUN, "%s", argv[2]);
	return cost.status;
}
