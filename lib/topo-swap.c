/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active swap from /proc/swaps: areas on devices, and swap files.
 *
 * A line is "/dev/dm-1 partition 1048572 0 -2"; blank, tab, newline and backslash of a path are
 * octal escapes, and the size is KiB without the first page (mm/swapfile.c:swap_show).  The
 * surprises: a swap file that was unlinked shows "\\040(deleted)" and cannot be found by its path;
 * and the path may be one of another mount namespace, so that a file here of the same name is
 * another one.  Its size tells.
 */
#include <string.h>

#include "topo.h"

static const char deleted[] = " (deleted)";

static void unescape_octal(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

int pme_swap_line_parse(const char *line, size_t len, struct pme_swap_line *ret)
{
	const char *p = line, *end = line + len, *word, *type, *size;
	size_t word_len, type_len, size_len;
	uint64_t kib;

	if (pme_next_word(&p, end, &word, &word_len) == 0 ||
	    pme_next_word(&p, end, &type, &type_len) == 0 ||
	    pme_next_word(&p, end, &size, &size_len) == 0 ||
	    pme_parse_u64(size, size_len, &kib) < 0)
		return -EINVAL;
	*ret = (struct pme_swap_line){.is_file = pme_word_is(type, type_len, "file")};
	if (!ret->is_file && !pme_word_is(type, type_len, "partition"))
		return -EINVAL;
	if (memchr(word, '\0', word_len) || pme_mul(kib, 1024, &ret->size) < 0)
		return -EINVAL;
	ret->path = strndup(word, word_len);
	if (!ret->path)
		return -ENOMEM;
	unescape_octal(ret->path);
	return 0;
}

static int add_device(struct pme_topo *topo, const struct pme_swap_line *swap, struct pme_log *log)
{
	/* the snapshot is still being built: its devices may be changed */
	struct pme_dev *dev = (struct pme_dev *)pme_topo_dev_by_spec(topo, swap->path);

	if (dev)
		dev->swap = true;
	else
		pme_log_incomplete(log, swap->path, "swap area on a device that is not known");
	return 0;
}

static bool is_deleted(const char *path)
{
	size_t len = strlen(path), tail = sizeof(deleted) - 1;

	return len > tail && strcmp(path + len - tail, deleted) == 0;
}

static int add_file(struct pme_topo *topo, const struct pme_swap_line *swap, struct pme_log *log)
{
	struct stat st;
	int r = pme_os_stat(topo->os, swap->path + (swap->path[0] == '/'), true, &st);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size <= swap->size) {
		pme_log_incomplete(log, swap->path, "swap file %s",
				   is_deleted(swap->path)
					   ? "that was unlinked while in use: its blocks are shown "
					     "as those of an unlinked file"
					   : "that cannot be found by this path (another mount "
					     "namespace?)");
		return 0;
	}
	r = pme_grow(&topo->swap_files, &topo->alloc_swap_files, topo->n_swap_files,
		     sizeof(*topo->swap_files));
	if (r < 0)
		return r;
	topo->swap_files[topo->n_swap_files++] =
		(struct pme_swap_file){.devno = st.st_dev, .inode = st.st_ino};
	return 0;
}

static int add_line(struct pme_topo *topo, const char *line, size_t len, struct pme_log *log)
{
	struct pme_swap_line swap = {0};
	int r = pme_swap_line_parse(line, len, &swap);

	if (r == -EINVAL && len > 0)
		pme_log_incomplete(log, "/proc/swaps", "has a line that makes no sense");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = swap.is_file ? add_file(topo, &swap, log) : add_device(topo, &swap, log);
	free(swap.path);
	return r;
}

int pme_topo_load_swaps(struct pme_topo *topo, struct pme_log *log)
{
	_cleanup_free_ char *text = NULL;
	bool heading = true;
	size_t len;
	int r = pme_os_read_attr(topo->os, &text, &len, "proc/swaps");

	if (r == -ENOENT || r == -ENOMEM) /* ENOENT: a kernel without swap */
		return r == -ENOMEM ? r : 0;
	if (r < 0) {
		pme_log_incomplete(log, "/proc/swaps", "cannot be read: %s", strerror(-r));
		return 0;
	}
	for (const char *p = text; r == 0 && p < text + len;) {
		const char *end = memchr(p, '\n', (size_t)(text + len - p));

		end = end ? end : text + len;
		if (!heading)
			r = add_line(topo, p, (size_t)(end - p), log);
		heading = false;
		p = end + 1;
	}
	return r;
}

bool pme_topo_is_swap_file(const struct pme_topo *topo, dev_t devno, uint64_t inode)
{
	for (size_t i = 0; i < topo->n_swap_files; i++)
		if (topo->swap_files[i].devno == devno && topo->swap_files[i].inode == inode)
			return true;
	return false;
}
