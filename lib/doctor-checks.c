/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the doctor: what each check asks and why; see doctor.h.
 */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "doc.h"
#include "doctor.h"

static const char *const result_names[] = {
	[PME_RESULT_OK] = "ok",
	[PME_RESULT_ADVICE] = "advice",
	[PME_RESULT_PROBLEM] = "problem",
	[PME_RESULT_UNKNOWN] = "unknown",
	[PME_RESULT_NONE] = "does-not-apply",
};
static_assert(PME_ARRAY_SIZE(result_names) == PME_RESULT_NONE + 1, "a name for each");

static const struct about {
	const char *name, *asks, *why;
} abouts[] = {
	[PME_CHECK_PRIVILEGES] =
		{"privileges", "may everything be read?",
		 "physical addresses, filesystems and the store are for root only"},
	[PME_CHECK_KERNEL] =
		{"kernel", "has the kernel what repairs are made with?",
		 "a file gets good blocks in one atomic step only where the kernel can "
		 "exchange ranges of files"},
	[PME_CHECK_MEMORY_FAILURE] =
		{"memory-failure", "does the machine survive an error of memory?",
		 "without it programs are not told of bad memory that they have mapped, or the "
		 "machine stops"},
	[PME_CHECK_MACHINE_CHECKS] = {"machine-checks", "are machine checks on?",
				      "an error that the processor meets becomes a bad block by a "
				      "machine check"},
	[PME_CHECK_TRACES] = {"traces", "are the events there that pmemctld hears?",
			      "memory failures, and all errors of CXL memory, are told only there"},
	[PME_CHECK_SCRUB] = {"scrub", "does the platform look for errors?",
			     "an error in memory that nobody reads is found by a scrub only"},
	[PME_CHECK_RESCRUB] =
		{"scrub-on-error", "is the bus scrubbed after a machine check?",
		 "one error is seldom alone, and the processor tells of one at a time"},
	[PME_CHECK_CLEAR] = {"clear", "does writing clear bad blocks?",
			     "where it does not, bad blocks stay bad, and a write to one fails"},
	[PME_CHECK_LIST] = {"bad-blocks-list", "is the kernel's list of bad blocks whole?",
			    "what is not in the list looks like good memory"},
	[PME_CHECK_MODE] = {"namespace-mode", "is the mode of the namespace one that fits?",
			    "the mode decides whether errors can be mapped, and memory failures be "
			    "told"},
	[PME_CHECK_DIMM] = {"dimm", "does the module say that it is well?",
			    "a module that cannot save its contents loses what was written last"},
	[PME_CHECK_FAILURE_NOTICE] = {"failure-notice", "is the filesystem told of bad memory?",
				      "only then are the programs told that have just these bytes "
				      "mapped"},
	[PME_CHECK_DAX] = {"dax", "do DAX and reflinks go together?",
			   "a file that loses DAX loses what MAP_SYNC promises"},
	[PME_CHECK_OWNERS] = {"owners", "does the filesystem know who owns a block?",
			      "without a reverse map every file has to be asked"},
	[PME_CHECK_NAMES] = {"names", "does the filesystem know the names of an inode?",
			     "without parent pointers all directories are searched for them"},
	[PME_CHECK_REFLINK] = {"reflink", "can files share blocks?",
			       "a shared block proves that a copy is right, also while the file is "
			       "written elsewhere"},
	[PME_CHECK_EXCHANGE] = {"exchange-range", "can ranges of files be exchanged?",
				"it is how a file is repaired under programs that write it"},
	[PME_CHECK_QUARANTINE] =
		{"quarantine", "are bad blocks parked here?",
		 "parked blocks are space that nobody has until they are released"},
	[PME_CHECK_STAGING] =
		{"staging", "did earlier work leave something?",
		 "what nobody finishes or takes back takes space, and may be all that "
		 "keeps a bad block from other files"},
	[PME_CHECK_PROTECTED] = {"protected", "is something here under protection?",
				 "what was lost can be got back exactly only from copies made "
				 "before"},
	[PME_CHECK_SYNC] = {"sync", "are the copies new and whole?",
			    "what was written after the last sync cannot be got back from it"},
	[PME_CHECK_TIMER] = {"sync-timer", "is it synced by itself?",
			     "a copy that somebody has to remember to make gets old"},
	[PME_CHECK_VERIFY] = {"verify", "do the copies read right?",
			      "a damaged copy is of no use when it is needed"},
	[PME_CHECK_REPLICA] = {"replica", "does the replica survive what the files do not?",
			       "a replica on the same module is lost together with the files"},
	[PME_CHECK_REPAIRS] = {"repairs", "have all repairs ended?",
			       "bytes of a repair in place may be wrong until it is finished"},
	[PME_CHECK_STORE] = {"store", "can the store be read?",
			     "it has the history, and the journal without which nothing is "
			     "repaired"},
	[PME_CHECK_CONFIGURATION] = {"configuration", "is the configuration good?",
				     "pmemctld does not start with one that has errors"},
	[PME_CHECK_NOTIFICATION] = {"notification", "is somebody told?",
				    "an error that nobody hears of is not repaired"},
	[PME_CHECK_WATCH] = {"watch", "does pmemctld run?",
			     "without it errors are found when somebody looks"},
	[PME_CHECK_SOURCE] = {"watch-source", "does pmemctld hear all that it could?",
			      "what it does not hear it finds at the next regular look only"},
	[PME_CHECK_SINK] = {"watch-sink", "does what pmemctld tells arrive?",
			    "a notification that fails is none"},
	[PME_CHECK_JOBS] = {"watch-jobs", "do the scans of pmemctld work?",
			    "a device that cannot be scanned is not watched"},
};
static_assert(PME_ARRAY_SIZE(abouts) == PME_CHECK_JOBS + 1, "a row for each");

