/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be repaired in place, and why, before anything is touched; see repair-place.h.
 */
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>

#include "clear.h"
#include "copies.h"
#include "descend.h"
#include "extent.h"
#include "repair-place.h"

/* Ways on which a byte that is written lands where it was read from, and nowhere else. */
static const char *const plain_kinds[] = {"disk", "partition", "dm-linear", "dm-striped"};

static bool is_plain(const char *kind)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(plain_kinds); i++)
		if (strcmp(plain_kinds[i], kind) == 0)
			return true;
	return false;
}

static int set(char **ret, char *text)
{
	*ret = text;
	return text ? 0 : -ENOMEM;
}

/* ---- the device ---- */

static int check_bottom(const struct pme_topo *topo, const struct pme_hop *bottom, uint64_t length,
			char **ret)
{
	_cleanup_(pme_clear_way_done) struct pme_clear_way way = {0};
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t address = pme_dev_physical(bottom->dev, bottom->start);
	struct pme_range range = {.start = bottom->start, .length = length};
	int r = pme_clear_way_of(topo, bottom->dev, range, &way);

	if (r < 0)
		return r;
	if (way.works == PME_CLEAR_FAILS)
		return set(ret, pme_printf("it would have to be written over where it is, and "
					   "that fails: %s; restore the file from a copy, as a "
					   "new file, and keep this one, so that nobody else is "
					   "given its bad blocks",
					   way.reason));
	if (way.unit > 0 && page % way.unit != 0)
		return set(ret, pme_printf("the platform clears %" PRIu64 " bytes at once, more "
					   "than a page",
					   way.unit));
	if ((address == PME_UNKNOWN ? bottom->start : address) % page != 0)
		return set(ret, pme_printf("its blocks do not begin at pages of %s: what is "
					   "written there does not clear whole pages",
					   bottom->dev->name));
	return 0;
}

/*
 * The hop that the bad bytes are of: a loop device only when nothing below it is bad, since what is
 * written to its file is written by another filesystem.  0 or -ENOMEM, -E2BIG.
 */
static int find_bottom(struct pme_stack *stack, const struct pme_way *way, size_t *ret)
{
	int r = 0;

	*ret = 0;
	for (size_t i = 0; r == 0 && i < way->n_hops; i++) {
		_cleanup_(pme_missing_done) struct pme_missing missing = {0};
		const struct pme_hop *below = i > 0 ? &way->hops[i - 1] : NULL;

		if (!way->hops[i].dev->loop)
			continue;
		if (below)
			r = pme_missing_of(stack, below->dev,
					   (struct pme_range){below->start, way->length}, &missing);
		if (missing.bad.count == 0 && missing.doubt.count == 0)
			*ret = i;
	}
	return r;
}

/* Is there only what is plain above *@ret_bottom?  Else *@ret says why not. */
static int check_hops(struct pme_stack *stack, const struct pme_way *way, size_t *ret_bottom,
		      char **ret)
{
	size_t bottom;
	int r = find_bottom(stack, way, ret_bottom);

	if (r < 0)
		return r;
	bottom = *ret_bottom;
	if (way->reason && !way->hops[bottom].dev->loop)
		return set(ret, pme_printf("where its bytes are is not known: %s", way->reason));
	for (size_t i = bottom; i < way->n_hops; i++)
		if (!is_plain(way->hops[i].kind) && !(i == bottom && way->hops[i].dev->loop))
			return set(ret,
				   pme_printf("%s (%s) is below it: what is written over "
					      "there may be copied, or land elsewhere; restore the "
					      "file from "
					      "a copy",
					      pme_dev_label(way->hops[i].dev), way->hops[i].kind));
	return 0;
}

static int check_way(struct pme_stack *stack, const struct pme_way *way, char **ret)
{
	size_t bottom = 0;
	int r = check_hops(stack, way, &bottom, ret);

	return r < 0 || *ret ? r : check_bottom(stack->topo, &way->hops[bottom], way->length, ret);
}

