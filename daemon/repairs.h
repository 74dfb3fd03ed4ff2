/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repairs that the configuration asks for, [repair] auto = exact: `pmemctl repair --apply --auto`
 * at the start, when findings were told, and once in an hour while there are some.
 *
 * The watch decides when.  What is repaired is the command's matter, which reads the configuration
 * itself.  Where workers have a unit of their own, so has the repair, which needs more than both.
 */
#ifndef PMED_REPAIRS_H
#define PMED_REPAIRS_H

#include "daemon.h"

int pmed_repairs_start(struct pmed *d); /* 0, -ENOMEM */
void pmed_repairs_reload(struct pmed *d);
void pmed_repairs_stop(struct pmed *d);
/* Findings were told. */
void pmed_repairs_hint(struct pmed *d);
/* Member "repair" of the jobs in the watch document: null when nothing is asked for. */
struct json_object *pmed_repairs_json(const struct pmed *d);

#endif
