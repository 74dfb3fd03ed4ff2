/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for programs of the administrator: each executable file in hooks.directory is run, with
 * the event on its standard input.  pmemctl.conf(5), pmemctld(8).
 *
 * They run as root, so nobody else may have written them: directory and files belong to root and
 * are not writable for group and others, or nothing is run, and that is said.  The directory is
 * read for each event, in a lane.
 */
#include <string.h>

#include "lane.h"
#include "sink-program.h"

#define HOOKS_MAX 64   /* in the directory */
#define WAITING_MAX 64 /* events whose hooks are not known yet */
#define STOP_MSEC 500

/* An event on its way through the lane, and the hooks that were found for it. */
struct round {
	int64_t id;
	char *text;
	char *directory; /* of the hooks, when the event came */
	char *env[9];
	char **names; /* of the hooks, sorted */
	size_t count;
	char *refused;		  /* what is wrong with one of them, or with the directory */
	struct json_object *told; /* who had it before: of the loop, not of the lane; or NULL */
};

struct hooks {
	struct pmed_sink *sink;
	const struct pme_os *os;
	struct pmed_lane *lane;
	char *directory;
	uint64_t deadline, severity;
	struct pmed_program *programs[HOOKS_MAX];
	size_t count;
	bool ending;
};

static void round_free(struct round *round)
{
	if (!round)
		return;
	for (size_t i = 0; i < PME_ARRAY_SIZE(round->env); i++)
		free(round->env[i]);
	pme_os_free_names(round->names, round->count);
	free(round->refused);
	json_object_put(round->told);
	free(round->text);
	free(round->directory);
	free(round);
}

