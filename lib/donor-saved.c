/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Versions that were kept, as donors; see donor-saved.h.
 */
#include "donor-saved.h"

#include <string.h>

struct kept {
	struct pme_saved_list list;
	size_t chosen;
};

const struct pme_saved *pme_donor_saved_of(const struct pme_donor *donor)
{
	const struct kept *kept = donor->state;

	return &kept->list.items[kept->chosen];
}

int pme_donor_saved_read(const struct pme_donor *donor, const struct pme_want *want,
			 uint64_t offset, size_t size, void *buf)
{
	(void)want;
	return pme_saved_read(pme_donor_saved_of(donor), offset, size, buf);
}

void pme_donor_saved_done(struct pme_donor *donor)
{
	struct kept *kept = donor->state;

	if (kept)
		pme_saved_done(&kept->list);
	free(kept);
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

/* "generation 3 of /backup/a: …" is appended. */
static int say(char **all, const struct pme_saved *saved, const char *why)
{
	_cleanup_free_ char *before = pme_take_ptr(*all);

	*all = pme_printf("%s%sgeneration %llu in %s: %s", before ? before : "", before ? ", " : "",
			  (unsigned long long)saved->generation, saved->replica, why);
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
	struct kept *kept = calloc(1, sizeof(*kept));
	int r;

	if (!kept)
		return -ENOMEM;
	ret->state = kept;
	if (!want->fs->uuid)
		return 0;
	r = pme_saved_find(want->os, want->root, want->fs->uuid, want->file, log, &kept->list);
	for (size_t i = 0; r == 0 && i < kept->list.count; i++) {
		r = try_version(&kept->list.items[i], want, proves, ret_reason);
		kept->chosen = i;
	}
	return r > 0 ? publish(&kept->list.items[kept->chosen], proof, ret) : r;
}
