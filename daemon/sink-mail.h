/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event as a mail: RFC 5322 with the headers of RFC 3834 (automatic) and RFC 2047 (subject).
 */
#ifndef PMED_SINK_MAIL_H
#define PMED_SINK_MAIL_H

#include "event.h"

struct pmed_mail {
	const char *to, *from; /* from may be "" */
	const char *host;
};

/* Allocated; NULL without memory. */
char *pmed_mail_text(const struct pmed_mail *mail, struct json_object *event);

#endif
