/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing by the command of the bus, of what no disk shows; see clear.h.
 *
 * From drivers/nvdimm/bus.c, __nd_ioctl(): what is cleared so is taken out of the list of the
 * region, and may be less than was asked for.  What the bytes are then is the platform's choice:
 * memory that somebody can read is filled with zeros at once.
 *
 * The surprise: a region that is disabled has no namespaces, and looks as if nobody had it.
 */
#include "clear.h"

#include <inttypes.h>
#include <ndctl/libndctl.h>
#include <signal.h>
#include <string.h>

static const struct pme_region *region_of(const struct pme_clear *clear)
{
	return pme_dev_region(clear->dev);
}

/* --- whose --- */

/* Bytes of the region that namespaces have; PME_UNKNOWN: of one it is not known. */
static uint64_t taken_bytes(const struct pme_topo *topo, const struct pme_region *region)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < topo->n_namespaces; i++) {
		const struct pme_namespace *ns = topo->namespaces[i];

		if (ns->region == region && pme_add(sum, ns->size, &sum) < 0)
			return PME_UNKNOWN;
	}
	return sum;
}

/* The kernel's own word: what it would give to a new namespace is all that the others leave. */
static bool is_accounted(const struct pme_topo *topo, const struct pme_region *region)
{
	uint64_t taken = taken_bytes(topo, region), available;
	int r = pme_os_read_u64(topo->os, &available, "sys/bus/nd/devices/%s/available_size",
				region->name);

	return r == 0 && taken <= region->size && region->size - taken <= available;
}

int pme_clear_refuse_region(const struct pme_clear *clear, const struct pme_dev *region, char **ret)
{
	const struct pme_topo *topo = clear->scan.topo;
	_cleanup_free_ char *driver = pme_printf("sys/bus/nd/devices/%s/driver", region->name);

	*ret = NULL;
	if (!driver)
		return -ENOMEM;
	if (clear->incomplete)
		*ret = pme_printf("not all of this machine could be looked at, and so it is not "
				  "known that no namespace has these bytes");
	else if (pme_os_exists(topo->os, driver) != 1)
		*ret = pme_printf("%s is disabled, and which namespaces it has is not known: "
				  "ndctl enable-region %s",
				  region->name, region->name);
	else if (!is_accounted(topo, region->region))
		*ret = pme_printf("no namespace that is known has these bytes, but the kernel does "
				  "not count all of them as available in %s",
				  region->name);
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}

/* --- what --- */

/* Bytes of the range that the region's list has, appended to @ret. */
static int look(const struct pme_clear *clear, struct pme_range_list *ret)
{
	const struct pme_region *region = region_of(clear);
	_cleanup_free_ char *path = pme_printf("sys/bus/nd/devices/%s/badblocks", region->name);
	uint64_t first = pme_dev_physical(clear->dev, 0), offset = first - region->resource;
	struct pme_badblocks list = {0};
	size_t line;
	int r = path ? pme_badblocks_read(clear->scan.topo->os, path, &list, &line) : -ENOMEM;

	if (r == 0 && list.state != PME_BB_COMPLETE)
		r = -EOVERFLOW;
	for (size_t i = 0; r == 0 && i < list.ranges.count; i++) {
		struct pme_range range = {offset + clear->range.start, clear->range.length}, bad;

		if (pme_range_intersect(list.ranges.items[i], range, &bad))
			r = pme_range_list_add(ret, bad.start - offset, bad.length);
	}
	pme_badblocks_done(&list);
	pme_range_list_normalize(ret);
	return r;
}

int pme_clear_command_look(struct pme_clear *clear)
{
	return look(clear, &clear->listed);
}

/* --- the command --- */

static void unref(struct ndctl_cmd **cmd)
{
	if (*cmd)
		ndctl_cmd_unref(*cmd);
}

/* How many bytes were cleared. */
static uint64_t send_once(struct ndctl_cmd *cap, uint64_t address, uint64_t length)
{
	_cleanup_(unref) struct ndctl_cmd *cmd = NULL;

	cmd = ndctl_bus_cmd_new_clear_error(address, length, cap);
	if (!cmd || ndctl_cmd_submit(cmd) < 0)
		return 0;
	return pme_min((uint64_t)ndctl_cmd_clear_error_get_cleared(cmd), length);
}

