/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration of pmemctld: INI files, pmemctl.conf(5).
 *
 * /etc/pmemctl/pmemctl.conf first, then /etc/pmemctl/pmemctl.conf.d/ *.conf in the order of their
 * names; the last value of a setting counts.  An unknown section or setting, or a value that makes
 * no sense, is an error that names file and line: a configuration with errors is never used.  So
 * is a file that others than root could have written, as it names programs that root runs.
 */
#ifndef PME_CONF_H
#define PME_CONF_H

#include <json-c/json.h>

#include "log.h"
#include "os.h"

#define PME_CONF_FILE "etc/pmemctl/pmemctl.conf"
#define PME_CONF_DIR "etc/pmemctl/pmemctl.conf.d"

enum pme_repair_auto { PME_REPAIR_NEVER, PME_REPAIR_EXACT };

/* Where a setting got its value: file NULL, line 0 for a default. */
struct pme_conf_origin {
	char *file;
	uint64_t line;
};

/* Times are milliseconds, sizes bytes; strings are owned, "" is "none". */
struct pme_conf {
	struct {
		uint64_t settle;   /* a device must be quiet so long before it is scanned */
		uint64_t reread;   /* between two readings of all lists, whatever was heard */
		uint64_t snapshot; /* between two looks at what is on each device */
	} watch;
	struct {
		uint64_t parallel; /* workers at a time */
		uint64_t deadline;
		uint64_t memory;    /* address space of a worker; 0: no limit */
		uint64_t retry;	    /* after the first failure; doubled with each further one */
		uint64_t retry_max; /* and never longer than this */
	} jobs;
	struct {
		char *path;
		/* age of what is forgotten: events, gone findings, closed incidents */
		uint64_t keep;
		uint64_t max_events; /* and their number */
	} store;
	struct {
		bool enabled;
	} journal;
	struct {
		bool enabled;
		char *directory;
		uint64_t deadline; /* of one hook */
		uint64_t severity; /* enum pme_event_severity: this and what is worse */
	} hooks;
	struct {
		char *to; /* "": no mail is sent */
		char *from;
		char *command; /* sendmail(8) */
		uint64_t severity;
	} mail;
	struct {
		char *file; /* "": none is written */
	} metrics;
	struct {
		bool enabled;
	} dbus;
	struct {
		uint64_t burst;	   /* events of one kind that a sink gets at once */
		uint64_t interval; /* in which it gets so many */
	} rate;
	struct {
		uint64_t interval;  /* between two looks at the health of DIMMs */
		uint64_t spares;    /* percent: fewer are a warning */
		uint64_t life_used; /* percent: more is a warning */
		/* degrees Celsius: more is a warning; 0: the DIMM's own threshold */
		uint64_t temperature;
	} health;
	struct {
		enum pme_repair_auto automatic;
		struct pme_conf_path {
			char *path; /* absolute, normal, without a slash behind it; or "/" */
			enum pme_repair_auto automatic;
			struct pme_conf_origin origin;
		} * paths;
		size_t n_paths, alloc_paths;
	} repair;
	struct pme_conf_origin *origins; /* one for each row of the table in conf-table.c */
};

/*
 * Defaults, then the files below @os.  0; -EINVAL when there are errors, all of which are said in
 * @log; -ENOMEM.  No file at all is no error.  @ret must be freed in every case.
 */
int pme_conf_load(const struct pme_os *os, struct pme_log *log, struct pme_conf *ret);
/*
 * One file, from memory, on top of what @conf has; @name is what messages call it.  0, -EINVAL with
 * all errors said, -ENOMEM.
 */
int pme_conf_parse(const char *text, size_t len, const char *name, struct pme_log *log,
		   struct pme_conf *conf);
int pme_conf_defaults(struct pme_conf *ret); /* 0, -ENOMEM */
void pme_conf_done(struct pme_conf *conf);

/* By the longest path of the configuration that @path is below, or is; else by the default. */
enum pme_repair_auto pme_conf_repair_of(const struct pme_conf *conf, const char *path);
/* Is anything to be repaired automatically? */
bool pme_conf_repairs(const struct pme_conf *conf);

/*
 * Member "settings" of a document: each setting with its value, default, limits, meaning, and where
 * it was set; values are texts that the configuration would accept.
 */
void pme_conf_json(const struct pme_conf *conf, struct json_object *doc);

/* "250ms", "10s", "5min", "12h", "30d", or a number of seconds -> milliseconds: 0, -EINVAL,
 * -ERANGE. */
int pme_duration_parse(const char *text, size_t len, uint64_t *ret);

#endif
