/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Smallest common tools: cleanup attributes, checked arithmetic, growing arrays, numbers from text.
 *
 * Nothing here logs, reads a file or knows of devices.  Functions return 0 or a negative errno.
 * The surprise: pme_grow() never shrinks and limits every array, so that no table, device or file
 * name can make the program grow without bound.
 */
#ifndef PME_BASE_H
#define PME_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PME_SECTOR 512ULL /* bytes; the unit of kernel formats only */

/* No array of the program holds more items than this: 16 Mi.  -E2BIG beyond. */
#define PME_ITEMS_MAX (16U << 20)

static inline void pme_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void pme_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline int pme_take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(pme_free_ptr)
#define _cleanup_close_ _cleanup_(pme_close_fd)
#define _printf_(a, b) __attribute__((format(printf, a, b)))

/* Hand over an owned pointer: yields its value and leaves NULL behind. */
#define pme_take_ptr(p)                     \
	({                                  \
		__typeof__(p) _taken = (p); \
		(p) = NULL;                 \
		_taken;                     \
	})

#define PME_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Checked arithmetic: 0, or -EOVERFLOW and *ret untouched. */
int pme_add(uint64_t a, uint64_t b, uint64_t *ret);
int pme_mul(uint64_t a, uint64_t b, uint64_t *ret);

static inline uint64_t pme_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t pme_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * The last nanosecond in which a file can still be given the time @stamp (ns): ext2, ext3 and ext4
 * with inodes of 128 bytes have whole seconds only.
 */
static inline int64_t pme_stamp_last(int64_t stamp)
{
	return stamp % 1000000000 ? stamp : stamp + 999999999;
}

/*
 * Make room for one more item of @size bytes in the array at *@array with *@alloc items allocated
 * and @count used.  0, -ENOMEM, or -E2BIG beyond PME_ITEMS_MAX; the array stays valid either way.
 */
int pme_grow(void *array, size_t *alloc, size_t count, size_t size);

/*
 * A whole decimal number: only digits, no sign, no blank, nothing behind it.
 * -EINVAL for anything else, -ERANGE when it does not fit.
 */
int pme_parse_u64(const char *text, size_t len, uint64_t *ret);

/*
 * The next word (run of characters other than blank, tab) of [*@pos, @end); *@pos moves behind it.
 * 1 and the word, or 0 at the end.
 */
int pme_next_word(const char **pos, const char *end, const char **ret_word, size_t *ret_len);

/* Does the word @word of @len bytes equal the string @s? */
bool pme_word_is(const char *word, size_t len, const char *s);

/* asprintf that returns NULL when there is no memory. */
char *pme_printf(const char *fmt, ...) _printf_(1, 2);

/*
 * Is @text valid UTF-8 (RFC 3629: no surrogates, no overlong forms), without noncharacters, which
 * D-Bus does not carry?
 */
bool pme_utf8_valid(const char *text, size_t len);

/* RFC 4648 base64 of @len bytes, allocated; NULL when there is no memory. */
char *pme_base64(const void *data, size_t len);
/* And back, allocated, a NUL behind it: 0; -EINVAL when pme_base64() does not make it; -ENOMEM. */
int pme_base64_parse(const char *text, size_t len, char **ret, size_t *ret_len);

#endif