static int fill_environment(struct round *round, struct json_object *event)
{
	struct json_object *device = pme_json_get(event, "device");
	struct json_object *incident = pme_json_get(event, "incident");
	char **env = round->env;

	env[0] = pme_printf("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	env[1] = pme_printf("LANG=C.UTF-8");
	env[2] = pme_printf("PMEMCTL_TYPE=%s", pme_json_get_text(event, "type"));
	env[3] = pme_printf("PMEMCTL_SEVERITY=%s", pme_json_get_text(event, "severity"));
	env[4] = pme_printf("PMEMCTL_DEVICE=%s", pme_json_get_text(device, "name"));
	env[5] = pme_printf("PMEMCTL_NAMESPACE=%s", pme_json_get_text(device, "namespace"));
	env[6] =
		pme_printf("PMEMCTL_INCIDENT=%s", incident ? json_object_get_string(incident) : "");
	env[7] = pme_printf("PMEMCTL_EVENT_ID=%lld", (long long)round->id);
	env[8] = pme_printf("PMEMCTL_TEXT=%s", pme_json_get_text(event, "text"));
	for (size_t i = 0; i < PME_ARRAY_SIZE(round->env); i++)
		if (!env[i])
			return -ENOMEM;
	return 0;
}

/* Below the root, as pme_os wants it. */
static const char *below_root(const char *path)
{
	return path + strspn(path, "/");
}

/* What is wrong with who may write it; NULL: nothing. */
static const char *distrust(const struct stat *st)
{
	if (st->st_uid != 0)
		return "does not belong to root";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "is writable for others than root";
	return NULL;
}

static void refuse(struct round *round, const char *path, const char *name, const char *why)
{
	if (!round->refused)
		round->refused =
			pme_printf("%s%s%s %s", path, name ? "/" : "", name ? name : "", why);
}

/* Is it a hook?  What is not executable is switched off. */
static bool is_hook(const struct hooks *hooks, struct round *round, const char *name)
{
	_cleanup_free_ char *path = pme_printf("%s/%s", below_root(round->directory), name);
	struct stat st;
	const char *why;

	if (*name == '.' || !path || pme_os_stat(hooks->os, path, false, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode) && !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return false;
	why = S_ISREG(st.st_mode) ? distrust(&st) : "is no regular file";
	if (why)
		refuse(round, round->directory, name, why);
	return !why;
}

/* In the lane: which hooks are there? */
static int look(void *context, void *item)
{
	const struct hooks *hooks = context;
	struct round *round = item;
	const char *directory = below_root(round->directory);
	size_t kept = 0;
	struct stat st;
	int r = pme_os_stat(hooks->os, directory, false, &st);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!S_ISDIR(st.st_mode) || distrust(&st)) {
		refuse(round, round->directory, NULL,
		       S_ISDIR(st.st_mode) ? distrust(&st) : "is no directory");
		return 0;
	}
	r = pme_os_list(hooks->os, directory, &round->names, &round->count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < round->count; i++) {
		char *name = round->names[i];

		if (is_hook(hooks, round, name))
			round->names[kept++] = name;
		else
			free(name);
	}
	round->count = kept;
	return 0;
}

static struct pmed_program *find(struct hooks *hooks, const char *name)
{
	for (size_t i = 0; i < hooks->count; i++)
		if (strcmp(pmed_program_part(hooks->programs[i]), name) == 0)
			return hooks->programs[i];
	return NULL;
}

/* The program of a hook, for its next run. */
static int find_or_add(struct hooks *hooks, const struct round *round, const char *name,
		       struct pmed_program **ret)
{
	_cleanup_free_ char *path = pme_printf("%s/%s", round->directory, name);
	const char *argv[] = {path, NULL};
	const struct pmed_program_args args = {
		.sink = hooks->sink, .part = name, .argv = argv, .deadline = hooks->deadline};
	int r;

	*ret = find(hooks, name);
	if (!path)
		return -ENOMEM;
	if (*ret)
		return pmed_program_set(*ret, argv, hooks->deadline);
	if (hooks->count >= HOOKS_MAX)
		return -E2BIG;
	r = pmed_program_new(&args, ret);
	if (r == 0)
		hooks->programs[hooks->count++] = *ret;
	return r;
}

static void run_hook(struct hooks *hooks, const struct round *round, const char *name)
{
	const char *env[PME_ARRAY_SIZE(round->env) + 1] = {NULL};
	struct pmed_program *program;
	int r = find_or_add(hooks, round, name, &program);

	for (size_t i = 0; i < PME_ARRAY_SIZE(round->env); i++)
		env[i] = round->env[i];
	if (r == 0)
		r = pmed_program_put(program, round->id, env, round->text);
	if (r < 0)
		pmed_sink_outcome(hooks->sink, name, round->id,
				  r == -E2BIG	  ? "there are too many hooks"
				  : r == -ENOBUFS ? "too many events wait for it"
						  : strerror(-r));
}

/* By an earlier run of the watch, which ended before all hooks had it. */
static bool was_told(const struct round *round, const char *name)
{
	static const char prefix[] = "hooks/";

	for (size_t i = 0; i < pme_json_count(round->told); i++) {
		const char *part = json_object_get_string(pme_json_at(round->told, i));

		if (part && strncmp(part, prefix, strlen(prefix)) == 0 &&
		    strcmp(part + strlen(prefix), name) == 0)
			return true;
	}
	return false;
}

static bool is_found(const struct round *round, const char *name)
{
	for (size_t i = 0; i < round->count; i++)
		if (strcmp(round->names[i], name) == 0)
			return true;
	return false;
}

/* Whose files are gone, or HOOKS_MAX would count all names that there ever were. */
static void forget_gone(struct hooks *hooks, const struct round *round)
{
	size_t kept = 0;

	for (size_t i = 0; i < hooks->count; i++) {
		struct pmed_program *program = hooks->programs[i];

		if (is_found(round, pmed_program_part(program)) || !pmed_program_idle(program))
			hooks->programs[kept++] = program;
		else
			pmed_program_free(program);
	}
	hooks->count = kept;
}

static void looked(void *context, void *item, int result)
{
	struct hooks *hooks = context;
	struct round *round = item;

	if (result == -ECANCELED || (result == 0 && hooks->ending && round->count > 0))
		pmed_sink_drop(hooks->sink, NULL, round->id);
	else if (result < 0)
		pmed_sink_outcome(hooks->sink, NULL, round->id, strerror(-result));
	if (round->refused)
		pmed_sink_outcome(hooks->sink, NULL, round->id, round->refused);
	else if (result == 0)
		pmed_sink_state(hooks->sink, NULL);
	if (result == 0) {
		pmed_sink_parts(hooks->sink, round->names, round->count);
		forget_gone(hooks, round);
	}
	for (size_t i = 0; result == 0 && !hooks->ending && i < round->count; i++)
		if (!was_told(round, round->names[i]))
			run_hook(hooks, round, round->names[i]);
	round_free(round);
}

static int hooks_deliver(struct pmed_sink *sink, struct json_object *event, const char *text)
{
	struct hooks *hooks = sink->own;
	struct round *round = calloc(1, sizeof(*round));
	int r = -ENOMEM;

	if (!round)
		return r;
	round->id = (int64_t)pme_json_get_number(event, "id");
	round->told = json_object_get(sink->told);
	round->text = strdup(text);
	round->directory = strdup(((struct hooks *)sink->own)->directory);
	if (round->text && round->directory)
		r = fill_environment(round, event);
	if (r == 0)
		r = pmed_lane_put(hooks->lane, round);
	if (r < 0)
		round_free(round);
	return r;
}

static bool hooks_want(const struct pmed_sink *sink, enum pme_event_severity severity)
{
	const struct hooks *hooks = sink->own;

	return severity <= hooks->severity;
}

static bool hooks_stale(const struct pmed_sink *sink)
{
	const struct pme_conf *conf = &sink->daemon->conf;
	const struct hooks *hooks = sink->own;

	return !conf->hooks.enabled || conf->hooks.deadline != hooks->deadline ||
	       conf->hooks.severity != hooks->severity ||
	       strcmp(conf->hooks.directory, hooks->directory) != 0;
}

/* What waits for a hook is for the one that it has then. */
static int hooks_reload(struct pmed_sink *sink)
{
	const struct pme_conf *conf = &sink->daemon->conf;
	_cleanup_free_ char *directory = strdup(conf->hooks.directory);
	struct hooks *hooks = sink->own;

	if (!conf->hooks.enabled)
		return -ENOENT;
	if (!directory)
		return -ENOMEM;
	free(hooks->directory);
	hooks->directory = pme_take_ptr(directory);
	hooks->deadline = conf->hooks.deadline;
	hooks->severity = conf->hooks.severity;
	return 0;
}

static void hooks_stop(struct pmed_sink *sink)
{
	struct hooks *hooks = sink->own;

	if (!hooks)
		return;
	/* Nothing that the lane still finds is run. */
	sink->on = false;
	for (size_t i = 0; i < hooks->count; i++)
		pmed_program_free(hooks->programs[i]);
	hooks->count = 0;
	hooks->ending = true;
	if (pmed_lane_free(hooks->lane, STOP_MSEC) < 0)
		return; /* the thread that hangs still uses it */
	free(hooks->directory);
	free(hooks);
}

static int hooks_start(struct pmed_sink *sink, char **ret_reason)
{
	const struct pme_conf *conf = &sink->daemon->conf;
	struct pmed_lane_args args = {
		.name = "hooks", .max_items = WAITING_MAX, .work = look, .done = looked};
	struct hooks *hooks;
	int r;

	if (!conf->hooks.enabled)
		return 0;
	hooks = calloc(1, sizeof(*hooks));
	if (!hooks)
		return -ENOMEM;
	hooks->sink = sink;
	hooks->os = &sink->daemon->os;
	hooks->deadline = conf->hooks.deadline;
	hooks->severity = conf->hooks.severity;
	hooks->directory = strdup(conf->hooks.directory);
	args.context = hooks;
	r = hooks->directory ? pmed_lane_new(sink->daemon->loop, &args, &hooks->lane) : -ENOMEM;
	if (r < 0) {
		*ret_reason = pme_printf("cannot start a thread: %s", strerror(-r));
		free(hooks->directory);
		free(hooks);
		return r;
	}
	sink->own = hooks;
	return 1;
}

const struct pmed_sink_kind pmed_sink_hooks = {
	.name = "hooks",
	.limited = true,
	.start = hooks_start,
	.wants = hooks_want,
	.deliver = hooks_deliver,
	.stale = hooks_stale,
	.reload = hooks_reload,
	.stop = hooks_stop,
};
