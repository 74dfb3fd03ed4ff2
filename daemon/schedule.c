/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of when; see schedule.h.  PMED_NEVER is the greatest time, and sums stop there.
 */
#include "schedule.h"

static uint64_t later(uint64_t time, uint64_t delay)
{
	uint64_t sum;

	return pme_add(time, delay, &sum) < 0 ? PMED_NEVER : sum;
}

void pmed_schedule_init(struct pmed_schedule *schedule)
{
	*schedule = (struct pmed_schedule){.hint = PMED_NEVER, .cap = PMED_NEVER, .by = PMED_NEVER};
}

void pmed_schedule_hint(struct pmed_schedule *schedule, uint64_t now, uint64_t settle)
{
	schedule->cap = pme_min(schedule->cap, later(now, later(settle, settle)));
	schedule->hint = pme_min(later(now, settle), schedule->cap);
}

void pmed_schedule_by(struct pmed_schedule *schedule, uint64_t when)
{
	schedule->by = pme_min(schedule->by, when);
}

uint64_t pmed_schedule_due(const struct pmed_schedule *schedule)
{
	if (schedule->running || schedule->blocked)
		return PMED_NEVER;
	return pme_min(pme_max(schedule->hint, schedule->floor), schedule->by);
}

void pmed_schedule_started(struct pmed_schedule *schedule)
{
	schedule->hint = schedule->cap = schedule->by = PMED_NEVER;
	schedule->running = true;
}

void pmed_schedule_worked(struct pmed_schedule *schedule)
{
	schedule->running = false;
	schedule->failures = 0;
	schedule->floor = 0;
}

static uint64_t delay_of(unsigned int failures, struct pmed_retry retry)
{
	uint64_t delay = retry.first;

	while (--failures > 0 && delay < retry.most)
		delay = later(delay, delay);
	return pme_min(delay, retry.most);
}

void pmed_schedule_failed(struct pmed_schedule *schedule, uint64_t now, struct pmed_retry retry)
{
	schedule->running = false;
	if (schedule->failures < UINT16_MAX)
		schedule->failures++;
	schedule->floor = later(now, pme_min(retry.first, retry.most));
	pmed_schedule_by(schedule, later(now, delay_of(schedule->failures, retry)));
}

void pmed_schedule_again(struct pmed_schedule *schedule, uint64_t now, uint64_t settle)
{
	schedule->running = false;
	pmed_schedule_hint(schedule, now, settle);
}

void pmed_schedule_block(struct pmed_schedule *schedule)
{
	schedule->blocked = true;
}

void pmed_schedule_unblock(struct pmed_schedule *schedule, uint64_t now)
{
	schedule->blocked = false;
	pmed_schedule_by(schedule, now);
}
