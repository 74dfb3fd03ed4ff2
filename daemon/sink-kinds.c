/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of sinks; see sink.h.
 */
#include "sink.h"

const struct pmed_sink_kind *const pmed_sink_kinds[] = {
	&pmed_sink_journal, &pmed_sink_hooks, &pmed_sink_mail,
	&pmed_sink_metrics, &pmed_sink_dbus,  NULL,
};
