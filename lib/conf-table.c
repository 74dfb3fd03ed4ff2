/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every setting of pmemctl.conf(5): a setting is a row here, a member of struct pme_conf, a
 * paragraph of the manual page and three lines of conf/pmemctl.conf; tests hold them together.
 */
#include "conf-table.h"

#define SETTING(s, k, t, d, ...)                                                       \
	{                                                                              \
		.section = #s, .key = #k, .type = PME_CONF_##t,                        \
		.offset = offsetof(struct pme_conf, s.k), .standard = (d), __VA_ARGS__ \
	}

const struct pme_conf_setting pme_conf_settings[] = {
	SETTING(watch, settle, DURATION, "250ms", .least = "10ms", .most = "1min",
		.about = "How long nothing more must be heard of a device before it is scanned"),
	SETTING(watch, reread, DURATION, "1min", .least = "1s", .most = "1d",
		.about =
			"Time between two readings of all lists of bad blocks, whatever was heard"),
	SETTING(watch, snapshot, DURATION, "10min", .least = "10s", .most = "7d",
		.about = "Time between two looks at what stands on each region"),
	SETTING(jobs, parallel, NUMBER, "2", .least = "1", .most = "64",
		.about = "How many workers run at a time"),
	SETTING(jobs, deadline, DURATION, "10min", .least = "1s", .most = "7d",
		.about = "When a worker that has not ended is killed"),
	SETTING(jobs, memory, SIZE, "4g", .least = "64m", .most = "1024t", .empty = true,
		.about = "Limit of the address space of a worker; 0 is none"),
	SETTING(jobs, retry, DURATION, "10s", .least = "1s", .most = "1d",
		.about =
			"When a job that failed is tried again; doubled with each further failure"),
	SETTING(jobs, retry_max, DURATION, "1h", .least = "1s", .most = "7d",
		.about = "The longest time until a job that failed is tried again"),
	SETTING(store, path, PATH, "/var/lib/pmemctl/pmemctl.db",
		.about = "The file in which history is kept"),
	SETTING(store, keep, DURATION, "365d", .least = "1h", .most = "36500d",
		.about = "Age at which events, findings that are gone and closed incidents are "
			 "forgotten"),
	SETTING(store, max_events, NUMBER, "100000", .least = "100", .most = "10000000",
		.about = "How many events are kept at most"),
	SETTING(journal, enabled, BOOL, "yes", .about = "Whether events go to the journal"),
	SETTING(hooks, enabled, BOOL, "yes", .about = "Whether hooks are run"),
	SETTING(hooks, directory, PATH, "/etc/pmemctl/hooks.d",
		.about = "Directory of the programs that are run for each event"),
	SETTING(hooks, deadline, DURATION, "30s", .least = "100ms", .most = "1h",
		.about = "When a hook that has not ended is killed"),
	SETTING(hooks, severity, SEVERITY, "info",
		.about = "The mildest severity of events that hooks are run for"),
	SETTING(mail, to, ADDRESS, "", .empty = true,
		.about = "Who gets mail, with commas between the addresses; empty: nobody"),
	SETTING(mail, from, ADDRESS, "", .empty = true, .single = true,
		.about = "The sender of mail; empty: the mail program decides"),
	SETTING(mail, command, PATH, "/usr/sbin/sendmail",
		.about = "The program that sends mail, with the interface of sendmail"),
	SETTING(mail, severity, SEVERITY, "warning",
		.about = "The mildest severity of events that are mailed"),
	SETTING(metrics, file, PATH, "", .empty = true,
		.about =
			"File of metrics for the textfile collector of node_exporter; empty: none"),
	SETTING(dbus, enabled, BOOL, "yes", .about = "Whether the watch is on the system bus"),
	SETTING(rate, burst, NUMBER, "20", .least = "1", .most = "100000",
		.about = "How many events of one kind journal, hooks and mail get within "
			 "rate.interval"),
	SETTING(rate, interval, DURATION, "10min", .least = "1s", .most = "1d",
		.about = "The time for which rate.burst counts"),
	SETTING(health, interval, DURATION, "10min", .least = "1s", .most = "7d",
		.about = "Time between two looks at the health of DIMMs"),
	SETTING(health, spares, NUMBER, "10", .least = "0", .most = "100",
		.about = "Percent of spares: fewer are a warning"),
	SETTING(health, life_used, NUMBER, "90", .least = "0", .most = "100",
		.about = "Percent of the life of a DIMM: more is a warning"),
	SETTING(health, temperature, NUMBER, "0", .least = "20", .most = "150", .empty = true,
		.about = "Degrees Celsius: more is a warning; 0: the threshold of the DIMM itself"),
	{.section = "repair",
	 .key = "auto",
	 .type = PME_CONF_REPAIR,
	 .offset = offsetof(struct pme_conf, repair.automatic),
	 .standard = "never",
	 .about = "Whether the watch starts repairs by itself: never, or what can be repaired "
		  "exactly"},
};
const size_t pme_conf_count = PME_ARRAY_SIZE(pme_conf_settings);
