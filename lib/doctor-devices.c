/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor says of buses, namespaces, lists of bad blocks and modules; see doctor.h.
 *
 * Facts: drivers/acpi/nfit/core.c (scrub, hw_error_scrub, flags_show), drivers/nvdimm/bus.c
 * (clearing), drivers/nvdimm/pmem.c, btt.c (who has a list of bad blocks).
 */
#include <string.h>

#include "doctor.h"

void pme_judge_scrub(const struct pme_bus_facts *bus, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_SCRUB;

	if (bus->scrubs == PME_NOT_KNOWN)
		pme_checks_add(ret, id, bus->name, PME_RESULT_UNKNOWN, NULL, "cannot be asked: %s",
			       bus->error ? bus->error : "reason not known");
	else if (bus->scrubs == PME_NO)
		pme_checks_add(ret, id, bus->name, PME_RESULT_ADVICE,
			       "read all data from time to time: that is what finds errors here",
			       "%s does not scrub its memory", bus->provider);
	else if (bus->busy)
		pme_checks_add(ret, id, bus->name, PME_RESULT_OK, NULL,
			       "a scrub runs; %llu have ended since the kernel was started",
			       (unsigned long long)bus->count);
	else if (bus->count == 0) {
		pme_checks_add(ret, id, bus->name, PME_RESULT_ADVICE, "start one",
			       "no scrub has ended since the kernel was started, and none runs");
		pme_checks_command(ret, "pmemctl scrub start");
	} else
		pme_checks_add(ret, id, bus->name, PME_RESULT_OK, NULL,
			       "%llu scrubs have ended since the kernel was started",
			       (unsigned long long)bus->count);
}

void pme_judge_rescrub(const struct pme_bus_facts *bus, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_RESCRUB;

	if (bus->scrubs == PME_NO) {
		pme_checks_add(ret, id, bus->name, PME_RESULT_NONE, NULL,
			       "%s does not scrub its memory", bus->provider);
	} else if (bus->scrubs == PME_NOT_KNOWN || bus->rescrubs == PME_NOT_KNOWN) {
		pme_checks_add(ret, id, bus->name, PME_RESULT_UNKNOWN, NULL, "cannot be asked: %s",
			       bus->error ? bus->error : "reason not known");
	} else if (bus->rescrubs == PME_NO) {
		pme_checks_add(ret, id, bus->name, PME_RESULT_ADVICE,
			       "have all memory scrubbed after an error; it is forgotten at the "
			       "next boot",
			       "hw_error_scrub is 0: only the address of the error becomes a bad "
			       "block");
		pme_checks_command(ret, "echo 1 > /sys/bus/nd/devices/%s/nfit/hw_error_scrub",
				   bus->name);
	} else {
		pme_checks_add(ret, id, bus->name, PME_RESULT_OK, NULL, "hw_error_scrub is 1");
	}
}

void pme_judge_clear(const struct pme_bus_facts *bus, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_CLEAR;
	const char *reason = bus->clear_reason ? bus->clear_reason : "reason not known";

	switch (bus->clears) {
	case PME_CLEAR_WORKS:
		pme_checks_add(ret, id, bus->name, PME_RESULT_OK, NULL, "%s", reason);
		return;
	case PME_CLEAR_FORGETS:
		pme_checks_add(ret, id, bus->name, PME_RESULT_ADVICE,
			       "read back what was written over a bad block before it is relied on",
			       "%s", reason);
		return;
	case PME_CLEAR_FAILS:
		pme_checks_add(ret, id, bus->name, PME_RESULT_ADVICE,
			       "use filesystems with reflinks: there a repair takes other blocks",
			       "%s", reason);
		return;
	case PME_CLEAR_UNKNOWN:
		pme_checks_add(ret, id, bus->name, PME_RESULT_UNKNOWN, NULL, "%s", reason);
		return;
	}
}

void pme_judge_list(const struct pme_list_facts *list, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_LIST;
	const char *todo = "repair or release what is listed: then there is room for the rest";

	switch (list->reading) {
	case PME_READ_WHOLE:
		pme_checks_add(ret, id, list->device, PME_RESULT_OK, NULL, "whole: %zu ranges",
			       list->ranges);
		return;
	case PME_READ_CLIPPED:
		pme_checks_add(ret, id, list->device, PME_RESULT_PROBLEM, todo,
			       "the kernel shows the first %zu ranges only", list->ranges);
		pme_checks_command(ret, "pmemctl status %s", list->device);
		return;
	case PME_READ_FULL:
		pme_checks_add(ret, id, list->device, PME_RESULT_PROBLEM, todo,
			       "the kernel's table is full: errors that came later are not in it");
		pme_checks_command(ret, "pmemctl status %s", list->device);
		return;
	case PME_READ_FAILED:
		pme_checks_add(ret, id, list->device, PME_RESULT_UNKNOWN, NULL,
			       "cannot be read: %s", strerror(-list->error));
		return;
	}
}

