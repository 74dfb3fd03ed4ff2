/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scrubs that begin and end: POLLPRI on ndbusN/nfit/scrub at the end of each, and inotify on the
 * same file for those that somebody starts by writing to it.
 *
 * The surprise: reading the file as root while a scrub runs makes the kernel ask the platform every
 * second (drivers/acpi/nfit/core.c: scrub_show).  So it is read once when it is first seen, and
 * once for each notification, never to see whether anything has changed.  One that the platform
 * starts by itself is not notified; only its end is.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "ars.h"
#include "scrub.h"
#include "source.h"

#define DEVICES "sys/bus/nd/devices"
#define BUSES_MAX 256

struct bus {
	struct pmed_source *source;
	char *name;
	int fd;
	ino_t inode; /* of the file that is open */
	bool seen;   /* private to again() */
	sd_event_source *poll, *inotify;
	struct pmed_scrub scrub;
};

struct pmed_scrubs {
	struct bus *items[BUSES_MAX];
	size_t count;
};

static struct bus *forget(struct bus *bus)
{
	if (!bus)
		return NULL;
	sd_event_source_disable_unref(bus->poll);
	sd_event_source_disable_unref(bus->inotify);
	pme_close_fd(&bus->fd);
	free(bus->name);
	free(bus);
	return NULL;
}

/* The bus that a region is on, by where its device is: 1, 0, -ENOMEM. */
static int is_region_of(const struct pme_os *os, const char *region, const char *bus)
{
	_cleanup_free_ char *path = pme_printf(DEVICES "/%s", region);
	_cleanup_free_ char *part = pme_printf("/%s/", bus);
	_cleanup_free_ char *target = NULL;

	if (!path || !part)
		return -ENOMEM;
	if (strncmp(region, "region", strlen("region")) != 0 ||
	    pme_os_readlink(os, path, &target) < 0)
		return 0;
	return strstr(target, part) != NULL;
}

static void hint_regions(struct bus *bus)
{
	struct pmed *d = bus->source->daemon;
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&d->os, DEVICES, &names, &count);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = is_region_of(&d->os, names[i], bus->name);
		if (r == 1)
			pmed_hint(d, PMED_HINT_REGION, names[i]);
	}
	pme_os_free_names(names, count);
	if (r < 0)
		pmed_hint(d, PMED_HINT_EVERYTHING, NULL);
}

static void tell(struct bus *bus, bool finished)
{
	struct pmed *d = bus->source->daemon;
	_cleanup_free_ char *text =
		finished ? pme_printf("address range scrub of %s finished", bus->name)
			 : pme_printf("address range scrub of %s started", bus->name);
	struct json_object *event, *device = pme_json_object(), *detail = pme_json_object();

	event = pme_event_new(pmed_event_id(d),
			      finished ? PME_EVENT_SCRUB_FINISHED : PME_EVENT_SCRUB_STARTED,
			      PME_EVENT_INFO, text ? text : "address range scrub");
	pme_json_text(device, "name", bus->name);
	pme_json_set(device, "namespace", NULL);
	pme_json_set(device, "mode", NULL);
	pme_json_set(device, "region", NULL);
	pme_json_set(device, "dimms", pme_json_array());
	pme_json_set(device, "identity", NULL);
	pme_json_number(detail, "count", bus->scrub.count);
	pme_json_set(event, "device", device);
	pme_json_set(event, "detail", detail);
	pmed_tell(d, event);
	bus->source->heard++;
}

/* One reading: arms the notification again. */
static int look(struct bus *bus)
{
	char text[64];
	ssize_t n = pread(bus->fd, text, sizeof(text), 0);
	bool busy, first = !bus->scrub.known;
	unsigned int what;
	uint64_t count;

	if (n < 0)
		return -errno;
	if (pme_ars_parse(text, (size_t)n, &count, &busy) < 0)
		return -EINVAL;
	what = pmed_scrub_step(&bus->scrub, count, busy, pmed_now());
	if (what & PMED_SCRUB_FINISHED) {
		tell(bus, true);
		hint_regions(bus);
	}
	if (what & PMED_SCRUB_STARTED && (!first || busy))
		tell(bus, false);
	return 0;
}

/* It is gone, or says what nobody understands: closed, or it would report for ever. */
static void look_or_close(struct bus *bus)
{
	int r = look(bus);

	if (r >= 0)
		return;
	if (r != -ENODEV)
		pmed_log(PME_EVENT_WARNING, "/" DEVICES "/%s/nfit/scrub: cannot be read: %s",
			 bus->name, strerror(-r));
	bus->poll = sd_event_source_disable_unref(bus->poll);
	bus->inotify = sd_event_source_disable_unref(bus->inotify);
	pme_close_fd(&bus->fd);
	bus->fd = -1;
}

static int on_poll(sd_event_source *event, int fd, uint32_t revents, void *arg)
{
	look_or_close(arg);
	return 0;
}

static int on_write(sd_event_source *event, const struct inotify_event *change, void *arg)
{
	look_or_close(arg);
	return 0;
}

