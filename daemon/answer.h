/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker's end means: its document, or why there is none.
 *
 * A worker is `pmemctl --json …`; its exit status is the mask of pmemctl(8).  Nothing that it says
 * is believed but that it is a JSON document of the wanted format; state.c looks at the rest.
 */
#ifndef PMED_ANSWER_H
#define PMED_ANSWER_H

#include "daemon.h"
#include "process.h"

/* The longest answer that is read, and how much of standard error is kept: bytes. */
#define PMED_ANSWER_MAX ((size_t)32 << 20)
#define PMED_COMPLAINT_MAX ((size_t)4096)

/*
 * 0 and the document (new reference); or -EIO and *ret_why: one line for people, valid UTF-8,
 * allocated, NULL without memory.
 */
int pmed_answer_read(const struct pmed_result *result, const char *format,
		     struct json_object **ret_doc, char **ret_why);

#endif
