/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address range scrubs; see ars.h.
 *
 * From drivers/acpi/nfit/core.c: the attribute "scrub" of a bus is notified when a scrub has ended.
 * The surprise: a bus whose firmware has no commands for scrubs has the attribute none the less (a
 * bus of QEMU); that it never scrubs is known only from its commands.
 */
#include "ars.h"

#include <fcntl.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <poll.h>
#include <string.h>

#define ATTRIBUTE_MAX 64

int pme_ars_parse(const char *text, size_t len, uint64_t *ret_count, bool *ret_busy)
{
	bool busy;
	int r;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	busy = len > 0 && text[len - 1] == '+';
	r = pme_parse_u64(text, busy ? len - 1 : len, ret_count);
	if (r == 0)
		*ret_busy = busy;
	return r < 0 ? -EINVAL : 0;
}

static struct ndctl_bus *find_bus(const struct pme_topo *topo, const char *name)
{
	struct ndctl_bus *bus;

	if (!topo->nd)
		return NULL;
	ndctl_bus_foreach((struct ndctl_ctx *)topo->nd, bus)
	{
		if (strcmp(ndctl_bus_get_devname(bus), name) == 0)
			return bus;
	}
	return NULL;
}

/* A bus with the commands that a scrub is made of: NULL and *@ret_error when it is none. */
static struct ndctl_bus *find_scrubbing(const struct pme_topo *topo, const char *name,
					int *ret_error)
{
	struct ndctl_bus *bus = find_bus(topo, name);

	if (!bus)
		*ret_error = -ENODEV;
	else if (!ndctl_bus_is_cmd_supported(bus, ND_CMD_ARS_START) ||
		 !ndctl_bus_is_cmd_supported(bus, ND_CMD_ARS_STATUS))
		*ret_error = -EOPNOTSUPP;
	else
		return bus;
	return NULL;
}

static int open_attribute(const struct pme_topo *topo, const char *bus)
{
	_cleanup_free_ char *path = pme_printf("sys/bus/nd/devices/%s/nfit/scrub", bus);
	int fd = path ? pme_os_open(topo->os, path, O_RDONLY) : -ENOMEM;

	return fd == -ENOENT ? -EOPNOTSUPP : fd;
}

/* From its beginning, which also makes poll(2) wait for the next change. */
static int read_attribute(int fd, struct pme_ars *ret)
{
	char text[ATTRIBUTE_MAX];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n < 0)
		return -errno;
	return pme_ars_parse(text, (size_t)n, &ret->count, &ret->busy);
}

int pme_ars_look(const struct pme_topo *topo, const char *bus, struct pme_ars *ret)
{
	_cleanup_close_ int fd = -1;
	struct pme_ars ars;
	int r;

	if (!find_scrubbing(topo, bus, &r))
		return r;
	fd = open_attribute(topo, bus);
	r = fd < 0 ? fd : read_attribute(fd, &ars);
	if (r == 0)
		*ret = ars;
	return r;
}

int pme_ars_start(const struct pme_topo *topo, const char *bus)
{
	int r;
	struct ndctl_bus *found = find_scrubbing(topo, bus, &r);

	if (!found)
		return r;
	r = ndctl_bus_start_scrub(found);
	/* acpi_nfit_ars_rescan(): no range that it could scrub */
	return r == -ENOTTY ? -EOPNOTSUPP : r < 0 ? r : 0;
}

int pme_ars_wait(const struct pme_topo *topo, const char *bus, uint64_t msec, struct pme_ars *ret)
{
	_cleanup_close_ int fd = open_attribute(topo, bus);
	struct pollfd wait = {.fd = fd, .events = POLLPRI};
	struct pme_ars ars;
	int r = fd < 0 ? fd : read_attribute(fd, &ars);

	if (r == 0 && ars.busy) {
		/* what else it may say, it is read again */
		poll(&wait, 1, (int)pme_min(msec, 1000));
		r = read_attribute(fd, &ars);
	}
	if (r < 0)
		return r;
	*ret = ars;
	return ars.busy ? -ETIME : 0;
}
