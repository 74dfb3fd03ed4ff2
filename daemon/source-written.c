/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of bad blocks that somebody writes to: inotify on sysfs files.
 *
 * Errors that are injected, or cleared, through sysfs notify nobody who polls.
 */
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "lists.h"
#include "source.h"

struct own {
	struct pmed_lists lists; /* fd: watch descriptor */
	int inotify;
	sd_event_source *io;
};

/* A file of sysfs that is gone keeps its watch, in kernels before 7. */
static void forget(struct pmed_list *list)
{
	const struct own *own = list->own;

	if (own && list->fd >= 0)
		inotify_rm_watch(own->inotify, list->fd);
	list->fd = -1;
}

static void hear(struct pmed_source *source, const struct inotify_event *event)
{
	struct own *own = source->own;

	if (event->mask & IN_Q_OVERFLOW) {
		source->overrun++;
		pmed_source_hint(source, PMED_HINT_EVERYTHING, NULL);
		return;
	}
	for (size_t i = 0; i < own->lists.count; i++) {
		struct pmed_list *list = own->lists.items[i];

		if (list->fd != event->wd)
			continue;
		if (event->mask & IN_IGNORED)
			list->fd = -1;
		else
			pmed_source_hint(source, PMED_HINT_REGION, list->region);
		return;
	}
}

static int on_events(sd_event_source *io, int fd, uint32_t events, void *arg)
{
	char buf[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(fd, buf, sizeof(buf));

	for (size_t pos = 0; n > 0 && pos < (size_t)n;) {
		const struct inotify_event *event = (const struct inotify_event *)(buf + pos);

		hear(arg, event);
		pos += sizeof(*event) + event->len;
	}
	return 0;
}

static void again(struct pmed_source *source)
{
	struct own *own = source->own;
	int r = pmed_lists_update(&source->daemon->os, &own->lists, forget);

	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "source written: cannot find all lists: %s",
			 strerror(-r));
	for (size_t i = 0; i < own->lists.count; i++) {
		struct pmed_list *list = own->lists.items[i];

		if (list->fd >= 0)
			continue;
		r = pme_os_inotify_add(&source->daemon->os, own->inotify, list->path, IN_MODIFY);
		list->fd = r;
		list->own = own;
		if (r < 0 && r != -ENOENT)
			pmed_log(PME_EVENT_WARNING, "/%s: cannot be watched: %s", list->path,
				 strerror(-r));
	}
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	pmed_lists_done(&own->lists, forget);
	sd_event_source_disable_unref(own->io);
	pme_close_fd(&own->inotify);
	free(own);
}

static int start(struct pmed_source *source, char **ret_reason)
{
	struct own *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	source->own = own;
	own->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	r = own->inotify < 0 ? -errno : 0;
	if (r == 0)
		r = sd_event_add_io(source->daemon->loop, &own->io, own->inotify, EPOLLIN,
				    on_events, source);
	if (r < 0) {
		*ret_reason = pme_printf("no inotify: %s", strerror(-r));
		stop(source);
		return r;
	}
	again(source);
	return 0;
}

const struct pmed_source_kind pmed_source_written = {
	.name = "written",
	.about = "bad block lists that are written through sysfs",
	.start = start,
	.again = again,
	.stop = stop,
};
