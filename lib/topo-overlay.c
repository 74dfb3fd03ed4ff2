/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overlay mounts of all mount namespaces; see topo-overlay.h.
 *
 * A namespace is seen through one of its processes, our own first.  Most mounts of most namespaces
 * are copies of ours: what is the same superblock at the same place is kept once.  The surprise:
 * mountinfo is not read in one piece; when the kernel marks it as changed, it is read again.
 */
#include "topo-overlay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define READS_MAX 5 /* a machine that mounts all the time: the last reading must do */

struct load {
	const struct pme_os *os;
	struct pme_overlays *overlays;
	char **spaces; /* "mnt:[4026531841]" */
	size_t n_spaces, alloc_spaces, n_mounts;
	bool metacopy, redirects, index; /* where the options are silent */
};

struct pme_overlays *pme_overlays_free(struct pme_overlays *overlays)
{
	if (!overlays)
		return NULL;
	for (size_t i = 0; i < overlays->count; i++)
		pme_overlay_done(&overlays->items[i]);
	free(overlays->items);
	free(overlays);
	return NULL;
}

/* Is there overlayfs in this kernel?  1, 0, -errno. */
static int is_supported(const struct pme_os *os)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = pme_os_read_attr(os, &text, &len, "proc/filesystems");

	return r < 0 ? r : strstr(text, "\toverlay\n") != NULL;
}

/* Errors of a process that ended, or is of others: nothing to be said. */
static bool is_usual(int error)
{
	return error == -ENOENT || error == -ESRCH || error == -EINVAL || error == -EACCES ||
	       error == -EPERM;
}

static bool is_on(const struct pme_os *os, const char *parameter)
{
	_cleanup_free_ char *text = NULL;

	return pme_os_read_line(os, &text, "sys/module/overlay/parameters/%s", parameter) == 0 &&
	       strcmp(text, "Y") == 0;
}

static bool has_changed(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLPRI};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLPRI);
}

static int read_mountinfo(const struct pme_os *os, const char *pid, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/mountinfo", pid);
	bool again = true;
	int r = path ? 0 : -ENOMEM;

	for (int i = 0; i < READS_MAX && r == 0 && again; i++) {
		_cleanup_close_ int fd = pme_os_open(os, path, O_RDONLY);

		free(*ret);
		*ret = NULL;
		r = fd < 0 ? fd : pme_os_read_fd(fd, PME_FILE_MAX, ret, ret_len);
		again = r == 0 && has_changed(fd);
	}
	return r;
}

/* Of two mounts at one place the later one is seen; its root goes to the older one. */
static bool merge_mount(struct pme_overlay *overlay, struct pme_overlay_mount *mount)
{
	for (size_t i = 0; i < overlay->n_mounts; i++) {
		struct pme_overlay_mount *old = &overlay->mounts[i];

		if (strcmp(old->target, mount->target) != 0)
			continue;
		if (strcmp(old->root, mount->root) == 0)
			return true;
		if (strcmp(old->pid, mount->pid) != 0)
			continue;
		free(old->root);
		old->root = pme_take_ptr(mount->root);
		return true;
	}
	return false;
}

static struct pme_overlay *find(const struct pme_overlays *overlays, const struct pme_overlay *like)
{
	for (size_t i = overlays->count; i-- > 0;)
		if (overlays->items[i].shown == like->shown &&
		    strcmp(overlays->items[i].options, like->options) == 0)
			return &overlays->items[i];
	return NULL;
}

/* Takes what is in @overlay. */
static int add(struct load *load, struct pme_overlay *overlay)
{
	struct pme_overlays *all = load->overlays;
	struct pme_overlay *old = find(all, overlay);
	int r;

	if (old && merge_mount(old, overlay->mounts))
		return 0;
	if (load->n_mounts >= PME_OVERLAY_MOUNTS_MAX) {
		all->cut = true;
		return 0;
	}
	load->n_mounts++;
	if (!old) {
		r = pme_grow(&all->items, &all->alloc, all->count, sizeof(*all->items));
		if (r < 0)
			return r;
		overlay->metacopy |= load->metacopy && !strstr(overlay->options, "metacopy=");
		overlay->index |= load->index && !strstr(overlay->options, "index=");
		overlay->redirects |= load->redirects && !strstr(overlay->options, "redirect_dir=");
		all->items[all->count++] = *overlay;
		*overlay = (struct pme_overlay){0};
		return 0;
	}
	r = pme_grow(&old->mounts, &old->alloc_mounts, old->n_mounts, sizeof(*old->mounts));
	if (r < 0)
		return r;
	old->mounts[old->n_mounts++] = overlay->mounts[0];
	overlay->n_mounts = 0;
	return 0;
}

