/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of block devices from the database of udev; see topo-udev.h.
 */
#include "topo-udev.h"

#include <string.h>
#include <sys/sysmacros.h>

#define DATABASE_MAX (64U << 10) /* bytes; one device has a few hundred */

int pme_udev_property_parse(const char *text, size_t len, const char *key, char **ret)
{
	const char *end = text + len;
	size_t key_len = strlen(key);

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		size_t rest = (size_t)(line_end - text);

		if (rest > key_len + 3 && memcmp(text, "E:", 2) == 0 &&
		    memcmp(text + 2, key, key_len) == 0 && text[2 + key_len] == '=') {
			*ret = strndup(text + key_len + 3, rest - key_len - 3);
			return *ret ? 1 : -ENOMEM;
		}
		text = newline ? newline + 1 : end;
	}
	return 0;
}

int pme_udev_property(const struct pme_os *os, dev_t devno, const char *key, char **ret)
{
	_cleanup_free_ char *path = pme_printf("run/udev/data/b%u:%u", major(devno), minor(devno));
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = path ? pme_os_read_file(os, path, DATABASE_MAX, &text, &len) : -ENOMEM;

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return pme_udev_property_parse(text, len, key, ret);
}
