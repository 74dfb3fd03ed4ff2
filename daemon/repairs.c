/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When repairs are started, and what comes of it; see repairs.h.
 *
 * The surprise: one that was started in its unit goes on when the watch ends; so a repair that is
 * asked for then is the same one, or waits for it.
 */
#include "repairs.h"

#include <string.h>

#include "process.h"
#include "schedule.h"
#include "state.h"
#include "watch.h"
#include "workers.h"

#define MSEC 1000ULL
#define HOUR_USEC (3600000 * MSEC)
#define DAY_MSEC 86400000ULL /* a repair has no deadline, but something must end */
#define ACCURACY_USEC 100000
#define SYSTEMCTL "/bin/systemctl"
#define UNIT "pmemctl-repair.service"
#define FAILED (PME_EXIT_ERROR | PME_EXIT_USAGE)

struct pmed_repairs {
	struct pmed_schedule schedule;
	struct pmed_process *process; /* that runs, or hangs */
	sd_event_source *timer;
	int64_t last_success; /* 0: never */
	char *reason;	      /* why the last one failed; NULL: it worked */
};

static void arm(struct pmed *d);

static void fail(struct pmed *d, char *why)
{
	struct pmed_repairs *repairs = d->repairs;

	if (!why || !repairs->reason || strcmp(why, repairs->reason) != 0)
		pmed_log(PME_EVENT_ERROR, "repair: %s", why ? why : "no memory");
	free(repairs->reason);
	repairs->reason = why ? why : strdup("no memory");
	pmed_schedule_failed(
		&repairs->schedule, pmed_clock(),
		(struct pmed_retry){d->conf.jobs.retry * MSEC, d->conf.jobs.retry_max * MSEC});
}

/* Nothing to be done for now. */
static void quiet(struct pmed *d)
{
	pmed_schedule_worked(&d->repairs->schedule);
	pmed_schedule_by(&d->repairs->schedule, pmed_clock() + HOUR_USEC);
}

static void work(struct pmed *d)
{
	struct pmed_repairs *repairs = d->repairs;

	if (repairs->reason)
		pmed_log(PME_EVENT_NOTICE, "repair: works again");
	free(repairs->reason);
	repairs->reason = NULL;
	repairs->last_success = pmed_now();
	quiet(d);
}

/* Other files stand on what is bad now, which no list of the kernel says. */
static void look_again(struct pmed *d)
{
	_cleanup_free_ const char **names = NULL;
	size_t count = 0;

	if (pmed_state_regions(d->state, true, &names, &count) < 0)
		return; /* the regular look comes */
	for (size_t i = 0; i < count; i++)
		pmed_hint(d, PMED_HINT_REGION, names[i]);
}

/* What it could not repair is no failure; nor is that it found something. */
static bool is_good(const struct pmed *d, const struct pmed_result *result)
{
	return result->error == 0 && !result->stuck && !result->timed_out && !result->signal &&
	       (d->launcher ? result->exit_code == 0 : (result->exit_code & FAILED) == 0);
}

static char *failure_of(const struct pmed *d, const struct pmed_result *result)
{
	const char *what = d->launcher ? UNIT : "pmemctl repair";

	if (result->error < 0)
		return pme_printf("%s cannot be started: %s", what, strerror(-result->error));
	if (result->stuck || result->timed_out)
		return pme_printf("%s did not end", what);
	if (result->signal)
		return pme_printf("%s: %s", what, strsignal(result->signal));
	return pme_printf("%s ended with status %d: run `pmemctl repair`", what, result->exit_code);
}

static void on_done(void *arg, const struct pmed_result *result)
{
	struct pmed *d = arg;

	if (!result->stuck)
		d->repairs->process = NULL;
	if (is_good(d, result))
		work(d);
	else
		fail(d, failure_of(d, result));
	if (result->stuck)
		pmed_schedule_block(&d->repairs->schedule);
	look_again(d);
	arm(d);
	pmed_watch_changed(d);
}

