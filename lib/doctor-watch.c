/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor says of the watch, its configuration, the store, and the journal of repairs; see
 * doctor.h.
 *
 * The document of the watch is believed only while it is fresh: an old one says what was.
 */
#include <inttypes.h>
#include <string.h>

#include "doc.h"
#include "doctor.h"

#define START "systemctl enable --now pmemctld"

void pme_judge_repairs(const struct pme_store_facts *store, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_REPAIRS;

	if (store->error == -ENOENT) {
		pme_checks_add(ret, id, "machine", PME_RESULT_OK, NULL,
			       "there is no store: no repair was ever begun with it");
	} else if (store->error < 0 || store->unfinished == PME_UNKNOWN) {
		pme_checks_add(ret, id, "machine", PME_RESULT_UNKNOWN, NULL,
			       "the journal in %s cannot be read", store->path);
	} else if (store->unfinished > 0) {
		pme_checks_add(ret, id, "machine", PME_RESULT_PROBLEM,
			       "if none is running now, have them finished or taken back",
			       "%" PRIu64 " have begun and not ended", store->unfinished);
		pme_checks_command(ret, "pmemctl repair --resume");
	} else {
		pme_checks_add(ret, id, "machine", PME_RESULT_OK, NULL, "all have");
	}
}

static const char *store_error(int error)
{
	if (error == -EUCLEAN)
		return "it is damaged";
	if (error == -EPROTO)
		return "it was written by a newer version of pmemctl";
	return strerror(-error);
}

void pme_judge_store(const struct pme_store_facts *store, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_STORE;

	if (store->watch_says && !store->watch_ok)
		pme_checks_add(ret, id, store->path, PME_RESULT_PROBLEM,
			       "see to it that pmemctld can write there",
			       "pmemctld cannot write it: %s", store->watch_says);
	else if (store->error == -ENOENT)
		pme_checks_add(ret, id, store->path, PME_RESULT_NONE, NULL, "there is none yet");
	else if (store->error == -EUCLEAN || store->error == -EPROTO)
		pme_checks_add(ret, id, store->path, PME_RESULT_PROBLEM,
			       store->error == -EPROTO ? "use that version"
						       : "look at .pmemctl/staging of each "
							 "filesystem, then move it away",
			       "%s", store_error(store->error));
	else if (store->error < 0)
		pme_checks_add(ret, id, store->path, PME_RESULT_UNKNOWN, NULL, "%s",
			       store_error(store->error));
	else
		pme_checks_add(ret, id, store->path, PME_RESULT_OK, NULL, "it can be read");
}

void pme_judge_configuration(const struct pme_conf_facts *conf, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_CONFIGURATION;

	if (conf->valid) {
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_OK, NULL, "it is");
	} else if (conf->hidden) {
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_UNKNOWN, "run this as root",
			       "it cannot be read: %s",
			       conf->error ? conf->error : "reason not known");
	} else {
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_PROBLEM, "correct it",
			       "it has errors: %s", conf->error ? conf->error : "");
		pme_checks_command(ret, "pmemctl config check");
	}
}

void pme_judge_notification(const struct pme_conf_facts *conf, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_NOTIFICATION;
	bool others = conf->mail || (conf->hooks > 0 && conf->hooks != PME_UNKNOWN);

	if (!conf->valid)
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_UNKNOWN, NULL,
			       "the configuration cannot be used");
	else if (others)
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_OK, NULL, "%s%s%s",
			       conf->mail ? "by mail" : "", conf->mail && conf->hooks ? ", " : "",
			       conf->hooks > 0 && conf->hooks != PME_UNKNOWN ? "by hooks" : "");
	else if (conf->hooks == PME_UNKNOWN)
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_UNKNOWN, NULL,
			       "whether there are hooks cannot be told");
	else if (conf->metrics)
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_OK, NULL,
			       "by metrics: if somebody is alarmed by these");
	else
		pme_checks_add(ret, id, "pmemctld",
			       conf->journal || conf->dbus ? PME_RESULT_ADVICE : PME_RESULT_PROBLEM,
			       "set an address in section [mail], or put a program into "
			       "/etc/pmemctl/hooks.d",
			       conf->journal ? "only the journal of the system is told"
			       : conf->dbus  ? "only who listens on D-Bus is told"
					     : "nobody is");
}

static void judge_sources(struct json_object *sources, struct pme_checks *ret)
{
	for (size_t i = 0; i < pme_json_count(sources); i++) {
		struct json_object *source = pme_json_at(sources, i);
		const char *name = pme_json_get_text(source, "name");

		if (pme_json_get_bool(source, "available"))
			pme_checks_add(ret, PME_CHECK_SOURCE, name, PME_RESULT_OK, NULL,
				       "it hears %s", pme_json_get_text(source, "about"));
		else
			pme_checks_add(ret, PME_CHECK_SOURCE, name, PME_RESULT_ADVICE,
				       "see to it that this source is there, if the machine has it",
				       "it does not hear %s: %s",
				       pme_json_get_text(source, "about"),
				       pme_json_get_text(source, "reason"));
	}
}

