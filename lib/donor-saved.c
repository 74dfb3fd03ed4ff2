/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Versions that were kept, as donors; see donor-saved.h.
 */
#include "donor-saved.h"

#include <string.h>

#include "event.h"
#include "saved-place.h"
#include "vault.h"

/*
 * The versions of the file.  Those of a checkpoint are those of the file that it is of: it may have
 * blocks still that this file has no more, and that others share.
 */
static int find_versions(const struct pme_want *want, struct pme_log *log,
			 const struct pme_saved_list **ret)
{
	const struct pme_file *file = want->file;
	struct pme_file of = {.devno = file->devno};
	const char *slash = file->vault == 1 + PME_VAULT_CHECKPOINTS && file->n_paths > 0
				    ? strrchr(file->paths[0], '/')
				    : NULL;
	uint64_t version;

	if (slash &&
	    pme_saved_checkpoint_parse(slash + 1, &of.inode, &of.generation, &version) == 0)
		file = &of;
	return pme_saved_cache_find(want->saved, want->os, want->root, want->fs->uuid, file, log,
				    ret);
}

int pme_donor_saved_of(const struct pme_donor *donor, const struct pme_want *want,
		       const struct pme_saved **ret)
{
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	const struct pme_saved_list *list;
	int r = find_versions(want, &quiet, &list);

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (strcmp(list->items[i].replica, donor->path) != 0)
			continue;
		*ret = &list->items[i];
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

int pme_donor_saved_read(const struct pme_donor *donor, const struct pme_want *want,
			 uint64_t offset, size_t size, void *buf)
{
	const struct pme_saved *saved;
	int r = pme_donor_saved_of(donor, want, &saved);

	return r < 0 ? r : pme_saved_read(saved, offset, size, buf);
}

static char *read_error(int error)
{
	if (error == -EBADMSG)
		return strdup("its replica is damaged there (a digest differs)");
	if (error == -ERANGE)
		return strdup("its replica ends before these bytes");
	return pme_printf("its replica cannot be read: %s", strerror(-error));
}

/* Are the bytes of the replica there, and right?  1, 0 and *@ret_why, -errno. */
static int is_whole(const struct pme_saved *saved, const struct pme_want *want, char **ret_why)
{
	_cleanup_free_ void *buf = malloc(want->range.length);
	uint64_t inside = 0;
	int r = buf ? pme_want_inside(want, &inside) : -ENOMEM;

	if (r < 0)
		return r;
	r = pme_donor_on_bad(want, saved->copy, (struct pme_range){want->range.start, inside},
			     ret_why);
	if (r != 0)
		return r > 0 ? 0 : r;
	r = pme_saved_read(saved, want->range.start, inside, buf);
	if (r == 0)
		return 1;
	*ret_why = read_error(r);
	return *ret_why ? 0 : -ENOMEM;
}

/* "generation 3 in /backup/a (of 2026-11-21T09:00:00.000000Z): …" is appended. */
static int say(char **all, const struct pme_saved *saved, const char *why)
{
	_cleanup_free_ char *before = pme_take_ptr(*all), *time = pme_time_text(saved->taken);

	*all = !time ? NULL
		     : pme_printf("%s%sgeneration %llu in %s (of %s): %s", before ? before : "",
				  before ? ", " : "", (unsigned long long)saved->generation,
				  saved->replica, time, why);
	return *all ? 0 : -ENOMEM;
}

/* One version: 1, 0, -ENOMEM. */
static int try_version(const struct pme_saved *saved, const struct pme_want *want,
		       pme_donor_proves proves, char **reasons)
{
	_cleanup_free_ char *why = NULL;
	int r = proves(saved, want, &why);

	if (r > 0)
		r = is_whole(saved, want, &why);
	if (r < 0 && r != -ENOMEM) {
		why = pme_printf("cannot be compared: %s", strerror(-r));
		r = why ? 0 : -ENOMEM;
	}
	return r == 0 && why ? say(reasons, saved, why) : r;
}

static int publish(const struct pme_saved *saved, enum pme_proof proof, struct pme_donor *ret)
{
	ret->proof = proof;
	ret->taken = saved->taken;
	ret->path = strdup(saved->replica);
	ret->detail = pme_printf("generation %llu of %s", (unsigned long long)saved->generation,
				 saved->protected);
	return ret->path && ret->detail ? 1 : -ENOMEM;
}

int pme_donor_saved_find(const struct pme_want *want, enum pme_proof proof, pme_donor_proves proves,
			 struct pme_log *log, struct pme_donor *ret, char **ret_reason)
{
	const struct pme_saved_list *list;
	int r;

	if (!want->fs->uuid)
		return 0;
	r = find_versions(want, log, &list);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list->count; i++) {
		r = try_version(&list->items[i], want, proves, ret_reason);
		if (r != 0)
			return r < 0 ? r : publish(&list->items[i], proof, ret);
	}
	return 0;
}
