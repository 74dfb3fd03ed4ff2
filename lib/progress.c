/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a run is; see progress.h.
 *
 * The coarse clock is read: it costs a few nanoseconds, so that a loop may ask at each step that
 * is a system call, and is exact to some milliseconds.
 */
#include "progress.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define LEFT_AFTER PME_SECOND /* what a phase did in less says nothing about the rest */

static const struct {
	const char *name, *text;
} phases[] = {
	[PME_PHASE_OWNERS] = {"owners", "looking for owners"},
	[PME_PHASE_NAMES] = {"names", "looking for names"},
	[PME_PHASE_HOLDERS] = {"holders", "looking for processes"},
	[PME_PHASE_USES] = {"uses", "looking at files"},
	[PME_PHASE_DONORS] = {"donors", "looking for donors"},
	[PME_PHASE_SYNC] = {"sync", "copying"},
	[PME_PHASE_VERIFY] = {"verify", "verifying"},
	[PME_PHASE_SCRUB] = {"scrub", "waiting for a scrub"},
	[PME_PHASE_REPAIR] = {"repair", "repairing"},
	[PME_PHASE_COPIES] = {"copies", "looking at copies"},
};
static_assert(PME_ARRAY_SIZE(phases) == PME_PHASE_COPIES + 1, "words for each phase");

static const char *const units[] = {
	[PME_UNIT_RANGES] = "ranges",	[PME_UNIT_INODES] = "inodes",
	[PME_UNIT_GROUPS] = "groups",	[PME_UNIT_FILES] = "files",
	[PME_UNIT_ENTRIES] = "entries", [PME_UNIT_PROCESSES] = "processes",
	[PME_UNIT_BYTES] = "bytes",	[PME_UNIT_SCRUBS] = "scrubs",
};
static_assert(PME_ARRAY_SIZE(units) == PME_UNIT_SCRUBS + 1, "a word for each unit");

const char *pme_phase_name(enum pme_phase phase)
{
	return phases[phase].name;
}

const char *pme_phase_text(enum pme_phase phase)
{
	return phases[phase].text;
}

const char *pme_unit_name(enum pme_unit unit)
{
	return units[unit];
}

static uint64_t read_clock(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC_COARSE, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * PME_SECOND + (uint64_t)t.tv_nsec;
}

void pme_progress_start(struct pme_progress *progress, uint64_t time)
{
	progress->begun = progress->now = read_clock();
	progress->phase_begun = progress->begun;
	if (pme_add(progress->begun, time, &progress->end) < 0)
		progress->end = 0;
	else if (progress->end == 0) /* a clock at 0, and no time at all */
		progress->end = 1;
}

void pme_progress_about(struct pme_progress *progress, const char *subject)
{
	if (progress)
		progress->subject = subject;
}

void pme_progress_phase(struct pme_progress *progress, enum pme_phase phase, enum pme_unit unit,
			uint64_t total)
{
	if (!progress)
		return;
	progress->phase = phase;
	progress->unit = unit;
	progress->done = 0;
	progress->total = total;
	progress->estimated = false;
	progress->now = progress->phase_begun = read_clock();
}

void pme_progress_estimate(struct pme_progress *progress)
{
	if (progress)
		progress->estimated = true;
}

bool pme_progress_over(const struct pme_progress *progress)
{
	return progress && progress->end > 0 && read_clock() >= progress->end;
}

int pme_progress_at(struct pme_progress *progress, uint64_t done)
{
	if (!progress)
		return 0;
	progress->done = done;
	progress->now = read_clock();
	if (progress->tell &&
	    (progress->told == 0 || progress->now - progress->told >= PME_PROGRESS_PAUSE)) {
		progress->told = progress->now;
		progress->tell(progress->arg, progress);
	}
	return progress->end > 0 && progress->now >= progress->end ? -ETIME : 0;
}

const char *pme_progress_error(int error)
{
	return error == -ETIME ? "the time that was given (--deadline) is over" : strerror(-error);
}

int pme_progress_permille(const struct pme_progress *progress)
{
	if (progress->total == 0 || progress->done > progress->total)
		return -1;
	return (int)(1000.0 * (double)progress->done / (double)progress->total);
}

uint64_t pme_progress_left(const struct pme_progress *progress)
{
	uint64_t spent = progress->now - progress->phase_begun;
	double left;

	if (progress->done == 0 || spent < LEFT_AFTER || pme_progress_permille(progress) < 0)
		return UINT64_MAX;
	left = (double)spent * (double)(progress->total - progress->done) / (double)progress->done;
	return left < 1e18 ? (uint64_t)left : UINT64_MAX; /* 30 years */
}
