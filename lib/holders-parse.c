/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of /proc/PID/maps and fdinfo, and what a cgroup path says; see holders.h.
 *
 * Formats: fs/proc/task_mmu.c (show_map_vma); fs/proc/fd.c (seq_show); systemd's names of units;
 * names that docker, containerd, cri-o, podman, lxc and systemd-nspawn give to cgroups, v1 and v2.
 * Of nested containers the outermost is named: the one that tools on this machine know.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "holders.h"

#define ID_DIGITS 64 /* of an OCI container identifier */

struct span {
	const char *text;
	size_t len;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal digits up to @end_char; *@pos moves behind it. */
static int parse_hex(const char **pos, const char *end, char end_char, uint64_t *ret)
{
	const char *p = *pos;
	uint64_t value = 0;

	for (; p < end && hex_digit(*p) >= 0; p++) {
		if (value >> 60)
			return -EINVAL;
		value = value << 4 | (uint64_t)hex_digit(*p);
	}
	if (p == *pos || p == end || *p != end_char)
		return -EINVAL;
	*pos = p + 1;
	*ret = value;
	return 0;
}

/* "rwxp ": five characters. */
static int parse_permissions(const char **pos, const char *end, struct pme_map_line *ret)
{
	const char *p = *pos;

	if (end - p < 5 || (p[0] != 'r' && p[0] != '-') || (p[1] != 'w' && p[1] != '-') ||
	    (p[2] != 'x' && p[2] != '-') || (p[3] != 's' && p[3] != 'p') || p[4] != ' ')
		return -EINVAL;
	ret->writable = p[1] == 'w';
	ret->shared = p[3] == 's';
	*pos += 5;
	return 0;
}

static int parse_inode(const char *pos, const char *end, uint64_t *ret)
{
	const char *p = pos;

	while (p < end && *p != ' ' && *p != '\n')
		p++;
	return pme_parse_u64(pos, (size_t)(p - pos), ret) < 0 ? -EINVAL : 0;
}

int pme_map_line_parse(const char *line, size_t len, struct pme_map_line *ret)
{
	const char *p = line, *end = line + len;
	struct pme_map_line map = {0};
	uint64_t maj, min;

	if (parse_hex(&p, end, '-', &map.start) < 0 || parse_hex(&p, end, ' ', &map.end) < 0 ||
	    parse_permissions(&p, end, &map) < 0 || parse_hex(&p, end, ' ', &map.offset) < 0 ||
	    parse_hex(&p, end, ':', &maj) < 0 || parse_hex(&p, end, ' ', &min) < 0 ||
	    parse_inode(p, end, &map.inode) < 0)
		return -EINVAL;
	if (map.start >= map.end || maj > UINT32_MAX || min > UINT32_MAX)
		return -EINVAL;
	map.devno = makedev((unsigned int)maj, (unsigned int)min);
	*ret = map;
	return 0;
}

static bool starts_with(struct span s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len > len && memcmp(s.text, prefix, len) == 0;
}

static bool ends_with(struct span s, const char *suffix)
{
	size_t len = strlen(suffix);

	return s.len > len && memcmp(s.text + s.len - len, suffix, len) == 0;
}

static bool contains(struct span s, const char *word)
{
	return memmem(s.text, s.len, word, strlen(word)) != NULL;
}

static struct span cut(struct span s, size_t front, size_t back)
{
	return (struct span){s.text + front, s.len - front - back};
}

/* The next component of a path: 1, 0 at the end. */
static int next_component(struct span *path, struct span *ret)
{
	const char *slash;

	while (path->len > 0 && *path->text == '/')
		*path = cut(*path, 1, 0);
	if (path->len == 0)
		return 0;
	slash = memchr(path->text, '/', path->len);
	*ret = *path;
	if (slash)
		ret->len = (size_t)(slash - path->text);
	*path = cut(*path, ret->len, 0);
	return 1;
}

static struct span without_suffix(struct span s)
{
	if (ends_with(s, ".scope"))
		return cut(s, 0, strlen(".scope"));
	return ends_with(s, ".service") ? cut(s, 0, strlen(".service")) : s;
}

/* OCI runtimes: 64 hexadecimal digits, alone or behind "docker-", "cri-containerd:", … */
static bool find_id(struct span s, struct span *ret)
{
	size_t digits = 0;

	s = without_suffix(s);
	while (digits < s.len && hex_digit(s.text[s.len - digits - 1]) >= 0)
		digits++;
	if (digits != ID_DIGITS || contains(s, "conmon"))
		return false;
	if (s.len > digits && !strchr("-:_", s.text[s.len - digits - 1]))
		return false;
	*ret = cut(s, s.len - digits, 0);
	return true;
}

/* Containers with names: lxc in two layouts, systemd-nspawn in two. */
static bool find_named(struct span previous, struct span s, struct span *ret)
{
	if (starts_with(s, "lxc.payload."))
		*ret = cut(s, strlen("lxc.payload."), 0);
	else if (pme_word_is(previous.text, previous.len, "lxc") ||
		 pme_word_is(previous.text, previous.len, "lxc.payload"))
		*ret = s;
	else if (starts_with(s, "systemd-nspawn@") && ends_with(s, ".service"))
		*ret = cut(s, strlen("systemd-nspawn@"), strlen(".service"));
	else if (starts_with(s, "machine-") && ends_with(s, ".scope") && !contains(s, "qemu"))
		*ret = cut(s, strlen("machine-"), strlen(".scope"));
	else
		return false;
	return ret->len > 0;
}

/* systemd escapes a leading "_" for names that would collide with the kernel's. */
static bool is_unit(struct span s)
{
	return ends_with(s, ".service") || ends_with(s, ".scope");
}

static char *copy_unit(struct span s)
{
	return *s.text == '_' ? strndup(s.text + 1, s.len - 1) : strndup(s.text, s.len);
}

/* "web\x2d1" is "web-1" (systemd.unit(5)). */
static char *copy_name(struct span s)
{
	char *name = malloc(s.len + 1), *p = name;

	for (size_t i = 0; name && i < s.len; i++) {
		bool escaped = s.len - i >= 4 && s.text[i] == '\\' && s.text[i + 1] == 'x' &&
			       hex_digit(s.text[i + 2]) >= 0 && hex_digit(s.text[i + 3]) >= 0;
		int code = escaped ? hex_digit(s.text[i + 2]) * 16 + hex_digit(s.text[i + 3]) : 0;

		*p++ = code > 0 ? (char)code : s.text[i];
		i += code > 0 ? 3 : 0;
	}
	if (name)
		*p = '\0';
	return name;
}

static int parse_path(struct span path, char **unit, char **container)
{
	struct span s, found, previous = {"", 0};

	while (next_component(&path, &s)) {
		if (!*unit && is_unit(s)) {
			*unit = copy_unit(s);
			if (!*unit)
				return -ENOMEM;
		}
		if (!*container && (find_id(s, &found) || find_named(previous, s, &found))) {
			*container = copy_name(found);
			if (!*container)
				return -ENOMEM;
		}
		previous = s;
	}
	return 0;
}

/* "ID:CONTROLLERS:PATH": where the path starts; NULL for something else. */
static const char *path_of_line(const char *line, size_t len)
{
	const char *first = memchr(line, ':', len);
	const char *second;

	if (!first)
		return NULL;
	second = memchr(first + 1, ':', len - (size_t)(first + 1 - line));
	return second ? second + 1 : NULL;
}

int pme_vmflags_parse(const char *line, size_t len)
{
	const char *p = line, *end = line + len, *word;
	size_t word_len;

	if (!pme_next_word(&p, end, &word, &word_len) || !pme_word_is(word, word_len, "VmFlags:"))
		return -EINVAL;
	while (pme_next_word(&p, end, &word, &word_len))
		if (pme_word_is(word, word_len, "sf")) /* VM_SYNC */
			return 1;
	return 0;
}

int pme_fdinfo_parse(const char *text, size_t len)
{
	static const char key[] = "\nflags:\t";
	const char *end = text + len, *p = memmem(text, len, key, strlen(key));
	uint64_t flags = 0;

	if (!p)
		return -EINVAL;
	for (p += strlen(key); p < end && *p >= '0' && *p <= '7'; p++) {
		if (flags >> 61)
			return -EINVAL;
		flags = flags << 3 | (uint64_t)(*p - '0');
	}
	if (p == end || *p != '\n' || p[-1] == '\t')
		return -EINVAL;
	/* the third mode, 3, is for ioctl() alone */
	return (flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR;
}

/* "KEY:\tNUMBER\n" at the start of a line: 1, 0 there is none, -EINVAL. */
static int find_number(const char *text, size_t len, const char *key, uint64_t *ret)
{
	const char *end = text + len, *p = memmem(text, len, key, strlen(key)), *newline;

	if (!p)
		return 0;
	p += strlen(key);
	newline = memchr(p, '\n', (size_t)(end - p));
	if (!newline || pme_parse_u64(p, (size_t)(newline - p), ret) < 0)
		return -EINVAL;
	return 1;
}

int pme_fdinfo_place_parse(const char *text, size_t len, uint64_t *ret_mount, uint64_t *ret_inode)
{
	uint64_t mount, inode = UINT64_MAX;
	int r = find_number(text, len, "\nmnt_id:\t", &mount);

	if (r == 1)
		r = find_number(text, len, "\nino:\t", &inode) < 0 ? -EINVAL : 1;
	if (r != 1)
		return -EINVAL;
	*ret_mount = mount;
	*ret_inode = inode;
	return 0;
}

int pme_cgroup_parse(const char *text, size_t len, char **ret_unit, char **ret_container)
{
	_cleanup_free_ char *unit = NULL;
	_cleanup_free_ char *container = NULL;
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		const char *path = path_of_line(text, (size_t)(line_end - text));

		if (!path || memchr(text, '\0', (size_t)(line_end - text)))
			return -EINVAL;
		if (parse_path((struct span){path, (size_t)(line_end - path)}, &unit, &container) <
		    0)
			return -ENOMEM;
		text = newline ? newline + 1 : end;
	}
	*ret_unit = pme_take_ptr(unit);
	*ret_container = pme_take_ptr(container);
	return 0;
}
