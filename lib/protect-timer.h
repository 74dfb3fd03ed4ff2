/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers that sync protected paths: pmemctl-sync@ID.timer of systemd, with a drop-in that says how
 * often.
 */
#ifndef PME_PROTECT_TIMER_H
#define PME_PROTECT_TIMER_H

#include "saved-conf.h"

/*
 * Have @protection synced every protection->every seconds, if that is not 0.  Without systemd, said
 * (warning): nobody will do it.  0, also then; -errno, said.
 */
int pme_timer_set(const struct pme_os *os, const struct pme_protection *protection,
		  struct pme_log *log);
/* And not any more; a timer that cannot be disabled is said (warning).  0 or -errno, said. */
int pme_timer_unset(const struct pme_os *os, const struct pme_protection *protection,
		    struct pme_log *log);

#endif
