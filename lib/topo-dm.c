/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of device-mapper devices through libdevmapper.
 *
 * Read only: no device node, no udev cookie, no flush.  Without a dm device libdevmapper is never
 * called.  Parameters may hold keys (dm-crypt): they are wiped when freed and never logged.
 *
 * The surprise: libdevmapper makes /dev/mapper/control when it is missing, and talks to standard
 * error.  Hence the look at the node first, and the silent log function.
 */
#include "topo.h"

#include <fcntl.h>
#include <libdevmapper.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DEPTH 64
#define CONTROL "dev/mapper/control"
#define CONTROL_DEVNO makedev(10, 236) /* include/linux/miscdevice.h: MAPPER_CTRL_MINOR */

static void say_nothing(int level, const char *file, int line, int dm_errno_or_class,
			const char *format, ...) _printf_(5, 6);
static void say_nothing(int level, const char *file, int line, int dm_errno_or_class,
			const char *format, ...)
{
}

static void destroy_task(struct dm_task **task)
{
	if (*task)
		dm_task_destroy(*task);
}

/* Can tables be asked for at all?  0 or -errno; opens the node only to learn that. */
static int check_control(const struct pme_topo *topo)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!pme_topo_is_host(topo))
		return -EOPNOTSUPP;
	fd = pme_os_open(topo->os, CONTROL, O_RDWR);
	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	return S_ISCHR(st.st_mode) && st.st_rdev == CONTROL_DEVNO ? 0 : -ENODEV;
}

/* Lines of a table follow each other without a gap, from 0 on. */
static int add_line(struct pme_dev *dev, size_t *alloc, const struct pme_dm_line *line)
{
	uint64_t expected = 0, end;
	int r;

	if (dev->n_lines > 0)
		expected = pme_range_end(dev->lines[dev->n_lines - 1].range);
	if (line->range.start != expected || line->range.length == 0 ||
	    pme_add(line->range.start, line->range.length, &end) < 0)
		return -EINVAL;
	r = pme_grow(&dev->lines, alloc, dev->n_lines, sizeof(*line));
	if (r < 0)
		return r;
	dev->lines[dev->n_lines] = (struct pme_dm_line){
		.range = line->range,
		.type = strdup(line->type),
		.params = strdup(line->params),
	};
	if (!dev->lines[dev->n_lines].type || !dev->lines[dev->n_lines].params) {
		free(dev->lines[dev->n_lines].type);
		free(dev->lines[dev->n_lines].params);
		return -ENOMEM;
	}
	dev->n_lines++;
	return 0;
}

static int copy_table(struct dm_task *task, struct pme_dev *dev)
{
	size_t alloc = 0;
	void *next = NULL;

	do {
		struct pme_dm_line line = {0};
		uint64_t start, length;
		int r;

		next = dm_get_next_target(task, next, &start, &length, &line.type, &line.params);
		if (!line.type) /* no active table */
			return 0;
		if (!line.params || pme_mul(start, PME_SECTOR, &line.range.start) < 0 ||
		    pme_mul(length, PME_SECTOR, &line.range.length) < 0)
			return -EINVAL;
		r = add_line(dev, &alloc, &line);
		if (r < 0)
			return r;
	} while (next);
	return 0;
}

static int ask_table(struct dm_task *task, struct pme_dev *dev)
{
	struct dm_info info = {0};
	int error;

	if (!dm_task_set_major(task, (int)major(dev->devno)) ||
	    !dm_task_set_minor(task, (int)minor(dev->devno)) || !dm_task_no_flush(task) ||
	    !dm_task_no_open_count(task) || !dm_task_secure_data(task))
		return -ENOMEM;
	if (!dm_task_run(task)) {
		error = dm_task_get_errno(task);
		return error > 0 ? -error : -EIO;
	}
	if (!dm_task_get_info(task, &info))
		return -EIO;
	dev->suspended = info.suspended || info.internal_suspend;
	return info.exists ? 0 : -ENXIO;
}

static int read_table(struct pme_dev *dev)
{
	_cleanup_(destroy_task) struct dm_task *task = dm_task_create(DM_DEVICE_TABLE);
	int r = task ? ask_table(task, dev) : -EIO; /* also when the versions do not agree */

	if (r == 0)
		r = copy_table(task, dev);
	if (r == 0 && dev->n_lines > 0) /* it may have been resized since sysfs was read */
		dev->size = pme_range_end(dev->lines[dev->n_lines - 1].range);
	return r;
}

void pme_topo_drop_table(struct pme_dev *dev)
{
	for (size_t i = 0; i < dev->n_lines; i++) {
		free(dev->lines[i].type);
		explicit_bzero(dev->lines[i].params, strlen(dev->lines[i].params));
		free(dev->lines[i].params);
	}
	free(dev->lines);
	dev->lines = NULL;
	dev->n_lines = 0;
}

static int load_table(struct pme_dev *dev, struct pme_log *log)
{
	int r = read_table(dev);

	if (r == 0)
		return 0;
	pme_topo_drop_table(dev);
	if (r == -ENOMEM)
		return r;
	dev->table_error = r;
	pme_log_incomplete(log, pme_dev_label(dev), "cannot read its device-mapper table: %s",
			   strerror(-r));
	return 0;
}

static int load_tables(struct pme_topo *topo, struct pme_log *log)
{
	int r = 0;

	dm_log_with_errno_init(say_nothing);
	for (size_t i = 0; i < topo->n_devs && r == 0; i++)
		if (topo->devs[i]->kind == PME_DEV_DM)
			r = load_table(topo->devs[i], log);
	dm_lib_release(); /* closes the control node */
	return r;
}

/* Files of loop devices may close a cycle; deeper than the climb nobody looks. */
static const struct pme_dev *find_suspended(const struct pme_topo *topo, const struct pme_dev *dev,
					    int depth)
{
	const struct pme_dev *found = dev->suspended ? dev : NULL, *lower;

	if (found || depth == 0)
		return found;
	for (size_t i = 0; !found && i < dev->n_lowers; i++)
		found = find_suspended(topo, dev->lowers[i], depth - 1);
	if (!found && dev->loop && dev->loop->file_devno) {
		lower = pme_topo_dev_by_devno(topo, dev->loop->file_devno);
		if (lower)
			found = find_suspended(topo, lower, depth - 1);
	}
	return found;
}

const struct pme_dev *pme_dev_suspended(const struct pme_topo *topo, const struct pme_dev *dev)
{
	for (size_t i = 0; i < topo->n_devs; i++)
		if (topo->devs[i]->suspended)
			return find_suspended(topo, dev, DEPTH);
	return NULL;
}

int pme_topo_load_dm(struct pme_topo *topo, struct pme_log *log)
{
	size_t count = 0;
	int r;

	for (size_t i = 0; i < topo->n_devs; i++)
		count += topo->devs[i]->kind == PME_DEV_DM;
	if (count == 0)
		return 0;
	r = check_control(topo);
	if (r == 0)
		return load_tables(topo, log);
	for (size_t i = 0; i < topo->n_devs; i++)
		if (topo->devs[i]->kind == PME_DEV_DM)
			topo->devs[i]->table_error = r;
	pme_log_incomplete(log, "device-mapper", "cannot read the tables of %zu devices: %s", count,
			   strerror(-r));
	return 0;
}