const char *pme_result_name(enum pme_result result)
{
	return result_names[result];
}

const char *pme_check_name(enum pme_check_id id)
{
	return abouts[id].name;
}

const char *pme_check_asks(enum pme_check_id id)
{
	return abouts[id].asks;
}

const char *pme_check_why(enum pme_check_id id)
{
	return abouts[id].why;
}

static void check_done(struct pme_check *check)
{
	free(check->subject);
	free(check->found);
	free(check->todo);
	free(check->command);
}

void pme_checks_done(struct pme_checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		check_done(&checks->items[i]);
	free(checks->items);
	*checks = (struct pme_checks){0};
}

static char *format(const char *fmt, va_list args)
{
	char *text;

	return vasprintf(&text, fmt, args) < 0 ? NULL : text;
}

void pme_checks_add(struct pme_checks *checks, enum pme_check_id id, const char *subject,
		    enum pme_result result, const char *todo, const char *fmt, ...)
{
	struct pme_check check = {.id = id, .result = result, .subject = strdup(subject)};
	va_list args;
	int r;

	va_start(args, fmt);
	check.found = format(fmt, args);
	va_end(args);
	if (todo)
		check.todo = strdup(todo);
	r = pme_grow(&checks->items, &checks->alloc, checks->count, sizeof(check));
	if (!check.subject || !check.found || (todo && !check.todo))
		r = -ENOMEM;
	if (r == 0)
		checks->items[checks->count++] = check;
	else
		check_done(&check);
	if (r < 0)
		checks->error = r;
}

void pme_checks_command(struct pme_checks *checks, const char *fmt, ...)
{
	va_list args;
	char *text;

	if (checks->count == 0 || checks->error < 0)
		return;
	va_start(args, fmt);
	text = format(fmt, args);
	va_end(args);
	if (!text)
		checks->error = -ENOMEM;
	free(checks->items[checks->count - 1].command);
	checks->items[checks->count - 1].command = text;
}

/* Commands are copied into shells, and names of mounts come from whoever mounts. */
char *pme_checks_quote(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:@%,=";
	char *quoted, *to;

	if (*word && *word != '-' && strspn(word, plain) == strlen(word))
		return strdup(word);
	quoted = malloc(4 * strlen(word) + 3);
	if (!quoted)
		return NULL;
	to = quoted;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(to, "'\\'", 3);
			to += 3;
		}
		*to++ = *word;
	}
	*to++ = '\'';
	*to = '\0';
	return quoted;
}

static struct json_object *check_json(const struct pme_check *check)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "check", abouts[check->id].name);
	pme_json_text(object, "asks", abouts[check->id].asks);
	pme_json_text(object, "subject", check->subject);
	pme_json_text(object, "result", result_names[check->result]);
	pme_json_text(object, "found", check->found);
	pme_json_text(object, "why", abouts[check->id].why);
	pme_json_text(object, "todo", check->todo);
	pme_json_text(object, "command", check->command);
	return object;
}

void pme_checks_json(const struct pme_checks *checks, struct json_object *doc)
{
	struct json_object *array = pme_json_array(), *summary = pme_json_object();
	int64_t counts[PME_ARRAY_SIZE(result_names)] = {0};

	for (size_t i = 0; i < checks->count; i++) {
		pme_json_append(array, check_json(&checks->items[i]));
		counts[checks->items[i].result]++;
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(counts); i++)
		pme_json_set(summary, result_names[i], pme_json_int(counts[i]));
	pme_json_set(doc, "checks", array);
	pme_json_set(doc, "summary", summary);
}
