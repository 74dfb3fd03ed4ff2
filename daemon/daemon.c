/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks, ids and the log of the loop; see daemon.h.
 */
#include "daemon.h"

#include <stdarg.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t pmed_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t pmed_clock(void)
{
	return (uint64_t)read_clock(CLOCK_BOOTTIME);
}

int64_t pmed_event_id(struct pmed *d)
{
	return d->last_event = pme_event_next_id(d->last_event, pmed_now());
}

/* Standard error with the prefixes of sd-daemon(3): the journal makes priorities of them. */
void pmed_log(enum pme_event_severity severity, const char *fmt, ...)
{
	va_list ap;

	flockfile(stderr);
	fprintf(stderr, "<%d>", (int)severity);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	funlockfile(stderr);
}
