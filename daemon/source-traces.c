/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events of the kernel that tell of memory before, or without, a list of bad blocks: memory
 * failures (a worker then sees what is new in the lists), and errors of CXL devices, which no list
 * has.
 *
 * They are heard in a trace instance of our own, "pmemctl", so that nobody else's tracing is
 * disturbed; it is taken away at the end, and one that a killed run left is taken away first.  The
 * surprises: libtracefs mounts tracefs when it is not mounted, so that is asked before; and a line
 * begins with the name of a process, which everybody chooses, unless context-info is off.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <tracefs.h>

#include "source.h"
#include "trace.h"

#define INSTANCE "pmemctl"
#define BUFFER_SIZE 65536
#define READS_MAX 16  /* at once */
#define KB_PER_CPU 64 /* of the kernel's memory */
#define GROUPS_MAX 64 /* events for one reading */
#define RATE_USEC 1000000U
#define RATE_BURST 4

static const struct {
	const char *system, *name;
} events[] = {
	{"ras", "memory_failure_event"},
	{"memory_failure", "memory_failure_event"},
	{"cxl", "cxl_poison"},
	{"cxl", "cxl_general_media"},
	{"cxl", "cxl_dram"},
};

struct own {
	const char *dir; /* of tracefs */
	struct tracefs_instance *instance;
	int fd;
	sd_event_source *io;
	bool on[PME_ARRAY_SIZE(events)];
	bool not_understood; /* was said */
	size_t used;
	char buffer[BUFFER_SIZE];
};

/* What is alike in one reading is one event. */
struct group {
	const char *region; /* borrowed; or NULL */
	struct pmed_trace first;
	uint64_t count;
};

struct reading {
	struct pmed_source *source;
	struct pmed_places places;
	struct group groups[GROUPS_MAX];
	size_t count;
	bool missed;
};

static char *text_of(const struct group *group)
{
	const struct pmed_trace *t = &group->first;
	_cleanup_free_ char *where =
		t->address == UINT64_MAX ? pme_printf("at an address that is not known")
					 : pme_printf("at 0x%llx", (unsigned long long)t->address);
	_cleanup_free_ char *more =
		group->count == 1
			? strdup("")
			: pme_printf(", and %llu more", (unsigned long long)group->count - 1);

	if (!where || !more)
		return NULL;
	if (t->kind == PMED_TRACE_MEMORY_FAILURE)
		return pme_printf("memory failure in %s %s (%s)%s", group->region, where, t->what,
				  more);
	return pme_printf("CXL device %s%s%s reports %s %s (%s)%s", t->device,
			  group->region ? " of " : "", group->region ? group->region : "", t->event,
			  where, t->what, more);
}

static void tell(struct pmed_source *source, const struct group *group)
{
	const struct pmed_trace *t = &group->first;
	bool cxl = t->kind == PMED_TRACE_CXL;
	struct json_object *event, *device = pme_json_object(), *detail = pme_json_object();
	_cleanup_free_ char *text = text_of(group);

	event = pme_event_new(pmed_event_id(source->daemon),
			      cxl ? PME_EVENT_CXL : PME_EVENT_MEMORY_FAILURE,
			      t->bad ? PME_EVENT_ERROR : PME_EVENT_WARNING,
			      text  ? text
			      : cxl ? "error of a CXL device"
				    : "memory failure");
	pme_json_text(device, "name", group->region ? group->region : t->device);
	pme_json_set(device, "namespace", NULL);
	pme_json_set(device, "mode", NULL);
	pme_json_text(device, "region", group->region);
	pme_json_set(device, "dimms", pme_json_array());
	pme_json_set(device, "identity", NULL);
	pme_json_text(detail, "event", t->event);
	pme_json_text(detail, "device", cxl ? t->device : NULL);
	pme_json_number(detail, "address", t->address);
	pme_json_number(detail, "length", t->length);
	pme_json_text(detail, "what", t->what);
	pme_json_number(detail, "count", group->count);
	pme_json_set(event, "device", device);
	pme_json_set(event, "detail", detail);
	pmed_tell(source->daemon, event);
	source->heard++;
}

