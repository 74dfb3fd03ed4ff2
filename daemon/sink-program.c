/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for a program, one after the other; see sink-program.h.
 *
 * The surprise: a run that not even SIGKILL ends (it hangs in the kernel) keeps the program busy:
 * no second one is started beside it, and events wait until the queue is full.
 */
#include "sink-program.h"

#include <string.h>

#include "process.h"

#define WAITING_MAX 64
#define OUTPUT_MAX 4096 /* bytes of its standard error that are looked at */
#define REASON_MAX 200	/* bytes of that in a message */

struct errand {
	int64_t id;
	char **envp;
	char *input;
};

struct pmed_program {
	struct pmed_sink *sink;
	char *part;
	char **argv;
	uint64_t deadline;
	struct errand waiting[WAITING_MAX]; /* a ring */
	size_t first, count;
	struct pmed_process *process; /* that runs, for waiting[first] */
	bool stuck;		      /* it said so already */
};

static char **free_strings(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
	return NULL;
}

static char **copy_strings(const char *const *strings)
{
	size_t count = 0;
	char **copy;

	while (strings[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(strings[i]);
		if (!copy[i])
			return free_strings(copy);
	}
	return copy;
}

static void errand_done(struct errand *errand)
{
	free_strings(errand->envp);
	free(errand->input);
	*errand = (struct errand){0};
}

static void run_next(struct pmed_program *program);

/* The first line of what it wrote, in printable characters. */
static char *first_line(const struct pmed_result *result)
{
	const char *text = result->err_len > 0 ? result->err : result->out;
	char *line = pme_printf("%.*s", (int)pme_min(strcspn(text, "\n"), REASON_MAX), text);

	for (char *c = line; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return line;
}

/* NULL when all is well. */
static char *failure_of(const struct pmed_program *program, const struct pmed_result *result)
{
	_cleanup_free_ char *line = NULL;

	if (result->error < 0)
		return pme_printf("cannot run %s: %s", program->argv[0], strerror(-result->error));
	if (result->stuck)
		return pme_printf("%s hangs and cannot be killed", program->argv[0]);
	if (result->timed_out)
		return pme_printf("%s was killed: it ran longer than %llu ms", program->argv[0],
				  (unsigned long long)program->deadline);
	if (result->signal)
		return pme_printf("%s: %s", program->argv[0], strsignal(result->signal));
	if (result->exit_code == 0)
		return NULL;
	line = first_line(result);
	return pme_printf("%s ended with status %d%s%s", program->argv[0], result->exit_code,
			  line && *line ? ": " : "", line ? line : "");
}

/* The first errand is over; the program may be freed by what the outcome leads to: last. */
static void finish(struct pmed_program *program, const char *why)
{
	struct errand *errand = &program->waiting[program->first];
	int64_t id = errand->id;

	errand_done(errand);
	program->first = (program->first + 1) % WAITING_MAX;
	program->count--;
	pmed_sink_outcome(program->sink, program->part, id, why);
}

static void on_done(void *arg, const struct pmed_result *result)
{
	struct pmed_program *program = arg;
	_cleanup_free_ char *why = failure_of(program, result);
	bool good = result->error == 0 && result->exit_code == 0 && !result->signal &&
		    !result->timed_out && !result->stuck;

	program->stuck = result->stuck;
	if (!result->stuck)
		program->process = NULL;
	finish(program, good ? NULL : why ? why : "failed");
	run_next(program);
}

static void on_ended(void *arg)
{
	struct pmed_program *program = arg;

	program->process = NULL;
	program->stuck = false;
	run_next(program);
}

static int start(struct pmed_program *program)
{
	const struct errand *errand = &program->waiting[program->first];
	struct pmed_process_args args = {
		.argv = program->argv,
		.envp = errand->envp,
		.input = errand->input,
		.input_len = strlen(errand->input),
		.deadline = program->deadline,
		.max_out = OUTPUT_MAX,
		.max_err = OUTPUT_MAX,
		.done = on_done,
		.ended = on_ended,
		.arg = program,
	};

	return pmed_process_start(program->sink->daemon->loop, &args, &program->process);
}

static void run_next(struct pmed_program *program)
{
	while (!program->process && program->count > 0) {
		struct pmed_result failed = {.error = start(program)};
		_cleanup_free_ char *why = NULL;

		if (failed.error == 0)
			return;
		why = failure_of(program, &failed);
		finish(program, why ? why : strerror(-failed.error));
	}
}

int pmed_program_put(struct pmed_program *program, int64_t event_id, const char *const *envp,
		     const char *input)
{
	struct errand errand = {.id = event_id};

	if (program->count >= WAITING_MAX)
		return -ENOBUFS;
	errand.envp = copy_strings(envp);
	errand.input = strdup(input);
	if (!errand.envp || !errand.input) {
		errand_done(&errand);
		return -ENOMEM;
	}
	program->waiting[(program->first + program->count++) % WAITING_MAX] = errand;
	run_next(program);
	return 0;
}

const char *pmed_program_part(const struct pmed_program *program)
{
	return program->part;
}

bool pmed_program_idle(const struct pmed_program *program)
{
	return !program->process && program->count == 0;
}

int pmed_program_new(const struct pmed_program_args *args, struct pmed_program **ret)
{
	struct pmed_program *program = calloc(1, sizeof(*program));

	if (!program)
		return -ENOMEM;
	program->sink = args->sink;
	program->deadline = args->deadline;
	program->part = args->part ? strdup(args->part) : NULL;
	program->argv = copy_strings(args->argv);
	if (!program->argv || (args->part && !program->part)) {
		pmed_program_free(program);
		return -ENOMEM;
	}
	*ret = program;
	return 0;
}

int pmed_program_set(struct pmed_program *program, const char *const *argv, uint64_t deadline)
{
	char **copy = copy_strings(argv);

	if (!copy)
		return -ENOMEM;
	free_strings(program->argv);
	program->argv = copy;
	program->deadline = deadline;
	return 0;
}

struct pmed_program *pmed_program_free(struct pmed_program *program)
{
	if (!program)
		return NULL;
	if (program->process)
		pmed_process_forget(program->process);
	for (size_t i = 0; i < program->count; i++) {
		struct errand *errand = &program->waiting[(program->first + i) % WAITING_MAX];

		pmed_sink_drop(program->sink, program->part, errand->id);
	}
	for (size_t i = 0; i < WAITING_MAX; i++)
		errand_done(&program->waiting[i]);
	free(program->part);
	free_strings(program->argv);
	free(program);
	return NULL;
}
