/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that come, go and change: the kernel's own uevents, through libudev.
 *
 * Of the kernel, not of udev, so that the watch does not depend on udevd.  The socket loses what
 * nobody takes in time and says so (ENOBUFS): then everything is looked at.
 */
#include <libudev.h>
#include <string.h>
#include <sys/epoll.h>

#include "lists.h"
#include "source.h"
#include "uevent.h"

#define RECEIVE_BUFFER (16 << 20) /* a table of thousands of devices that is torn down */
#define BATCH 256		  /* then others get their turn */

struct own {
	struct udev *udev;
	struct udev_monitor *monitor;
	sd_event_source *io;
};

/* The region of a disk that came: its list was made anew, whatever the inventory compares. */
static void hint_region(struct pmed_source *source, struct udev_device *device)
{
	_cleanup_free_ char *region = pmed_region_of_path(udev_device_get_devpath(device));

	if (region)
		pmed_source_hint(source, PMED_HINT_REGION, region);
}

static unsigned int hear(struct pmed_source *source, struct udev_device *device)
{
	const struct pmed_uevent event = {
		.action = udev_device_get_action(device),
		.subsystem = udev_device_get_subsystem(device),
		.name = udev_device_get_sysname(device),
	};
	unsigned int means = pmed_uevent_means(&event);

	if (means & PMED_UEVENT_INVENTORY)
		pmed_source_hint(source, PMED_HINT_INVENTORY, NULL);
	if (means & PMED_UEVENT_STACK)
		pmed_source_hint(source, PMED_HINT_STACK, NULL);
	if (means & PMED_UEVENT_DISK && udev_device_get_devpath(device))
		hint_region(source, device);
	return means;
}

static int on_events(sd_event_source *io, int fd, uint32_t events, void *arg)
{
	struct pmed_source *source = arg;
	const struct own *own = source->own;
	unsigned int means = 0;

	for (unsigned int i = 0; i < BATCH; i++) {
		struct udev_device *device;

		errno = 0;
		device = udev_monitor_receive_device(own->monitor);
		if (!device && errno == ENOBUFS) {
			source->overrun++;
			pmed_source_hint(source, PMED_HINT_EVERYTHING, NULL);
			means |= PMED_UEVENT_INVENTORY;
			continue;
		}
		if (!device)
			break;
		means |= hear(source, device);
		udev_device_unref(device);
	}
	/* Lists of disks that came are watched from now on; those of disks that went are closed. */
	if (means & PMED_UEVENT_INVENTORY)
		pmed_sources_again(source->daemon);
	return 0;
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	sd_event_source_disable_unref(own->io);
	udev_monitor_unref(own->monitor);
	udev_unref(own->udev);
	free(own);
}

static int listen_to_kernel(struct pmed_source *source)
{
	struct own *own = source->own;
	int r;

	own->udev = udev_new();
	if (!own->udev)
		return -ENOMEM;
	errno = ENOMEM;
	own->monitor = udev_monitor_new_from_netlink(own->udev, "kernel");
	if (!own->monitor)
		return -errno;
	/* More than the usual limit needs CAP_NET_ADMIN: without it, what is allowed. */
	udev_monitor_set_receive_buffer_size(own->monitor, RECEIVE_BUFFER);
	r = udev_monitor_enable_receiving(own->monitor);
	if (r >= 0)
		r = sd_event_add_io(source->daemon->loop, &own->io,
				    udev_monitor_get_fd(own->monitor), EPOLLIN, on_events, source);
	return r;
}

static int start(struct pmed_source *source, char **ret_reason)
{
	int r;

	source->own = calloc(1, sizeof(struct own));
	if (!source->own)
		return -ENOMEM;
	r = listen_to_kernel(source);
	if (r >= 0)
		return 0;
	*ret_reason = pme_printf("cannot hear uevents of the kernel: %s", strerror(-r));
	stop(source);
	return r;
}

const struct pmed_source_kind pmed_source_uevents = {
	.name = "uevents",
	.about = "devices that come, go and change",
	.start = start,
	.stop = stop,
};
