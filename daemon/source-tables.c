/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of the kernel that report POLLPRI at every change: mounts (what stands on the devices may
 * be somewhere else now) and MD arrays (a member that failed has no copies any more).
 *
 * Machines that run containers change their mounts all the time, so a table is read at most once a
 * second (while workers run, which have to give way, ten times), and only changes count that can
 * matter for a device.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "give-way.h"
#include "source.h"
#include "tables.h"

#define PAUSE_USEC 1000000
#define HURRY_USEC 100000 /* while a worker may keep a device busy */
#define ACCURACY_USEC 20000

struct table {
	const char *path; /* below the root */
	uint64_t (*sum)(const char *text, size_t len);
};

static const struct table mounts = {"proc/self/mountinfo", pmed_mounts_sum};
static const struct table arrays = {"proc/mdstat", pmed_arrays_sum};

struct own {
	const struct table *table;
	int fd;
	sd_event_source *io, *timer;
	uint64_t sum;
	struct pmed_numbers mounted;
};

/* Who was mounted and is not any more is kept busy by no worker.  A line that cannot be understood
 * costs this, nothing else. */
static void compare_mounts(struct pmed_source *source, const char *text, size_t len)
{
	struct own *own = source->own;
	struct pmed_numbers now = {0};

	if (own->table != &mounts || pmed_mounts_parse(text, len, &now) < 0)
		return;
	for (size_t i = 0; i < own->mounted.count; i++) {
		const struct pmed_number *number = &own->mounted.items[i];

		if (!pmed_numbers_has(&now, number))
			pmed_give_way(source->daemon, number->major, number->minor);
	}
	pmed_numbers_done(&own->mounted);
	own->mounted = now;
}

/* 1 when it changed, 0, -errno. */
static int read_table(struct pmed_source *source)
{
	struct own *own = source->own;
	_cleanup_free_ char *text = NULL;
	uint64_t sum;
	size_t len;
	int r;

	/* from the beginning of the descriptor that is polled: only that arms it again */
	if (lseek(own->fd, 0, SEEK_SET) < 0)
		return -errno;
	r = pme_os_read_fd(own->fd, PME_FILE_MAX, &text, &len);
	if (r < 0)
		return r;
	sum = own->table->sum(text, len);
	if (sum == own->sum)
		return 0;
	own->sum = sum;
	compare_mounts(source, text, len);
	return 1;
}

static int on_timer(sd_event_source *timer, uint64_t usec, void *arg)
{
	struct pmed_source *source = arg;
	const struct own *own = source->own;
	int r = read_table(source);

	if (r < 0)
		source->overrun++;
	if (r != 0)
		pmed_source_hint(source, PMED_HINT_STACK, NULL);
	return sd_event_source_set_enabled(own->io, SD_EVENT_ON);
}

static int on_change(sd_event_source *io, int fd, uint32_t events, void *arg)
{
	struct pmed_source *source = arg;
	const struct own *own = source->own;
	int r = sd_event_source_set_enabled(io, SD_EVENT_OFF);

	if (r >= 0)
		r = sd_event_source_set_time_relative(
			own->timer, pmed_may_give_way(source->daemon) ? HURRY_USEC : PAUSE_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(own->timer, SD_EVENT_ONESHOT);
	return r;
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	sd_event_source_disable_unref(own->io);
	sd_event_source_disable_unref(own->timer);
	pme_close_fd(&own->fd);
	pmed_numbers_done(&own->mounted);
	free(own);
}

static int listen_to_table(struct pmed_source *source)
{
	struct own *own = source->own;
	sd_event *loop = source->daemon->loop;
	int r;

	own->fd = pme_os_open(&source->daemon->os, own->table->path, O_RDONLY);
	if (own->fd < 0)
		return own->fd;
	r = sd_event_add_io(loop, &own->io, own->fd, EPOLLPRI, on_change, source);
	if (r >= 0)
		r = sd_event_add_time(loop, &own->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
				      on_timer, source);
	if (r >= 0)
		r = sd_event_source_set_enabled(own->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = read_table(source);
	return r;
}

static int start(struct pmed_source *source, const struct table *table, char **ret_reason)
{
	struct own *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	*own = (struct own){.table = table, .fd = -1};
	source->own = own;
	r = listen_to_table(source);
	if (r >= 0)
		return 0;
	*ret_reason = pme_printf("cannot watch /%s: %s", table->path, strerror(-r));
	stop(source);
	return r;
}

static int start_mounts(struct pmed_source *source, char **ret_reason)
{
	return start(source, &mounts, ret_reason);
}

static int start_arrays(struct pmed_source *source, char **ret_reason)
{
	return start(source, &arrays, ret_reason);
}

const struct pmed_source_kind pmed_source_mounts = {
	.name = "mounts",
	.about = "filesystems that are mounted and unmounted",
	.start = start_mounts,
	.stop = stop,
};

const struct pmed_source_kind pmed_source_arrays = {
	.name = "arrays",
	.about = "MD arrays and the state of their members",
	.start = start_arrays,
	.stop = stop,
};
