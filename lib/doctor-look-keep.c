/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor looks at what is under protection, at the configuration, the store and the watch; see
 * doctor.h.
 */
#include <string.h>

#include "conf.h"
#include "doc.h"
#include "doctor.h"
#include "metrics.h"
#include "repair-journal.h"
#include "store.h"

#define WANTS "etc/systemd/system/timers.target.wants"

/* --- protected paths --- */

/* `systemctl enable` makes a link; a timer of the distribution could be elsewhere, but this one is
 * enabled by pmemctl protect add. */
static enum pme_known is_enabled(const struct pme_os *os, const char *id)
{
	_cleanup_free_ char *path = pme_printf(WANTS "/pmemctl-sync@%s.timer", id);
	_cleanup_free_ char *target = NULL;
	int r = path ? pme_os_readlink(os, path, &target) : -ENOMEM;

	if (r == -ENOENT)
		return PME_NO;
	return r < 0 ? PME_NOT_KNOWN : PME_YES;
}

static bool is_chosen(const struct pme_doctor *d, const struct pme_protection *p)
{
	struct stat st;
	const struct pme_dev *dev;

	if (d->everything)
		return true;
	if (pme_os_stat(d->topo->os, p->path[1] ? p->path + 1 : ".", false, &st) < 0)
		return false;
	dev = pme_topo_dev_by_devno(d->topo, st.st_dev);
	return dev && pme_doctor_chooses(d, dev);
}

static void look_at_protection(struct pme_doctor *d, const struct pme_protection *p)
{
	struct pme_protection_state state;
	_cleanup_free_ char *common = NULL;
	struct pme_protection_facts facts = {
		.path = p->path,
		.replica = p->replica,
		.id = p->id,
		.now = d->now,
		.every = p->every,
		.timer = p->every ? is_enabled(d->topo->os, p->id) : PME_NO,
	};

	facts.error = pme_protection_state_load(d->topo->os, p->id, &state);
	facts.state = facts.error < 0 ? NULL : &state;
	facts.apart = pme_protect_apart(d->topo, p, &common);
	facts.common = common;
	pme_judge_protection(&facts, d->checks);
}

int pme_doctor_protections(struct pme_doctor *d)
{
	for (size_t i = 0; d->protections && i < d->protections->count; i++)
		if (is_chosen(d, &d->protections->items[i]))
			look_at_protection(d, &d->protections->items[i]);
	return 0;
}

/* --- configuration --- */

/* Programs in the directory of hooks; PME_UNKNOWN when that cannot be told. */
static uint64_t count_hooks(const struct pme_os *os, const char *directory)
{
	const char *below = *directory == '/' ? directory + 1 : directory;
	char **names = NULL;
	size_t n = 0;
	uint64_t count = 0;
	int r = pme_os_list(os, below, &names, &n);

	if (r < 0)
		return r == -ENOENT ? 0 : PME_UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = pme_printf("%s/%s", below, names[i]);
		struct stat st;

		if (path && *names[i] != '.' && pme_os_stat(os, path, false, &st) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))
			count++;
	}
	pme_os_free_names(names, n);
	return count;
}

/* Is it there, and not for us?  Whatever else is wrong is for pme_conf_load() to say. */
static bool is_hidden(const struct pme_os *os)
{
	_cleanup_free_ char *text = NULL;
	char **names = NULL;
	size_t len, n = 0;
	int file = pme_os_read_file(os, PME_CONF_FILE, PME_FILE_MAX, &text, &len);
	int dir = pme_os_list(os, PME_CONF_DIR, &names, &n);

	pme_os_free_names(names, n);
	return file == -EACCES || dir == -EACCES;
}

static const char *first_error(const struct pme_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->messages[i].severity == PME_ERROR)
			return log->messages[i].text;
	return NULL;
}

int pme_doctor_configuration(struct pme_doctor *d)
{
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	_cleanup_(pme_log_done) struct pme_log said = {0};
	struct pme_conf_facts facts = {0};
	int r = pme_conf_load(d->topo->os, &said, &conf);

	if (r == -ENOMEM)
		return r;
	facts.valid = r == 0;
	facts.hidden = r < 0 && !d->is_root && is_hidden(d->topo->os);
	facts.error = first_error(&said);
	if (facts.valid) {
		facts.mail = *conf.mail.to;
		facts.metrics = *conf.metrics.file;
		facts.dbus = conf.dbus.enabled;
		facts.journal = conf.journal.enabled;
		facts.hooks =
			conf.hooks.enabled ? count_hooks(d->topo->os, conf.hooks.directory) : 0;
	}
	pme_judge_configuration(&facts, d->checks);
	pme_judge_notification(&facts, d->checks);
	return 0;
}

/* --- store --- */

int pme_doctor_store(struct pme_doctor *d)
{
	struct json_object *of_watch = pme_json_get(d->watch, "store");
	struct pme_repair_ids pending = {0};
	struct pme_store *store = NULL;
	struct pme_store_facts facts = {.path = d->store, .unfinished = PME_UNKNOWN};

	if (of_watch) {
		facts.watch_ok = pme_json_get_bool(of_watch, "ok");
		facts.watch_says = pme_json_get_text(of_watch, "reason");
	}
	facts.error = pme_store_open_read(d->store, &store);
	pme_store_close(store);
	if (facts.error == 0 && pme_repair_pending(d->store, &pending) == 0)
		facts.unfinished = pending.count;
	free(pending.items);
	pme_judge_repairs(&facts, d->checks);
	pme_judge_store(&facts, d->checks);
	return 0;
}

/* --- the watch --- */

int pme_watch_look(const struct pme_os *os, int64_t now, struct pme_watch_facts *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = pme_os_read_file(os, PME_WATCH_FILE, PME_WATCH_MAX, &text, &len);

	*ret = (struct pme_watch_facts){.error = r};
	if (r < 0) {
		ret->life = r == -ENOENT ? PME_WATCH_NONE : PME_WATCH_HIDDEN;
		return 0;
	}
	r = pme_watch_parse(text, len, &ret->doc);
	if (r == -ENOMEM)
		return r;
	ret->life = r < 0			     ? PME_WATCH_ODD
		    : pme_watch_alive(ret->doc, now) ? PME_WATCH_RUNS
						     : PME_WATCH_OLD;
	return 0;
}
