/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which boot of the machine this is; see os.h.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "os.h"

static uint64_t boot;

/* A UUID of version 4: whichever 16 of its digits are taken, 58 bits of it are random at least. */
static void read_boot(void)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	size_t digits = 0;

	for (ssize_t i = 0; i < n && digits < 16; i++) {
		const char *hex = "0123456789abcdef", *digit = memchr(hex, text[i], 16);

		if (!digit)
			continue;
		boot = boot << 4 | (uint64_t)(digit - hex);
		digits++;
	}
	if (digits < 16)
		boot = 0;
}

uint64_t pme_os_boot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_boot);
	return boot;
}
