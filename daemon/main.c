/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctld: options, the order in which parts begin and end, and signals.
 *
 * It stays in the foreground and says to systemd what it does (sd_notify(3)).  A configuration with
 * errors keeps it from starting; on reload it keeps the one that it has.
 */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "jobs.h"
#include "keeper.h"
#include "process.h"
#include "repairs.h"
#include "sink.h"
#include "source.h"
#include "state.h"
#include "watch.h"
#include "workers.h"

#define EXIT_USAGE 64  /* EX_USAGE, and */
#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h: restarting does not help */
#define LOCK_FILE "run/pmemctl/pmemctld.lock"
#define RUN_DIR "run/pmemctl"
#define END_MS 300 /* for workers to die */
#define ARENAS 2   /* of malloc */
#define HEAP_SPARE 131072

#ifndef PMEMCTL_PATH
#define PMEMCTL_PATH "/usr/bin/pmemctl"
#endif

static const char usage[] =
	"Usage: pmemctld [--program PATH]\n"
	"\n"
	"Watches persistent memory for bad blocks and tells what they mean; see pmemctld(8).\n"
	"It stays in the foreground.\n"
	"\n"
	"      --program PATH  the pmemctl that does the work (" PMEMCTL_PATH ")\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n";

static const struct option options[] = {{"help", no_argument, NULL, 'h'},
					{"version", no_argument, NULL, 'V'},
					{"program", required_argument, NULL, 'p'},
					{0}};

static void say_messages(const struct pme_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		pmed_log(log->messages[i].severity == PME_ERROR ? PME_EVENT_ERROR
								: PME_EVENT_WARNING,
			 "%s: %s", log->messages[i].subject, log->messages[i].text);
}

static int load_conf(const struct pme_os *os, struct pme_conf *ret)
{
	struct pme_log log = {0};
	int r = pme_conf_load(os, &log, ret);

	say_messages(&log);
	pme_log_done(&log);
	return r;
}

/* One watch for each machine: its descriptor, held until the end, or -errno. */
static int lock_out_others(const struct pme_os *os)
{
	_cleanup_free_ char *pid = pme_printf("%d\n", (int)getpid()), *other = NULL;
	_cleanup_close_ int fd = pme_os_open_record(os, RUN_DIR, LOCK_FILE);
	int r = fd < 0 ? fd : pme_os_lock(fd, 0);

	if (r == -ETIMEDOUT) {
		r = pme_os_read_line(os, &other, LOCK_FILE);
		pmed_log(PME_EVENT_ERROR,
			 "another pmemctld runs already (process %s, /" LOCK_FILE " is its lock)",
			 r == 0 ? other : "?");
		return -EBUSY;
	}
	if (r == 0)
		r = pid ? pme_os_rewrite(fd, pid, strlen(pid)) : -ENOMEM;
	if (r < 0) {
		pmed_log(PME_EVENT_ERROR, "/" LOCK_FILE ": cannot be locked: %s", strerror(-r));
		return r;
	}
	return pme_take_fd(&fd);
}

static void tell(struct pmed *d, enum pme_event_type type, enum pme_event_severity severity,
		 const char *text)
{
	pmed_tell(d, pme_event_new(pmed_event_id(d), type, severity, text));
}

static void notify_reloading(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration",
		   (unsigned long long)ts.tv_sec * 1000000 + (unsigned long long)ts.tv_nsec / 1000);
}

/* What is gone is remembered for as long as history is kept. */
static void remember(struct pmed *d)
{
	pmed_state_remember(d->state,
			    (int64_t)pme_min(d->conf.store.keep, INT64_MAX / 2000) * 1000);
}

static void reload(struct pmed *d)
{
	struct pme_conf conf;
	int r;

	notify_reloading();
	r = load_conf(&d->os, &conf);
	if (r < 0) {
		pme_conf_done(&conf);
		pmed_log(PME_EVENT_ERROR,
			 "configuration not read again: %s; the one before stays in use",
			 r == -EINVAL ? "it has errors" : strerror(-r));
		sd_notify(0, "READY=1\nSTATUS=Watching, with the configuration before the last "
			     "reload: the new one has errors (pmemctl config check)");
		return;
	}
	pme_conf_done(&d->conf);
	d->conf = conf;
	remember(d);
	pmed_keeper_reload(d);
	r = pmed_sinks_reload(d);
	if (r < 0)
		pmed_log(PME_EVENT_ERROR, "sinks: not all follow the new configuration: %s",
			 strerror(-r));
	pmed_workers_find(d);
	pmed_sources_again(d);
	pmed_jobs_reload(d);
	pmed_repairs_reload(d);
	pmed_watch_changed(d);
	pmed_log(PME_EVENT_NOTICE, "configuration read again");
	sd_notify(0, "READY=1\nSTATUS=Watching");
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	reload(arg);
	return 0;
}