static void tell_all(struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++) {
		tell(reading->source, &reading->groups[i]);
		if (reading->groups[i].region)
			pmed_hint(reading->source->daemon, PMED_HINT_REGION,
				  reading->groups[i].region);
	}
	reading->count = 0;
}

static bool is_like(const struct group *group, const struct pmed_trace *trace, const char *region)
{
	return group->region == region && group->first.bad == trace->bad &&
	       strcmp(group->first.event, trace->event) == 0 &&
	       strcmp(group->first.device, trace->device) == 0;
}

/* Other memory than persistent memory is not our business, unless nobody knows which it is. */
static void add(struct reading *reading, const struct pmed_trace *trace)
{
	const char *region =
		trace->address == UINT64_MAX
			? NULL
			: pmed_places_find(&reading->places, trace->address, trace->length);

	if (!region && !reading->places.whole)
		reading->missed = true;
	if (!region && (trace->kind != PMED_TRACE_CXL || trace->address != UINT64_MAX))
		return;
	for (size_t i = 0; i < reading->count; i++)
		if (is_like(&reading->groups[i], trace, region)) {
			reading->groups[i].count++;
			return;
		}
	if (reading->count == GROUPS_MAX)
		tell_all(reading);
	reading->groups[reading->count++] = (struct group){region, *trace, 1};
}

static void learn_line(struct reading *reading, const char *line, size_t len)
{
	struct own *own = reading->source->own;
	struct pmed_trace trace;
	int r = pmed_trace_parse(line, len, (uint64_t)sysconf(_SC_PAGESIZE), &trace);

	if (r == 0)
		return;
	if (r > 0 && trace.kind != PMED_TRACE_LOST) {
		add(reading, &trace);
		return;
	}
	reading->missed = true;
	if (r < 0 && !own->not_understood)
		pmed_log(PME_EVENT_WARNING, "traces: %s of this kernel is not understood",
			 trace.event);
	own->not_understood = own->not_understood || r < 0;
}

/* Whole lines; the rest stays. */
static void learn_buffer(struct reading *reading)
{
	struct own *own = reading->source->own;
	char *line = own->buffer, *end = own->buffer + own->used, *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		learn_line(reading, line, (size_t)(newline - line));
		line = newline + 1;
	}
	if (line == own->buffer && own->used == BUFFER_SIZE) {
		reading->missed = true;
		line = end;
	}
	own->used = (size_t)(end - line);
	memmove(own->buffer, line, own->used);
}

static int on_lines(sd_event_source *io, int fd, uint32_t revents, void *arg)
{
	struct pmed_source *source = arg;
	struct own *own = source->own;
	struct reading reading = {.source = source};
	ssize_t n = 0;

	if (pmed_places_load(&source->daemon->os, &reading.places) < 0)
		reading.places.whole = false;
	for (int i = 0; i < READS_MAX; i++) {
		n = read(fd, own->buffer + own->used, BUFFER_SIZE - own->used);
		if (n <= 0)
			break;
		own->used += (size_t)n;
		learn_buffer(&reading);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		pmed_log(PME_EVENT_WARNING, "traces: cannot be read any more: %s", strerror(errno));
		own->io = sd_event_source_disable_unref(own->io);
		reading.missed = true;
	}
	tell_all(&reading);
	pmed_places_done(&reading.places);
	if (reading.missed) {
		source->overrun++;
		pmed_hint(source->daemon, PMED_HINT_EVERYTHING, NULL);
	}
	return 0;
}

static bool has_event(const struct pmed_source *source, size_t i)
{
	const struct own *own = source->own;
	_cleanup_free_ char *path = pme_printf("%s/events/%s/%s/enable", own->dir + 1,
					       events[i].system, events[i].name);

	return path && pme_os_exists(&source->daemon->os, path) == 1;
}

/* Modules that bring events may come later. */
static void enable_events(struct pmed_source *source)
{
	struct own *own = source->own;

	for (size_t i = 0; i < PME_ARRAY_SIZE(events); i++) {
		if (own->on[i] || !has_event(source, i))
			continue;
		own->on[i] =
			tracefs_event_enable(own->instance, events[i].system, events[i].name) >= 0;
		pmed_log(own->on[i] ? PME_EVENT_INFO : PME_EVENT_WARNING,
			 own->on[i] ? "traces: %s:%s is heard" : "traces: %s:%s cannot be enabled",
			 events[i].system, events[i].name);
	}
}

