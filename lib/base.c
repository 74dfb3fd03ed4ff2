/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Smallest common tools; see base.h.
 */
#include "base.h"

#include <stdarg.h>
#include <string.h>

int pme_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return -EOVERFLOW;
	*ret = sum;
	return 0;
}

int pme_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return -EOVERFLOW;
	*ret = product;
	return 0;
}

int pme_grow(void *array, size_t *alloc, size_t count, size_t size)
{
	size_t want = *alloc ? *alloc * 2 : 8;
	void *p;

	if (count < *alloc)
		return 0;
	if (count >= PME_ITEMS_MAX)
		return -E2BIG;
	p = reallocarray(*(void **)array, want, size);
	if (!p)
		return -ENOMEM;
	*(void **)array = p;
	*alloc = want;
	return 0;
}

static bool is_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return len > 0;
}

int pme_parse_u64(const char *text, size_t len, uint64_t *ret)
{
	uint64_t value = 0;

	if (!is_digits(text, len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (pme_mul(value, 10, &value) < 0 ||
		    pme_add(value, (uint64_t)(text[i] - '0'), &value) < 0)
			return -ERANGE;
	*ret = value;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int pme_next_word(const char **pos, const char *end, const char **ret_word, size_t *ret_len)
{
	const char *p = *pos;
	const char *word;

	while (p < end && is_blank(*p))
		p++;
	word = p;
	while (p < end && !is_blank(*p))
		p++;
	*pos = p;
	if (p == word)
		return 0;
	*ret_word = word;
	*ret_len = (size_t)(p - word);
	return 1;
}

bool pme_word_is(const char *word, size_t len, const char *s)
{
	return strlen(s) == len && memcmp(word, s, len) == 0;
}

char *pme_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

/* U+FDD0 to U+FDEF, and the last two of each plane (Unicode, 23.7). */
static bool is_noncharacter(const unsigned char *s, size_t n)
{
	if (n == 3 && s[0] == 0xef)
		return (s[1] == 0xb7 && s[2] >= 0x90 && s[2] <= 0xaf) ||
		       (s[1] == 0xbf && s[2] >= 0xbe);
	return n == 4 && (s[1] & 0xf) == 0xf && s[2] == 0xbf && s[3] >= 0xbe;
}

/* Length of the well-formed sequence at @s (RFC 3629, section 4), or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || s[0] > 0xf4 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
		return 0;
	if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return is_noncharacter(s, n) ? 0 : n;
}

bool pme_utf8_valid(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	while (len > 0) {
		size_t n = utf8_sequence(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

char *pme_base64(const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = data;
	char *text = malloc((len + 2) / 3 * 4 + 1);
	char *p = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)s[i] << 16;

		v |= i + 1 < len ? (uint32_t)s[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint32_t)s[i + 2] : 0;
		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*p++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*p = '\0';
	return text;
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -EINVAL;
}

/* The three bytes of four digits; @count of them count, the others are '='. */
static int parse_quantum(const char *text, size_t count, char *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i <= count ? digit_of(text[i]) : text[i] == '=' ? 0 : -EINVAL;

		if (digit < 0)
			return digit;
		v = v << 6 | (uint32_t)digit;
	}
	/* Bits that no byte has must be 0, or one content had many texts. */
	if (count < 3 && v & ((1U << (24 - 8 * count)) - 1))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		ret[i] = (char)(v >> (16 - 8 * i));
	return 0;
}

int pme_base64_parse(const char *text, size_t len, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *bytes = NULL;
	size_t padding = 0, used = 0;

	if (len % 4 != 0)
		return -EINVAL;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	bytes = malloc(len / 4 * 3 + 1);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += 4) {
		size_t count = i + 4 == len ? 3 - padding : 3;
		int r = parse_quantum(text + i, count, bytes + used);

		if (r < 0)
			return r;
		used += count;
	}
	bytes[used] = '\0';
	*ret = pme_take_ptr(bytes);
	*ret_len = used;
	return 0;
}