/* Raw: nothing that the kernel could hand out as pages, so neither DAX nor memory failures. */
void pme_judge_mode(const struct pme_mode_facts *ns, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_MODE;

	if (!ns->device) {
		pme_checks_add(ret, id, ns->name, PME_RESULT_NONE, NULL, "it is not active");
		return;
	}
	switch (ns->mode) {
	case PME_MODE_FSDAX:
		pme_checks_add(ret, id, ns->name, PME_RESULT_OK, NULL, "fsdax");
		return;
	case PME_MODE_SECTOR:
		pme_checks_add(ret, id, ns->name, PME_RESULT_OK, NULL,
			       "sector (BTT): its errors are in the list of its region, and "
			       "followed through the BTT");
		return;
	case PME_MODE_DEVDAX:
		pme_checks_add(ret, id, ns->name, PME_RESULT_OK, NULL,
			       "devdax: its errors are in the list of its region; what they mean "
			       "only the program knows that uses it");
		return;
	case PME_MODE_RAW:
		pme_checks_add(ret, id, ns->name, ns->used ? PME_RESULT_ADVICE : PME_RESULT_NONE,
			       ns->used ? "make it an fsdax namespace when its data can be moved "
					  "away"
					: NULL,
			       "raw%s: no DAX, and memory failures in it are not handled",
			       ns->used ? "" : ", and nothing is on it");
		return;
	case PME_MODE_UNKNOWN:
		pme_checks_add(ret, id, ns->name, PME_RESULT_UNKNOWN, NULL,
			       "its mode is not known");
		return;
	}
}

static bool has_word(const char *text, const char *wanted)
{
	const char *pos = text, *word;
	size_t len;

	while (pme_next_word(&pos, text + strlen(text), &word, &len))
		if (pme_word_is(word, len, wanted))
			return true;
	return false;
}

/* NVDIMM state flags of ACPI's NFIT, by the names of drivers/acpi/nfit/core.c. */
static const char *trouble_of(const char *flags)
{
	static const struct {
		const char *flag, *meaning;
	} table[] = {
		{"save_fail", "it could not save its contents at the last shutdown"},
		{"restore_fail", "it could not restore its contents"},
		{"flush_fail", "what was written last before the last shutdown is lost"},
		{"not_armed", "it will not save what is written"},
		{"map_fail", "its firmware could not map it"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(table); i++)
		if (has_word(flags, table[i].flag))
			return table[i].meaning;
	return NULL;
}

static bool is_in(const char *word, const char *a, const char *b)
{
	return word && (strcmp(word, a) == 0 || strcmp(word, b) == 0);
}

static void add_dimm(const struct pme_dimm_facts *dimm, enum pme_result result, const char *todo,
		     const char *what, struct pme_checks *ret)
{
	_cleanup_free_ char *dirty =
		dimm->dirty_shutdowns == PME_UNKNOWN
			? strdup("")
			: pme_printf("; %llu dirty shutdowns in its life",
				     (unsigned long long)dimm->dirty_shutdowns);

	pme_checks_add(ret, PME_CHECK_DIMM, dimm->name, result, todo, "%s%s", what,
		       dirty ? dirty : "");
	if (todo)
		pme_checks_command(ret, "pmemctl list --health %s", dimm->name);
}

void pme_judge_dimm(const struct pme_dimm_facts *dimm, struct pme_checks *ret)
{
	const char *replace = "save what is on it, and have it replaced";
	const char *trouble = dimm->flags ? trouble_of(dimm->flags) : NULL;
	_cleanup_free_ char *health =
		dimm->health ? pme_printf("its firmware calls its health %s", dimm->health) : NULL;

	if (trouble)
		add_dimm(dimm, PME_RESULT_PROBLEM, replace, trouble, ret);
	else if (is_in(dimm->health, "fatal", "critical"))
		add_dimm(dimm, PME_RESULT_PROBLEM, replace, health ? health : "", ret);
	else if (is_in(dimm->health, "non-critical", "non-critical"))
		add_dimm(dimm, PME_RESULT_ADVICE, "look at its health", health ? health : "", ret);
	else if (dimm->flags && has_word(dimm->flags, "smart_event"))
		add_dimm(dimm, PME_RESULT_ADVICE, "look at its health",
			 "its firmware has an event of its health", ret);
	else if (!dimm->flags && dimm->error == -ENOENT)
		pme_checks_add(ret, PME_CHECK_DIMM, dimm->name, PME_RESULT_NONE, NULL,
			       "its bus has no flags for it");
	else if (!dimm->flags)
		pme_checks_add(ret, PME_CHECK_DIMM, dimm->name, PME_RESULT_UNKNOWN, NULL,
			       "its flags cannot be read: %s", strerror(-dimm->error));
	else
		add_dimm(dimm, PME_RESULT_OK, NULL, "it has no flag of trouble", ret);
}
