/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status lines and messages through libdevmapper; see dm-ask.h.
 *
 * topo-dm.c has silenced libdevmapper and found the control node before any dm device was known.
 */
#include "dm-ask.h"

#include <libdevmapper.h>
#include <string.h>
#include <sys/sysmacros.h>

static void destroy_task(struct dm_task **task)
{
	if (*task)
		dm_task_destroy(*task);
}

static struct dm_task *new_task(const struct pme_dev *dev, int type)
{
	struct dm_task *task = dm_task_create(type);

	if (task && dm_task_set_major(task, (int)major(dev->devno)) &&
	    dm_task_set_minor(task, (int)minor(dev->devno)) && dm_task_no_open_count(task))
		return task;
	if (task)
		dm_task_destroy(task);
	return NULL;
}

static int run(struct dm_task *task)
{
	int error;

	if (dm_task_run(task))
		return 0;
	error = dm_task_get_errno(task);
	return error > 0 ? -error : -EIO;
}

/* The line of the status that has the range and type of @line. */
static int find_line(struct dm_task *task, const struct pme_dm_line *line, char **ret)
{
	uint64_t start, length;
	char *type, *params;
	void *next = NULL;

	do {
		next = dm_get_next_target(task, next, &start, &length, &type, &params);
		if (!type || !params || strcmp(type, line->type) != 0 ||
		    start != line->range.start / PME_SECTOR ||
		    length != line->range.length / PME_SECTOR)
			continue;
		*ret = strdup(params);
		return *ret ? 0 : -ENOMEM;
	} while (next);
	return -ESTALE;
}

int pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
		  const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret)
{
	_cleanup_(destroy_task) struct dm_task *task = NULL;
	int r;

	if (!pme_topo_is_host(topo))
		return -EOPNOTSUPP;
	if (flush == PME_DM_FLUSH && pme_dev_suspended(topo, dev))
		return -EAGAIN;
	task = new_task(dev, DM_DEVICE_STATUS);
	if (!task || (flush == PME_DM_NO_FLUSH && !dm_task_no_flush(task)))
		return -ENOMEM;
	r = run(task);
	if (r == 0)
		r = find_line(task, line, ret);
	dm_lib_release(); /* closes the control node */
	return r;
}

int pme_dm_message(const struct pme_topo *topo, const struct pme_dev *dev, const char *message)
{
	_cleanup_(destroy_task) struct dm_task *task = NULL;
	int r;

	if (!pme_topo_is_host(topo))
		return -EOPNOTSUPP;
	task = new_task(dev, DM_DEVICE_TARGET_MSG);
	if (!task || !dm_task_set_sector(task, 0) || !dm_task_set_message(task, message))
		return -ENOMEM;
	r = run(task);
	dm_lib_release();
	return r;
}
