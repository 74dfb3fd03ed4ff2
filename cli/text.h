/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for people, rendered from JSON documents.
 *
 * Names come from outside: bytes that a terminal would act on, and bytes that are not UTF-8, are
 * shown as \n, \t, \\ or \xNN.
 */
#ifndef PME_TEXT_H
#define PME_TEXT_H

#include "cli.h"

/* Escaped name of {"path", "raw"}; of plain text; both to standard output. */
void text_path(struct json_object *path);
void text_name(const char *name);

/* "4 KiB", "513 bytes": exact, in the largest unit that divides it; to standard output. */
void text_bytes(uint64_t bytes);

/* A word in the colour of its verdict or state, when colours are on. */
void text_verdict(const struct cli *cli, const char *verdict);

/* "/a, /b": the strings of an array, escaped. */
void text_join(struct json_object *array);

/* What the file is and what to do, "use" of an owner, on lines indented by @indent; or nothing. */
void text_use(struct json_object *use, int indent);
/* Each holder of "holders" on a line of its own, indented by @indent. */
void text_holders(struct json_object *holders, int indent);
/* Members "rewrites" and "rewrite_summary" of a repair. */
void text_rewrites(const struct cli *cli, struct json_object *rewrites);
void text_rewrite_summary(const struct cli *cli, struct json_object *summary);

/* pmemctl doctor. */
void text_doctor(const struct cli *cli, struct json_object *doc);

/* Messages of the document, to standard error. */
void text_messages(struct json_object *doc);

/* The findings, one block each; the summary line. */
void text_findings(const struct cli *cli, struct json_object *doc);
void text_summary(const struct cli *cli, struct json_object *doc);
/* Owner of a claim in one phrase: "file data of inode 131, xfs on vg0/data (/srv)". */
void text_owner(struct json_object *claim);

void text_protect(const struct cli *cli, struct json_object *doc);

/* Affected files, each once with all its byte ranges; at most @limit (0: all). */
void text_files(const struct cli *cli, struct json_object *doc, size_t limit);

#endif
