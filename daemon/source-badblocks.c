/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of bad blocks that the kernel says have changed: POLLPRI on sysfs files.
 *
 * drivers/nvdimm notifies at machine checks, at the end of a scrub, and when writing cleared
 * blocks; fs/kernfs/file.c: readable it always is, so only POLLPRI counts, and reading from the
 * beginning arms it again.  The surprise: a list whose disk is gone reports a change at every look
 * and wakes nobody when it goes; it is closed at its first error, and at the next look for files.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "lists.h"
#include "source.h"

struct own {
	struct pmed_lists lists;
};

static void forget(struct pmed_list *list)
{
	list->io = sd_event_source_disable_unref(list->io);
	pme_close_fd(&list->fd);
	list->fd = -1;
}

static int on_change(sd_event_source *io, int fd, uint32_t events, void *arg)
{
	struct pmed_list *list = arg;
	struct pmed_source *source = list->own;
	int r = pmed_list_read(&source->daemon->os, list, fd);

	if (r > 0)
		pmed_source_hint(source, PMED_HINT_REGION, list->region);
	if (r >= 0)
		return 0;
	forget(list);
	pmed_source_hint(source, PMED_HINT_INVENTORY, NULL);
	return 0;
}

/* What it says now is known to whoever looks at it after this. */
static int listen_to(struct pmed_source *source, struct pmed_list *list)
{
	int r;

	list->own = source;
	list->fd = pme_os_open(&source->daemon->os, list->path, O_RDONLY | O_NONBLOCK);
	if (list->fd < 0)
		return list->fd;
	r = pmed_list_read(&source->daemon->os, list, list->fd);
	if (r >= 0)
		r = sd_event_add_io(source->daemon->loop, &list->io, list->fd, EPOLLPRI, on_change,
				    list);
	if (r < 0)
		forget(list);
	return r;
}

static void again(struct pmed_source *source)
{
	struct own *own = source->own;
	int r = pmed_lists_update(&source->daemon->os, &own->lists, forget);

	if (r < 0)
		pmed_log(PME_EVENT_WARNING, "source badblocks: cannot find all lists: %s",
			 strerror(-r));
	for (size_t i = 0; i < own->lists.count; i++) {
		struct pmed_list *list = own->lists.items[i];

		if (list->fd >= 0)
			continue;
		r = listen_to(source, list);
		if (r == 0)
			pmed_source_hint(source, PMED_HINT_REGION, list->region);
		else if (r != -ENODEV && r != -ENOENT)
			pmed_log(PME_EVENT_WARNING, "/%s: cannot be watched: %s", list->path,
				 strerror(-r));
	}
}

static int start(struct pmed_source *source, char **ret_reason)
{
	source->own = calloc(1, sizeof(struct own));
	if (!source->own)
		return -ENOMEM;
	again(source);
	return 0;
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	pmed_lists_done(&own->lists, forget);
	free(own);
}

const struct pmed_source_kind pmed_source_badblocks = {
	.name = "badblocks",
	.about = "changes of bad block lists that the kernel notifies",
	.start = start,
	.again = again,
	.stop = stop,
};
