/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A donor: the file that the user named, the same bytes of it.  Nothing proves that they are those
 * that were lost; that is for the user to say (--accept-unproven).
 */
#include <fcntl.h>
#include <string.h>

#include "donor.h"

struct named {
	int fd;
};

/* 0 and a descriptor in *@ret_fd; 1 and *@ret_reason; -errno. */
static int open_named(const struct pme_want *want, int *ret_fd, char **ret_reason)
{
	_cleanup_close_ int fd = pme_os_open_at(AT_FDCWD, want->from, O_RDONLY | O_NONBLOCK);
	struct stat st, own;
	uint64_t inside;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r == 0)
		r = pme_os_fstat(want->fd, &own);
	if (r == 0)
		r = pme_want_inside(want, &inside);
	if (r < 0)
		*ret_reason = pme_printf("%s cannot be opened: %s", want->from, strerror(-r));
	else if (!S_ISREG(st.st_mode))
		*ret_reason = pme_printf("%s is not a regular file", want->from);
	else if (st.st_dev == own.st_dev && st.st_ino == own.st_ino)
		*ret_reason = pme_printf("%s is the very file that lost these bytes", want->from);
	else if ((uint64_t)st.st_size < want->range.start + inside)
		*ret_reason = pme_printf("%s ends at byte %llu, before what is wanted", want->from,
					 (unsigned long long)st.st_size);
	if (r < 0 || *ret_reason)
		return *ret_reason ? 1 : -ENOMEM;
	*ret_fd = pme_take_fd(&fd);
	return 0;
}

/* Every byte that will be wanted must be there: 0, 1 and *@ret_reason, -ENOMEM. */
static int try_read(const struct pme_want *want, int fd, char **ret_reason)
{
	_cleanup_free_ char *on_bad = NULL;
	_cleanup_free_ void *buf = malloc(want->range.length);
	uint64_t inside;
	int r = buf ? pme_want_inside(want, &inside) : -ENOMEM;

	if (r == 0)
		r = pme_donor_on_bad(want, fd, (struct pme_range){want->range.start, inside},
				     &on_bad);
	if (r > 0) {
		*ret_reason = pme_printf("%s: %s", want->from, on_bad);
		return *ret_reason ? 1 : -ENOMEM;
	}
	if (r == 0)
		r = pme_os_pread(fd, buf, inside, want->range.start);
	if (r == 0 || r == -ENOMEM)
		return r;
	*ret_reason = pme_printf("%s cannot be read there: %s", want->from, strerror(-r));
	return *ret_reason ? 1 : -ENOMEM;
}

static int find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		char **ret_reason)
{
	_cleanup_close_ int fd = -1;
	struct named *named;
	struct stat st;
	int r;

	(void)log;
	if (!want->from)
		return 0;
	r = open_named(want, &fd, ret_reason);
	if (r == 0)
		r = try_read(want, fd, ret_reason);
	if (r == 0)
		r = pme_os_fstat(fd, &st);
	if (r != 0)
		return r > 0 ? 0 : r;
	named = malloc(sizeof(*named));
	ret->path = strdup(want->from);
	if (!named || !ret->path) {
		free(named);
		return -ENOMEM;
	}
	named->fd = pme_take_fd(&fd);
	ret->proof = PME_PROOF_NONE;
	ret->taken = st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	ret->state = named;
	return 1;
}

static int read_bytes(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		      size_t size, void *buf)
{
	const struct named *named = donor->state;

	(void)want;
	return pme_os_pread(named->fd, buf, size, offset);
}

static void done(struct pme_donor *donor)
{
	struct named *named = donor->state;

	if (named)
		pme_close_fd(&named->fd);
	free(named);
}

const struct pme_donor_kind pme_donor_file = {
	.name = "file",
	.find = find,
	.read = read_bytes,
	.done = done,
	.never_proven = true,
};
