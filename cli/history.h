/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the watch knows besides: when findings were first seen, and how the watch itself is.
 *
 * It is a record, and others may see to it that it is not there, or nonsense: no command fails or
 * waits for it.
 */
#ifndef PME_HISTORY_H
#define PME_HISTORY_H

#include "cli.h"

/* Members "watch" and "first_seen" of @doc, which has "findings". */
void history_json(const struct cli *cli, struct json_object *doc);
void history_json_empty(struct json_object *doc);
void history_text(const struct cli *cli, struct json_object *doc);

/* Say that repairs of earlier runs have not ended, as far as the store can be read. */
void history_note_unfinished(struct cli *cli);

#endif
