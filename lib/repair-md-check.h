/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A check of a part of an MD array.
 */
#ifndef PME_REPAIR_MD_CHECK_H
#define PME_REPAIR_MD_CHECK_H

#include "repair-rewrite.h"

/* Is the attribute "md/@what" of the array @name just this? */
bool pme_md_attr_is(const struct pme_os *os, const char *name, const char *what, const char *value);

/*
 * Have md check @before (empty: nothing), and then the window of run->rewrite (@to_end: which
 * reaches the end of the array), recorded in the journal before, and set its limits back, whatever
 * happens; in between the stripe cache is trimmed.  Sets mismatches.  0 when md came to the end of
 * the window; -EAGAIN when nothing was touched; -errno.
 */
int pme_md_check(struct pme_rewrite_run *run, struct pme_range before, bool to_end);

#endif