/* Writing takes a bad block off the list, or fails. */
static int check_list(struct pme_stack *stack, const struct pme_way *way, char **ret)
{
	_cleanup_(pme_clear_way_done) struct pme_clear_way clear = {0};
	size_t bottom = 0;
	int r = check_hops(stack, way, &bottom, ret);

	if (r == 0 && !*ret)
		r = pme_clear_way_of(stack->topo, way->hops[bottom].dev,
				     (struct pme_range){way->hops[bottom].start, way->length},
				     &clear);
	return r < 0 || *ret || clear.works != PME_CLEAR_UNKNOWN ? r
								 : set(ret, strdup(clear.reason));
}

/* Each way of @range of @dev down to the bottom, until one has a reason why not: *@ret. */
static int each_way(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    int (*check)(struct pme_stack *stack, const struct pme_way *way, char **ret),
		    char **ret)
{
	struct pme_ways ways = {0};
	uint64_t bytes = 0;
	int r = pme_descend(stack, dev, range, &ways);

	*ret = NULL;
	for (size_t i = 0; r == 0 && !*ret && i < ways.count; i++) {
		r = check(stack, &ways.items[i], ret);
		bytes += ways.items[i].length;
	}
	if (r == 0 && !*ret && bytes != range.length)
		r = set(ret, strdup("its bytes are in more places than one, or in none"));
	pme_ways_done(&ways);
	return r == -ENOMEM || r == 0 ? r
				      : set(ret, pme_printf("where its bytes are cannot be "
							    "found: %s",
							    strerror(-r)));
}

int pme_repair_place_way(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
			 char **ret)
{
	return each_way(stack, dev, range, check_way, ret);
}

int pme_repair_place_lists(struct pme_stack *stack, const struct pme_dev *dev,
			   struct pme_range range, char **ret)
{
	return each_way(stack, dev, range, check_list, ret);
}

/* ---- the file ---- */

static bool journals_data(const struct pme_fs *fs, int fd)
{
	int flags = 0;

	for (size_t i = 0; i < fs->n_mounts; i++)
		if (fs->mounts[i]->options && strstr(fs->mounts[i]->options, "data=journal"))
			return true;
	return pme_os_ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || flags & FS_JOURNAL_DATA_FL;
}

/* Why the extent at its place is not one to write over; NULL: it is. */
static const char *why_not_extent(const struct pme_extent *e, uint64_t device_start)
{
	if (e->state != PME_EXTENT_DATA)
		return "part of it has no blocks, or none that were written, by now: scan again";
	if (e->shared)
		return "other files have its blocks, too";
	return e->device_start == device_start ? NULL : "it has other blocks by now: scan again";
}

static int check_extents(const struct pme_repair_step *step, const struct pme_repair_target *target,
			 int fd, char **ret)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	struct pme_range range = {.start = target->start, .length = step->device.length};
	const char *why = NULL;
	int r = pme_extents_read(fd, range, &extents);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return set(ret, pme_printf("its blocks cannot be asked for: %s", strerror(-r)));
	for (size_t i = 0; !why && i < extents.count; i++)
		why = why_not_extent(&extents.items[i], step->device.start +
								extents.items[i].range.start -
								target->start);
	return why ? set(ret, strdup(why)) : 0;
}

int pme_repair_place_check(struct pme_stack *stack, const struct pme_repair_step *step,
			   const struct pme_repair_target *target, int fd, char **ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	*ret = NULL;
	if (step->n_targets != 1)
		return set(ret, strdup("other files have these blocks, too: they cannot be written "
				       "over for one of them"));
	if (step->device.start % page != 0 || step->device.length % page != 0 ||
	    target->start % page != 0)
		return set(ret, strdup("its blocks are no whole pages: writing over them clears "
				       "nothing, or what is beside them, too; restore the file "
				       "from a copy"));
	if (journals_data(&step->fs->fs, fd))
		return set(ret,
			   strdup("its data goes through the journal of the filesystem, which "
				  "may write older bytes later; restore the file from a copy"));
	if (check_extents(step, target, fd, ret) < 0)
		return -ENOMEM;
	return *ret ? 0 : pme_repair_place_way(stack, step->fs->fs.dev, step->device, ret);
}