/* @part, a piece after the other, in whole sectors: who has cleared less goes on behind it. */
static int send_all(struct pme_clear *clear, struct pme_range part)
{
	uint64_t address = pme_dev_physical(clear->dev, part.start), done = 0, now;
	_cleanup_(unref) struct ndctl_cmd *cap = NULL;

	cap = pme_clear_ask(clear->scan.topo, region_of(clear), address, part.length);
	while (cap && done < part.length) {
		now = send_once(cap, address + done, part.length - done);
		if (now == 0)
			break;
		done += now;
	}
	done -= done % PME_SECTOR;
	if (done < part.length &&
	    pme_range_list_add(&clear->failed, part.start + done, part.length - done) < 0)
		return -ENOMEM;
	return done ? pme_range_list_add(&clear->written, part.start, done) : 0;
}

/* --- and what became of it --- */

static int conclude(struct pme_clear *clear)
{
	static const char advice[] =
		"the memory has to be cleared by its firmware's tools or replaced";

	if (clear->written.count == 0)
		return pme_clear_set(clear, PME_CLEAR_FAILED,
				     pme_printf("the bus has cleared none of it: %s", advice));
	if (clear->failed.count > 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("the bus has not cleared %" PRIu64 " bytes: %s",
						pme_range_list_bytes(&clear->failed), advice));
	if (clear->unreadable.count > 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("%" PRIu64 " bytes cannot be read back as zeros "
						"after they were cleared: %s",
						pme_range_list_bytes(&clear->unreadable), advice));
	if (clear->still_bad.count > 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("the bus has cleared all of it, but the list of %s "
						"still has %" PRIu64 " bytes",
						region_of(clear)->name,
						pme_range_list_bytes(&clear->still_bad)));
	clear->state = PME_CLEAR_CLEARED;
	if (clear->dev->kind == PME_DEV_CHARDEV)
		return 0;
	return pme_clear_set(clear, PME_CLEAR_CLEARED,
			     pme_printf("the list of %s does not have these bytes any more; nobody "
					"can read them as long as no namespace has them",
					clear->dev->name));
}

static int zero_all(struct pme_clear *clear, int fd)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < clear->written.count; i++)
		r = pme_clear_dax_zero(clear->scan.topo->os, clear->dev, fd,
				       clear->written.items[i], &clear->unreadable);
	pme_range_list_normalize(&clear->unreadable);
	return r;
}

/* @fd: of devdax memory, else -1. */
static int act(struct pme_clear *clear, int fd)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < clear->listed.count; i++)
		r = send_all(clear, clear->listed.items[i]);
	pme_range_list_normalize(&clear->written);
	pme_range_list_normalize(&clear->failed);
	if (r == 0 && fd >= 0)
		r = zero_all(clear, fd);
	if (r < 0 && fd < 0)
		return r;
	if (r < 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("it was cleared, but cannot be filled with zeros "
						"(%s): what is there is not known",
						strerror(-r)));
	r = look(clear, &clear->still_bad);
	if (r < 0)
		return pme_clear_set(clear, PME_CLEAR_PARTLY,
				     pme_printf("cannot look at what became of it: the list of %s: "
						"%s",
						region_of(clear)->name, strerror(-r)));
	return conclude(clear);
}

int pme_clear_command_run(struct pme_clear *clear)
{
	_cleanup_close_ int fd = -1;
	sigset_t all, before;
	int r;

	if (clear->dev->kind == PME_DEV_CHARDEV) {
		fd = pme_clear_dax_open(clear->scan.topo->os, clear->pieces[0].claim, clear->range);
		if (fd < 0)
			return pme_clear_set(clear, PME_CLEAR_REFUSED,
					     pme_printf("cannot have /dev/%s alone: %s",
							clear->dev->name, strerror(-fd)));
	}
	/* nobody stops it between clearing and zeros */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	r = act(clear, fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
