/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One child; see child.h.
 *
 * SIGCHLD is not needed: a pidfd is readable when the process has ended.
 */
#include "child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NO_PROGRAM 127 /* as sh(1) */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

char *const pmed_worker_environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
					 (char *)"LC_ALL=C.UTF-8", NULL};

int pmed_child_input(const void *input, size_t len)
{
	_cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	const char *data = input;

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -errno;
	return pme_take_fd(&fd);
}

/* What the child gets; all else is closed there. */
struct inside {
	const struct pmed_child_args *args;
	int report;
	pid_t parent;
};

/* After fork(2) in a program with threads: nothing but calls to the kernel. */
static int prepare(const struct inside *inside)
{
	const struct pmed_child_args *args = inside->args;
	struct rlimit core = {0}, memory;
	sigset_t none;

	if (setsid() < 0 || dup2(args->in, 0) < 0 || dup2(args->out, 1) < 0 ||
	    dup2(args->err, 2) < 0)
		return -1;
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 && errno != EINVAL && errno != ENOSYS)
		return -1;
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return -1;
	memory.rlim_cur = memory.rlim_max = args->memory;
	if (args->memory && setrlimit(RLIMIT_AS, &memory) < 0)
		return -1;
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	if (getppid() != inside->parent)
		_exit(NO_PROGRAM);
	return 0;
}

static void run_inside(const struct inside *inside)
{
	int error;

	if (prepare(inside) == 0)
		execve(inside->args->argv[0], inside->args->argv, inside->args->envp);
	error = errno;
	if (write(inside->report, &error, sizeof(error)) < 0)
		_exit(NO_PROGRAM);
	_exit(NO_PROGRAM);
}

int pmed_child_start(const struct pmed_child_args *args, struct pmed_child *ret)
{
	struct inside inside = {.args = args, .parent = getpid()};
	_cleanup_close_ int ours = -1, its = -1;
	struct pmed_child child = PMED_NO_CHILD;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	ours = fds[0];
	its = inside.report = fds[1];
	child.pid = fork();
	if (child.pid < 0)
		return -errno;
	if (child.pid == 0)
		run_inside(&inside);
	child.pidfd = pidfd_open(child.pid, 0);
	if (child.pidfd < 0) {
		int r = -errno;

		pmed_child_kill(&child);
		waitpid(child.pid, NULL, 0);
		return r;
	}
	child.report = pme_take_fd(&ours);
	*ret = child;
	return 0;
}

/* The session may not be made yet: then there is no such group. */
void pmed_child_kill(const struct pmed_child *child)
{
	kill(-child->pid, SIGKILL);
	kill(child->pid, SIGKILL);
}

struct pmed_end pmed_child_look(const struct pmed_child *child)
{
	struct pmed_end end = {.exit_code = -1};
	siginfo_t info = {0};
	int error;

	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		end.error = -errno;
	else if (info.si_pid != child->pid)
		end.error = -EBUSY;
	else if (info.si_code == CLD_EXITED)
		end.exit_code = info.si_status;
	else
		end.signal = info.si_status;
	if (read(child->report, &error, sizeof(error)) == sizeof(error))
		end.error = -error;
	return end;
}

void pmed_child_done(struct pmed_child *child)
{
	if (child->pid > 0) {
		pmed_child_kill(child);
		waitpid(child->pid, NULL, WNOHANG);
	}
	pme_close_fd(&child->pidfd);
	pme_close_fd(&child->report);
	*child = PMED_NO_CHILD;
}
