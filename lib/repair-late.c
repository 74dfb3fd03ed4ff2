/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that came to share the bad blocks after they had been looked for; see repair-work.h.
 *
 * The journal does not know them: whoever resumes asks the reverse map again.  The surprise: a
 * block that nobody keeps any more (what was parked was released) may have been given to a new
 * file, whose bytes are no other's.
 */
#include <fcntl.h>
#include <string.h>

#include "repair-work.h"
#include "xfs-inode.h"

#define NOWHERE UINT64_MAX /* a part that a file does not have */

static size_t part_at(const struct pme_work *work, uint64_t byte)
{
	size_t p = 0;

	while (p + 1 < work->n_parts && work->parts[p + 1].device.start <= byte)
		p++;
	return p;
}

static struct pme_work_target *add_target(struct pme_work *work, uint64_t ino)
{
	struct pme_xfs_inode inode = {.ino = ino};
	struct pme_work_target *t;

	if (pme_xfs_inode_stat(work->reach.root, &inode) < 0 || inode.internal || inode.error)
		return NULL;
	t = pme_work_add_target(work);
	if (!t)
		return NULL;
	for (size_t p = 0; p < work->n_parts; p++)
		t->starts[p] = NOWHERE;
	t->file = (struct pme_file){
		.devno = work->targets[0].file.devno, .inode = ino, .generation = inode.gen};
	t->path = pme_printf("inode %llu", (unsigned long long)ino);
	return t;
}

static int is_kept(const struct pme_range_list *kept, struct pme_range range)
{
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	int r = pme_range_list_subtract(range, kept, &rest);

	return r == 0 && rest.count == 0;
}

/* As one of the targets from @first on; what cannot be one is left. */
static void add_piece(struct pme_work *work, size_t first, const struct pme_xfs_piece *piece)
{
	size_t p = part_at(work, piece->range.start);
	uint64_t skip = piece->range.start - work->parts[p].device.start;
	struct pme_work_target *t = NULL;

	if (piece->flags & (FMR_OF_ATTR_FORK | FMR_OF_EXTENT_MAP) || piece->offset < skip)
		return;
	for (size_t i = first; !t && i < work->n_targets; i++)
		if (work->targets[i].file.inode == piece->owner &&
		    (work->targets[i].starts[p] == NOWHERE ||
		     work->targets[i].starts[p] == piece->offset - skip))
			t = &work->targets[i];
	if (!t)
		t = add_target(work, piece->owner);
	if (t)
		t->starts[p] = piece->offset - skip;
}

static int give(struct pme_work *work, size_t i)
{
	struct pme_work_target *t = &work->targets[i];
	_cleanup_close_ int fd = -1;
	int r = t->path ? 0 : -ENOMEM;

	/* any place does: it has other blocks there, or the very ones that are asked for */
	for (size_t p = 0; p < work->n_parts; p++)
		t->starts[p] = t->starts[p] == NOWHERE ? 0 : t->starts[p];
	if (r == 0)
		r = fd = pme_work_open_target(work, i, O_RDONLY);
	if (r >= 0)
		r = pme_work_save_attributes(work, i, fd);
	pme_close_fd(&fd); /* it would be in the way of the lease */
	fd = -1;
	return r < 0 ? r : pme_work_switch_one(work, i);
}

int pme_work_join(struct pme_work *work, const struct pme_xfs_pieces *late, char **ret_why)
{
	_cleanup_(pme_range_list_done) struct pme_range_list kept = {0};
	char *before = pme_take_ptr(work->error);
	size_t first = work->n_targets;
	int r = pme_work_list_kept(work, &kept);

	*ret_why = NULL;
	if (r < 0)
		*ret_why = strdup("the bad blocks are not kept any more");
	else if (work->zero)
		*ret_why = strdup("what is given up has to be named");
	else if (!work->good && pme_work_load_good(work) < 0)
		*ret_why = strdup("the good bytes are not kept any more");
	for (size_t i = 0; !*ret_why && i < late->count; i++)
		if (is_kept(&kept, late->items[i].range))
			add_piece(work, first, &late->items[i]);
	for (size_t i = first; i < work->n_targets;) {
		r = give(work, i);
		if (r == 0 && work->targets[i].given.count > 0) {
			pme_log_add(work->log, PME_INFO, work->targets[i++].path,
				    "has come to share the bad blocks of %s meanwhile, and was "
				    "given good ones, too",
				    work->targets[0].path);
			continue;
		}
		if (r < 0 && !*ret_why)
			*ret_why = strdup(work->error ? work->error : strerror(-r));
		pme_work_drop_target(work, i);
	}
	free(work->error);
	work->error = before;
	return r == -ENOMEM ? r : 0;
}
