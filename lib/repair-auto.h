/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a plan the configuration lets the watch do by itself: [repair] in pmemctl.conf(5).
 */
#ifndef PME_REPAIR_AUTO_H
#define PME_REPAIR_AUTO_H

#include "conf.h"
#include "repair.h"

/*
 * Refuse all steps of @plan that are not asked for by @conf, with the reason.  A step is asked for
 * when each name of each of its files is.  Where names are not known, and for what a layer writes
 * anew itself, which is of no path, it must be switched off nowhere.  0, -ENOMEM.
 */
int pme_repair_auto_only(struct pme_repair_plan *plan, const struct pme_conf *conf);

#endif
