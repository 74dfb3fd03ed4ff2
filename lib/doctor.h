/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this machine set up so that errors of persistent memory are noticed, mapped and repaired
 * exactly?  What was read of it (facts), and what follows from that (checks).
 *
 * Rules are pure: from facts to rows, one call one row.  A fact that could not be read is "not
 * known" with its reason, and never becomes anything but the result unknown.  No file of a
 * filesystem is opened, only its root, to ask for its features; and of devices nothing is read but
 * the maps that layers below a protected path and its replica keep on them (pme_protect_apart).
 */
#ifndef PME_DOCTOR_H
#define PME_DOCTOR_H

#include <json-c/json.h>

#include "doctor-facts.h"
#include "select.h"

enum pme_check_id {
	PME_CHECK_PRIVILEGES,
	PME_CHECK_KERNEL,
	PME_CHECK_MEMORY_FAILURE,
	PME_CHECK_MACHINE_CHECKS,
	PME_CHECK_TRACES,
	PME_CHECK_SCRUB,
	PME_CHECK_RESCRUB,
	PME_CHECK_CLEAR,
	PME_CHECK_LIST,
	PME_CHECK_MODE,
	PME_CHECK_DIMM,
	PME_CHECK_FAILURE_NOTICE,
	PME_CHECK_DAX,
	PME_CHECK_OWNERS,
	PME_CHECK_NAMES,
	PME_CHECK_REFLINK,
	PME_CHECK_EXCHANGE,
	PME_CHECK_QUARANTINE,
	PME_CHECK_STAGING,
	PME_CHECK_PROTECTED,
	PME_CHECK_SYNC,
	PME_CHECK_TIMER,
	PME_CHECK_VERIFY,
	PME_CHECK_REPLICA,
	PME_CHECK_REPAIRS,
	PME_CHECK_STORE,
	PME_CHECK_CONFIGURATION,
	PME_CHECK_NOTIFICATION,
	PME_CHECK_WATCH,
	PME_CHECK_SOURCE,
	PME_CHECK_SINK,
	PME_CHECK_JOBS,
};
const char *pme_check_name(enum pme_check_id id);
const char *pme_check_asks(enum pme_check_id id);
const char *pme_check_why(enum pme_check_id id);

enum pme_result {
	PME_RESULT_OK,
	PME_RESULT_ADVICE,  /* it works, and could be better */
	PME_RESULT_PROBLEM, /* errors may be missed, or not be repaired, until this is changed */
	PME_RESULT_UNKNOWN, /* it could not be asked */
	PME_RESULT_NONE,    /* does not apply here */
};
const char *pme_result_name(enum pme_result result);

/* One row; strings are owned, @todo and @command may be NULL. */
struct pme_check {
	enum pme_check_id id;
	char *subject; /* what it is about: "machine", "ndbus0", "/srv" */
	enum pme_result result;
	char *found;   /* what was read */
	char *todo;    /* what to do */
	char *command; /* that does it */
};

struct pme_checks {
	struct pme_check *items;
	size_t count, alloc;
	int error; /* 0, or -errno of what could not be added: the whole is then worth nothing */
};

/* A row; @todo may be NULL. */
void pme_checks_add(struct pme_checks *checks, enum pme_check_id id, const char *subject,
		    enum pme_result result, const char *todo, const char *fmt, ...) _printf_(6, 7);
/* The command of the last one. */
void pme_checks_command(struct pme_checks *checks, const char *fmt, ...) _printf_(2, 3);
/* A word for a shell, whatever is in it: allocated, NULL without memory. */
char *pme_checks_quote(const char *word);
void pme_checks_done(struct pme_checks *checks);

/* Members "checks" and "summary" of a document. */
void pme_checks_json(const struct pme_checks *checks, struct json_object *doc);

/* --- rules: one row each --- */