static int listen_to(struct bus *bus, const char *path)
{
	struct pmed *d = bus->source->daemon;
	struct stat st;
	int r;

	bus->fd = pme_os_open(&d->os, path, O_RDONLY | O_NONBLOCK);
	if (bus->fd < 0)
		return bus->fd;
	r = pme_os_fstat(bus->fd, &st);
	if (r < 0)
		return r;
	bus->inode = st.st_ino;
	r = look(bus);
	if (r == 0)
		r = sd_event_add_inotify_fd(d->loop, &bus->inotify, bus->fd, IN_MODIFY, on_write,
					    bus);
	if (r < 0)
		return r;
	r = sd_event_add_io(d->loop, &bus->poll, bus->fd, EPOLLPRI, on_poll, bus);
	return r == -EPERM ? 0 : r; /* a plain file of a made-up root */
}

static int add_bus(struct pmed_source *source, const char *name, const char *path)
{
	struct pmed_scrubs *own = source->own;
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	*bus = (struct bus){.source = source, .name = strdup(name), .fd = -1, .seen = true};
	r = bus->name ? listen_to(bus, path) : -ENOMEM;
	if (r < 0) {
		forget(bus);
		return r;
	}
	own->items[own->count++] = bus;
	return 0;
}

static struct bus *find_bus(struct pmed_scrubs *own, const char *name)
{
	for (size_t i = 0; i < own->count; i++)
		if (strcmp(own->items[i]->name, name) == 0)
			return own->items[i];
	return NULL;
}

/* One that went and came back under its name wakes nobody through the file of before. */
static bool is_another(const struct bus *bus, const char *path)
{
	struct stat st;

	return pme_os_stat(&bus->source->daemon->os, path, true, &st) == 0 &&
	       st.st_ino != bus->inode;
}

/* 1 it is listened to, 0 it has no such file, -errno */
static int look_for(struct pmed_source *source, const char *name)
{
	struct pmed_scrubs *own = source->own;
	struct bus *bus = find_bus(own, name);
	_cleanup_free_ char *path = pme_printf(DEVICES "/%s/nfit/scrub", name);
	int r;

	if (!path)
		return -ENOMEM;
	if (strncmp(name, "ndbus", strlen("ndbus")) != 0 || (!bus && own->count == BUSES_MAX))
		return 0;
	if (bus && bus->fd >= 0 && is_another(bus, path)) {
		r = own->count < BUSES_MAX ? add_bus(source, name, path) : -E2BIG;
		return r < 0 ? r : 1;
	}
	if (bus && bus->fd >= 0) {
		bus->seen = true;
		return 1;
	}
	r = bus ? 0 : pme_os_exists(&source->daemon->os, path);
	if (r == 1)
		r = add_bus(source, name, path);
	return r < 0 ? r : r == 0 && find_bus(own, name) != NULL;
}

/* Those that are not there any more, or could not be read, are forgotten. */
static void sweep(struct pmed_scrubs *own)
{
	size_t kept = 0;

	for (size_t i = 0; i < own->count; i++) {
		if (own->items[i]->seen)
			own->items[kept++] = own->items[i];
		else
			forget(own->items[i]);
	}
	own->count = kept;
}

static int look_for_all(struct pmed_source *source)
{
	struct pmed_scrubs *own = source->own;
	char **names = NULL;
	size_t count = 0;
	int error = 0, r = pme_os_list(&source->daemon->os, DEVICES, &names, &count);

	for (size_t i = 0; i < own->count; i++)
		own->items[i]->seen = false;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		int one = look_for(source, names[i]);

		error = one < 0 ? one : error;
	}
	pme_os_free_names(names, count);
	sweep(own);
	return r < 0 ? r : error;
}

static void stop(struct pmed_source *source)
{
	struct pmed_scrubs *own = source->own;

	source->daemon->scrubs = NULL;
	for (size_t i = 0; i < own->count; i++)
		forget(own->items[i]);
	free(own);
	source->own = NULL;
}

static int start(struct pmed_source *source, char **ret_reason)
{
	struct pmed_scrubs *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	source->own = own;
	source->daemon->scrubs = own;
	r = look_for_all(source);
	if (own->count > 0)
		return 0;
	stop(source);
	if (r == 0 || r == -ENOENT)
		*ret_reason = strdup("no bus has address range scrub");
	return r < 0 ? r : -ENODEV;
}

static void again(struct pmed_source *source)
{
	int r = look_for_all(source);

	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "scrub: not every bus can be watched: %s",
			 strerror(-r));
}

struct json_object *pmed_scrub_json(const struct pmed *d, const char *region)
{
	for (size_t i = 0; d->scrubs && region && i < d->scrubs->count; i++) {
		const struct bus *bus = d->scrubs->items[i];
		struct json_object *object;

		if (is_region_of(&d->os, region, bus->name) != 1)
			continue;
		object = pme_json_object();
		pme_json_text(object, "state", bus->scrub.busy ? "active" : "idle");
		pme_json_number(object, "count", bus->scrub.count);
		pme_json_time(object, "last", bus->scrub.last);
		return object;
	}
	return NULL;
}

const struct pmed_source_kind pmed_source_scrub = {
	.name = "scrub",
	.about = "address range scrubs that start and finish",
	.start = start,
	.again = again,
	.stop = stop,
};