static int add_lines(struct load *load, const char *pid, const char *text, size_t len)
{
	const char *end = text + len;
	int r = 0;

	while (r >= 0 && text < end) {
		_cleanup_(pme_overlay_done) struct pme_overlay overlay = {0};
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;

		r = pme_overlay_parse(text, (size_t)(line_end - text), pid, &overlay);
		if (r == -EINVAL) {
			load->overlays->cut = true;
			r = 0;
		}
		if (r > 0)
			r = add(load, &overlay);
		text = line_end + 1;
	}
	return r < 0 ? r : 0;
}

/* 1 it is new, 0 not, -ENOMEM. */
static int add_space(struct load *load, char *id)
{
	_cleanup_free_ char *owned = id;
	int r;

	for (size_t i = load->n_spaces; i-- > 0;)
		if (strcmp(load->spaces[i], id) == 0)
			return 0;
	if (load->n_spaces >= PME_OVERLAY_SPACES_MAX) {
		load->overlays->cut = true;
		return 0;
	}
	r = pme_grow(&load->spaces, &load->alloc_spaces, load->n_spaces, sizeof(*load->spaces));
	if (r < 0)
		return r;
	load->spaces[load->n_spaces++] = pme_take_ptr(owned);
	return 1;
}

/* A process that ends meanwhile leaves its namespace to the next one: 0 or -ENOMEM. */
static int look_at(struct load *load, const char *pid)
{
	const struct pme_os *os = load->os;
	_cleanup_free_ char *link = pme_printf("proc/%s/ns/mnt", pid);
	_cleanup_free_ char *text = NULL, *id = NULL;
	bool own = strcmp(pid, "self") == 0;
	size_t len;
	int r = link ? pme_os_readlink(os, link, &id) : -ENOMEM;

	if (r < 0 && own)
		r = (id = strdup("")) ? 0 : -ENOMEM;
	if (r == 0)
		r = add_space(load, pme_take_ptr(id));
	load->overlays->cut |= r < 0 && (own || !is_usual(r));
	if (r <= 0)
		return r == -ENOMEM ? r : 0;
	r = read_mountinfo(os, pid, &text, &len);
	if (r == 0 && len > 0)
		return add_lines(load, pid, text, len);
	free(load->spaces[--load->n_spaces]);
	load->overlays->cut |= r < 0 && (own || !is_usual(r));
	return r == -ENOMEM ? r : 0;
}

static int by_number(const void *a, const void *b)
{
	const char *p = *(char *const *)a, *q = *(char *const *)b;
	size_t len_p = strlen(p), len_q = strlen(q);

	return len_p != len_q ? (len_p < len_q ? -1 : 1) : strcmp(p, q);
}

/* The first process of a container has the lowest number, and stays as long as that does. */
static int look_at_all(struct load *load)
{
	char **names = NULL;
	size_t count = 0;
	int r = look_at(load, "self");

	if (r == 0)
		r = pme_os_list(load->os, "proc", &names, &count);
	if (count > 0)
		qsort(names, count, sizeof(*names), by_number);
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t pid;

		if (pme_parse_u64(names[i], strlen(names[i]), &pid) == 0)
			r = look_at(load, names[i]);
	}
	pme_os_free_names(names, count);
	load->overlays->cut |= r < 0;
	return r == -ENOMEM ? r : 0;
}

int pme_overlays_load(const struct pme_os *os, struct pme_overlays **ret)
{
	struct load load = {.os = os};
	int r = is_supported(os);

	*ret = NULL;
	if (r == 0 || r == -ENOENT || r == -ENOMEM)
		return r == -ENOMEM ? r : 0;
	load.overlays = calloc(1, sizeof(*load.overlays));
	if (!load.overlays)
		return -ENOMEM;
	load.overlays->cut = r < 0;
	load.metacopy = is_on(os, "metacopy");
	load.redirects = is_on(os, "redirect_dir");
	load.index = is_on(os, "index") || is_on(os, "nfs_export");
	r = look_at_all(&load);
	pme_os_free_names(load.spaces, load.n_spaces);
	if (r < 0 || (load.overlays->count == 0 && !load.overlays->cut)) {
		pme_overlays_free(load.overlays);
		return r;
	}
	*ret = load.overlays;
	return 0;
}

int pme_topo_load_overlays(struct pme_topo *topo)
{
	if (topo->overlays_looked)
		return 0;
	topo->overlays_looked = true;
	return pme_overlays_load(topo->os, &topo->overlays);
}
