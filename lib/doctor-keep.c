/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor says of protected paths; see doctor.h.
 */
#include <inttypes.h>
#include <string.h>

#include "doctor.h"

#define USEC ((int64_t)1000000)
#define DAY (86400 * USEC)
#define OLD_DAYS 7     /* a copy without timer */
#define VERIFY_DAYS 30 /* since the replica was last read */

static void add_unknown(const struct pme_protection_facts *p, enum pme_check_id id,
			struct pme_checks *ret)
{
	pme_checks_add(ret, id, p->path, PME_RESULT_UNKNOWN, NULL, "its state cannot be read: %s",
		       p->error == -EINVAL ? "it makes no sense" : strerror(-p->error));
}

/* "3 days", for people. */
static char *age_text(int64_t age)
{
	if (age < 0)
		age = 0;
	if (age < 2 * DAY)
		return pme_printf("%" PRId64 " hours", age / (3600 * USEC));
	return pme_printf("%" PRId64 " days", age / DAY);
}

/* With a timer: two of its periods, and time for the sync itself. */
static bool is_old(const struct pme_protection_facts *p)
{
	int64_t age = p->now - p->state->synced;

	if (p->every > 0)
		return age > 2 * (int64_t)p->every * USEC + 3600 * USEC;
	return age > OLD_DAYS * DAY;
}

static void judge_sync(const struct pme_protection_facts *p, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_SYNC;
	_cleanup_free_ char *age = NULL;
	enum pme_result result = PME_RESULT_OK;

	if (!p->state) {
		add_unknown(p, id, ret);
		return;
	}
	if (p->state->synced == 0) {
		pme_checks_add(ret, id, p->path, PME_RESULT_PROBLEM, "sync it",
			       "it was never synced: there is no copy");
		pme_checks_command(ret, "pmemctl protect sync %s", p->id);
		return;
	}
	if (p->state->synced > p->now) {
		pme_checks_add(ret, id, p->path, PME_RESULT_PROBLEM,
			       "set the clock right, and sync it again",
			       "its last sync is in the future");
		pme_checks_command(ret, "pmemctl protect sync %s", p->id);
		return;
	}
	age = age_text(p->now - p->state->synced);
	if (is_old(p))
		result = p->every > 0 ? PME_RESULT_PROBLEM : PME_RESULT_ADVICE;
	else if (!p->state->whole)
		result = PME_RESULT_ADVICE;
	pme_checks_add(ret, id, p->path, result,
		       result == PME_RESULT_OK ? NULL : "sync it, and see what it says",
		       p->state->whole ? "its last sync ended %s ago%s"
				       : "its last sync ended %s ago, and %s",
		       age ? age : "", p->state->whole ? "" : "did not keep everything");
	if (result != PME_RESULT_OK)
		pme_checks_command(ret, "pmemctl protect sync %s", p->id);
}

static void judge_timer(const struct pme_protection_facts *p, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_TIMER;

	if (p->every == 0) {
		pme_checks_add(ret, id, p->path, PME_RESULT_ADVICE,
			       "give it a timer: remove it and add it again with --every",
			       "it has no timer: it is synced when somebody does it");
	} else if (p->timer == PME_NOT_KNOWN) {
		pme_checks_add(ret, id, p->path, PME_RESULT_UNKNOWN, NULL,
			       "whether pmemctl-sync@%s.timer is enabled cannot be told", p->id);
	} else if (p->timer == PME_NO) {
		pme_checks_add(ret, id, p->path, PME_RESULT_PROBLEM, "enable its timer",
			       "pmemctl-sync@%s.timer is not enabled", p->id);
		pme_checks_command(ret, "systemctl enable --now pmemctl-sync@%s.timer", p->id);
	} else {
		pme_checks_add(ret, id, p->path, PME_RESULT_OK, NULL,
			       "pmemctl-sync@%s.timer is enabled, every %" PRIu64 " s", p->id,
			       p->every);
	}
}

static void judge_verify(const struct pme_protection_facts *p, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_VERIFY;
	const struct pme_protection_state *state = p->state;
	_cleanup_free_ char *age = NULL;

	if (!state) {
		add_unknown(p, id, ret);
		return;
	}
	age = age_text(p->now - state->verified);
	if (state->synced == 0) {
		pme_checks_add(ret, id, p->path, PME_RESULT_NONE, NULL, "there is no copy");
	} else if (state->damaged > 0) {
		pme_checks_add(ret, id, p->path, PME_RESULT_PROBLEM,
			       "sync it, which makes the damaged copies anew, and verify again",
			       "%" PRIu64 " copies were damaged when they were last read",
			       state->damaged);
		pme_checks_command(ret, "pmemctl protect sync %s && pmemctl protect verify %s",
				   p->id, p->id);
	} else if (state->verified == 0 || state->verified > p->now ||
		   p->now - state->verified > VERIFY_DAYS * DAY) {
		pme_checks_add(ret, id, p->path, PME_RESULT_ADVICE, "verify them",
			       state->verified == 0 ? "its copies were never read back%s"
						    : "its copies were last read %s ago",
			       state->verified == 0 ? ""
			       : age		    ? age
						    : "");
		pme_checks_command(ret, "pmemctl protect verify %s", p->id);
	} else {
		pme_checks_add(ret, id, p->path, PME_RESULT_OK, NULL,
			       "its copies were read %s ago, and were right", age ? age : "");
	}
}

static void judge_replica(const struct pme_protection_facts *p, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_REPLICA;
	const char *todo = "remove it and add it again with a replica on another module or disk";
	const char *common = p->common ? p->common : "a device";

	switch (p->apart) {
	case PME_APART_YES:
		pme_checks_add(ret, id, p->path, PME_RESULT_OK, NULL,
			       "%s has no device in common with it", p->replica);
		return;
	case PME_APART_DIMM:
	case PME_APART_REGION:
	case PME_APART_DEVICE:
		pme_checks_add(ret, id, p->path, PME_RESULT_PROBLEM, todo,
			       "%s has %s in common with it", p->replica, common);
		return;
	case PME_APART_UNKNOWN:
		pme_checks_add(ret, id, p->path, PME_RESULT_UNKNOWN, NULL,
			       "on which devices %s and it are cannot be told", p->replica);
		return;
	}
}

void pme_judge_protection(const struct pme_protection_facts *p, struct pme_checks *ret)
{
	judge_sync(p, ret);
	judge_timer(p, ret);
	judge_verify(p, ret);
	judge_replica(p, ret);
}