static void judge_sinks(struct json_object *sinks, struct pme_checks *ret)
{
	for (size_t i = 0; i < pme_json_count(sinks); i++) {
		struct json_object *sink = pme_json_at(sinks, i);
		const char *name = pme_json_get_text(sink, "name");
		const char *reason = pme_json_get_text(sink, "reason");
		uint64_t failed = pme_json_get_number(sink, "failed");

		if (!pme_json_get_bool(sink, "on") && !*reason)
			pme_checks_add(ret, PME_CHECK_SINK, name, PME_RESULT_NONE, NULL,
				       "it is off");
		else if (*reason)
			pme_checks_add(ret, PME_CHECK_SINK, name, PME_RESULT_ADVICE,
				       "see the journal of pmemctld", "it does not work: %s",
				       reason);
		else if (failed > 0)
			pme_checks_add(ret, PME_CHECK_SINK, name, PME_RESULT_ADVICE,
				       "see the journal of pmemctld",
				       "%" PRIu64 " notifications failed since it was started",
				       failed);
		else
			pme_checks_add(ret, PME_CHECK_SINK, name, PME_RESULT_OK, NULL,
				       "none failed");
		if (*reason || failed > 0)
			pme_checks_command(ret, "journalctl -u pmemctld");
	}
}

static void judge_region(struct json_object *region, struct pme_checks *ret)
{
	struct json_object *scan = pme_json_get(region, "scan");
	const char *name = pme_json_get_text(region, "name");
	uint64_t failures = pme_json_get_number(scan, "failures");

	if (failures > 0) {
		pme_checks_add(ret, PME_CHECK_JOBS, name, PME_RESULT_PROBLEM,
			       "see why: scan it by hand", "the last %" PRIu64 " scans failed: %s",
			       failures, pme_json_get_text(scan, "reason"));
		pme_checks_command(ret, "pmemctl scan %s", name);
	} else {
		pme_checks_add(ret, PME_CHECK_JOBS, name, PME_RESULT_OK, NULL,
			       pme_json_get(scan, "last_success") ? "the last scan worked"
								  : "none was needed yet");
	}
}

static void judge_jobs(struct json_object *jobs, struct pme_checks *ret)
{
	struct json_object *regions = pme_json_get(jobs, "regions");
	size_t stuck = pme_json_count(pme_json_get(jobs, "stuck"));

	if (stuck > 0) {
		pme_checks_add(ret, PME_CHECK_JOBS, "machine", PME_RESULT_PROBLEM,
			       "look for what hangs in the kernel", "%zu workers cannot be ended",
			       stuck);
		pme_checks_command(ret, "journalctl -u pmemctld");
	}
	for (size_t i = 0; i < pme_json_count(regions); i++)
		judge_region(pme_json_at(regions, i), ret);
}

static void judge_life(const struct pme_watch_facts *watch, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_WATCH;
	enum pme_result missing = watch->applies ? PME_RESULT_PROBLEM : PME_RESULT_NONE;

	switch (watch->life) {
	case PME_WATCH_RUNS:
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_OK, NULL, "it runs since %s",
			       pme_json_get_text(watch->doc, "started"));
		return;
	case PME_WATCH_NONE:
		pme_checks_add(ret, id, "pmemctld", missing, watch->applies ? "start it" : NULL,
			       watch->applies ? "it does not run"
					      : "it does not run; there is no persistent memory");
		break;
	case PME_WATCH_OLD:
		pme_checks_add(ret, id, "pmemctld", missing, watch->applies ? "start it" : NULL,
			       "it does not run any more: what it knew is from %s",
			       pme_json_get_text(watch->doc, "time"));
		break;
	case PME_WATCH_ODD:
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_PROBLEM, "restart it",
			       "/run/pmemctl/watch.json is no document of it");
		pme_checks_command(ret, "systemctl restart pmemctld");
		return;
	case PME_WATCH_HIDDEN:
		pme_checks_add(ret, id, "pmemctld", PME_RESULT_UNKNOWN, NULL,
			       "/run/pmemctl/watch.json cannot be read: %s",
			       strerror(-watch->error));
		return;
	}
	if (watch->applies)
		pme_checks_command(ret, START);
}

void pme_judge_watch(const struct pme_watch_facts *watch, struct pme_checks *ret)
{
	judge_life(watch, ret);
	if (watch->life != PME_WATCH_RUNS)
		return;
	judge_sources(pme_json_get(watch->doc, "sources"), ret);
	judge_sinks(pme_json_get(watch->doc, "sinks"), ret);
	judge_jobs(pme_json_get(watch->doc, "jobs"), ret);
}
