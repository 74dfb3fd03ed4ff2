/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch document (schema/pmemctl.watch.json) as metrics: OpenMetrics 1.0 text, or the older
 * text format of Prometheus 0.0.4, which node_exporter's textfile collector reads.
 *
 * The two differ in how counters are announced.  The document may be damaged or hostile: what is
 * not what it should be is left out, and every text is escaped.
 */
#ifndef PME_METRICS_H
#define PME_METRICS_H

#include "doc.h"
#include "event.h"

#define PME_WATCH_FILE "run/pmemctl/watch.json"
#define PME_WATCH_MAX (16U << 20)	  /* bytes of the document */
#define PME_WATCH_STALE (180LL * 1000000) /* µs: older than this nobody watches any more */

enum pme_metrics_format { PME_METRICS_OPEN, PME_METRICS_PROMETHEUS };

/* The document from text: 0; -EINVAL when it is no watch document of major version 1; -ENOMEM. */
int pme_watch_parse(const char *text, size_t len, struct json_object **ret);
/* Is the watch alive, by the time of the document?  @now: µs of CLOCK_REALTIME. */
bool pme_watch_alive(struct json_object *watch, int64_t now);

/* @watch may be NULL: nothing but pmemctl_up 0.  0, or -EIO, -ENOMEM. */
int pme_metrics_write(struct json_object *watch, int64_t now, enum pme_metrics_format format,
		      FILE *out);

#endif
