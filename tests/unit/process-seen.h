/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of programs beside the loop: what their owner saw of them, and whether processes whose
 * number they printed are still there.
 */
#ifndef PME_TESTS_PROCESS_SEEN_H
#define PME_TESTS_PROCESS_SEEN_H

#include <signal.h>
#include <string.h>

#include "check.h"
#include "process.h"

#define LIMIT 60000 /* ms: that no test needs */

struct seen {
	struct pmed_result result;
	char out[256], err[256];
	unsigned int done, ended;
};

static inline void on_done(void *arg, const struct pmed_result *result)
{
	struct seen *seen = arg;

	seen->done++;
	seen->result = *result;
	assert_non_null(result->out);
	assert_non_null(result->err);
	assert_int_equal(result->out[result->out_len], 0);
	snprintf(seen->out, sizeof(seen->out), "%s", result->out);
	snprintf(seen->err, sizeof(seen->err), "%s", result->err);
}

static inline void on_ended(void *arg)
{
	struct seen *seen = arg;

	seen->ended++;
}

/* The process whose number is @text; 0 and 1 are none of ours. */
static inline pid_t printed_process(const char *text)
{
	unsigned long number = strtoul(text, NULL, 10);

	assert_true(number > 1);
	return (pid_t)number;
}

/* Within @ms it is no process any more, or a zombie of somebody else. */
static inline void assert_dead(const char *text, unsigned int ms)
{
	_cleanup_free_ char *path = pme_printf("/proc/%lu/stat", strtoul(text, NULL, 10));
	char state = '?';

	for (unsigned int i = 0; i < ms / 10; i++) {
		FILE *file = fopen(path, "re");

		if (!file)
			return;
		while (fgetc(file) != ')' && !feof(file))
			;
		fgetc(file);
		state = (char)fgetc(file);
		fclose(file);
		if (state == 'Z' || state == 'X')
			return;
		usleep(10000);
	}
	fail_msg("process %s is in state %c", text, state);
}

/* What left the group on purpose lives on, as the guard of a metadata snapshot has to. */
static inline void assert_lives_on(const char *text, unsigned int ms)
{
	pid_t guard = printed_process(text);

	assert_int_equal(kill(guard, 0), 0);
	kill(guard, SIGKILL);
	assert_dead(text, ms);
}

#endif
