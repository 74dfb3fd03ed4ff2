/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which events say again what was said within the hour, and to whom.
 *
 * An event repeats another one when it has the same type, device, findings with their verdicts, and
 * files (where there are no findings: text and detail), and nothing else was said meanwhile of the
 * same findings, or of the same device when it names none: bad, gone, and bad again are three
 * events.  No loop and no clock: times are microseconds of a clock that only goes forward.
 */
#ifndef PMED_SINK_REPEAT_H
#define PMED_SINK_REPEAT_H

#include "event.h"

struct pmed_repeat;

int pmed_repeat_new(struct pmed_repeat **ret); /* 0, -ENOMEM */
struct pmed_repeat *pmed_repeat_free(struct pmed_repeat *repeat);

/*
 * Look at an event and remember it.  0; -EALREADY: an event with this id was here before, which
 * none may get again; -ENOMEM: it is not remembered.  *@ret_told: mask of those who know it
 * already.
 */
int pmed_repeat_look(struct pmed_repeat *repeat, struct json_object *event, uint64_t now,
		     unsigned int *ret_told);
/* Those of the mask @who have got the event @id; or have not, after all. */
void pmed_repeat_told(struct pmed_repeat *repeat, int64_t id, unsigned int who);
void pmed_repeat_untold(struct pmed_repeat *repeat, int64_t id, unsigned int who);

#endif
