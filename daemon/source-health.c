/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of DIMMs: asked every conf.health.interval, and when a DIMM says so (POLLPRI on
 * nmemX/nfit/flags: ACPI event 0x81, drivers/acpi/nfit/core.c).
 *
 * The firmware may take its time, or hang: so `pmemctl list --health` asks it, a process that is
 * killed at its deadline.  The surprise: one that cannot be killed keeps this source from asking
 * again, for another one would hang as well; the rest of the watch goes on.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "answer.h"
#include "dimms.h"
#include "keeper.h"
#include "process.h"
#include "source.h"
#include "workers.h"

#define DEVICES "sys/bus/nd/devices"
#define SETTLE_USEC 500000U /* between a notice and the question */
#define ERROR_MAX (16U << 10)
#define FLAGS_MAX 1024 /* DIMMs that are listened to; all are asked */

struct flag {
	struct pmed_source *source;
	char *name;
	int fd;
	sd_event_source *io;
};

struct own {
	struct pmed_dimms dimms;
	struct flag *flags[FLAGS_MAX];
	size_t n_flags;
	sd_event_source *timer;
	struct pmed_process *process;
	bool stuck;   /* the last one hangs on */
	bool noticed; /* a DIMM said something that no question was asked after */
	char *failed; /* why the last one told nothing, said once */
};

static struct flag *forget(struct flag *flag)
{
	if (!flag)
		return NULL;
	sd_event_source_disable_unref(flag->io);
	pme_close_fd(&flag->fd);
	free(flag->name);
	free(flag);
	return NULL;
}

static void ask_in(struct pmed_source *source, uint64_t usec)
{
	struct own *own = source->own;

	if (sd_event_source_set_time_relative(own->timer, usec) < 0 ||
	    sd_event_source_set_enabled(own->timer, SD_EVENT_ONESHOT) < 0)
		pmed_log(PME_EVENT_ERROR, "health: no timer: it is not asked any more");
}

/* Takes @why; the same is said once. */
static void fail(struct pmed_source *source, char *why)
{
	struct own *own = source->own;

	pmed_dimms_fail(&own->dimms, why);
	if (!own->failed || !why || strcmp(own->failed, why) != 0)
		pmed_log(PME_EVENT_WARNING, "health of DIMMs is not known: %s",
			 why ? why : "no memory");
	free(own->failed);
	own->failed = why;
}

static void forget_failure(struct own *own)
{
	free(own->failed);
	own->failed = NULL;
}

static void publish(struct pmed_source *source, struct pmed_news *news)
{
	for (size_t i = 0; i < pme_json_count(news->events); i++) {
		source->heard++;
		pmed_tell(source->daemon, json_object_get(pme_json_at(news->events, i)));
	}
	if (pme_json_count(news->changes) > 0)
		pmed_keeper_keep(source->daemon, json_object_get(news->changes));
}

static int learn(struct pmed_source *source, struct json_object *doc)
{
	struct own *own = source->own;
	struct pmed_news news;
	int r = pmed_news_new(&news);

	if (r == 0)
		r = pmed_dimms_learn(&own->dimms, &source->daemon->conf,
				     pme_json_get(doc, "health"), pmed_now(),
				     &source->daemon->last_event, &news);
	publish(source, &news);
	pmed_news_done(&news);
	return r;
}

static void on_done(void *arg, const struct pmed_result *result)
{
	struct pmed_source *source = arg;
	struct own *own = source->own;
	struct json_object *doc = NULL;
	_cleanup_free_ char *why = NULL;
	int r;

	own->stuck = result->stuck;
	if (!result->stuck)
		own->process = NULL;
	if (pmed_answer_read(result, "pmemctl.list", &doc, &why) < 0)
		fail(source, pme_take_ptr(why));
	else if ((r = learn(source, doc)) < 0)
		fail(source, pme_printf("pmemctl list --health: its answer makes no sense: %s",
					strerror(-r)));
	else
		forget_failure(own);
	json_object_put(doc);
	ask_in(source, own->noticed && !own->stuck ? SETTLE_USEC
						   : source->daemon->conf.health.interval * 1000);
}

static void on_ended(void *arg)
{
	struct pmed_source *source = arg;
	struct own *own = source->own;

	own->process = NULL;
	own->stuck = false;
}

static int ask(sd_event_source *timer, uint64_t usec, void *arg)
{
	struct pmed_source *source = arg;
	struct pmed *d = source->daemon;
	struct own *own = source->own;
	char *const argv[] = {(char *)d->program, (char *)"--json", (char *)"list",
			      (char *)"--health", NULL};
	struct pmed_process_args args = pmed_worker_args(d);
	int r = 0;

	args.argv = argv;
	args.max_err = ERROR_MAX;
	args.done = on_done;
	args.ended = on_ended;
	args.arg = source;
	if (!own->process) {
		own->noticed = false;
		r = pmed_process_start(d->loop, &args, &own->process);
	}
	if (r < 0)
		fail(source, pme_printf("pmemctl list --health: %s", strerror(-r)));
	if (r < 0 || own->stuck)
		ask_in(source, d->conf.health.interval * 1000);
	return 0;
}

