/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32; see rest-crc.h.  Bit by bit: it is used for some kilobytes per scan.
 */
#include "rest-crc.h"

uint32_t pme_rest_crc(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return crc;
}
