/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was named to `pmemctl repair`: is it there?  Asked before anything is scanned or touched.
 */
#ifndef PME_REPAIR_ARGS_H
#define PME_REPAIR_ARGS_H

#include "repair.h"

/*
 * 0; -ENOENT and others for a name beside files that is nothing, or for a file with bytes (--from)
 * that cannot be opened or is none, said in @log.  What makes no sense together is for
 * pme_repair_plan() to say.
 */
int pme_repair_args_check(const struct pme_os *os, const struct pme_repair_args *args,
			  struct pme_log *log);

/* Say in @log (as an error) that the file with bytes is too short for what is without donor. */
void pme_repair_args_note_short(const struct pme_repair_args *args,
				const struct pme_repair_plan *plan, struct pme_log *log);

#endif