static void say_missing(const struct own *own)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(events); i++) {
		bool heard = false, before = false;

		for (size_t k = 0; k < PME_ARRAY_SIZE(events); k++)
			if (strcmp(events[k].name, events[i].name) == 0) {
				heard = heard || own->on[k];
				before = before || k < i;
			}
		if (!heard && !before)
			pmed_log(PME_EVENT_INFO, "traces: this kernel has no %s:%s now",
				 events[i].system, events[i].name);
	}
}

static void remove_instance(struct tracefs_instance *instance)
{
	if (!instance)
		return;
	if (tracefs_instance_destroy(instance) < 0)
		pmed_log(PME_EVENT_WARNING,
			 "traces: the instance " INSTANCE " cannot be removed: %s",
			 strerror(errno));
	tracefs_instance_free(instance);
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	sd_event_source_disable_unref(own->io);
	pme_close_fd(&own->fd);
	remove_instance(own->instance);
	free(own);
	source->own = NULL;
}

static int open_instance(struct own *own)
{
	if (tracefs_set_tracing_dir((char *)own->dir) < 0)
		return -ENODEV;
	if (tracefs_instance_exists(INSTANCE))
		remove_instance(tracefs_instance_create(INSTANCE));
	errno = ENODEV;
	own->instance = tracefs_instance_create(INSTANCE);
	if (!own->instance ||
	    tracefs_instance_file_write(own->instance, "options/context-info", "0") < 0)
		return -errno;
	/* Names of processes are not wanted: without this each switch of the scheduler records one. */
	if (tracefs_instance_file_write(own->instance, "options/record-cmd", "0") < 0)
		pmed_log(PME_EVENT_INFO, "traces: names of processes are recorded, for nobody");
	/* Each line wakes us, and little memory is enough: what is lost is said. */
	tracefs_instance_file_write(own->instance, "buffer_percent", "0");
	tracefs_instance_set_buffer_size(own->instance, KB_PER_CPU, -1);
	own->fd = tracefs_instance_file_open(own->instance, "trace_pipe",
					     O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return own->fd < 0 ? -errno : 0;
}

/* 0, or -errno and the reason. */
static int find_events(struct pmed_source *source, char **ret_reason)
{
	static const char *const dirs[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	struct own *own = source->own;

	for (size_t i = 0; i < PME_ARRAY_SIZE(dirs) && !own->dir; i++) {
		_cleanup_free_ char *path = pme_printf("%s/instances", dirs[i] + 1);

		if (path && pme_os_exists(&source->daemon->os, path) == 1)
			own->dir = dirs[i];
	}
	if (!own->dir) {
		*ret_reason = strdup("tracefs is not mounted at /sys/kernel/tracing");
		return -ENODEV;
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(events); i++)
		if (has_event(source, i))
			return 0;
	*ret_reason = strdup("this kernel has no events for memory failures or CXL devices");
	return -ENODEV;
}

static int start(struct pmed_source *source, char **ret_reason)
{
	struct own *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	source->own = own;
	own->fd = -1;
	r = find_events(source, ret_reason);
	if (r == 0) {
		r = open_instance(own);
		if (r == 0)
			r = sd_event_add_io(source->daemon->loop, &own->io, own->fd, EPOLLIN,
					    on_lines, source);
		if (r >= 0)
			r = sd_event_source_set_ratelimit(own->io, RATE_USEC, RATE_BURST);
		if (r < 0)
			*ret_reason =
				pme_printf("%s: no trace instance: %s", own->dir, strerror(-r));
	}
	if (r < 0) {
		stop(source);
		return r;
	}
	enable_events(source);
	say_missing(own);
	return 0;
}

/* One that could not be read any more is begun anew. */
static void again(struct pmed_source *source)
{
	const struct own *own = source->own;

	if (own->io) {
		enable_events(source);
		return;
	}
	stop(source);
	free(source->reason);
	source->reason = NULL;
	source->available = start(source, &source->reason) >= 0;
}

const struct pmed_source_kind pmed_source_traces = {
	.name = "traces",
	.about = "memory failures and errors of CXL devices in the kernel's trace",
	.start = start,
	.again = again,
	.stop = stop,
};