void pme_judge_privileges(bool is_root, struct pme_checks *ret);
void pme_judge_kernel(const struct pme_kernel_facts *kernel, struct pme_checks *ret);
void pme_judge_memory_failure(const struct pme_kernel_facts *kernel, struct pme_checks *ret);
void pme_judge_machine_checks(const struct pme_kernel_facts *kernel, struct pme_checks *ret);
void pme_judge_traces(const struct pme_kernel_facts *kernel, struct pme_checks *ret);

void pme_judge_scrub(const struct pme_bus_facts *bus, struct pme_checks *ret);
void pme_judge_rescrub(const struct pme_bus_facts *bus, struct pme_checks *ret);
void pme_judge_clear(const struct pme_bus_facts *bus, struct pme_checks *ret);
void pme_judge_list(const struct pme_list_facts *list, struct pme_checks *ret);
void pme_judge_mode(const struct pme_mode_facts *ns, struct pme_checks *ret);
void pme_judge_dimm(const struct pme_dimm_facts *dimm, struct pme_checks *ret);

/* Each of them: failure notice, DAX, owners, names, reflink, exchange. */
void pme_judge_filesystem(const struct pme_fs_facts *fs, struct pme_checks *ret);
void pme_judge_quarantine(const struct pme_fs_facts *fs, struct pme_checks *ret);
void pme_judge_staging(const struct pme_fs_facts *fs, struct pme_checks *ret);
void pme_judge_protected(const struct pme_fs_facts *fs, struct pme_checks *ret);

/* Each of them: sync, timer, verify, replica. */
void pme_judge_protection(const struct pme_protection_facts *p, struct pme_checks *ret);

void pme_judge_repairs(const struct pme_store_facts *store, struct pme_checks *ret);
void pme_judge_store(const struct pme_store_facts *store, struct pme_checks *ret);
void pme_judge_configuration(const struct pme_conf_facts *conf, struct pme_checks *ret);
void pme_judge_notification(const struct pme_conf_facts *conf, struct pme_checks *ret);
/* The watch itself, its jobs, and a row for each source and sink. */
void pme_judge_watch(const struct pme_watch_facts *watch, struct pme_checks *ret);

/* --- looking --- */

/*
 * Look at everything, or at what @selectors choose and the machine as a whole; @store is the path
 * of the store.  0; -ENODEV for a selector that names nothing, said in @log; -errno.
 */
int pme_doctor_run(const struct pme_os *os, char *const *selectors, size_t n_selectors,
		   const char *store, struct pme_log *log, struct pme_checks *ret);

/* Parts of it: each looks and adds its rows.  0 or -ENOMEM. */
struct pme_doctor {
	const struct pme_topo *topo;
	const struct pme_selection *selection;
	bool everything; /* nothing was selected */
	bool is_root;
	int64_t now;				   /* µs of CLOCK_REALTIME */
	const char *store;			   /* path */
	const struct pme_protections *protections; /* NULL: they cannot be read */
	struct json_object *watch; /* the document of a watch that is alive, or NULL */
	struct pme_checks *checks;
};
int pme_doctor_kernel(struct pme_doctor *d);
int pme_doctor_devices(struct pme_doctor *d);
int pme_doctor_filesystems(struct pme_doctor *d);
int pme_doctor_protections(struct pme_doctor *d);
int pme_doctor_configuration(struct pme_doctor *d);
int pme_doctor_store(struct pme_doctor *d);
/* Does the selection mean a filesystem on @dev? */
bool pme_doctor_chooses(const struct pme_doctor *d, const struct pme_dev *dev);

/* Facts of their own, for unit tests with a made-up root. */
void pme_kernel_look(const struct pme_os *os, const char *release, struct pme_kernel_facts *ret);
void pme_kernel_facts_done(struct pme_kernel_facts *kernel);
/* The document of the watch: @ret->doc is a new reference, or NULL.  0 or -ENOMEM. */
int pme_watch_look(const struct pme_os *os, int64_t now, struct pme_watch_facts *ret);

#endif
