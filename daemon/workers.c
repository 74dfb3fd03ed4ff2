/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where workers run; see workers.h.
 */
#include "workers.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#include "answer.h"
#include "remote.h"

#define LAUNCHER "/run/pmemctl/worker.socket"

struct pmed_process_args pmed_worker_args(const struct pmed *d)
{
	return (struct pmed_process_args){
		.envp = pmed_worker_environment,
		.launcher = d->launcher,
		.deadline = d->conf.jobs.deadline,
		.memory = d->conf.jobs.memory,
		.max_out = PMED_ANSWER_MAX,
		.max_err = PMED_COMPLAINT_MAX,
	};
}

/* Would children of ours find less than they should? */
static bool is_bounded(void)
{
	static const unsigned long needed[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};

	for (size_t i = 0; i < PME_ARRAY_SIZE(needed); i++)
		if (prctl(PR_CAPBSET_READ, needed[i], 0, 0, 0) == 0)
			return true;
	return false;
}

static void say(const struct pmed *d, int error)
{
	if (d->launcher)
		pmed_log(PME_EVENT_INFO, "workers run in pmemctld-worker.service");
	else if (error == 0)
		pmed_log(PME_EVENT_INFO, "workers are children of this daemon: --program");
	else if (is_bounded())
		pmed_log(PME_EVENT_WARNING,
			 LAUNCHER ": %s: workers are children of this daemon, within its bounds, "
				  "and may find less than they should",
			 strerror(-error));
	else
		pmed_log(PME_EVENT_INFO, LAUNCHER ": %s: workers are children of this daemon",
			 strerror(-error));
}

void pmed_workers_find(struct pmed *d)
{
	const char *before = d->launcher;
	_cleanup_close_ int connection = -1;

	if (!d->own_program)
		connection = pmed_remote_connect(LAUNCHER);
	d->launcher = connection >= 0 ? LAUNCHER : NULL;
	if (!d->workers_found || !before != !d->launcher)
		say(d, d->own_program ? 0 : connection);
	d->workers_found = true;
}
