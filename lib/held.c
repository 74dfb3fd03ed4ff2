/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holders of files and raw devices; see held.h.
 *
 * A block device on which nothing is found is free, or some program's own.  A process that may
 * write it or maps it decides; one that only reads it (a backup) does not.  The surprise: the
 * kernel keeps the blocks of a swap file by themselves, so also those that the filesystem calls
 * unwritten hold pages (fs/iomap/swapfile.c).
 */
#include "held.h"

#include <string.h>

#include "holders.h"

static const struct pme_dev *last_dev(const struct pme_top *top)
{
	return top->hops[top->n_hops - 1].dev;
}

static bool may_be_held(const struct pme_top *top)
{
	return !top->at_fs && (top->blank || top->owner == PME_OWNER_DEVDAX);
}

static struct pme_file *find_node(const struct pme_findings *findings, const struct pme_dev *dev)
{
	for (size_t i = 0; i < findings->n_raws; i++)
		if (findings->raws[i].dev == dev)
			return findings->raws[i].node;
	return NULL;
}

/* The number of a devdax device is that of its entry on the dax bus: 0 or -errno. */
static int number_of(const struct pme_topo *topo, const struct pme_dev *dev, dev_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (dev->kind != PME_DEV_CHARDEV) {
		*ret = dev->devno;
		return 0;
	}
	r = pme_os_read_line(topo->os, &text, "sys/bus/dax/devices/%s/dev", dev->name);
	return r < 0 ? r : pme_devno_parse(text, strlen(text), ret);
}

static int add_node(const struct pme_topo *topo, const struct pme_dev *dev,
		    struct pme_findings *findings, struct pme_log *log)
{
	struct pme_file *node;
	dev_t number = 0;
	int r = number_of(topo, dev, &number);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !number) {
		pme_log_incomplete(log, dev->name, "cannot tell who has it open: %s",
				   r < 0 ? strerror(-r) : "it has no device number");
		return 0;
	}
	r = pme_grow(&findings->raws, &findings->alloc_raws, findings->n_raws,
		     sizeof(*findings->raws));
	if (r < 0)
		return r;
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->rdev = number;
	node->mode = dev->kind == PME_DEV_CHARDEV ? S_IFCHR : S_IFBLK;
	findings->raws[findings->n_raws++] = (struct pme_raw_dev){.dev = dev, .node = node};
	return 0;
}

static int add_nodes(const struct pme_topo *topo, const struct pme_tops *tops,
		     struct pme_findings *findings, struct pme_log *log)
{
	const struct pme_dev *last = NULL;

	for (size_t i = 0; i < tops->count; i++) {
		const struct pme_top *top = &tops->items[i];
		int r;

		if (!may_be_held(top) || last_dev(top) == last ||
		    find_node(findings, last_dev(top)))
			continue;
		last = last_dev(top);
		r = add_node(topo, last, findings, log);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_file(struct pme_file ***files, size_t *alloc, size_t *count, struct pme_file *file)
{
	int r = pme_grow(files, alloc, *count, sizeof(**files));

	if (r == 0)
		(*files)[(*count)++] = file;
	return r;
}

int pme_held_find(const struct pme_topo *topo, const struct pme_tops *tops,
		  struct pme_findings *findings, struct pme_log *log)
{
	_cleanup_free_ struct pme_file **files = NULL;
	size_t count = 0, alloc = 0;
	int r = add_nodes(topo, tops, findings, log);

	for (size_t i = 0; r == 0 && i < findings->n_fs; i++) {
		const struct pme_fs_result *result = &findings->fs[i]->result;

		for (size_t f = 0; r == 0 && f < result->n_files; f++)
			r = add_file(&files, &alloc, &count, result->files[f]);
	}
	for (size_t i = 0; r == 0 && i < findings->n_raws; i++)
		r = add_file(&files, &alloc, &count, findings->raws[i].node);
	if (r < 0)
		return r;
	return count > 0 ? pme_holders_find(topo->os, files, count, log) : 0;
}

/* Is it a program's own, as far as its holders tell: written or mapped, not only read? */
static bool is_used(const struct pme_file *node)
{
	for (size_t i = 0; i < node->n_holders; i++)
		if (node->holders[i].writes || node->holders[i].mapped)
			return true;
	return false;
}

/* A backup, a probe or dd reads anything: what the bytes are stays unknown. */
static int say_read(struct pme_claim *claim)
{
	const struct pme_holder *first = &claim->node->holders[0];
	_cleanup_free_ char *own = pme_take_ptr(claim->reason), *more = NULL;

	more = claim->node->n_holders > 1 ? pme_printf(" and %zu more", claim->node->n_holders - 1)
					  : strdup("");
	if (!more)
		return -ENOMEM;
	claim->reason = pme_printf(
		"%s%sopen only for reading, by %s (process %d)%s", own ? own : "", own ? "; " : "",
		first->command ? first->command : "a process", (int)first->pid, more);
	return claim->reason ? 0 : -ENOMEM;
}

/* @top: a device on which nothing was found, in the hands of a program. */
static int say_used(struct pme_claim *claim, const struct pme_top *top)
{
	_cleanup_free_ char *detail = NULL, *reason = NULL;

	detail = pme_printf("%s is used raw: no filesystem or volume, but a process has it open "
			    "for writing or mapped",
			    pme_dev_label(last_dev(top)));
	reason = top->way_reason ? strdup(top->way_reason) : NULL;
	if (!detail || (top->way_reason && !reason))
		return -ENOMEM;
	free(claim->reason);
	claim->reason = pme_take_ptr(reason);
	claim->detail = pme_take_ptr(detail);
	claim->kind = PME_OWNER_RAW_DEVICE;
	claim->certainty = claim->reason ? top->certainty : PME_EXACT;
	return 0;
}

int pme_held_claim(const struct pme_findings *findings, struct pme_claim *claim,
		   const struct pme_top *top)
{
	if (!may_be_held(top))
		return 0;
	claim->node = find_node(findings, last_dev(top));
	if (!top->blank || !claim->node || claim->node->n_holders == 0)
		return 0;
	return is_used(claim->node) ? say_used(claim, top) : say_read(claim);
}

int pme_held_note_swap(const struct pme_topo *topo, struct pme_claim *claim)
{
	char *detail;

	if ((claim->kind != PME_OWNER_FILE_DATA && claim->kind != PME_OWNER_UNWRITTEN) ||
	    !claim->file || !claim->has_file_start ||
	    !pme_topo_is_swap_file(topo, claim->file->devno, claim->file->inode))
		return 0;
	/* the first page is the header: mm/swapfile.c:read_swap_header */
	detail = strdup(claim->file_start < 4096
				? "swap file in use: its header"
				: "swap file in use: owner process not known from outside");
	if (!detail)
		return -ENOMEM;
	free(claim->detail);
	claim->detail = detail;
	claim->kind = PME_OWNER_SWAP;
	return 0;
}