/* Reading arms it again; one that cannot be read is gone. */
static int on_flags(sd_event_source *io, int fd, uint32_t events, void *arg)
{
	struct flag *flag = arg;
	struct own *own = flag->source->own;
	char text[256];

	if (pread(fd, text, sizeof(text), 0) < 0) {
		flag->io = sd_event_source_disable_unref(flag->io);
		return 0;
	}
	flag->source->heard++;
	own->noticed = true;
	ask_in(flag->source, SETTLE_USEC);
	return 0;
}

/* 0 also for a DIMM without such a file, or that is going. */
static int listen_to(struct pmed_source *source, const char *name)
{
	_cleanup_free_ char *path = pme_printf(DEVICES "/%s/nfit/flags", name);
	struct own *own = source->own;
	struct flag *flag;
	char text[256];
	int r;

	if (!path)
		return -ENOMEM;
	if (strncmp(name, "nmem", strlen("nmem")) != 0 || own->n_flags == FLAGS_MAX)
		return 0;
	flag = calloc(1, sizeof(*flag));
	if (!flag)
		return -ENOMEM;
	*flag = (struct flag){.source = source, .name = strdup(name), .fd = -1};
	flag->fd = pme_os_open(&source->daemon->os, path, O_RDONLY | O_NONBLOCK);
	r = flag->fd < 0 ? flag->fd : 0;
	if (r == 0 && pread(flag->fd, text, sizeof(text), 0) < 0)
		r = -errno;
	if (r == 0)
		r = sd_event_add_io(source->daemon->loop, &flag->io, flag->fd, EPOLLPRI, on_flags,
				    flag);
	if (r < 0 || !flag->name) {
		forget(flag);
		return r == -ENOENT || r == -ENODEV || r == -EPERM ? 0 : r;
	}
	own->flags[own->n_flags++] = flag;
	return 0;
}

static void forget_flags(struct own *own)
{
	while (own->n_flags > 0)
		forget(own->flags[--own->n_flags]);
}

/* 1 there are DIMMs, 0 none, -errno */
static int listen_to_all(struct pmed_source *source)
{
	char **names = NULL;
	size_t count = 0;
	int found = 0, r = pme_os_list(&source->daemon->os, DEVICES, &names, &count);

	forget_flags(source->own);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		int one = listen_to(source, names[i]);

		found |= strncmp(names[i], "nmem", strlen("nmem")) == 0;
		if (one < 0)
			pmed_log(PME_EVENT_WARNING, "%s: its flags cannot be watched: %s", names[i],
				 strerror(-one));
	}
	pme_os_free_names(names, count);
	return r < 0 && r != -ENOENT ? r : found;
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	source->daemon->dimms = NULL;
	forget_flags(own);
	sd_event_source_disable_unref(own->timer);
	if (own->process)
		pmed_process_forget(own->process);
	pmed_dimms_done(&own->dimms);
	free(own->failed);
	free(own);
	source->own = NULL;
}

static int start(struct pmed_source *source, char **ret_reason)
{
	struct own *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	source->own = own;
	source->daemon->dimms = &own->dimms;
	r = listen_to_all(source);
	if (r > 0 &&
	    pmed_dimms_load(&own->dimms, &source->daemon->conf, source->daemon->health) < 0)
		r = -ENOMEM;
	if (r > 0) {
		json_object_put(pme_take_ptr(source->daemon->health));
		r = sd_event_add_time_relative(source->daemon->loop, &own->timer, CLOCK_BOOTTIME,
					       SETTLE_USEC, 0, ask, source);
		if (r >= 0)
			return 0;
	} else if (r == 0) {
		*ret_reason = strdup("there are no DIMMs that have health");
		r = -ENODEV;
	}
	stop(source);
	return r;
}

/* The interval may be another one. */
static void again(struct pmed_source *source)
{
	struct own *own = source->own;
	uint64_t due, most = source->daemon->conf.health.interval * 1000;
	int r = listen_to_all(source);

	if (sd_event_source_get_enabled(own->timer, NULL) > 0 &&
	    sd_event_source_get_time(own->timer, &due) >= 0 && due > pmed_clock() + most)
		ask_in(source, most);

	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "health: cannot find the DIMMs: %s", strerror(-r));
}

const struct pmed_source_kind pmed_source_health = {
	.name = "health",
	.about = "health, temperature, spares and dirty shutdowns of DIMMs",
	.start = start,
	.again = again,
	.stop = stop,
};