/* Who got less than all hears of it now, or from the next watch. */
static void tell_end(struct pmed *d)
{
	_cleanup_free_ char *fewer = pmed_sinks_suppressed(d);
	_cleanup_free_ char *text = NULL;

	if (fewer)
		text = pme_printf("The watch ended; suppressed, and not told since: %s", fewer);
	tell(d, PME_EVENT_WATCH_STOPPED, fewer ? PME_EVENT_WARNING : PME_EVENT_INFO,
	     text ? text : "The watch ended");
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct pmed *d = arg;

	sd_notify(0, "STOPPING=1\nSTATUS=Ending");
	/* Now, while sinks can still use the loop. */
	tell_end(d);
	return sd_event_exit(d->loop, 0);
}

static int take_signals(struct pmed *d)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_add_signal(d->loop, NULL, SIGTERM, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->loop, NULL, SIGINT, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->loop, NULL, SIGHUP, on_reload, d);
	return r;
}

static int start_state(struct pmed *d)
{
	struct json_object *rows = NULL;
	int r = pmed_state_new(&d->state);

	if (r == 0) {
		remember(d);
		r = pmed_keeper_start(d, &rows);
	}
	if (r == 0 && rows) {
		int error = pmed_state_load(d->state, rows);

		if (error < 0)
			pmed_log(PME_EVENT_WARNING, "what the store knows is not used: %s",
				 strerror(-error));
	}
	d->health = json_object_get(pme_json_get(rows, "health"));
	d->untold = json_object_get(pme_json_get(rows, "untold"));
	json_object_put(rows);
	return r;
}

static int start_sinks(struct pmed *d)
{
	int r = pmed_sinks_start(d);

	if (r >= 0)
		pmed_sinks_again(d, d->untold);
	json_object_put(pme_take_ptr(d->untold));
	return r;
}

/* Sinks first, so that they hear of everything; jobs last, so that nothing is missed meanwhile. */
static int start_all(struct pmed *d)
{
	int r = take_signals(d);

	if (r >= 0)
		r = sd_event_set_watchdog(d->loop, true);
	if (r >= 0)
		r = start_state(d);
	if (r >= 0)
		r = start_sinks(d);
	if (r >= 0)
		r = pmed_watch_start(d);
	if (r >= 0)
		r = pmed_sources_start(d);
	pmed_workers_find(d);
	if (r >= 0)
		r = pmed_jobs_start(d);
	if (r >= 0)
		r = pmed_repairs_start(d);
	return r;
}

/* Each accepts that it was not started. */
static void stop_all(struct pmed *d)
{
	pmed_repairs_stop(d);
	pmed_jobs_stop(d);
	pmed_sources_stop(d);
	pmed_watch_stop(d);
	pmed_sinks_stop(d);
	pmed_keeper_stop(d);
	pmed_process_end_all(END_MS);
	json_object_put(pme_take_ptr(d->health));
	json_object_put(pme_take_ptr(d->untold));
	pmed_state_free(d->state);
	d->state = NULL;
}

static int run(struct pmed *d)
{
	int r = sd_event_new(&d->loop);

	d->started = pmed_now();
	if (r >= 0)
		r = start_all(d);
	if (r >= 0) {
		tell(d, PME_EVENT_WATCH_STARTED, PME_EVENT_INFO, "The watch began");
		malloc_trim(0);
		sd_notify(0, "READY=1\nSTATUS=Watching");
		r = sd_event_loop(d->loop);
	}
	if (r < 0)
		pmed_log(PME_EVENT_CRITICAL, "the watch cannot go on: %s", strerror(-r));
	stop_all(d);
	sd_event_unref(d->loop);
	return r;
}

static int watch_machine(struct pmed *d)
{
	_cleanup_close_ int lock = -1;
	int r = pme_os_open_root("/", &d->os);

	if (r < 0) {
		pmed_log(PME_EVENT_ERROR, "/: cannot be opened: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	lock = lock_out_others(&d->os);
	if (lock < 0)
		return EXIT_FAILURE;
	r = load_conf(&d->os, &d->conf);
	if (r == 0)
		r = run(d) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	else
		r = r == -EINVAL ? EXIT_CONFIG : EXIT_FAILURE;
	pme_conf_done(&d->conf);
	pme_os_close(&d->os);
	return r;
}

/* Large answers come and go for months: their memory is given back, and is not in one piece per
 * thread.  (Without this malloc keeps more, the larger what was freed.) */
static void bound_memory(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, HEAP_SPARE);
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
}

int main(int argc, char **argv)
{
	struct pmed d = {.program = PMEMCTL_PATH, .os = {.root = -1}};
	int option;

	bound_memory();
	while ((option = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
		switch (option) {
		case 'h':
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		case 'V':
			return puts("pmemctld " PACKAGE_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		case 'p':
			d.program = optarg;
			d.own_program = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc || *d.program != '/') {
		fprintf(stderr, "pmemctld: %s: %s\n", optind < argc ? argv[optind] : d.program,
			optind < argc ? "takes no arguments" : "must be a path from /");
		return EXIT_USAGE;
	}
	umask(0077); /* files for others have modes of their own */
	if (chdir("/") < 0)
		return EXIT_FAILURE;
	return watch_machine(&d);
}
