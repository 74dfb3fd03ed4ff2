/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every fuzz target includes: its entry, and a way to say that a property does not hold.
 *
 * A target gets any bytes, and ends normally whatever they are.  FUZZ_CHECK() is for what must hold
 * for every input; the fuzzer keeps the input that breaks it.
 */
#ifndef PME_FUZZ_H
#define PME_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                             \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

/*
 * A copy of exactly @size bytes, allocated: the sanitizer sees every read behind it.  Also when
 * @size is 0, where libFuzzer may pass NULL.
 */
static inline char *fuzz_copy(const void *data, size_t size)
{
	char *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	return copy;
}

#endif
