/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctld-worker: the launcher (launcher.h) as a service that its socket starts,
 * pmemctld-worker.socket.
 */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon.h"
#include "launcher.h"

#define EXIT_USAGE 64 /* EX_USAGE of sysexits.h */

static const char usage[] =
	"Usage: pmemctld-worker\n"
	"\n"
	"Starts the workers of pmemctld within the bounds of pmemctld-worker.service, which is\n"
	"started by its socket; see pmemctld(8).\n"
	"\n"
	"  -h, --help     this text\n"
	"  -V, --version  the version\n";

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};

/* The one socket that systemd passed: its descriptor, or -EINVAL. */
static int take_socket(void)
{
	if (sd_listen_fds(1) != 1 ||
	    sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) <= 0)
		return -EINVAL;
	return SD_LISTEN_FDS_START;
}

static int take_signals(sd_event *loop)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(loop, NULL, SIGTERM, NULL, NULL); /* NULL: ends the loop */
	return r < 0 ? r : sd_event_add_signal(loop, NULL, SIGINT, NULL, NULL);
}

static int launch(int listen)
{
	struct pmed_launcher *launcher = NULL;
	sd_event *loop = NULL;
	int r = sd_event_new(&loop);

	if (r >= 0)
		r = take_signals(loop);
	if (r >= 0)
		r = pmed_launcher_new(loop, listen, PMEMCTL_PATH, &launcher);
	if (r >= 0)
		r = sd_event_loop(loop);
	if (r < 0)
		pmed_log(PME_EVENT_ERROR, "it cannot go on: %s", strerror(-r));
	pmed_launcher_free(launcher);
	sd_event_unref(loop);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int option, listen;

	while ((option = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
		switch (option) {
		case 'h':
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		case 'V':
			return puts("pmemctld-worker " PACKAGE_VERSION) < 0 ? EXIT_FAILURE
									    : EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	listen = optind < argc ? -EINVAL : take_socket();
	if (listen < 0) {
		fputs("pmemctld-worker: takes no arguments, and one socket from systemd: it is "
		      "started by pmemctld-worker.socket\n",
		      stderr);
		return EXIT_USAGE;
	}
	umask(0022);
	if (chdir("/") < 0)
		return EXIT_FAILURE;
	return launch(listen);
}