static void on_ended(void *arg)
{
	struct pmed *d = arg;

	d->repairs->process = NULL;
	pmed_schedule_unblock(&d->repairs->schedule, pmed_clock());
	arm(d);
}

static void begin(struct pmed *d)
{
	char *by_unit[] = {(char *)SYSTEMCTL, (char *)"--quiet", (char *)"start", (char *)UNIT,
			   NULL};
	char *directly[] = {(char *)d->program, (char *)"--json", (char *)"repair",
			    (char *)"--apply",	(char *)"--auto", NULL};
	struct pmed_process_args args = pmed_worker_args(d);
	int r;

	args.argv = d->launcher ? by_unit : directly;
	args.launcher = NULL;
	args.deadline = DAY_MSEC;
	args.done = on_done;
	args.ended = on_ended;
	args.arg = d;
	pmed_log(PME_EVENT_NOTICE, "repair: started, as [repair] says");
	r = pmed_process_start(d->loop, &args, &d->repairs->process);
	if (r < 0)
		fail(d, pme_printf("%s cannot be started: %s", args.argv[0], strerror(-r)));
}

static bool has_findings(struct pmed *d)
{
	_cleanup_free_ const char **names = NULL;
	size_t count = 0;

	return pmed_state_regions(d->state, true, &names, &count) < 0 || count > 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct pmed *d = arg;

	if (pme_conf_repairs(&d->conf) && !d->repairs->process &&
	    pmed_schedule_due(&d->repairs->schedule) <= pmed_clock()) {
		pmed_schedule_started(&d->repairs->schedule);
		if (has_findings(d))
			begin(d);
		else
			quiet(d);
		pmed_watch_changed(d);
	}
	arm(d);
	return 0;
}

static void arm(struct pmed *d)
{
	struct pmed_repairs *repairs = d->repairs;
	uint64_t due = pmed_schedule_due(&repairs->schedule);
	bool on = pme_conf_repairs(&d->conf) && !repairs->process && due != PMED_NEVER;
	int r = 0;

	if (!on && !repairs->timer)
		return;
	if (!repairs->timer)
		r = sd_event_add_time(d->loop, &repairs->timer, CLOCK_BOOTTIME, due, ACCURACY_USEC,
				      on_timer, d);
	else if (on)
		r = sd_event_source_set_time(repairs->timer, due);
	if (r >= 0)
		r = sd_event_source_set_enabled(repairs->timer,
						on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	if (r < 0)
		pmed_log(PME_EVENT_ERROR, "repair: cannot set a timer: %s", strerror(-r));
}

void pmed_repairs_hint(struct pmed *d)
{
	if (!d->repairs || !pme_conf_repairs(&d->conf) || !has_findings(d))
		return;
	pmed_schedule_hint(&d->repairs->schedule, pmed_clock(), d->conf.watch.settle * MSEC);
	arm(d);
}

int pmed_repairs_start(struct pmed *d)
{
	d->repairs = calloc(1, sizeof(*d->repairs));
	if (!d->repairs)
		return -ENOMEM;
	pmed_schedule_init(&d->repairs->schedule);
	pmed_repairs_hint(d);
	return 0;
}

void pmed_repairs_reload(struct pmed *d)
{
	pmed_repairs_hint(d);
	if (d->repairs)
		arm(d);
}

void pmed_repairs_stop(struct pmed *d)
{
	struct pmed_repairs *repairs = d->repairs;

	if (!repairs)
		return;
	if (repairs->process)
		pmed_process_forget(repairs->process);
	sd_event_source_disable_unref(repairs->timer);
	free(repairs->reason);
	free(repairs);
	d->repairs = NULL;
}

struct json_object *pmed_repairs_json(const struct pmed *d)
{
	const struct pmed_repairs *repairs = d->repairs;
	struct json_object *object;

	if (!repairs || !pme_conf_repairs(&d->conf))
		return NULL;
	object = pme_json_object();
	pme_json_time(object, "last_success", repairs->last_success);
	pme_json_number(object, "failures", repairs->schedule.failures);
	pme_json_text(object, "reason", repairs->reason);
	return object;
}
